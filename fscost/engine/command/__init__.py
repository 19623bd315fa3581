"""The command engine: a training command of a user's, which writes its own ledger through ``fscost.record``."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fscost
from fscost.cells.cell import Cell
from fscost.cells.command_template import words_of
from fscost.cells.outcome import Outcome, Status
from fscost.engine.base import DEFAULTS, EngineSettings
from fscost.engine.process import WarmWorker, last_words, outcome_of
from fscost.errors import CollectError, ConfigError
from fscost.files import digest_of
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RUN_DIR, RunDir
from fscost.worker.fork_server import killed_by

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_IMPORTED = "imported"
_LONGEST_LOG_BYTES = 10 * 1024**2
"""Of a log that is longer the middle is left out."""


class CommandEngine:
    """Runs the command of each cell, several at a time, each with all that it starts in a family of processes."""

    def __init__(self) -> None:
        self._worker = WarmWorker("fscost.engine.command.started_command")

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for as many clients as the data have, which no command is asked for."""
        if not cell.axes["clients"]:
            raise ConfigError("clients=0: engine=command needs their number, a whole one of at least 1")

    def check_here(self, cell: Cell) -> None:
        """Raise ConfigError where there is no such program on this machine."""
        program = words_of(cell)[0]
        if shutil.which(program) is None:
            raise ConfigError(f"engine.command={cell.get('command.template')}: there is no program {program} here")

    def prepare(self, cell: Cell) -> None:
        """Raise ConfigError where there is no such program, or a watched file is another than the cell's."""
        self.check_here(cell)
        if problems := [*_edited(cell)]:
            raise ConfigError(*problems)

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run the cell's command, and believe what it recorded only if it ended well."""
        worker = self._worker.started(Path(sys.executable), "engine=command")
        place = into.path.resolve()
        own = {
            "words": words_of(cell),
            "environment": _environment(place, settings),
            "family": f"{RUN_DIR}={place}",
            "log": str(into.engine_log.resolve()),
        }
        reply = worker.ask(own | settings.as_request())
        shutil.rmtree(place / _IMPORTED, ignore_errors=True)
        _shorten(into.engine_log)
        return _outcome(cell, into, reply)

    def close(self) -> None:
        """End the commands that run."""
        self._worker.close()


def make_engine(_python: str | None) -> CommandEngine:
    """Return the engine; which Python a command runs under is said by the command."""
    return CommandEngine()


def _environment(place: Path, settings: EngineSettings) -> dict[str, str]:
    """Return the user's environment, with where to record, and from where the recorder is imported.

    That folder has nothing but fscost: packages beside it may be of another Python.
    """
    (path := place / _IMPORTED).mkdir()
    (path / "fscost").symlink_to(Path(fscost.__file__).resolve().parent)
    before = os.environ.get("PYTHONPATH")
    own = {RUN_DIR: str(place), "PYTHONPATH": os.pathsep.join([str(path), *([before] if before else [])])}
    gpu = {} if settings.gpu is None else {"CUDA_VISIBLE_DEVICES": settings.gpu}
    return os.environ | dict.fromkeys(_THREADS, str(settings.threads)) | own | {"PYTHONUNBUFFERED": "1"} | gpu


def _edited(cell: Cell) -> Iterator[str]:
    """Yield which watched files are gone or others than those of the cell."""
    for line in cell.get("command.watch", []):
        file, _, digest = line.rpartition(" ")
        try:
            is_same = digest_of(file).startswith(digest)
        except OSError as error:
            yield f"engine.watch={file}: cannot be read: {error.strerror}; name a file of the command"
            continue
        if not is_same:
            yield f"engine.watch={file}: was edited since this cell was planned; its new content is another cell"


def _outcome(cell: Cell, into: RunDir, reply: dict[str, Any]) -> Outcome:
    status, reason, header = Status(reply["status"]), str(reply["reason"]), dict[str, Any]()
    if status is Status.DONE:
        try:
            reason = _ending(reply["code"])
            header = {} if reason else _header(cell, into)
        except CollectError as error:
            reason = str(error).replace(f"{into.path}/", "").removesuffix("; rerun the cell")
        status = Status.FAILED if reason else status
    if status is not Status.DONE and (words := last_words(into.engine_log)):
        reason += f"; its last words: {words}"
    return outcome_of(
        cell,
        reply | {"status": status, "reason": reason, "died": reply.get("died") or reply.get("code", 0) < 0},
        versions=header.get("versions", {}),
        device=str(header.get("device", "unknown")),
        warnings=map(str, header.get("warnings") or ()),
    )


def _ending(code: int) -> str:
    """Return why a command failed, nothing for one that ended well."""
    if code >= 0:
        return f"the command ended with exit code {code}" if code else ""
    return f"the command was {killed_by(-code)}"


def _header(cell: Cell, into: RunDir) -> dict[str, Any]:
    """Return what a command says of what it recorded; raises CollectError where that is nothing, or another cell."""
    if not into.ledger.exists():
        raise CollectError("the command recorded nothing; count in it with fscost.record")
    header = read_ledger(into.ledger).header
    told = {**{key: header[key] for key in ("clients",) if header.get(key) is not None}, **(header.get("axes") or {})}
    if other := [f"{axis}={value}" for axis, value in told.items() if cell.axes.get(axis, value) not in (None, value)]:
        asked = ", ".join(f"{axis.split('=')[0]}={cell.axes[axis.split('=')[0]]}" for axis in other)
        raise CollectError(f"the command recorded {', '.join(other)}, and not what it was asked for, {asked}")
    return header


# --- its log --------------------------------------------------------------------------------------


def _shorten(log: Path) -> None:
    """Leave the middle out of a log that is very long."""
    if not log.exists() or (size := log.stat().st_size) <= _LONGEST_LOG_BYTES:
        return
    half = _LONGEST_LOG_BYTES // 2
    with log.open("r+b") as file:
        file.seek(size - half)
        end = file.read()
        file.seek(half)
        file.write(f"\n… {size - 2 * half} bytes were left out here …\n".encode() + end)
        file.truncate()
