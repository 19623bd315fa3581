"""A folder of run directories: what is done, what is under way, and who may compute a cell.

After a power loss no run is believed but wrong, and no result that was there is lost: before a run gets its name, its
files are on the disk. Estimates alone do not wait for the disk, unless they replace a result, as that would take longer
than to compute them again. Of theirs, each file shows by itself whether it was cut: the cell is hashed
again, the ledger ends with its digest, and an outcome that was cut is no JSON. A run with such a file is corrupt, and
the next sweep computes it again.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import engine_kind
from fscost.cells.outcome import Status
from fscost.errors import StoreError
from fscost.files import digest_of, is_there
from fscost.store.lock import held, holder
from fscost.store.run import Run
from fscost.store.rundir import RunDir


@dataclass(frozen=True)
class Store:
    """A folder of run directories; a cell's results are found by its id.

    What is being computed lies in ``.running`` until it is complete: ``<name>.lock``, held by the process that computes
    the cell, ``<name>.run-…`` with what that process has written so far, and ``<name>.replaced``, an old result that
    is being swapped.
    """

    path: Path

    @property
    def under_way(self) -> Path:
        """The folder of what is being computed."""
        return self.path / ".running"

    def check_writable(self) -> None:
        """Raise StoreError unless files can be made and locked here; makes the folder, and nothing where that fails."""
        try:
            self.under_way.mkdir(parents=True, exist_ok=True)
            with held(self._lock(f"probe-{os.getpid()}"), ""):
                pass
        except (OSError, StoreError) as error:
            why = getattr(error, "strerror", None) or str(error).rpartition(": cannot be written: ")[2]
            raise StoreError(f"store={self.path}: cannot be written: {why}; choose another with store=PATH") from error

    def of(self, cell: Cell) -> RunDir:
        """Return the directory of the cell's run, whether or not it exists."""
        place, replaced = self.place_of(cell), self._replaced(cell.name)
        if not is_there(place) and replaced in self._begun() and not is_there(place):
            return RunDir(replaced)  # a swap is between its two renames, or was cut off there
        return RunDir(place)

    def place_of(self, cell: Cell) -> Path:
        """Return where the cell's result stands, or will stand: under its name, or one that an older fscost gave it."""
        current = self.path / cell.name
        if not is_there(self.path):
            return current
        if not os.access(self.path, os.X_OK):
            raise StoreError(f"store={self.path}: cannot be read: Permission denied; choose another with store=PATH")
        if is_there(current):
            return current
        name = self._names.get(cell.id) or self._names.get(cell.former_id)
        former = self.path / name if name else current
        return former if is_there(former) and not is_there(current) else current

    @cached_property
    def _names(self) -> dict[str, str]:
        """The names of directories by the id at their end, listed once: what appears later has no former name."""
        return _by_id(self.path, self.path.stat().st_mtime_ns)

    def status(self, cell: Cell, run: Run | None = None) -> Status:
        """Return how far the cell is, here or anywhere; what is read of its `run` is kept there for the next `read`."""
        if self.holder(cell) is not None:
            return Status.RUNNING
        status = run.status(keep=True) if run else self.of(cell).status()
        return Status.INTERRUPTED if status is Status.MISSING and self._left(cell.name) else status

    def has_nothing_of(self, cell: Cell) -> bool:
        """Return whether the cell is missing: there is no result, nobody computes it, and nobody began to."""
        return not is_there(self.of(cell).path) and self.holder(cell) is None and not self._left(cell.name)

    def stamp(self, cell: Cell) -> str:
        """Return a text that is another once somebody has computed the cell again."""
        try:
            return digest_of(self.of(cell).outcome_file)
        except OSError:
            return ""

    def holder(self, cell: Cell) -> str | None:
        """Return which process computes the cell, None where none does."""
        return holder(self._lock(cell.name))

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[Claim | None]:
        """Hold the cell against every other process; None where another one holds it."""
        with self._claimed(cell.name) as is_held:
            if is_held and (place := self.place_of(cell)).name != cell.name:
                place.rename(self.path / cell.name)  # what replaces it has this name
            yield Claim(self, cell.name, waits=engine_kind(cell.engine).waits_for_disk) if is_held else None

    def running(self) -> dict[str, RunDir]:
        """Return the run directories that are being written, by the names of their cells."""
        return {name: run for name, run in self.unfinished().items() if holder(self._lock(name)) is not None}

    def unfinished(self) -> dict[str, RunDir]:
        """Return the run directories that are being written, or were when their process ended, by cell name."""
        return {path.name.rpartition(".run-")[0]: RunDir(path) for path in self._begun() if ".run-" in path.name}

    def tidy(self) -> None:
        """Mend and remove what processes left that were killed."""
        for name in {re.sub(r"\.(lock|replaced|run-\d+)$", "", path.name) for path in self._begun()}:
            with suppress(OSError, StoreError), self._claimed(name):  # what is another user's, that one will
                pass

    @contextmanager
    def _claimed(self, name: str) -> Iterator[bool]:
        holder_name = f"{os.uname().nodename}, process {os.getpid()}"
        with held(self._lock(name), holder_name) as is_held:
            if not is_held:
                yield False
                return
            self._mend(name)
            yield True
            self.clear(name)

    def _mend(self, name: str) -> None:
        """Finish a swap that was cut off between its two renames, or after them."""
        replaced, current = self._replaced(name), self.path / name
        if not replaced.exists():
            return
        if current.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            replaced.rename(current)

    def clear(self, name: str) -> None:
        """Remove what was begun of a cell; for the process that holds it."""
        for run in self._left(name):
            shutil.rmtree(run.path, ignore_errors=True)

    def _left(self, name: str) -> list[RunDir]:
        """Return the run directories that were not finished, the newest last."""
        return [RunDir(path) for path in self._begun() if path.name.startswith(f"{name}.run-")]

    def _begun(self) -> list[Path]:
        """Return what lies among what is being computed; nothing where that cannot be looked at, as another user's."""
        try:
            return sorted(self.under_way.iterdir())
        except OSError:
            return []

    def _lock(self, name: str) -> Path:
        return self.under_way / f"{name}.lock"

    def _replaced(self, name: str) -> Path:
        return self.under_way / f"{name}.replaced"


