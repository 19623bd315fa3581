"""The estimate engine: the ledger of a course from closed form, without training."""

from threading import Lock

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome
from fscost.engine.base import DEFAULTS, EngineSettings
from fscost.engine.estimate.closed_form import Estimate, run_cell
from fscost.engine.estimate.closed_form_conditions import check_options, trainer_problems
from fscost.engine.estimate.course_messages import CourseEstimate
from fscost.errors import ConfigError
from fscost.protocol.course_options import Options
from fscost.protocol.course_spec import course_of
from fscost.store.rundir import RunDir


class EstimateEngine:
    """Computes what would be sent; there is no accuracy, and no log of FederatedScope."""

    def __init__(self) -> None:
        self._one_at_a_time = Lock()

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for a cell whose messages depend on training, or on a trainer that sends as it likes."""
        if problems := [*trainer_problems(cell)]:
            raise ConfigError(*problems)
        check_options(cell)
        if course := course_of(Options(cell)):
            CourseEstimate(Options(cell), course).check()

    def check_here(self, cell: Cell) -> None:
        """Nothing is needed."""

    def prepare(self, cell: Cell) -> None:
        """Nothing is needed."""

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Write the cell's ledger, in this process: it takes milliseconds, and cells share what they have in common."""
        with self._one_at_a_time:
            return run_cell(cell, into, _estimate)

    def close(self) -> None:
        """Nothing is held."""


def _estimate(options: Options) -> Estimate:
    course = course_of(options)
    return Estimate(options) if course is None else CourseEstimate(options, course)


def make_engine(_python: str | None) -> EstimateEngine:
    """Return the engine, which needs no interpreter but this one."""
    return EstimateEngine()
