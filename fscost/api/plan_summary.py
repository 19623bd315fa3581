"""Many cells in few lines: what varies among them, what is the same, and how far they are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fscost.api.cell_states import Cells, line_of
from fscost.cells.cell import AXES
from fscost.printable import clean
from fscost.tables.option_values import as_written, varying_options

_MOST_VALUES = 12
_MOST_FAILED = 10


def summary(cells: Cells) -> Iterator[str]:
    """Yield the axes with their values, what did nothing, what failed, how to list all, and last the counts."""
    known = [state.cell for state in cells if state.cell]
    values: dict[str, Sequence[Any]] = {axis: [cell.axes[axis] for cell in known] for axis in AXES}
    values |= {name: [*of_cells.values()] for name, of_cells in varying_options(known).items()}
    found = {name: [*Counter(map(as_written, some))] for name, some in values.items()}
    yield from _varying({name: some for name, some in found.items() if len(some) > 1})
    if same := ", ".join(f"{name} {some[0]}" for name, some in found.items() if len(some) == 1):
        yield clean(f"the same in all: {same}")
    for told, number in Counter(told for state in cells for told in state.no_effect).items():
        yield clean(f"without effect: {told} ({number} {'cell' if number == 1 else 'cells'})")
    yield from map(line_of, cells.failed[:_MOST_FAILED])
    yield from cells.older_results
    yield f"--list lists all {len(cells)} cells"
    yield cells.counts


def _varying(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what varies, a line each, with how many values there are."""
    width = max(map(len, found), default=0)
    for name, values in found.items():
        more = f", … {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else ""
        yield clean(f"{name:{width}}  {len(values)}: {', '.join(values[:_MOST_VALUES])}{more}")
