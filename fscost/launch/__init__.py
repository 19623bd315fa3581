"""Launching: cells into the store, several at a time, on this machine or on others."""

from fscost.launch.drive import PlainReport, Report, Sweep
from fscost.launch.local import LocalLauncher
from fscost.launch.task import Ended, How, Launcher, Task, compute, execute

__all__ = ["Ended", "How", "Launcher", "LocalLauncher", "PlainReport", "Report", "Sweep", "Task", "compute", "execute"]
