"""What jobs ask Slurm for, what its commands say, and where there is none: this needs no Slurm."""

import sys
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.engine import EngineSettings
from fscost.errors import ConfigError
from fscost.launch import Task
from fscost.launch.slurm import SlurmLauncher
from fscost.launch.slurm.sbatch import arrays, asked_for
from fscost.launch.slurm.squeue import JobEnding, words_of
from fscost.store.store import Store
from tests.conftest import cell_of, cells_of


def task(cell: Cell, settings: EngineSettings | None = None, **options: Any) -> Task:
    return Task(cell, settings or EngineSettings(), {"name": "slurm", **options}, "")


@pytest.mark.parametrize("settings, options, asked", [
    (EngineSettings(), {}, {"cpus_per_task": 1, "mem": None, "time": None}),
    (EngineSettings(threads=4), {"cpus_per_task": 2}, {"cpus_per_task": 2}),
    (EngineSettings(memory_gb=2), {"mem_gb": 8}, {"mem": "8192M"}),
    (EngineSettings(memory_gb=2), {"mem_per_cpu": "4G"}, {"mem": None, "mem_per_cpu": "4G"}),
    (EngineSettings(timeout_min=0.5), {}, {"time": 6}),
    (EngineSettings(timeout_min=10), {"timeout_min": 90}, {"time": 90}),
    (EngineSettings(), {"job_name": "mine", "stderr_to_stdout": False}, {"job_name": "mine", "stderr_to_stdout": True}),
    (EngineSettings(), {"partition": "gpu", "qos": None, "gpus_per_node": 1}, {"partition": "gpu", "gpus_per_node": 1}),
])  # fmt: skip
def test_what_a_job_asks_for(settings: EngineSettings, options: Any, asked: dict[str, Any]) -> None:
    found = asked_for(task(cell_of("engine=estimate"), settings, **options))
    assert {name: found.get(name) for name in asked} == asked and "qos" not in found


@pytest.mark.parametrize("name", ["nodes", "tasks_per_node"])
def test_a_cell_is_not_computed_twice_at_once(name: str) -> None:
    with pytest.raises(ConfigError, match=f"hydra.launcher.{name}=2: a cell is one process on one node"):
        asked_for(task(cell_of("engine=estimate"), **{name: 2}))


def test_what_asks_for_the_same_is_one_array_as_long_as_slurm_takes_it() -> None:
    cells = cells_of("engine=estimate", "clients=2,3,4,5,6")
    threads = [1, 2, 1, 1, 2]
    tasks = [task(cell, EngineSettings(threads=n)) for cell, n in zip(cells, threads, strict=True)]
    assert [(asked["cpus_per_task"], members) for asked, members in arrays(tasks, 2)] == [
        (1, [0, 2]), (1, [3]), (2, [1, 4])]  # fmt: skip


@pytest.mark.parametrize("ending, words", [
    (JobEnding("TIMEOUT"), "ran into its time limit"),
    (JobEnding("OUT_OF_MEMORY", 0, 9), "ran out of memory"),
    (JobEnding("NODE_FAIL"), "lost its node"),
    (JobEnding("FAILED", 137), "was killed by SIGKILL"),
    (JobEnding("FAILED", 0, 11), "was killed by SIGSEGV"),
    (JobEnding("FAILED", 200), "ended with exit code 200"),
    (JobEnding("FAILED", 0, 53), "could not be started"),
    (JobEnding(), "left the queue, and Slurm does not know how"),
])  # fmt: skip
def test_an_ending_in_words(ending: JobEnding, words: str) -> None:
    assert ending.in_words.startswith(words)


def test_words_of_a_command_are_one_line() -> None:
    assert words_of("sbatch: error: no such thing\nsbatch: fatal: nothing done\n") == "no such thing; nothing done"


@pytest.mark.parametrize("hidden, way_out", [
    ("sbatch", "there is no sbatch here; run this on a login node of the cluster, or with hydra/launcher=local"),
    ("submitit", "needs submitit: pip install 'fscost[slurm]'"),
])  # fmt: skip
def test_without_slurm_the_way_out_is_named(
    hidden: str, way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="no submitit: pip install 'fscost[slurm]'")
    monkeypatch.setenv("PATH", str(tmp_path))
    if hidden == "submitit":
        monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError) as refused:
        SlurmLauncher(Store(tmp_path))
    assert str(refused.value) == f"hydra/launcher=slurm: {way_out}"
