"""A sweep from its first cell to its last: every cell ends once, whatever becomes of the others."""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from fscost.cells.outcome import Outcome, Status
from fscost.engine.process import WorkerClosed, WorkerDied
from fscost.errors import CollectError, StoreError
from fscost.launch.progress import Progress
from fscost.launch.task import Ended, How, Launcher, Task, bury
from fscost.store.store import Store

_LOOK_S = 0.5
"""How often to look at cells that others compute."""


class Sweep:
    """Launches tasks and waits for their ends; `results` holds those that came, by the cell's id.

    A cell whose process died is launched again up to `retries` times. With `fail_fast` the first failure ends the
    sweep. What another command computes at this moment is waited for, and computed here if that leaves no result.
    """

    def __init__(self, store: Store, launcher: Launcher, progress: Progress, *, retries: int, fail_fast: bool) -> None:
        self._store, self._launcher, self._progress = store, launcher, progress
        self._retries, self._fail_fast = retries, fail_fast
        self._in_flight: dict[Future[Ended], Task] = {}
        self._landed: SimpleQueue[Future[Ended]] = SimpleQueue()
        self._elsewhere: dict[str, Task] = {}
        self._died: dict[str, int] = {}
        self.has_begun = self._is_ending = False
        self.results: dict[str, Ended] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Compute the tasks; an interrupt ends what runs and is raised again."""
        try:
            self._launch(tasks)
            self.has_begun = True
            while (self._in_flight or self._elsewhere) and not self._is_over():
                self._land()
                self._look_elsewhere()
                self._progress.look()
        finally:
            self._is_ending = True
            self._launcher.close()
            for future in list(self._in_flight):  # what ended meanwhile has a result
                self._take(future)

    def failures(self) -> list[str]:
        """Return the ids of the cells that ended otherwise than done."""
        return [cell for cell, ended in self.results.items() if ended.outcome is None or not _is_done(ended.outcome)]

    def _is_over(self) -> bool:
        return self._fail_fast and bool(self.failures())

    def _launch(self, tasks: Sequence[Task]) -> None:
        for task, future in zip(tasks, self._launcher.launch(tasks), strict=True):
            self._in_flight[future] = task
            future.add_done_callback(self._landed.put)

    def _land(self) -> None:
        """Take the next task that came to its end, if one does in time."""
        with suppress(Empty):
            self._take(self._landed.get(timeout=_LOOK_S))

    def _take(self, future: Future[Ended]) -> None:
        """Take the end of a task; an interrupt in the midst of it leaves it to be taken again."""
        task = self._in_flight[future]
        if task.cell.id not in self.results and (ended := self._ended(task, future)):
            self._settle(task, ended)
        del self._in_flight[future]

    def _ended(self, task: Task, future: Future[Ended]) -> Ended | None:
        """Return the end of a task, None for one that was ended with the sweep: that is interrupted, not failed."""
        if future.cancelled() or isinstance(future.exception(), WorkerClosed):
            return None
        try:
            ended = _end_of(future)
            if ended.how is not How.DIED:
                return ended
            return None if self._is_ending else bury(task, self._store, ended)
        except (OSError, StoreError) as error:
            return Ended(How.DIED, reason=str(error))

    def _settle(self, task: Task, ended: Ended) -> None:
        if ended.how is How.ELSEWHERE:
            self._elsewhere[task.cell.id] = task
            if holder := self._store.holder(task.cell):
                self._progress.say(f"{task.cell.name}: is being computed by another command ({holder})")
        elif ended.outcome and ended.outcome.died and not self._is_ending and self._may_retry(task):
            self._progress.say(f"{task.cell.name}: {ended.outcome.reason}; it is tried again")
            self._launch([replace(task, seen=self._store.stamp(task.cell))])
        else:
            self._end(task, ended)

    def _may_retry(self, task: Task) -> bool:
        self._died[task.cell.id] = self._died.get(task.cell.id, 0) + 1
        return self._died[task.cell.id] <= self._retries

    def _end(self, task: Task, ended: Ended, *, elsewhere: bool = False) -> None:
        self.results[task.cell.id] = ended
        self._progress.ended(task, ended, elsewhere=elsewhere)

    def _look_elsewhere(self) -> None:
        """Take the results of others, and compute what they left undone."""
        free = [task for task in self._elsewhere.values() if self._store.holder(task.cell) is None]
        for task in free:
            del self._elsewhere[task.cell.id]
            run = self._store.of(task.cell)
            try:
                outcome = Outcome.from_dict(run.read_outcome()) if self._store.stamp(task.cell) != task.seen else None
            except CollectError:
                outcome = None
            if outcome:
                self._end(task, Ended(How.COMPUTED, outcome=outcome, log=str(run.engine_log)), elsewhere=True)
            else:
                self._launch([replace(task, seen=self._store.stamp(task.cell))])


def _end_of(future: Future[Ended]) -> Ended:
    try:
        return future.result()
    except WorkerDied as died:
        return Ended(How.DIED, reason=str(died))


def _is_done(outcome: Outcome) -> bool:
    return outcome.status is Status.DONE
