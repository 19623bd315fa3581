"""Launching: cells into the store, several at a time, on this machine or on others."""

import os
import sys
from collections.abc import Callable, Sequence

from fscost.cells.cell import Cell
from fscost.errors import ConfigError
from fscost.launch.local import LocalLauncher
from fscost.launch.progress import PlainReport, Report
from fscost.launch.ray import RayLauncher
from fscost.launch.slurm import SlurmLauncher
from fscost.launch.sweep import Sweep
from fscost.launch.task import Ended, How, Launcher, Task, compute, execute
from fscost.store.store import Store

__all__ = [
    "Ended",
    "How",
    "Launcher",
    "PlainReport",
    "Report",
    "Sweep",
    "Task",
    "compute",
    "execute",
    "launcher",
    "report_for",
]


def launcher(tasks: Sequence[Task], store: Store) -> Launcher:
    """Return the launcher that these tasks were planned for, all for the same."""
    name = tasks[0].launcher["name"]
    if name == "local":
        return LocalLauncher(store, tasks)
    if name == "ray":
        return RayLauncher(store, tasks)
    if name == "slurm":
        return SlurmLauncher(store)
    raise ConfigError(f"hydra/launcher={name}: there is no such launcher; there are local, slurm, ray")


def report_for(cells: Sequence[Cell], store: Store, say: Callable[[str], None] | None) -> PlainReport:
    """Return what tells the user of a sweep of these cells: live on a terminal, lines for files and for CI.

    Without `say` nothing is told.
    """
    if say is None:
        return PlainReport(len(cells), lambda line: None)
    if not sys.stderr.isatty() or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return PlainReport(len(cells), say)
    from fscost.launch.live_progress import LiveReport  # rich takes its time, which only a terminal is worth

    return LiveReport(cells, store)
