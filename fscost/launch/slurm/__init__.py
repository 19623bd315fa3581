"""Cells as jobs of a Slurm cluster."""

from fscost.launch.slurm.launcher import SlurmLauncher

__all__ = ["SlurmLauncher"]
