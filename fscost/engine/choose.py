"""What an engine is, and which one runs a cell."""

from typing import Protocol

from fscost.cell import Cell
from fscost.errors import ConfigError
from fscost.record import Outcome
from fscost.rundir import RunDir


class Engine(Protocol):
    """Computes cells."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for a cell this engine cannot run; computes and writes nothing."""

    def run(self, cell: Cell, into: RunDir) -> Outcome:
        """Run one cell to its end and write its ledger and logs; never raise for a run that failed."""


def engine_named(name: str) -> str:
    """Return the engine that runs cells of ``engine=name``; ``auto`` is the best one there is."""
    return "builtin" if name == "auto" else name


def engine_for(cell: Cell) -> Engine:
    """Return the engine of a cell; imports it only now, as engines import torch."""
    if cell.engine == "builtin":
        from fscost.engine.builtin import BuiltinEngine

        return BuiltinEngine()
    raise ConfigError(f"engine={cell.engine}: this fscost has no such engine; there is builtin")