@dataclass(frozen=True)
class Claim:
    """A cell that this process alone may compute; `waits` says whether its files must be on the disk first."""

    store: Store
    name: str
    waits: bool

    def begin(self, cell: Cell) -> RunDir:
        """Create a fresh directory for a new run, beside whatever result there is; raises StoreError.

        What may not be read or replaced, as another user's, is no result that cannot be believed: it stays.
        """
        current = self.store.path / self.name
        if is_there(current) and not os.access(current, os.R_OK | os.W_OK | os.X_OK):
            raise StoreError(f"{current}: cannot be read or replaced by this user; choose another with store=PATH")
        self.store.clear(self.name)
        try:
            # A name that no process has used: one that was killed may have a last line to write.
            fresh = RunDir(self.store.under_way / f"{self.name}.run-{time.time_ns()}")
            fresh.write_cell(cell)
        except OSError as error:
            self.store.clear(self.name)
            raise StoreError(f"store={self.store.path}: cannot write there: {error.strerror}") from error
        return fresh

    def left(self) -> RunDir | None:
        """Return the run directory that a killed process left, if any."""
        return left[-1] if (left := self.store._left(self.name)) else None

    def publish(self, fresh: RunDir) -> RunDir:
        """Make a fresh run the cell's result, unless it failed and there is one that is done.

        A failed rerun is kept as ``<name>.failed`` for its log, a corrupt directory as ``<name>.corrupt``.
        """
        current = RunDir(self.store.path / self.name)
        before = current.status()
        fresh.progress.unlink(missing_ok=True)
        if before is Status.DONE or self.waits:
            fresh.sync()
        if before is Status.DONE and fresh.status() is not Status.DONE:
            return _move(fresh, current.path.with_name(f"{self.name}.failed"))
        if before is Status.CORRUPT:
            _move(current, current.path.with_name(f"{self.name}.corrupt"))
        if current.path.exists():
            replaced = _move(current, self.store._replaced(self.name))
            fresh.path.rename(current.path)
            shutil.rmtree(replaced.path, ignore_errors=True)
        else:
            fresh.path.rename(current.path)
        return current


def is_named_after(path: Path, cell: Cell) -> bool:
    """Return whether a directory has the name of the cell, or one that an older fscost gave it."""
    return path.name == cell.name or bool(_NAMED.search(path.name)) and path.name[-12:] in (cell.id, cell.former_id)


def is_named_like_a_run(path: Path) -> bool:
    """Return whether a directory has a name as cells give it."""
    return bool(_NAMED.search(path.name))


@lru_cache(maxsize=8)
def _by_id(store: Path, written_ns: int) -> dict[str, str]:
    """Return the names of directories by the id at their end; listed once as long as none appears or goes."""
    names = sorted(path.name for path in store.iterdir())
    return {name[-12:]: name for name in names if _NAMED.search(name)}


_NAMED = re.compile(r"-c(\d+|all)-s\d+-[0-9a-f]{12}$")


def _move(run: RunDir, to: Path) -> RunDir:
    shutil.rmtree(to, ignore_errors=True)
    run.path.rename(to)
    return RunDir(to)
