"""The worker process as seen from this side: started once, asked once per cell, by several threads if need be."""

import json
import os
import platform
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import fscost
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Provenance, Status
from fscost.errors import ConfigError
from fscost.printable import clean

BOOT = Path(fscost.__file__).parent / "worker" / "boot.py"

_END_S = 3.0
"""How long a worker has to end what it runs, before it is killed."""

_LONGEST_WORDS = 200
_TAIL_BYTES = 64 * 1024
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Reply = dict[str, Any]


class WorkerDied(Exception):
    """The worker process is gone; the text says how it ended."""


class WorkerClosed(Exception):
    """The worker was ended on purpose while it ran a cell."""


class Worker:
    """A process that imports `module` and then runs each request in a fork of itself; it starts at once.

    What it says begins with `shown`.
    """

    def __init__(self, python: Path, module: str, shown: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the worker lives
        self._process = subprocess.Popen(
            [python, BOOT, "serve", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the worker
            # The order of FederatedScope's log keys depends on the first; a request says how many threads torch gets.
            env={"PYTHONHASHSEED": "0"} | os.environ | _ONE_THREAD,
        )
        self._shown, self._ready, self._reader = shown, Reply(), Thread(target=self._answer, daemon=True)
        self._starting, self._lock, self._asked, self._is_closed, self._has_ended = Lock(), Lock(), 0, False, False
        self._waiting: dict[int, Future[Reply]] = {}

    def wait_until_ready(self) -> None:
        """Return when it can be asked.

        Raises ConfigError where its module cannot be imported, WorkerDied where it was killed meanwhile, and
        WorkerClosed after `close`.
        """
        with self._starting:
            if not self._ready:
                self._ready = self._read() or {"error": f"{self._ending()}{self._last_error()}"}
                if "error" not in self._ready:
                    self._reader.start()
        if self._is_closed:
            raise WorkerClosed
        if "error" in self._ready:
            was_killed = (self._process.poll() or 0) < 0
            raise (WorkerDied if was_killed else ConfigError)(f"{self._shown}: {self._ready['error']}")

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what it has imported, once it is ready."""
        found: dict[str, str] = self._ready["versions"]
        return found

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any]) -> Reply:
        """Run one cell and return the reply; raises WorkerDied or WorkerClosed, and the worker is of no more use."""
        assert self._process.stdin is not None
        future: Future[Reply] = Future()
        with self._lock:
            if self._has_ended:
                raise self._end()
            self._asked += 1
            self._waiting[self._asked] = future
            with suppress(BrokenPipeError, ValueError):  # it is gone or closed, which the reading thread will see
                self._process.stdin.write(json.dumps(request | {"number": self._asked}) + "\n")
                self._process.stdin.flush()
        return future.result()

    def close(self) -> None:
        """End the worker and what it runs; one that still imports is not waited for."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._is_closed = True
        with suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        try:
            self._process.wait(_END_S if self._ready else 0)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        with self._starting:  # whoever waits for it knows by now
            pass
        if self._reader.is_alive():
            self._reader.join()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self) -> None:
        """Hand each reply to the one who waits for it, until there are no more."""
        while reply := self._read():
            with self._lock:
                future = self._waiting.pop(reply["number"])
            future.set_result(reply)
        end = self._end()
        with self._lock:
            self._has_ended = True
            waiting = list(self._waiting.values())
        for future in waiting:
            future.set_exception(end)

    def _end(self) -> Exception:
        return WorkerClosed() if self._is_closed else WorkerDied(self._ending())

    def _read(self) -> Reply:
        """Return the next reply, nothing where there is none to come."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):  # what an interpreter prints at its start, or a line cut off at the end
                if isinstance(reply := json.loads(line), dict):
                    return reply
        return {}

    def _ending(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"the worker process was killed by {signal.Signals(-code).name}"
        return f"the worker process ended with exit code {code}"

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f": {lines[-1]}" if lines else ""


class WarmWorker:
    """A worker of `module` that is started when it is first needed, and again after it died."""

    def __init__(self, module: str) -> None:
        self._module, self._lock, self._is_closed = module, Lock(), False
        self._worker: Worker | None = None

    def started(self, python: Path, shown: str) -> Worker:
        """Return the worker when it is ready; one that was killed while it imported is started once more.

        Raises ConfigError, which begins with `shown`, where it cannot be.
        """
        try:
            return self._started(python, shown)
        except WorkerDied:
            try:
                return self._started(python, shown)
            except WorkerDied as died:
                raise ConfigError(str(died)) from died

    def _started(self, python: Path, shown: str) -> Worker:
        with self._lock:
            if self._is_closed:
                raise WorkerClosed
            if self._worker is not None and not self._worker.is_alive:
                self._worker.close()
                self._worker = None
            worker = self._worker = self._worker or Worker(python, self._module, shown)
        worker.wait_until_ready()
        return worker

    def close(self) -> None:
        """End the worker and what it runs."""
        with self._lock:
            self._is_closed = True
            if self._worker is not None:
                self._worker.close()


# --- how a cell ended -----------------------------------------------------------------------------


def outcome_of(
    cell: Cell,
    reply: Reply,
    *,
    versions: Mapping[str, str],
    device: str,
    warnings: Iterable[str] = (),
    fs_commit: str | None = None,
) -> Outcome:
    """Return the outcome of a cell that a worker has run; `versions` and `device` are those that its code ran with."""
    return Outcome(
        status=Status(reply["status"]),
        reason=reply["reason"],
        died=bool(reply.get("died")),
        wall_s=reply["wall_s"],
        peak_rss_bytes=reply.get("peak_rss_bytes"),
        warnings=tuple(warnings),
        provenance=Provenance(
            engine=cell.engine,
            protocol=cell.protocol,
            fs_commit=fs_commit,
            versions={"fscost": fscost.__version__, **versions},
            host=platform.node(),
            device=device,
            seed=cell.get("seed"),
        ),
    )


def last_words(log: Path) -> str:
    """Return the last line of a log that is not empty, without colours and with all its characters shown."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).splitlines() if line.strip()]
    words = clean(lines[-1]) if lines else ""
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
