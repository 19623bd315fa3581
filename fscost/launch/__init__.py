"""Launching: cells into the store, several at a time, on this machine or on others."""

from collections.abc import Sequence

from fscost.errors import ConfigError
from fscost.launch.drive import PlainReport, Report, Sweep
from fscost.launch.local import LocalLauncher
from fscost.launch.ray import RayLauncher
from fscost.launch.slurm import SlurmLauncher
from fscost.launch.task import Ended, How, Launcher, Task, compute, execute
from fscost.rundir import Store

__all__ = ["Ended", "How", "Launcher", "PlainReport", "Report", "Sweep", "Task", "compute", "execute", "launcher"]


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
