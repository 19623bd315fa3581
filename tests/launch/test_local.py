"""Cells side by side on this machine: how many, on which GPU, with how many threads."""

import os
import signal
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.outcome import Status
from fscost.engine import EngineSettings
from fscost.launch import Ended, How, Task
from fscost.launch.local import LocalLauncher, cores
from fscost.store.store import Store
from tests.conftest import cells_of
from tests.waiting import until

pytestmark = pytest.mark.pipeline

LOCAL: Mapping[str, Any] = {"name": "local", "n_jobs": None, "gpus": None}


def tasks_of(store: Store, *overrides: str, settings: EngineSettings, **options: Any) -> list[Task]:
    return [Task(cell, settings, {**LOCAL, **options}, store.stamp(cell)) for cell in cells_of(*overrides)]


def outcomes(futures: list[Future[Ended]]) -> list[Status | None]:
    ended = [future.result(120) for future in futures]
    assert all(one.how is How.COMPUTED for one in ended)
    return [one.outcome and one.outcome.status for one in ended]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_jobs_times_threads_is_at_most_the_cores(store: Store) -> None:
    for threads, expected in ((1, cores()), (2, max(1, cores() // 2)), (1000, 1)):
        with closing(LocalLauncher(store, tasks_of(store, settings=EngineSettings(threads=threads)))) as launcher:
            assert launcher.n_jobs == expected
    with closing(LocalLauncher(store, tasks_of(store, settings=EngineSettings(), n_jobs=7))) as launcher:
        assert launcher.n_jobs == 7


def test_cells_share_gpus_in_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6")
    for gpus, expected in ((None, ["4", "6", "4"]), ([0, 1], ["0", "1", "0"]), ([], [None] * 3)):
        tasks = tasks_of(store, settings=EngineSettings(), n_jobs=3, gpus=gpus)
        with closing(LocalLauncher(store, tasks)) as launcher:
            assert [launcher._gpus.get() for _ in range(3)] == expected


def test_cells_run_side_by_side_and_a_closed_launcher_leaves_none(store: Store) -> None:
    tasks = tasks_of(store, "engine=builtin", "model=lr", "rounds=1000000,1", settings=EngineSettings(), n_jobs=2)
    launcher = LocalLauncher(store, tasks)
    endless, short = launcher.launch(tasks)
    assert outcomes([short]) == [Status.DONE]
    until(lambda: store.status(tasks[0].cell) is Status.RUNNING)
    (queued,) = launcher.launch(tasks_of(store, "engine=builtin", "model=lr", "rounds=2", settings=EngineSettings()))
    assert outcomes([queued]) == [Status.DONE]
    launcher.close()
    assert endless.exception() is not None
    assert [store.status(task.cell) for task in tasks] == [Status.INTERRUPTED, Status.DONE]


@pytest.mark.slow
def test_a_killed_worker_costs_no_cell(store: Store) -> None:
    """The worker only holds what was imported: when it is killed, another one runs its cells again."""
    tasks = tasks_of(store, "engine=builtin", "model=lr", "rounds=150,151", settings=EngineSettings(), n_jobs=2)
    with closing(LocalLauncher(store, tasks)) as launcher:
        futures = launcher.launch(tasks)
        until(lambda: len(list(store.under_way.glob("*.run-*/progress.json"))) == 2)
        os.kill(worker_pid(), signal.SIGKILL)
        assert outcomes(futures) == [Status.DONE, Status.DONE]
    assert not list(store.under_way.iterdir())


def test_an_interpreter_that_prints_at_its_start_is_no_matter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (chatty := store.path.parent / "chatty").mkdir()
    (chatty / "sitecustomize.py").write_text("print('welcome'); print(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(chatty), prepend=os.pathsep)
    tasks = tasks_of(store, "engine=builtin", "model=lr", "rounds=1", settings=EngineSettings())
    with closing(LocalLauncher(store, tasks)) as launcher:
        assert outcomes(launcher.launch(tasks)) == [Status.DONE]


def worker_pid() -> int:
    """The only child of this process that runs a worker."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [int(pid) for path in children for pid in path.read_text().split()]
    (worker,) = [pid for pid in pids if b"boot.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return worker


def test_a_cell_that_was_computed_meanwhile_is_not_computed_again(store: Store) -> None:
    tasks = tasks_of(store, "engine=estimate", "model=lr", "rounds=1", settings=EngineSettings())
    with closing(LocalLauncher(store, tasks)) as launcher:
        assert outcomes(launcher.launch(tasks)) == [Status.DONE]
        assert [future.result().how for future in launcher.launch(tasks)] == [How.ELSEWHERE]
        again = tasks_of(store, "engine=estimate", "model=lr", "rounds=1", settings=EngineSettings())
        assert outcomes(launcher.launch(again)) == [Status.DONE]
