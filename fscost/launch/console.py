"""A sweep on a terminal, where what ended scrolls by above what runs; and a running cell in words."""

import time
from collections.abc import Sequence
from contextlib import suppress

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fscost.cells.cell import Cell
from fscost.cells.metric import percent
from fscost.cells.outcome import Status
from fscost.launch.progress import LineProgress
from fscost.launch.task import Ended, Task
from fscost.launch.under_way import Running, seconds_left, under_way
from fscost.printable import clean
from fscost.store.store import Store

_REDRAW_S = 0.25
_MOST_LINES = 10
_BAR_COLUMNS = 40


class LiveProgress(LineProgress):
    """The lines of `LineProgress`, and below them a bar and the cells that run; the store says how far these are.

    `summary` takes the bar off the terminal again, and must be called whatever happens.
    """

    def __init__(self, cells: Sequence[Cell], store: Store, console: Console | None = None) -> None:
        super().__init__(len(cells), self._print)
        self._left, self._store = {cell.id: cell for cell in cells}, store
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._lines: list[Text] = []
        self._measured: list[tuple[Cell, float]] = []
        self._at_once, self._drawn_s = 1, 0.0

    def say_failed(self, line: str) -> None:
        """Print a line about a cell that has no result, in red."""
        self._print(line, "red")

    def look(self) -> None:
        """Print what is new, and draw the bar again; seldom enough to cost nothing."""
        if time.monotonic() < self._drawn_s + _REDRAW_S:
            return
        running = [one for one in under_way(self._store) if one.cell.id in self._left]
        self._at_once = max(self._at_once, len(running))
        with suppress(OSError):  # a terminal that was closed ends no sweep
            self._live.start()
            self._flush()
            self._live.update(self._view(running), refresh=True)
        self._drawn_s = time.monotonic()

    def ended(self, task: Task, ended: Ended, *, elsewhere: bool) -> None:
        """Print how a cell ended, and note how long it took."""
        super().ended(task, ended, elsewhere=elsewhere)
        self._left.pop(task.cell.id, None)
        if ended.outcome and ended.outcome.status is Status.DONE:
            self._measured.append((task.cell, ended.outcome.wall_s))

    def summary(self) -> None:
        """Take the bar away and print what became of the cells."""
        try:
            super().summary()
        finally:
            with suppress(OSError):
                self._live.stop()
                self._flush()

    def _print(self, line: str, style: str = "") -> None:
        """Keep a line for the next look: drawing the bar below each of a thousand lines would take its time."""
        self._lines.append(Text(clean(line), style))

    def _flush(self) -> None:
        if self._lines:
            self._console.print(Text("\n").join(self._lines), soft_wrap=True)
            self._lines.clear()

    def _view(self, running: Sequence[Running]) -> Group:
        shown = max(1, min(_MOST_LINES, self._console.height - 4))
        more = len(running) - shown
        lines = running_lines(running[:shown], self._console.width, is_live=True)
        view = Group(_Bar(self._total, self._ended, self._counts(running)), lines)
        return Group(view, Text(f"and {more} more")) if more > 0 else view

    def _counts(self, running: Sequence[Running]) -> Text:
        """Return the counts and times that stand beside the bar."""
        ids = {one.cell.id for one in running}
        waiting = [cell for cell in self._left.values() if cell.id not in ids]
        failed = self._ended - self._statuses.count(Status.DONE)
        counts = Text(f"{self._ended - failed}/{self._total} done")
        if failed:
            counts.append(", ").append(f"{failed} failed", "red")
        counts.append(f", {len(running)} running, {len(waiting)} to go, {duration(time.monotonic() - self._begin_s)}")
        left_s = seconds_left(waiting, running, self._measured, self._at_once)
        return counts if left_s is None else counts.append(f", {duration(left_s)} left")


class _Bar:
    """A bar with words beside it; where there is no room for both, the words."""

    def __init__(self, total: int, ended: int, words: Text) -> None:
        self.total, self.ended, self.words = total, ended, words

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - self.words.cell_len - 1
        line = Table.grid(padding=(0, 1, 0, 0))
        if room >= _BAR_COLUMNS // 4:
            line.add_column(width=min(_BAR_COLUMNS, room))
            line.add_column(no_wrap=True)
            line.add_row(ProgressBar(self.total, self.ended, complete_style="green"), self.words)
        else:
            line.add_row(self.words)
        yield line


# --- what runs, in words --------------------------------------------------------------------------


def running_lines(running: Sequence[Running], width: int, *, is_live: bool = False) -> Table:
    """Return a line for each cell that runs; where `width` is too small, what matters least is left out.

    `is_live` leaves out what the one who computes the cells knows: that they move, and where.
    """
    rows = [facts(one)[: 3 if is_live else None] for one in running]
    while rows and len(rows[0]) > 1 and _LEAST_NAME + _width(rows) > width:
        rows = [row[:-1] for row in rows]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="ellipsis")
    for _ in rows[0] if rows else ():
        table.add_column(no_wrap=True)
    for one, row in zip(running, rows, strict=True):
        table.add_row(*map(Text, [one.cell.name, *row]))
    return table


_LEAST_NAME = 25
"""How much of a cell's name, which begins with method, model and data, is to be seen."""


def facts(one: Running) -> list[str]:
    """Return what is known of a running cell, what matters most first."""
    return [
        f"round {'-' if one.round is None else one.round}/{one.rounds}",
        "-" if one.accuracy is None else f"acc {percent(one.accuracy):.1f} %",
        duration(one.run_s),
        f"moved {duration(one.still_s)} ago",
        clean(one.holder),
    ]


def _width(facts: Sequence[Sequence[str]]) -> int:
    return sum(2 + max(map(cell_len, column)) for column in zip(*facts, strict=True))


def duration(seconds: float) -> str:
    """Return a time in its two largest units, as ``2 h 5 min``."""
    whole = round(seconds)
    for (unit, name), (part, part_name) in zip(_UNITS, _UNITS[1:], strict=False):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{whole} s"


_UNITS = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
