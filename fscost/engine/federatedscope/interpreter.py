"""The Python that has FederatedScope, and which FederatedScope it has."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fscost.engine.process import BOOT
from fscost.errors import ConfigError

_PROBE_S = 120.0
_CURE = "name the interpreter that has it with engine.python=PATH or FSCOST_FS_PYTHON"


@dataclass(frozen=True)
class Interpreter:
    """A Python with FederatedScope; `commit` is None where nothing tells it."""

    python: Path
    folder: str
    version: str
    commit: str | None
    protocol: str

    @property
    def description(self) -> str:
        """What it is, in words."""
        return f"FederatedScope {self.protocol} ({(self.commit or 'commit unknown')[:8]}) of {self.python}"


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
    try:
        done = subprocess.run([python, BOOT, "probe"], capture_output=True, text=True, timeout=_PROBE_S)
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"{shown}: cannot be started: {why}; {_CURE}") from error
    found = _reply(done.stdout)
    if "error" in found:
        words = (done.stderr.strip().splitlines() or [""])[-1]
        why = found["error"] or f"it is no Python that runs the worker{f' ({words})' if words else ''}"
        raise ConfigError(f"{shown}: {why}; {_CURE}")
    return Interpreter(python, found["folder"], found["version"], found["commit"], found["protocol"])


def _reply(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"error": ""}
