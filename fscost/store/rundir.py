"""A run directory: every file name in one class, every file written whole."""

# cell.json, outcome.json history: 1 - first version

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional, Tuple

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.errors import CollectError, ConfigError, StoreError
from fscost.files import is_settled, is_there, sync_folder, text_of, unreadable, write_whole
from fscost.store.integrity import changes, is_whole, sealed
from fscost.store.json_lines import NoJson, loads, problem_of
from fscost.store.ledger_file import read_ledger
from fscost.store.run import Reading, warnings_in

FORMAT = 1

RUN_DIR = "FSCOST_RUN_DIR"
"""The variable that tells the recorder in a command, in whatever process of it, where its run directory is."""

_FileStamp = Tuple[int, int, int, int]
"""When a file and its inode were written, in ns, the inode, and the size in bytes."""

Stamp = Tuple[Optional[_FileStamp], ...]
"""That of each file; None where it is absent."""


@dataclass(frozen=True)
class RunDir:
    """The files of one run."""

    path: Path
    _kept: dict[Stamp, Reading] = field(default_factory=dict, init=False, repr=False, compare=False)

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
    def progress(self) -> Path:
        """The round that is under way, as long as the run is; see `fscost.worker.round_file`."""
        return self.path / "progress.json"

    @property
    def outcome_file(self) -> Path:
        """How the run ended; written last, so a directory without it was interrupted."""
        return self.path / "outcome.json"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are written anew when the run ends."""
        return (self.outcome_file,)

    @property
    def processes(self) -> tuple[RunDir, ...]:
        """The run directory alone: all workers of the run write here."""
        return (self,)

    @property
    def can_be_rerun(self) -> bool:
        """Yes: fscost launched the run."""
        return True

    def write_cell(self, cell: Cell) -> None:
        """Write the cell into the directory, which is made where there is none."""
        self.path.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "id": cell.id, **cell.as_dict()}
        write_whole(self.cell_file, [json.dumps(content, indent=1)], synced=False)  # publishing the run does

    def write_outcome(self, outcome: Outcome) -> None:
        """Close the run."""
        text = sealed({"format": FORMAT, **outcome.as_dict()}, self.path)
        write_whole(self.outcome_file, [text], synced=False)

    def sync(self) -> None:
        """Wait until the files are on the disk; raises StoreError where they do not get there."""
        try:
            sync_folder(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written: {error.strerror}") from error

    def read_cell(self) -> Cell:
        """Read the cell and hash it again; raises CollectError for a file that is no cell or was edited."""
        return self._believed_cell()[0]

    def _believed_cell(self) -> tuple[Cell, str]:
        """Return the cell with the digest of its file; one of long ago is read once in a process, unless it changes."""
        stamp = _stamp(self.cell_file)
        may_be_known = stamp is not None and is_settled(max(stamp[:2]))
        return (_cell_in if may_be_known else _cell_in.__wrapped__)(self.cell_file, stamp)

    def read_outcome(self) -> dict[str, Any]:
        """Read how the run ended, as JSON values; ``status`` is interrupted where no outcome was written."""
        if not is_there(self.outcome_file):
            return {"status": Status.INTERRUPTED, "reason": "the run was interrupted"}
        content, text = _read_json(self.outcome_file, "OutcomeFile")
        if content.get("status") not in [str(status) for status in Status]:
            raise CollectError(f"{self.outcome_file}:1: no known status; rerun the cell")
        if not is_whole(text, content):
            raise CollectError(f"{self.outcome_file}:1: the file was edited, its digest does not match; rerun the cell")
        return content

    def outcome(self) -> dict[str, Any]:
        """Return what `read_outcome` does, nothing where that cannot be read."""
        try:
            return self.read_outcome()
        except CollectError:
            return {}

    def warnings(self) -> list[str]:
        """Return the warnings of the run's own end, none where they cannot be read."""
        return warnings_in(self.outcome())

    @property
    def is_read(self) -> bool:
        """Whether `status` has kept what the next `read` returns."""
        return bool(self._kept)

    def read(self) -> Reading:
        """Return what all files but the logs say; what `status` has kept is taken where nothing was written since."""
        kept = self._kept.pop(self._stamp(), None) if self._kept else None
        self._kept.clear()
        return kept or self._read()

    def status(self, *, keep: bool = False) -> Status:
        """Return how far the run is, CORRUPT where its files cannot be believed; `keep` is for the next `read`."""
        stamp = (
            self._stamp() if keep else ()
        )  # before the files are read: what is written meanwhile is not in the reading
        reading = self._read()
        self._kept.clear()
        if keep:
            self._kept[stamp] = reading
        return reading.status

    def _read(self) -> Reading:
        name = self.path.name.rpartition("-")[2]
        if not is_there(self.path):
            return Reading(id=name, cell=None, status=Status.MISSING, reason="not computed yet")
        cell = ledger = None
        notes: list[str] = []
        try:
            cell, digest = self._believed_cell()
            outcome = self.read_outcome()
            status = Status(outcome["status"])
            if status is Status.DONE:
                ledger = read_ledger(self.ledger)
                known = {self.cell_file.name: digest, self.ledger.name: ledger.digest}
                notes += changes(self.path, outcome, known)
        except CollectError as error:
            id, why = cell.id if cell else name, str(error)
            return Reading(id=id, cell=cell, status=Status.CORRUPT, reason=why, notes=(why,))
        reason = outcome.get("reason") or None
        return Reading(
            id=cell.id, cell=cell, status=status, reason=reason, outcome=outcome, ledger=ledger, notes=tuple(notes)
        )

    def _stamp(self) -> Stamp:
        files = self.cell_file, self.outcome_file, self.ledger, self.system_metrics, self.eval_results
        return tuple(map(_stamp, files))


