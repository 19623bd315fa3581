"""The worker process as seen from this side: started once, asked once per cell, replaced when it dies."""

import json
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from fscost.engine.federatedscope.interpreter import BOOT
from fscost.errors import ConfigError

_END_S = 10.0


class WorkerDied(Exception):
    """The worker process is gone; the text says how it ended."""


class Worker:
    """A process that has imported FederatedScope and runs one cell per request.

    Raises ConfigError where FederatedScope cannot be imported.
    """

    def __init__(self, python: Path) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the worker lives
        self._process = subprocess.Popen(
            [python, BOOT, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the worker
            env={"PYTHONHASHSEED": "0"} | os.environ,  # the order of FederatedScope's log keys depends on it
        )
        try:
            ready = self._read()
        except WorkerDied as died:
            ready = {"error": f"{died}{self._last_error()}"}
        if "error" in ready:
            self.close()
            raise ConfigError(f"engine.python={python}: FederatedScope cannot be imported: {ready['error']}")
        self.versions: dict[str, str] = ready["versions"]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one cell and return the reply; raises WorkerDied, and the worker is of no more use then."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerDied(self._ending()) from None
        return self._read()

    def close(self) -> None:
        """End the worker and what it runs."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerDied(self._ending())
        try:
            reply: dict[str, Any] = json.loads(line)
        except ValueError:
            raise WorkerDied(f"the worker answered {line.strip()!r}") from None
        return reply

    def _ending(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"the worker process was killed by {signal.Signals(-code).name}"
        return f"the worker process ended with exit code {code}"

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f": {lines[-1]}" if lines else ""
