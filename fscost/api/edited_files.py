"""Watched files whose older content has results in the store: an edit makes new cells, and the old ones stay."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fscost.cells.cell import Cell
from fscost.errors import CollectError
from fscost.protocol.fs_options import leaves
from fscost.store.rundir import RunDir
from fscost.store.store import Store

_WATCHED = "command.watch"


def edits(cells: Iterable[Cell], store: Store) -> Iterator[str]:
    """Yield a line for each edited file of these cells, with how many of them have a result of its older content."""
    counts: dict[str, int] = {}
    for cell in (cell for cell in cells if cell.get(_WATCHED) and not store.of(cell).path.exists()):
        for file in {file for older in _older(cell, store) for file in _differing(cell, older)}:
            counts[file] = counts.get(file, 0) + 1
    for file, count in sorted(counts.items()):
        yield f"{file} was edited: {count} of these cells {'has' if count == 1 else 'have'} a result of older content"


def _older(cell: Cell, store: Store) -> Iterator[Cell]:
    """Yield the cells of the store that differ in what the watched files hold, and in nothing else."""
    own = _factors(cell)
    for path in store.path.glob(f"{cell.name[:-12]}*"):
        try:
            other = RunDir(path).read_cell()
        except CollectError:
            continue
        if _factors(other) == own and other.id != cell.id:
            yield other


def _factors(cell: Cell) -> Mapping[str, Any]:
    return {name: value for name, value in leaves(cell.fs) if name != _WATCHED}


def _differing(cell: Cell, other: Cell) -> set[str]:
    lines = {*cell.get(_WATCHED)} ^ {*other.get(_WATCHED, ())}
    return {line.rpartition(" ")[0] for line in lines}
