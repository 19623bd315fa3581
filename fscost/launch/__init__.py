"""Launching: cells into the store, several at a time, on this machine or on others."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from fscost.cells.cell import Cell
from fscost.errors import ConfigError
from fscost.launch.local import LocalLauncher
from fscost.launch.progress import LineProgress, Progress
from fscost.launch.ray import RayLauncher
from fscost.launch.slurm import SlurmLauncher
from fscost.launch.sweep import Sweep
from fscost.launch.task import Ended, How, Launcher, Task, compute, execute
from fscost.store.store import Store

__all__ = [
    "Ended",
    "How",
    "Launcher",
    "LineProgress",
    "Progress",
    "Sweep",
    "Task",
    "compute",
    "execute",
    "launcher",
    "progress_of",
]


_LAUNCHERS: Mapping[str, Callable[[Store, Sequence[Task]], Launcher]] = {
    "local": LocalLauncher,
    "slurm": lambda store, _tasks: SlurmLauncher(store),
    "ray": RayLauncher,
}
"""The launchers, by the names of their files in ``conf/hydra/launcher``."""


def launcher(tasks: Sequence[Task], store: Store) -> Launcher:
    """Return the launcher that these tasks were planned for, all for the same."""
    name = tasks[0].launcher["name"]
    if name not in _LAUNCHERS:
        raise ConfigError(f"hydra/launcher={name}: no such launcher; there are {', '.join(_LAUNCHERS)}")
    return _LAUNCHERS[name](store, tasks)


def progress_of(cells: Sequence[Cell], store: Store, say: Callable[[str], None] | None) -> LineProgress:
    """Return what shows the progress of a sweep of these cells: live on a terminal, lines for files and for CI.

    Without `say` nothing is shown.
    """
    if say is None:
        return LineProgress(len(cells), lambda line: None)
    if not sys.stderr.isatty() or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return LineProgress(len(cells), say)
    from fscost.launch.console import LiveProgress  # rich takes its time, which only a terminal is worth

    return LiveProgress(cells, store)
