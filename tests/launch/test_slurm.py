"""Cells as jobs of a real Slurm, see slurm_lab."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.engine import EngineSettings
from fscost.errors import ConfigError
from fscost.launch import Ended, How, LineProgress, Sweep, Task
from fscost.launch.slurm import SlurmLauncher
from fscost.launch.slurm.squeue import states
from fscost.store.store import Store
from tests.conftest import Result, cell_of, cells_of, in_process
from tests.launch.slurm_lab import SlurmLab, one_node, why_not
from tests.waiting import until

WAIT_S = 60
LONG = ("engine=builtin", "model=lr", "rounds=50000")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmLab]:
    pytest.importorskip("submitit", reason="no submitit: pip install 'fscost[slurm]'")
    if reason := why_not():
        pytest.skip(reason)
    with one_node(tmp_path_factory.mktemp("slurm"), cpus=8) as lab:
        yield lab


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def launcher(slurm: SlurmLab, store: Store) -> Iterator[SlurmLauncher]:
    one = SlurmLauncher(store, poll_s=0.2, grace=2)
    yield one
    one.close()


def task(store: Store, cell: Cell, settings: EngineSettings | None = None, **options: Any) -> Task:
    return Task(cell, settings or EngineSettings(), {"name": "slurm", **options}, store.stamp(cell))


def wait_for_job(store: Store, cell: Cell) -> tuple[str, int]:
    """Wait until a cell is being computed; return its job and the process that computes it."""
    until(lambda: len(running()) == 1 and store.holder(cell), what=f"{cell.name} alone")
    told = store.holder(cell)
    assert told
    return running()[0], int(told.split("process ")[1])


def running() -> list[str]:
    return [job for job, state in states().items() if state == "RUNNING"]


def end(future: Future[Ended]) -> Ended:
    return future.result(WAIT_S)


pytestmark = pytest.mark.slurm


def test_cells_are_computed_as_one_array(launcher: SlurmLauncher, store: Store) -> None:
    cells = cells_of("engine=estimate", "clients=2,3,4,5")
    before = states().keys()
    futures = launcher.launch([task(store, cell) for cell in cells])
    jobs = states().keys() - before
    assert len({job.split("_")[0] for job in jobs}) == 1 and len(jobs) == 4
    assert {end(future).how for future in futures} == {How.COMPUTED}
    assert {store.status(cell) for cell in cells} == {Status.DONE}
    launcher.close()
    assert list((store.path / ".slurm").iterdir()) == []  # all went well: nobody needs the jobs' logs


def test_a_cell_that_really_trains_is_computed_by_a_job_alone(launcher: SlurmLauncher, store: Store) -> None:
    cell = cell_of("engine=builtin", "model=lr", "rounds=1")
    (future,) = launcher.launch([task(store, cell)])
    ended = end(future)
    assert ended.how is How.COMPUTED and ended.outcome and ended.outcome.status is Status.DONE
    assert store.of(cell).read_outcome()["provenance"]["engine"] == "builtin"


def test_a_cell_computed_meanwhile_is_not_computed_again(launcher: SlurmLauncher, store: Store) -> None:
    late = task(store, cell_of("engine=estimate"))
    assert end(launcher.launch([late])[0]).how is How.COMPUTED
    assert end(launcher.launch([late])[0]).how is How.ELSEWHERE


def test_a_cancelled_job_died_and_the_others_go_on(launcher: SlurmLauncher, store: Store) -> None:
    long, short = cell_of(*LONG), cell_of("engine=estimate")
    cancelled, done = launcher.launch([task(store, long), task(store, short, comment="another array")])
    assert end(done).how is How.COMPUTED
    job, _ = wait_for_job(store, long)
    subprocess.run(["scancel", job], check=True)
    ended = end(cancelled)
    assert ended.how is How.DIED and ended.status is Status.FAILED
    assert ended.reason.startswith(f"Slurm job {job} was cancelled; log: {store.path}/.slurm/")
    launcher.close()
    log = Path(ended.reason.split("log: ")[1])
    assert "CANCELLED" in log.read_text()


def test_a_killed_process_died_without_accounting(launcher: SlurmLauncher, store: Store) -> None:
    cell = cell_of(*LONG)
    (future,) = launcher.launch([task(store, cell)])
    job, process = wait_for_job(store, cell)
    os.kill(process, signal.SIGKILL)
    ended = end(future)
    assert ended.how is How.DIED
    assert ended.reason.startswith(
        f"Slurm job {job} was killed by SIGKILL, which is also how a lack of memory ends; log"
    )
    until(lambda: store.holder(cell) is None, what="the lock")


def test_an_error_in_the_job_is_its_reason(launcher: SlurmLauncher, store: Store) -> None:
    cell = replace(cell_of("engine=estimate"), engine="nope")
    ended = end(launcher.launch([task(store, cell)])[0])
    assert ended.how is How.DIED
    assert re.match(r"Slurm job \d+: ConfigError: engine=nope: there is no such engine; .*; log: /", ended.reason)


@pytest.mark.parametrize("code, words", [(0, "ended without a result"), (7, "ended with exit code 7")])
def test_a_job_that_does_not_get_to_its_cell(launcher: SlurmLauncher, store: Store, code: int, words: str) -> None:
    ended = end(launcher.launch([task(store, cell_of("engine=estimate"), setup=["echo a", f"exit {code}"])])[0])
    assert re.match(rf"Slurm job \d+ {words}; log: /", ended.reason)
    assert Path(ended.reason.split("log: ")[1]).read_text() == "a\n"


def test_a_sweep_may_run_in_a_job_of_an_array(
    launcher: SlurmLauncher, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "99")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    assert end(launcher.launch([task(store, cell_of("engine=estimate"))])[0]).how is How.COMPUTED
    assert os.environ["SLURM_ARRAY_TASK_ID"] == "7"


def test_a_job_that_slurm_runs_again_is_waited_for(launcher: SlurmLauncher, store: Store, tmp_path: Path) -> None:
    first, cell = tmp_path / "first", cell_of("engine=estimate")
    setup = [f"[ -e {first} ] || {{ touch {first}; sleep 1000; }}"]
    (future,) = launcher.launch([task(store, cell, setup=setup)])
    until(lambda: first.exists() and len(running()) == 1, what="the first attempt")
    (job,) = running()
    subprocess.run(["scontrol", "requeue", job], check=True)
    until(lambda: states()[job] == "PENDING", what="the job to be queued again")
    # Slurm waits for 2 minutes; in the same second its node would take the job for the one that was cancelled.
    soon = "StartTime=now+2"
    subprocess.run(["scontrol", "update", f"JobId={job}", soon], check=True)
    assert end(future).how is How.COMPUTED


def test_closing_cancels_what_runs_and_what_waits(launcher: SlurmLauncher, store: Store) -> None:
    running, waiting = cells_of(*LONG, "seed=0,1")
    futures = launcher.launch([task(store, cell, array_parallelism=1) for cell in (running, waiting)])
    job, process = wait_for_job(store, running)
    launcher.close()
    launcher.close()
    assert all(future.cancelled() for future in futures)
    array = job.split("_")[0]
    assert {state for name, state in states().items() if name.startswith(f"{array}_")} == {"CANCELLED"}
    until(lambda: not Path(f"/proc/{process}").exists(), what="the job's process to be gone")
    assert store.holder(running) is None and store.status(waiting) is Status.MISSING


def test_an_outage_of_the_controller_loses_nothing(
    slurm: SlurmLab, launcher: SlurmLauncher, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    setup = [f"until [ -e {tmp_path}/outage ]; do sleep 0.1; done"]
    futures = launcher.launch([task(store, cell_of("engine=estimate"), setup=setup),
                               task(store, cell_of(*LONG), setup=[*setup, "exit 7"])])  # fmt: skip
    until(lambda: "RUNNING" in states().values(), what="the jobs")
    slurm.stop_controller()
    (tmp_path / "outage").touch()
    try:
        until(lambda: "so does the waiting" in capsys.readouterr().err, what="a warning")
    finally:
        slurm.start_controller()
    assert end(futures[0]).how is How.COMPUTED
    assert "ended with exit code 7" in end(futures[1]).reason


def test_a_store_that_a_node_does_not_see_is_named(slurm: SlurmLab, tmp_path: Path) -> None:
    if not slurm.has_private:
        pytest.skip("a file system that a node does not share needs unshare --mount")
    store = Store(slurm.private / "runs")
    launcher = SlurmLauncher(store, poll_s=0.2, grace=2)
    cells = cells_of("engine=estimate", "clients=2,3")
    unseen, half_seen = launcher.launch(
        [task(store, cells[0]), task(store, cells[1], submitit_folder=str(tmp_path / "%j"))]
    )
    wanted = "the store must lie on a file system that all nodes share; store=PATH chooses another"
    reason = end(unseen).reason
    assert re.match(rf"Slurm job [\d_]+ .* and left no log {store.path}/\.slurm/", reason) and reason.endswith(wanted)
    reason = end(half_seen).reason
    assert f"StoreError: store={store.path}: {os.uname().nodename} does not see" in reason and wanted in reason
    launcher.close()


def test_what_sbatch_refuses_is_said_in_its_words(
    launcher: SlurmLauncher, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        launcher.launch([task(store, cell_of("engine=estimate"), partition="nope")])
    assert str(refused.value) == (
        "hydra/launcher=slurm: sbatch: invalid partition specified: nope; "
        "Batch job submission failed: Invalid partition name specified"
    )
    assert capsys.readouterr().err == ""  # said once


def test_what_sbatch_refuses_later_does_not_end_the_sweep(launcher: SlurmLauncher, store: Store) -> None:
    cell = cell_of("engine=estimate")
    assert end(launcher.launch([task(store, cell)])[0]).how is How.COMPUTED
    ended = end(launcher.launch([task(store, cell, partition="nope")])[0])
    assert ended.how is How.DIED and "invalid partition specified: nope" in ended.reason


def test_an_unknown_option_is_refused(launcher: SlurmLauncher, store: Store) -> None:
    with pytest.raises(ConfigError, match=r"^hydra/launcher=slurm: .*Unavailable parameter\(s\): \['nope'\]$"):
        launcher.launch([task(store, cell_of("engine=estimate"), nope=1)])


def test_a_job_gets_what_its_cell_needs(launcher: SlurmLauncher, store: Store) -> None:
    settings = EngineSettings(threads=3, memory_gb=1.5, timeout_min=7)
    before = states().keys()
    launcher.launch([task(store, cell_of("engine=estimate"), settings, additional_parameters={"hold": True})])
    (job,) = states().keys() - before
    shown = subprocess.run(["scontrol", "-o", "show", "job", job], capture_output=True, text=True, check=True).stdout
    for fact in ("JobName=fscost", "NumCPUs=3", "CPUs/Task=3", "MinMemoryNode=2385M", "TimeLimit=00:12:00"):
        assert f" {fact} " in shown


@pytest.mark.parametrize("retries", [0, 1])
def test_a_sweep_outlives_a_killed_job(launcher: SlurmLauncher, store: Store, retries: int) -> None:
    cells, first = cells_of("engine=estimate", "clients=2,3,4,5"), store.path.parent / "first"
    told: list[str] = []
    sweep = Sweep(store, launcher, LineProgress(4, told.append), retries=retries, fail_fast=False)
    killed = [f"[ -e {first} ] || {{ touch {first}; kill -KILL $$; }}"]
    sweep.run([task(store, cell, setup=killed if cell is cells[1] else []) for cell in cells])
    outcomes = [store.of(cell).read_outcome() for cell in cells]
    assert [outcome["status"] for outcome in outcomes] == ["done", "done" if retries else "failed", "done", "done"]
    assert sweep.failures() == ([] if retries else [cells[1].id])
    assert len([line for line in told if "was killed by SIGKILL" in line]) == 1
    assert retries or re.match(r"Slurm job \d+ was killed by SIGKILL, .*; log: /", outcomes[1]["reason"])


def test_an_interrupted_sweep_leaves_no_job(launcher: SlurmLauncher, store: Store) -> None:
    cells = cells_of(*LONG, "seed=0,1,2")

    class Interrupted(LineProgress):
        def look(self) -> None:
            if any(store.holder(cell) for cell in cells):
                raise KeyboardInterrupt

    sweep = Sweep(store, launcher, Interrupted(3, print), retries=1, fail_fast=False)
    with pytest.raises(KeyboardInterrupt):
        sweep.run([task(store, cell) for cell in cells])
    until(lambda: not running(), what="an empty queue")
    assert sweep.results == {}
    assert {store.status(cell) for cell in cells} <= {Status.INTERRUPTED, Status.MISSING}


@pytest.mark.slow
def test_a_sweep_on_the_command_line(slurm: SlurmLab, here: Path, fscost: Callable[..., Result]) -> None:
    words = ("engine=builtin", "model=lr", "rounds=1,2,3", "hydra/launcher=slurm", "retries=0")
    cells, store = cells_of(*words[:3]), Store(here / "runs")
    with ThreadPoolExecutor(1) as pool:
        swept = pool.submit(in_process, *words, cwd=here)
        until(lambda: store.path.is_dir() and store.holder(cells[1]), what="the second cell")
        os.kill(int((store.holder(cells[1]) or "").split("process ")[1]), signal.SIGKILL)
    first = swept.result()
    assert first.code == 1
    assert [store.status(cell) for cell in cells] == [Status.DONE, Status.FAILED, Status.DONE]
    assert "3 cells: 2 done, 1 failed" in first.err and "was killed by SIGKILL" in first.err
    again = fscost(*words)
    assert again.code == 0 and "3 cells: 2 done, 1 to run" in again.err
    assert {store.status(cell) for cell in cells} == {Status.DONE}
