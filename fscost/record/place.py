"""Where a recording is written: the run directory that a sweep made for it, or one of its own in the store."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Provenance, Status
from fscost.errors import StoreError, one_line
from fscost.printable import say
from fscost.record.settings import Settings
from fscost.store.rundir import RUN_DIR, RunDir
from fscost.store.store import Claim, Store

_recorded: set[Path] = set()
"""The run directories that this process has recorded."""

_PACKAGES = ("fscost", "numpy", "torch", "jax", "tensorflow", "flwr")


class Place(Protocol):
    """Where a recording's files go; they count only when `done` was called."""

    def begin(self) -> RunDir | None:
        """Return the run directory for what is written meanwhile, None where its name is not known yet."""

    def fresh(self, rounds: int) -> RunDir:
        """Return the run directory for the files, once it is known how many rounds were recorded."""

    def done(self, fresh: RunDir, warnings: tuple[str, ...]) -> None:
        """Make the files the run's result."""

    def failed(self, rounds: int, error: BaseException) -> None:
        """Write down that there is no result, and why."""

    def close(self) -> None:
        """Let go of what is held."""


class FolderOfSweep:
    """The run directory that ``engine=command`` made; whether the run is done, it decides when the command ends."""

    def __init__(self, folder: Path) -> None:
        self._run = RunDir(folder)

    def begin(self) -> RunDir:
        """Return the directory; raises StoreError where a recording is there already."""
        if self._run.ledger.exists():
            raise StoreError(f"{RUN_DIR}={self._run.path}: holds a recording already; one command records one run")
        return self._run

    def fresh(self, rounds: int) -> RunDir:
        """Return the directory."""
        return self._run

    def done(self, fresh: RunDir, warnings: tuple[str, ...]) -> None:
        """Nothing is left to do: the ledger is there, with the warnings."""

    def failed(self, rounds: int, error: BaseException) -> None:
        """Say it where the command's last words are looked for."""
        say(f"fscost: not recorded: {one_line(error)}")

    def close(self) -> None:
        """Nothing is held."""


class PlaceInStore:
    """A run directory in the store, under the lock of its cell.

    Where the number of rounds is known from the beginning, the run is seen while it lasts.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._begin_s = settings, time.monotonic()
        self._store = Store(Path(os.environ.get("FSCOST_STORE") or "runs"))
        self._held = ExitStack()
        self._cell: Cell | None = None
        self._claim: Claim | None = None
        self._fresh: RunDir | None = None

    def begin(self) -> RunDir | None:
        """Take the cell's lock; raises StoreError where the store cannot be written, or somebody holds the cell."""
        self._store.check_writable()
        return self._begun(self._settings.rounds) if self._settings.rounds else None

    def fresh(self, rounds: int) -> RunDir:
        """Return the run directory that was begun, or begin it."""
        return self._fresh or self._begun(self._settings.rounds or rounds)

    def done(self, fresh: RunDir, warnings: tuple[str, ...]) -> None:
        """Publish the run."""
        self._publish(Status.DONE, "", warnings)

    def failed(self, rounds: int, error: BaseException) -> None:
        """Publish a failed run with the traceback as its log, beside a result that is there."""
        fresh = self.fresh(rounds)
        fresh.eval_results.unlink(missing_ok=True)
        fresh.ledger.unlink(missing_ok=True)
        fresh.engine_log.write_text("".join(traceback.format_exception(type(error), error, error.__traceback__)))
        self._publish(Status.FAILED, one_line(error), ())

    def close(self) -> None:
        """Let go of the cell."""
        self._held.close()

    def _begun(self, rounds: int) -> RunDir:
        self._cell = self._settings.cell(rounds)
        if self._place(self._cell).resolve() in _recorded:
            raise StoreError(
                f"{self._cell.name}: this program has recorded it already; say what differs, as seed=1 or lr=0.01"
            )
        self._claim = self._held.enter_context(self._store.claim(self._cell))
        if self._claim is None:
            raise StoreError(
                f"{self._cell.name}: is being recorded by {self._store.holder(self._cell)}; wait for its end"
            )
        if self._place(self._cell).exists():
            say(f"fscost: {self._place(self._cell)} is there already; what is recorded now replaces it")
        self._fresh = self._claim.begin(self._cell)
        return self._fresh

    def _place(self, cell: Cell) -> Path:
        return self._store.path / cell.name

    def _publish(self, status: Status, reason: str, warnings: tuple[str, ...]) -> None:
        assert self._claim is not None and self._cell is not None and self._fresh is not None
        wall_s = time.monotonic() - self._begin_s
        self._fresh.write_outcome(
            Outcome(status=status, reason=reason, warnings=warnings, wall_s=wall_s, provenance=_provenance(self._cell))
        )
        run = self._claim.publish(self._fresh)
        _recorded.update([] if reason else [run.path.resolve()])
        say(f"fscost: {f'failed, {reason}' if reason else 'recorded'}: {run.path}")
        for warning in warnings:
            say(f"fscost: {warning}")


def place_of(settings: Settings) -> Place:
    """Return where a recording with these settings goes."""
    return FolderOfSweep(settings.folder) if settings.folder else PlaceInStore(settings)


def _provenance(cell: Cell) -> Provenance:
    found = {name: str(getattr(sys.modules.get(name), "__version__", "")) for name in _PACKAGES}
    return Provenance(
        engine=cell.engine,
        protocol=cell.protocol,
        fs_commit=None,
        versions={"python": sys.version.split()[0], **{name: version for name, version in found.items() if version}},
        host=platform.node(),
        device="not known",
        seed=cell.get("seed"),
    )
