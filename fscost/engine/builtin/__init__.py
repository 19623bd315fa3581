"""The builtin engine: federated training with torch that follows FederatedScope's message protocol."""

from fscost.cell import Cell
from fscost.digits import DATA_TYPES
from fscost.engine.builtin.methods import method_problems
from fscost.engine.builtin.options import Options, contradictions, not_understood
from fscost.errors import ConfigError
from fscost.record import Outcome
from fscost.rundir import RunDir
from fscost.vocabulary import not_federatedscopes


class BuiltinEngine:
    """Trains for real, in this process, on the CPU."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for options this engine does not understand or that contradict each other."""
        options = Options(cell)
        problems = [*not_federatedscopes(cell.fs)] or [*not_understood(cell)]
        if problems := problems or [*contradictions(options), *method_problems(options)]:
            raise ConfigError("; ".join(problems))

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
