"""The Python that has FederatedScope: which FederatedScope that is, and how it is asked."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fscost.engine.process import BOOT
from fscost.errors import ConfigError

_ANSWER_S = 120.0
_CURE = "name the interpreter that has it with engine.python=PATH or FSCOST_FS_PYTHON"


_FACTS = ("folder", "version", "commit", "fingerprint", "protocol")


@dataclass(frozen=True)
class Interpreter:
    """A Python with FederatedScope; `commit` is None where it is not known, `fingerprint` is that of its source."""

    python: Path
    folder: str
    version: str
    commit: str | None
    fingerprint: str
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
    shown = f"engine.python={python}" if named else "engine=federatedscope"
    found = asked(python, "probe", shown, cure=f"; {_CURE}", parts=_FACTS)
    return Interpreter(python, *(found[name] for name in _FACTS))


def asked(
    python: Path,
    task: str,
    shown: str,
    *,
    silent: str = "it is no Python that runs the worker",
    cure: str = "",
    given: str = "",
    parts: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what an interpreter answers to a task of the worker's script, which reads what is `given`.

    The answer has these `parts`. Raises ConfigError, which begins with `shown`, where there is none: with what is wrong
    as it says, or with `silent` and its last words.
    """
    if python.is_dir():
        raise ConfigError(f"{shown}: is a folder; name the Python in it, as {python / 'bin' / 'python'}")
    try:
        done = _answered([python, BOOT, task], given)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{shown}: it gave no answer in {_ANSWER_S:g} s{cure}") from error
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"{shown}: cannot be started: {why}{cure}") from error
    found = _reply(done.stdout)
    if "error" in found or not all(part in found for part in parts):
        raise ConfigError(f"{shown}: {found.get('error') or f'{silent} ({_ending(done)})'}{cure}")
    return found


def _answered(words: Sequence[str | Path], given: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; where that takes too long, it is ended with all that it started."""
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(given, _ANSWER_S)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


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
