"""What the user sees of a sweep: a line for each cell when it ends, and in the end what became of all of them."""

import time
from collections.abc import Callable
from typing import Protocol

from fscost.cells.outcome import Outcome, Status
from fscost.launch.task import Ended, Task
from fscost.printable import plural


class Progress(Protocol):
    """What the user sees of a sweep."""

    def ended(self, task: Task, ended: Ended, *, elsewhere: bool) -> None:
        """Show that a cell came to its end."""

    def say(self, line: str) -> None:
        """Show any other line."""

    def look(self) -> None:
        """Show where things stand; called about every half second."""


class LineProgress:
    """Lines, one for each event: what a file or a continuous-integration log takes."""

    def __init__(self, total: int, say: Callable[[str], None]) -> None:
        self._total, self._say, self._ended = total, say, 0
        self._begin_s = time.monotonic()
        self._failed: list[str] = []
        self._warned: dict[str, int] = {}
        self._statuses: list[str] = []

    def say(self, line: str) -> None:
        """Print a line."""
        self._say(line)

    def say_failed(self, line: str) -> None:
        """Print a line about a cell that has no result."""
        self._say(line)

    def look(self) -> None:
        """Lines stand as they are."""

    def ended(self, task: Task, ended: Ended, *, elsewhere: bool) -> None:
        """Print how a cell ended, and each of its warnings that is new."""
        self._ended += 1
        outcome = ended.outcome or Outcome(status=Status.FAILED, reason=ended.reason)
        self._statuses.append(outcome.status)
        where = " by another command" if elsewhere else ""
        line = f"[{self._ended}/{self._total}] {task.cell.name}: {outcome.status}{where} in {outcome.wall_s:.1f} s"
        if outcome.status is Status.DONE:
            self.say(line)
        else:
            why = f"{outcome.reason}" + (f"; log: {ended.log}" if ended.log else "")
            self.say_failed(f"{line}: {why}")
            self._failed.append(f"{outcome.status}: {task.cell.name}: {why}")
        for warning in outcome.warnings:
            self._warned[warning] = self._warned.get(warning, 0) + 1
            if self._warned[warning] == 1:
                self.say(f"warning: {task.cell.name}: {warning}")

    def summary(self) -> None:
        """Print what became of the cells, every failure with its reason once more."""
        for warning, cells in self._warned.items():
            if cells > 1:
                self.say(f"warning: {plural(cells, 'cell')}: {warning}")
        counts = [f"{self._statuses.count(s)} {s}" for s in Status if s in self._statuses]
        if (rest := self._total - self._ended) > 0:
            counts.append(f"{rest} not computed")
        self.say(f"{plural(self._total, 'cell')}: {', '.join(counts)} in {time.monotonic() - self._begin_s:.1f} s")
        for line in self._failed:
            self.say_failed(line)
