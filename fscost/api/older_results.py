"""Results of older code: whoever edits code gets new cells, and those of before stay in the store."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import engine_kind
from fscost.cells.outcome import Status
from fscost.errors import CollectError
from fscost.protocol.fs_options import leaves, nested
from fscost.store.rundir import RunDir

_WATCHED = "command.watch"


def older_results(cells: Iterable[Cell], store: Path) -> Iterator[str]:
    """Yield of which other code a store has results of these cells, all else the same, and of how many.

    Code is FederatedScope's source, or the files that ``engine.watch`` names; `cells` are those without a result.
    """
    asked = [cell for cell in cells if engine_kind(cell.engine).has_interpreter or cell.get(_WATCHED)]
    done: dict[str, list[Cell]] = {}
    for cell in _done(store, {_axes(cell.name) for cell in asked}):
        done.setdefault(_all_but_code(cell), []).append(cell)
    counts: Counter[tuple[str, str]] = Counter()
    for cell in asked:
        counts.update({words for other in done.get(_all_but_code(cell), []) for words in _differences(cell, other)})
    for (what, whose), number in counts.items():
        yield f"{what}: {number} of these cells {'has' if number == 1 else 'have'} a result {whose}"


def _done(store: Path, axes: set[str]) -> Iterator[Cell]:
    """Yield the cells of a store that are done, of those whose names begin so."""
    for path in sorted(store.iterdir()) if axes and store.is_dir() else []:
        if _axes(path.name) in axes:
            with suppress(CollectError, OSError):
                run = RunDir(path)
                cell = run.read_cell()
                if run.status() is Status.DONE:
                    yield cell


def _axes(name: str) -> str:
    """Return the name of a run directory without the id."""
    return name.rpartition("-")[0]


def _all_but_code(cell: Cell) -> str:
    options = {name: value for name, value in leaves(cell.fs) if name != _WATCHED}
    return replace(cell, protocol="", fs=nested(options)).id


def _differences(cell: Cell, other: Cell) -> Iterator[tuple[str, str]]:
    """Yield of which code a cell is not, as one that is done was, and whose result that is."""
    own, its = cell.protocol, other.protocol
    if own != its:
        yield (
            f"the source of FederatedScope {its} is not that of {own}, which is there",
            f"of the former; engine.protocol={its} shows it",
        )
    for line in sorted({*cell.get(_WATCHED, ())} - {*other.get(_WATCHED, ())}):
        yield f"{line.rpartition(' ')[0]} was edited", "of older content"
