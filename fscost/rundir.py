"""A run directory: every file name in one class, every file written whole.

After a power loss no run is believed but wrong, and no result that was there is lost: before a run gets its name, its
files are on the disk. Estimates alone do not wait for the disk, unless they replace a result, as that would take longer
than to compute them again. Of theirs, each file that is read tells by itself whether it was cut: the cell is hashed
again, the ledger ends with its digest, and an outcome that was cut is no JSON. A run with such a file is corrupt, and
the next sweep computes it again.
"""

# cell.json, outcome.json history: 1 - first version

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fscost.cell import Cell
from fscost.errors import CollectError, ConfigError, StoreError
from fscost.files import sync_folder, write_whole
from fscost.metering import read_ledger
from fscost.record import Outcome, Status

FORMAT = 1


@dataclass(frozen=True)
class RunDir:
    """The files of one run."""

    path: Path

    @property
    def cell_file(self) -> Path:
        """What was to be computed; written first."""
        return self.path / "cell.json"

    @property
    def ledger(self) -> Path:
        """The messages by round, type and link; see `fscost.metering.ledger`."""
        return self.path / "ledger.jsonl"

    @property
    def system_metrics(self) -> Path:
        """What each worker reports, in FederatedScope's format."""
        return self.path / "system_metrics.log"

    @property
    def eval_results(self) -> Path:
        """The evaluations, in FederatedScope's format."""
        return self.path / "eval_results.log"

    @property
    def engine_log(self) -> Path:
        """Whatever the engine printed; after a failure, the traceback."""
        return self.path / "engine.log"

    @property
    def outcome_file(self) -> Path:
        """How the run ended; written last, so a directory without it was interrupted."""
        return self.path / "outcome.json"

    def write_cell(self, cell: Cell) -> None:
        """Create the directory and write the cell into it."""
        self.path.mkdir(parents=True)
        _write_json(self.cell_file, {"format": FORMAT, "id": cell.id} | cell.as_dict())

    def write_outcome(self, outcome: Outcome) -> None:
        """Close the run."""
        _write_json(self.outcome_file, {"format": FORMAT} | outcome.as_dict())

    def sync(self) -> None:
        """Wait until the files are on the disk; raises StoreError where they do not get there."""
        try:
            sync_folder(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written: {error.strerror}") from error

    def read_cell(self) -> Cell:
        """Read the cell and hash it again; raises CollectError for a file that is no cell or was edited."""
        content = _read_json(self.cell_file)
        try:
            cell = Cell(engine=content["engine"], protocol=content["protocol"], fs=content["fs"])
        except (KeyError, AttributeError, ConfigError) as error:
            raise CollectError(f"{self.cell_file}:1: no valid cell: {error}; rerun the cell") from error
        if cell.id != content.get("id"):
            line = 1 + self.cell_file.read_text().split('"id"')[0].count("\n")
            raise CollectError(
                f"{self.cell_file}:{line}: the file was edited: its content hashes to {cell.id}, "
                f"not to its id {content.get('id')}; rerun the cell"
            )
        return cell

    def read_outcome(self) -> dict[str, Any]:
        """Read how the run ended, as JSON values; ``status`` is interrupted where no outcome was written."""
        if not self.outcome_file.exists():
            return {"status": Status.INTERRUPTED, "reason": "the run was interrupted"}
        content = _read_json(self.outcome_file)
        if content.get("status") not in [str(status) for status in Status]:
            raise CollectError(f"{self.outcome_file}:1: no known status; rerun the cell")
        return content

    def status(self) -> Status:
        """Return how far the run is, CORRUPT where its files cannot be believed."""
        if not self.path.is_dir():
            return Status.MISSING
        try:
            self.read_cell()
            status = Status(self.read_outcome()["status"])
            if status is Status.DONE:
                read_ledger(self.ledger)
        except CollectError:
            return Status.CORRUPT
        return status


@dataclass(frozen=True)
class Store:
    """A folder of run directories; a cell's results are found by its id."""

    path: Path

    def check_writable(self) -> None:
        """Raise StoreError unless files can be made here; makes the folder, and nothing where that fails."""
        probe = self.path / f".probe-{os.getpid()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            why = error.strerror or error
            raise StoreError(f"store={self.path}: cannot be written: {why}; choose another with store=PATH") from error

    def of(self, cell: Cell) -> RunDir:
        """Return the directory of the cell's run, whether or not it exists."""
        run = RunDir(self.path / cell.name)
        replaced = _aside(run)
        if not run.path.exists() and replaced.exists():  # a swap was cut off between its two renames
            replaced.rename(run.path)
        return run

    def begin(self, cell: Cell) -> RunDir:
        """Create a fresh directory for a new run of the cell, beside whatever result there is."""
        fresh = RunDir(self.path / f".{cell.name}.new-{os.getpid()}")
        try:
            shutil.rmtree(fresh.path, ignore_errors=True)
            fresh.write_cell(cell)
        except OSError as error:
            raise StoreError(f"store={self.path}: cannot write there: {error}") from error
        return fresh

    def publish(self, fresh: RunDir, cell: Cell) -> RunDir:
        """Make a fresh run the cell's result, unless it failed and there is one that is done.

        A failed rerun is kept as ``<name>.failed`` for its log, a corrupt directory as ``<name>.corrupt``.
        """
        current = self.of(cell)
        before = current.status()
        if before is Status.DONE or cell.engine != "estimate":
            fresh.sync()
        if before is Status.DONE and fresh.status() is not Status.DONE:
            return _move(fresh, current.path.with_name(f"{cell.name}.failed"))
        if before is Status.CORRUPT:
            _move(current, current.path.with_name(f"{cell.name}.corrupt"))
        if current.path.exists():
            shutil.rmtree(_aside(current), ignore_errors=True)
            current.path.rename(_aside(current))
        fresh.path.rename(current.path)
        shutil.rmtree(_aside(current), ignore_errors=True)
        return current


def _aside(run: RunDir) -> Path:
    return run.path.with_name(f".{run.path.name}.replaced")


def _move(run: RunDir, to: Path) -> RunDir:
    shutil.rmtree(to, ignore_errors=True)
    run.path.rename(to)
    return RunDir(to)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, [json.dumps(content, indent=1)], synced=False)  # publishing the run does


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise CollectError(f"{path}:{error.lineno}: no JSON ({error.msg}); rerun the cell") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CollectError(f"{path}: cannot be read: {error}; rerun the cell") from error
    if not isinstance(content, dict) or "format" not in content:
        raise CollectError(f"{path}:1: no format version; rerun the cell")
    if content["format"] != FORMAT:
        raise CollectError(f"{path}:1: format {content['format']}, this fscost reads format {FORMAT}; upgrade fscost")
    return content
