"""A selection that is looked at again and again while its cells are computed, by whatever command and wherever."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fscost.api.cell_states import CellState, state_of
from fscost.api.selection import Selection
from fscost.cells.cell import Cell
from fscost.cells.outcome import Status, counts_of
from fscost.collect import runs_below
from fscost.errors import CollectError
from fscost.launch.console import duration
from fscost.launch.under_way import Running, seconds_left, under_way
from fscost.printable import plural
from fscost.store.run import Run
from fscost.store.rundir import RunDir
from fscost.store.store import Store, is_named_after

_TO_GO = (Status.MISSING, Status.INTERRUPTED, Status.CORRUPT)
"""What the sweep that runs will compute: cells that failed had their turn, or will have it, but nobody can tell."""


@dataclass(frozen=True)
class Look:
    """What is known at one moment; `others` counts the cells that run in the same stores and were not selected.

    `stamps` are others once results appeared, were computed again or removed.
    """

    cells: Sequence[CellState]
    running: Sequence[Running]
    others: int
    stamps: Sequence[tuple[Path, int | None]] = ()

    @property
    def counts(self) -> str:
        """How many cells are in which state."""
        return ", ".join(
            text for text in (plural(len(self.cells), "cell"), counts_of(s.status for s in self.cells)) if text
        )

    @property
    def totals(self) -> str:
        """The counts, and how long it will take if anything runs and anything tells."""
        left_s = self._seconds_left()
        return self.counts if left_s is None else f"{self.counts}; about {duration(left_s)} left"

    @property
    def is_running(self) -> bool:
        """Whether any selected cell is being computed."""
        return any(seen.status is Status.RUNNING for seen in self.cells)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to compute."""
        return not self.is_running and not any(seen.status in _TO_GO for seen in self.cells)

    def _seconds_left(self) -> float | None:
        known = [(seen, seen.cell) for seen in self.cells if seen.cell]
        waiting = [cell for seen, cell in known if seen.status in _TO_GO]
        measured = [(cell, seen.wall_s) for seen, cell in known if seen.status is Status.DONE and seen.wall_s]
        return seconds_left(waiting, self.running, measured, len(self.running)) if self.running else None


class Watch:
    """A selection that is looked at as often as need be; what begins in a selected folder joins it."""

    def __init__(self, selection: Selection) -> None:
        self._selection, self._folders = selection, [folder for part in selection.parts for folder in part.folders]
        self._runs, self._stores = _found(selection)
        self._ended: dict[Path, tuple[int, CellState]] = {}
        self._names = self._listed()

    def look(self) -> Look:
        """Return how far each cell is; of those that ended, only new files are read."""
        if self._folders and (names := self._listed()) != self._names:
            self._runs, self._stores = _found(self._selection)
            self._names = names
        running = {(store.path, one.cell.name): one for store in self._stores for one in under_way(store)}
        stamps = [(run.path, _newest_ns(run)) for _, run in self._runs]  # first: what ends meanwhile is new next time
        keys = [(run.path.parent, cell.name if cell else "") for cell, run in self._runs]
        cells = [self._state(*pair, key in running) for pair, key in zip(self._runs, keys, strict=True)]
        own = [running[key] for key in keys if key in running]
        return Look(cells, own, len(running) - len(own), stamps)

    def _listed(self) -> list[tuple[str, list[str]]]:
        """Return what lies below the folders, down to the runs."""
        return [*_listed(self._folders)]

    def _state(self, cell: Cell | None, run: Run, is_running: bool) -> CellState:
        if cell is None or not run.can_be_rerun or not is_named_after(run.path, cell):
            return state_of(cell, run)
        if is_running:
            return CellState(cell.name, cell, Status.RUNNING, path=run.path)
        stamp = _stamp(run)
        if stamp is None or self._ended.get(run.path, (None,))[0] != stamp:
            now = state_of(cell, run)
            if stamp is None or now.status is Status.RUNNING:
                return now
            self._ended[run.path] = stamp, now
        return self._ended[run.path][1]


def _found(selection: Selection) -> tuple[list[tuple[Cell | None, Run]], list[Store]]:
    """Return the runs of a selection, each once, and the stores in which they are computed."""
    parts = [_found_in(part) for part in selection.parts]
    runs = {run.path: (cell, run) for found, _ in parts for cell, run in found}
    return [*runs.values()], [*dict.fromkeys(store for _, stores in parts for store in stores)]


def _found_in(part: Selection) -> tuple[list[tuple[Cell | None, Run]], list[Store]]:
    if part.folders:
        return _below(part.folders)
    store = part.store
    return [(one.cell, RunDir(store.place_of(one.cell))) for one in part.plan.cells], [store]


def _below(folders: Sequence[Path]) -> tuple[list[tuple[Cell | None, Run]], list[Store]]:
    """Return the runs below folders, those that are under way there too, and all their stores."""
    found = {run.path: (cell, run) for cell, run in runs_below(*folders)}
    stores = [Store(path.parent) for folder in folders for path in sorted(folder.rglob(".running"))]
    for store in stores:
        for name, begun in store.unfinished().items():
            with suppress(CollectError):
                found.setdefault(store.path / name, (begun.read_cell(), RunDir(store.path / name)))
    parents = [Store(path.parent) for path, (_, run) in found.items() if run.can_be_rerun]
    return list(found.values()), list(dict.fromkeys([*stores, *parents]))


def _listed(folders: Sequence[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder with the names in it; what is in a run's folder is its own."""
    for folder in folders:
        for path, inner, files in os.walk(folder):
            if "cell.json" in files:
                inner.clear()
                files = ["cell.json"]
            yield path, sorted(files)


def _newest_ns(run: Run) -> int | None:
    """Return when what a run tells was last written, None where it tells nothing."""
    times = [*map(_written_ns, (run.path, *run.files))]
    return max((time for time in times if time is not None), default=None)


def _written_ns(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _stamp(run: Run) -> int | None:
    """Return what is another once the cell was computed again, None where no end was written."""
    return _written_ns(run.files[0])
