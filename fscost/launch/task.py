"""A cell to compute, and computing it into the store, in whatever process and on whatever machine that is."""

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.engine import DEFAULTS, Engine, Engines, EngineSettings
from fscost.engine.process import WorkerDied
from fscost.errors import ConfigError, StoreError
from fscost.store.rundir import RunDir
from fscost.store.store import Claim, Store


@dataclass(frozen=True)
class Task:
    """A cell to compute; `seen` is the stamp of what the store had of it when that was decided."""

    cell: Cell
    settings: EngineSettings
    launcher: Mapping[str, Any]
    seen: str


class How(Enum):
    """How a task came to its end."""

    COMPUTED = auto()
    ELSEWHERE = auto()  # another process computes the cell, or has done so since `seen`
    DIED = auto()  # what was to compute it is gone, and left no outcome


@dataclass(frozen=True)
class Ended:
    """The end of a task: the outcome where it was computed, `reason` and `status` where what computed it died."""

    how: How
    reason: str = ""
    status: Status = Status.FAILED
    outcome: Outcome | None = None
    log: str = ""


class Launcher(Protocol):
    """Computes tasks somewhere, several at a time."""

    def launch(self, tasks: Sequence[Task]) -> list[Future[Ended]]:
        """Begin to compute tasks and return at once, with a future for each."""

    def close(self) -> None:
        """Stop what still runs or waits; all futures have a result, an error, or are cancelled when this returns."""


def compute(task: Task, store: Store, engines: Engines) -> Ended:
    """Compute a cell beside its old result and swap when it is done, unless somebody else does or did.

    Raises StoreError where the store cannot be written, WorkerDied where the engine's worker was killed twice, and
    WorkerClosed where the engine was closed meanwhile; the cell is then as it was.
    """
    with store.claim(task.cell) as claim:
        if claim is None or store.stamp(task.cell) != task.seen:
            return Ended(How.ELSEWHERE)
        outcome, run = execute(task.cell, claim, engines.of(task.cell, task.settings), task.settings)
        return Ended(How.COMPUTED, outcome=outcome, log=str(run.engine_log))


def execute(cell: Cell, claim: Claim, engine: Engine, settings: EngineSettings = DEFAULTS) -> tuple[Outcome, RunDir]:
    """Run a cell into a fresh directory and publish it."""
    fresh = claim.begin(cell)
    try:
        try:
            outcome = _outcome(cell, fresh, engine, settings)
        except WorkerDied:  # of which the cell's process was a fork: another cell, or somebody, is to blame
            fresh = claim.begin(cell)
            outcome = _outcome(cell, fresh, engine, settings)
        fresh.write_outcome(outcome)
        return outcome, claim.publish(fresh)
    except (OSError, StoreError) as error:
        shutil.rmtree(fresh.path, ignore_errors=True)  # a full disk has room again
        why = getattr(error, "strerror", None) or error
        raise StoreError(f"store={claim.store.path}: cannot write {cell.name}: {why}") from error


def _outcome(cell: Cell, fresh: RunDir, engine: Engine, settings: EngineSettings) -> Outcome:
    try:
        engine.prepare(cell)
        return engine.run(cell, fresh, settings)
    except ConfigError as error:  # what this machine lacks and the one that planned had
        return Outcome(status=Status.FAILED, reason=str(error))


def bury(task: Task, store: Store, ended: Ended) -> Ended:
    """Write down that what was to compute a cell died: its outcome is a failure, with what it left as the log."""
    with store.claim(task.cell) as claim:
        if claim is None or store.stamp(task.cell) != task.seen:
            return Ended(How.ELSEWHERE)
        fresh = claim.left() or claim.begin(task.cell)
        outcome = Outcome(status=ended.status, reason=ended.reason, died=ended.status is Status.FAILED)
        fresh.write_outcome(outcome)
        return Ended(How.COMPUTED, outcome=outcome, log=str(claim.publish(fresh).engine_log))
