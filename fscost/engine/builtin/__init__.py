"""The builtin engine: federated training with torch that follows FederatedScope's message protocol."""

from fscost.cell import Cell
from fscost.digits import DATA_TYPES
from fscost.engine.builtin.options import check_options
from fscost.record import Outcome
from fscost.rundir import RunDir


class BuiltinEngine:
    """Trains for real, in this process, on the CPU."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for options this engine does not understand or that contradict each other."""
        check_options(cell)

    def prepare(self, cell: Cell) -> None:
        """Raise ConfigError where the package that ships the cell's data is not installed."""
        if data := DATA_TYPES.get(cell.get("data.type")):
            data.file()

    def close(self) -> None:
        """Nothing is held."""

    def run(self, cell: Cell, into: RunDir) -> Outcome:
        """Run one cell and write its ledger and logs; what goes wrong becomes the outcome's reason."""
        from fscost.engine.builtin.run import run_cell  # torch takes seconds to import, and a plan needs none

        return run_cell(cell, into)
