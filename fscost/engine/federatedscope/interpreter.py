"""The Python that has FederatedScope: which FederatedScope that is, and which options it has.

To say its options it must be imported, which takes seconds. The answer is kept in the user's cache folder, one file for
each interpreter and package, until a file of the package changes; where that cannot be written, every command asks.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fscost.engine.process import BOOT
from fscost.errors import ConfigError
from fscost.files import write_whole
from fscost.protocol import fs_options
from fscost.protocol.known_options import KnownOptions, kind_of
from fscost.worker.release_options import in_cell, older_names

_ANSWER_S = 120.0
_CURE = "name the interpreter that has it with engine.python=PATH or FSCOST_FS_PYTHON"


@dataclass(frozen=True)
class Interpreter:
    """A Python with FederatedScope; `commit` is None where it is not known."""

    python: Path
    folder: str
    version: str
    commit: str | None
    protocol: str

    @property
    def description(self) -> str:
        """What it is, in words."""
        commit, changes = (self.commit or "unknown").partition("+")[::2]
        version = "" if self.protocol == f"v{self.version}" else f"version {self.version}, "
        shown = f"{version}commit {commit[:8]}{'+' if changes else ''}{changes}"
        return f"FederatedScope {self.protocol} ({shown}) of {self.python}"


def is_within_reach(named: str | None) -> bool:
    """Return whether there is a FederatedScope: somebody named an interpreter, or this one has it."""
    return bool(named) or find_spec("federatedscope") is not None


@cache
def interpreter(named: str | None) -> Interpreter:
    """Return the interpreter `named`, or this one, with the FederatedScope that was found there.

    FederatedScope is not imported for it. Raises ConfigError where there is none.
    """
    python = Path(named).expanduser() if named else Path(sys.executable)
    found = asked(python, "probe", f"engine.python={python}" if named else "engine=federatedscope", cure=f"; {_CURE}")
    return Interpreter(python, found["folder"], found["version"], found["commit"], found["protocol"])


def asked(
    python: Path, task: str, shown: str, *, silent: str = "it is no Python that runs the worker", cure: str = ""
) -> dict[str, Any]:
    """Return what an interpreter answers to a task of the worker's script.

    Raises ConfigError, which begins with `shown`, where it has no answer: with what is wrong as it says, or with
    `silent` and its last words.
    """
    try:
        done = subprocess.run([python, BOOT, task], capture_output=True, text=True, errors="replace", timeout=_ANSWER_S)
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"{shown}: cannot be started: {why}{cure}") from error
    found = _reply(done.stdout)
    if "error" in found:
        raise ConfigError(f"{shown}: {found['error'] or f'{silent} ({_ending(done)})'}{cure}")
    return found


def _ending(done: subprocess.CompletedProcess[str]) -> str:
    code, lines = done.returncode, done.stderr.strip().splitlines()
    words = f"; its last words: {lines[-1]}" if lines else ""
    return (f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}") + words


def _reply(text: str) -> dict[str, Any]:
    """Return the last line that is an answer; what an interpreter prints at its start is none."""
    for line in reversed(text.splitlines()):
        with suppress(ValueError):
            if isinstance(found := json.loads(line), dict):
                return found
    return {"error": ""}


# --- its options ----------------------------------------------------------------------------------

_FORMAT = 1
_PARTS = ("defaults", "open", "takes")


@cache
def options_of(found: Interpreter) -> KnownOptions:
    """Return the options of an interpreter's FederatedScope, by the names that cells use.

    Raises ConfigError with its last words where it does not answer.
    """
    answer = _answer(found)
    defaults = in_cell(answer["defaults"])
    return KnownOptions(
        whose=found.description,
        defaults={**fs_options.OWN, **defaults},  # the engine says what is to be done with these
        open=answer["open"],
        takes=answer["takes"],
        older=older_names(answer["defaults"]),
        deviating={name: value for name, value in defaults.items() if _deviates(name, value)},
    )


def _deviates(name: str, value: Any) -> bool:
    """Return whether this FederatedScope has another default than all releases have."""
    if name not in fs_options.options() or fs_options.is_changed(name):
        return False
    return kind_of(value) == kind_of(fs_options.default(name)) and value != fs_options.default(name)


def _answer(found: Interpreter) -> dict[str, Any]:
    file, stamp = _file(found), _stamp(found)
    if file is not None and (kept := _kept(file, stamp)) is not None:
        return kept
    shown = f"engine.python={found.python}: FederatedScope cannot be imported"
    answer = asked(found.python, "options", shown, silent="it ended when asked for its options")
    if file is not None:
        with suppress(OSError):  # it is asked again then
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, [json.dumps({"stamp": stamp} | {part: answer[part] for part in _PARTS})], synced=False)
    return answer


def _file(found: Interpreter) -> Path | None:
    """Return where the answer is kept, None where there is no home for it."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = base if base.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    name = hashlib.sha256(f"{found.python.absolute()}\n{found.folder}".encode()).hexdigest()[:16]
    return folder / "fscost" / f"options-{name}.json"


def _stamp(found: Interpreter) -> list[Any]:
    """Return what the answer depends on: the commit, and every module of the package with its size and date."""
    modules = hashlib.sha256()
    for path in sorted(Path(found.folder).rglob("*.py")):
        with suppress(OSError):  # it is gone in the meantime
            facts = path.stat()
            modules.update(f"{path}\n{facts.st_size}\n{facts.st_mtime_ns}\n".encode())
    return [_FORMAT, found.commit, modules.hexdigest()]


def _kept(file: Path, stamp: list[Any]) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    is_whole = isinstance(content, dict) and all(part in content for part in _PARTS)
    return content if is_whole and content.get("stamp") == stamp else None
