"""A command of a user's in a fork of a worker, which is what it is ended with."""

import subprocess
import sys
from typing import Any


def run_cell(request: dict[str, Any]) -> dict[str, Any]:
    """Run the command of a request to its end; its output goes where this process's goes.

    Returns its exit code, negative for a signal, or why it could not be started.
    """
    try:
        ended = subprocess.run(request["words"], env=request["environment"], stdin=subprocess.DEVNULL, check=False)
    except (OSError, ValueError) as error:
        return {"status": "failed", "reason": f"{request['words'][0]}: cannot be started: {_why(error)}"}
    return {"code": ended.returncode}


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def versions() -> dict[str, str]:
    """Return the version of this Python, under which no command runs."""
    return {"python": sys.version.split()[0]}
