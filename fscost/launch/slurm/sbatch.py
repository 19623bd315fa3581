"""What a cell's job asks Slurm for.

The options are those of hydra-submitit-launcher; where they say nothing, the cell's own limits do.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from fscost.errors import ConfigError
from fscost.launch.task import Task

_MARGIN_MIN = 5
"""Minutes a job may take beyond its cell's own limit: to start Python, and to end what ran into the limit."""

_WAITING_GB = 1
"""Memory of the process that waits for the one that computes."""

_NOT_FOR_SBATCH = {"_target_", "name", "submitit_folder", "max_num_timeout", "nodes", "tasks_per_node",
                   "timeout_min", "cpus_per_task", "mem_gb", "stderr_to_stdout"}  # fmt: skip


def asked_for(task: Task) -> dict[str, Any]:
    """Return what a task's job asks for, in submitit's names; raises ConfigError for what makes no sense for a cell."""
    given = task.launcher
    for name in ("nodes", "tasks_per_node"):
        if given.get(name) not in (None, 1):
            raise ConfigError(f"hydra.launcher.{name}={given[name]}: a cell is one process on one node; leave it 1")
    asked: dict[str, Any] = {"job_name": "fscost"}
    asked |= {name: value for name, value in given.items() if name not in _NOT_FOR_SBATCH and value is not None}
    asked |= {"nodes": 1, "ntasks_per_node": 1, "use_srun": False, "stderr_to_stdout": True}
    if "cpus_per_gpu" not in asked:
        asked["cpus_per_task"] = given.get("cpus_per_task") or task.settings.threads
    if (memory_mib := _memory_mib(task)) is not None and not {"mem_per_cpu", "mem_per_gpu"} & asked.keys():
        asked["mem"] = f"{memory_mib}M"
    return asked | {"time": _minutes(task)}  # None is the partition's own limit; without it submitit asks for 5 minutes


def _memory_mib(task: Task) -> int | None:
    """Return the memory of a job; hydra-submitit-launcher's GB are 2^30 bytes, ours are 10^9."""
    given, limit = task.launcher.get("mem_gb"), task.settings.memory_gb
    if given is not None:
        return math.ceil(float(given) * 1024)
    return None if limit is None else math.ceil((limit + _WAITING_GB) * 1e9 / 2**20)


def _minutes(task: Task) -> int | None:
    given, limit = task.launcher.get("timeout_min"), task.settings.timeout_min
    if given is not None:
        return math.ceil(float(given))
    return None if limit is None else math.ceil(limit + _MARGIN_MIN)


def arrays(tasks: Sequence[Task], most: int) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Yield what to ask for and the tasks, by number, that ask for it: at most `most` in one array."""
    asked = [asked_for(task) for task in tasks]
    alike: dict[str, list[int]] = {}
    for number, one in enumerate(asked):
        folder = tasks[number].launcher.get("submitit_folder")
        alike.setdefault(json.dumps([one, folder], sort_keys=True, default=str), []).append(number)
    for members in alike.values():
        for start in range(0, len(members), most):
            yield asked[members[start]], members[start : start + most]
