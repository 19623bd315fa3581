"""A look as rich shows it: grids, running cells, failures, totals."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from fscost.launch.show import STYLES, running_lines
from fscost.record import Status
from fscost.status.look import Look, Seen

_FAILED = (Status.FAILED, Status.TIMEOUT, Status.CORRUPT)

Grid = dict[tuple[str, int], list[Status]]
"""The states of the cells of each method and number of clients."""


def view(look: Look, console: Console, most: int | None = None) -> list[RenderableType]:
    """Return grids, running cells, failed cells and totals; of running and failed ones the last `most`."""
    running: list[RenderableType] = [running_lines(look.running[-(most or 0) :])] if look.running else []
    failed = [seen for seen in look.cells if seen.status in _FAILED]
    grids: list[list[RenderableType]] = [[table] for table in _grids(look.cells, console)]
    blocks: list[list[RenderableType]] = [
        *grids,
        [*_more(look.running, most), *running],
        [*_more(failed, most), *map(_failure, failed[-(most or 0) :])],
        [*_others(look.others), Text(look.totals, "bold")],
    ]
    first, *rest = (block for block in blocks if block)
    return [*first, *(part for block in rest for part in (Text(), *block))]


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


def _failure(seen: Seen) -> Text:
    log = f"; log: {seen.log}" if seen.log else ""
    return Text(f"{seen.status}: {seen.name}: {seen.reason}{log}", STYLES[seen.status])


def _grids(cells: Sequence[Seen], console: Console) -> Iterator[Table]:
    """Yield a grid of methods and clients for each model, and for each of its data if there are several."""
    known = [(seen, seen.cell.axes) for seen in cells if seen.cell]
    is_one = len({axes["data"] for _, axes in known}) == 1
    grids: dict[str, Grid] = {}
    for seen, axes in known:
        title = str(axes["model"]) if is_one else f"{axes['model']}, {axes['data']}"
        place = axes["method"], axes["clients"]
        grids.setdefault(title, {}).setdefault(place, []).append(seen.status)
    for title, grid in grids.items():
        yield from _tables(title, grid, sorted({clients for _, clients in grid}), console)


def _tables(title: str, grid: Grid, clients: Sequence[int], console: Console) -> Iterator[Table]:
    """Yield the grid as one table, or as several with some of the clients each where it is wider than the console."""
    table = Table(title, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for count in clients:
        table.add_column(f"{count} client{'' if count == 1 else 's'}")
    for method in dict.fromkeys(method for method, _ in grid):
        table.add_row(method, *(_entry(grid.get((method, count), [])) for count in clients))
    half = len(clients) // 2
    if half and Measurement.get(console, console.options, table).minimum > console.width:
        yield from _tables(title, grid, clients[:half], console)
        yield from _tables(title, grid, clients[half:], console)
    else:
        yield table


def _entry(states: Sequence[Status]) -> Text:
    """Return how many of the cells in a place are in which state."""
    counts = Counter(states)
    parts = [Text(f"{counts[status]} {status}", STYLES[status]) for status in Status if counts[status]]
    return Text(", ").join(parts)