def _stamp(file: Path) -> _FileStamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


@lru_cache(maxsize=2**13)
def _cell_in(file: Path, _stamp: _FileStamp | None) -> tuple[Cell, str]:
    """Return the cell in a file, hashed again, and the digest of the file; raises CollectError with file and line."""
    content, text = _read_json(file, "CellFile", "no valid cell: ")
    try:
        cell = Cell(engine=content["engine"], protocol=content["protocol"], fs=content["fs"])
        ids = cell.id, cell.former_id
    except (KeyError, AttributeError, ConfigError) as error:
        raise CollectError(f"{file}:1: no valid cell: {error}; rerun the cell") from error
    if content.get("id") not in ids:
        raise CollectError(
            f"{file}:3: the file was edited: its content hashes to {cell.id}, "
            f"not to its id {content.get('id')}; rerun the cell"
        )
    return cell, hashlib.sha256(text.encode()).hexdigest()


def _read_json(path: Path, schema: str, what: str = "") -> tuple[dict[str, Any], str]:
    """Return the content of a JSON file, and its text; raises CollectError with file and line."""
    try:
        text = text_of(path, _MOST_BYTES)
        content = loads(text)
    except NoJson as error:
        raise CollectError(f"{path}:{error.line}: {error}; rerun the cell") from error
    except OSError as error:
        raise CollectError(unreadable(path, error)) from error
    if not isinstance(content, dict) or "format" not in content:
        raise CollectError(f"{path}:1: no format version; rerun the cell")
    if content["format"] != FORMAT:
        shown = str(content["format"])[:20]
        raise CollectError(f"{path}:1: format {shown}, this fscost reads format {FORMAT}; upgrade fscost")
    if problem := problem_of(content, schema):
        raise CollectError(f"{path}:{_line_of(problem, text)}: {what}{problem}; rerun the cell")
    return content, text


_MOST_BYTES = 2**26
"""What a cell or an outcome may have at most; they have some kB."""


def _line_of(problem: str, text: str) -> int:
    """Return in which line the key stands that a problem names last, as in ``at `$.provenance.seed` ``."""
    key = problem.rpartition(".")[2].strip("`$")
    return 1 + text.partition(f'"{key}"')[0].count("\n") if f'"{key}"' in text else 1
