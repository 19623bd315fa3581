"""The verb status: how far the cells of a selection are, whoever computes them, once or until they are done."""

import io
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from fscost.api.cell_states import CellState, older_results_of
from fscost.api.selection import select
from fscost.api.watch import Look, Watch
from fscost.cells.outcome import Status
from fscost.launch.console import running_lines
from fscost.printable import clean
from fscost.terminal import HANG, STYLES, wrapped

Grid = dict[tuple[str, int], list[Status]]
"""The states of the cells of each method and number of clients."""


def view(look: Look, console: Console, most: int | None = None) -> list[RenderableType]:
    """Return grids, running cells, failed cells and totals; of running and failed ones the last `most`."""
    running = look.running[-(most or 0) :]
    failed = [seen for seen in look.cells if seen.has_failed or (seen.status is Status.DONE and seen.reason)]
    grids: list[list[RenderableType]] = [[table] for table in _grids(look.cells, console.width)]
    blocks: list[list[RenderableType]] = [
        *grids,
        [*_more(look.running, most), *([running_lines(running, console.width)] if running else [])],
        [*_more(failed, most), *_failures(failed[-(most or 0) :], console.width)],
        [*_without_effect(look.cells)],
        [Text(clean(line)) for line in ([] if most else older_results_of(look.cells))],
        [*_others(look.others), Text(look.totals, "bold")],
    ]
    first, *rest = (block for block in blocks if block)
    return [*first, *(part for block in rest for part in (Text(), *block))]


def _without_effect(cells: Sequence[CellState]) -> Iterator[Text]:
    """Yield which methods change nothing, and in how many of the cells."""
    for told, number in Counter(told for seen in cells for told in seen.no_effect).items():
        yield Text(clean(f"without effect: {told} ({number} {'cell' if number == 1 else 'cells'})"))


def _others(count: int) -> list[Text]:
    """Return what is told of cells in the same stores that were not selected."""
    if not count:
        return []
    return [
        Text(
            "1 other cell is running in this store" if count == 1 else f"{count} other cells are running in this store"
        )
    ]


def _more(cells: Sequence[object], most: int | None) -> list[Text]:
    return [Text(f"and {len(cells) - most} more:")] if most and len(cells) > most else []


def _failures(cells: Sequence[CellState], width: int) -> Iterator[Text]:
    """Yield what is told of failed cells; a path stands in one line, so that it can be copied."""
    for seen in cells:
        style = STYLES[seen.status]
        *lines, last = wrapped(Text(clean(f"{seen.status}: {seen.name}: {seen.reason}"), style), width)
        log = clean(f"log: {seen.log}") if seen.log else ""
        if not log:
            yield from [*lines, last]
        elif last.cell_len + 2 + cell_len(log) <= width:
            yield from [*lines, last.append(f"; {log}")]
        else:
            yield from [*lines, last.append(";"), Text(" " * HANG + log, style)]


def _grids(cells: Sequence[CellState], width: int) -> Iterator[Table]:
    """Yield a grid of methods and clients for each model, and for each of its data if there are several."""
    known = [(seen, seen.cell.axes) for seen in cells if seen.cell]
    is_one = len({axes["data"] for _, axes in known}) == 1
    grids: dict[str, Grid] = {}
    for seen, axes in known:
        title = str(axes["model"]) if is_one else f"{axes['model']}, {axes['data']}"
        place = axes["method"], axes["clients"]
        grids.setdefault(title, {}).setdefault(place, []).append(seen.status)
    for title, grid in grids.items():
        yield from _tables(title, grid, width)


def _tables(title: str, grid: Grid, width: int) -> Iterator[Table]:
    """Yield the grid as one table, or as several with some of the clients each where it is wider than `width`."""
    methods = list(dict.fromkeys(method for method, _ in grid))
    first = [Text(clean(word)) for word in (title, *methods)]
    columns = [first]
    for clients in sorted({clients for _, clients in grid}, key=lambda number: number or math.inf):
        head = Text(f"{clients or 'all'} client{'' if clients == 1 else 's'}")
        column = [head, *(_entry(grid.get((method, clients), [])) for method in methods)]
        if len(columns) > 1 and sum(map(_width, [*columns, column])) > width:
            yield _table(columns)
            columns = [first]
        columns.append(column)
    yield _table(columns)


def _table(columns: Iterable[Sequence[Text]]) -> Table:
    """Return columns, each with its head first, as a table."""
    table = Table.grid(padding=(0, 2, 0, 0))
    head, *rows = zip(*columns, strict=True)
    table.add_row(*head, style="bold")
    for row in rows:
        table.add_row(*row)
    return table


def _width(column: Sequence[Text]) -> int:
    return 2 + max(text.cell_len for text in column)


def _entry(states: Sequence[Status]) -> Text:
    """Return how many of the cells in a place are in which state."""
    counts = Counter(states)
    parts = [Text(f"{counts[status]} {status}", STYLES[status]) for status in Status if counts[status]]
    return Text(", ").join(parts)


_IDLE_LOOKS = 3
"""After how many looks at which nothing runs or has changed no more is waited for."""

_MOST_LINES = 10
"""How many running and failed cells are shown while they are watched."""

_ENDLESS = 100_000
"""The width of what is no terminal: nothing is ever wrapped or cut."""


def status(words: Sequence[str], watch_s: float | None) -> int:
    """Show how far the selected cells are; with `watch_s` again and again, until nothing of them runs any more.

    What is no terminal gets the totals alone while it watches, whenever they are others.
    """
    selection = select(words, checked=False)
    for part in selection.parts:
        part.refuse_impossible()
    watch = Watch(selection)
    if watch_s is None:
        _show(watch.look())
    elif sys.stdout.isatty():
        _show(_watched(watch, watch_s))
    else:
        _tell(watch, watch_s)
    return 0


def _show(look: Look) -> None:
    if sys.stdout.isatty():
        console = Console(highlight=False)
        for part in view(look, console):
            console.print(part, soft_wrap=isinstance(part, Text))  # so that a long path can be copied
        return
    console = Console(file=io.StringIO(), width=_ENDLESS, color_system=None)
    with console.capture() as plain:
        for part in view(look, console):
            console.print(part, soft_wrap=True)
    print("\n".join(line.rstrip() for line in plain.get().splitlines()))  # a table fills its lines up


def _watched(watch: Watch, every_s: float) -> Look:
    """Draw each look over the one before; returns the last."""
    look, console = watch.look(), Console(highlight=False)
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False, transient=True) as live:
        for look in _looks(watch, every_s):
            live.update(_Fitting(Group(*view(look, console, most=_MOST_LINES))), refresh=True)
    return look


class _Fitting:
    """As much of a view as fits on the screen: its end, where the totals are."""

    def __init__(self, whole: Group) -> None:
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._whole, options.update(height=None), pad=False)
        for line in lines[-(console.height - 1) :]:
            yield from line
            yield Segment.line()


def _tell(watch: Watch, every_s: float) -> None:
    before = ""
    with suppress(KeyboardInterrupt):
        for look in _looks(watch, every_s):
            if look.counts != before:
                print(look.totals, flush=True)
            before = look.counts


def _looks(watch: Watch, every_s: float) -> Iterator[Look]:
    """Yield looks until all cells ended or, for some time, none is computed."""
    idle, before = 0, ""
    while True:
        yield (look := watch.look())
        idle = 0 if look.is_running or look.counts != before else idle + 1
        if look.is_over or idle >= _IDLE_LOOKS:
            return
        before = look.counts
        time.sleep(every_s)
