"""The worker: it imports an engine once and runs every cell in a fork of itself, several at a time if asked to.

A crash, an exit(), a hang or leaked state costs one cell, and no cell pays for the imports again. Requests are lines
of JSON on standard input, replies lines of JSON on what was standard output when the worker started.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict

from fscost.errors import one_line
from fscost.worker.process_family import held_bytes, kill_family

Request = Dict[str, Any]
Result = Dict[str, Any]
Run = Callable[[Request], Result]  # typing's own: collections.abc has none in Python 3.8

_LOOK_S = 0.2
"""How often to look at children: their memory, their time, and whether one died whose own children hold its pipe."""


def main(module: str) -> None:
    """Import what runs cells, say so, then run them until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever an engine prints must not be taken for a reply
    try:
        engine = import_module(module)
        ready = {"versions": engine.versions()}
    except BaseException as error:
        replies.write(json.dumps({"error": one_line(error)}) + "\n")
        return
    gc.freeze()  # what is here now stays: no collection in a fork needs to copy its pages
    replies.write(json.dumps(ready) + "\n")
    serve(engine.run_cell, sys.stdin.fileno(), replies)


def serve(run: Run, requests: int, replies: Any) -> None:
    """Run each request read from the descriptor `requests` in a fork of its own; when it ends, they are killed.

    A request has a ``number``, which its reply has too, and ``log``, the file for what is printed; ``timeout_s`` bounds
    its wall time and ``memory_bytes`` its resident memory, ``threads`` is for torch, ``env`` are environment variables.
    ``family`` stands in the environment of all that a request starts, and ends with it, wherever it went.
    A reply is what `run` returns with ``status``, ``reason``, ``wall_s``, ``peak_rss_bytes``.
    """
    children: dict[int, Child] = {}
    unread = b""
    while True:
        readable, _, _ = select.select([requests, *children], [], [], _LOOK_S if children else None)
        if requests in readable:
            chunk = os.read(requests, 65536)
            if not chunk:
                break
            *lines, unread = (unread + chunk).split(b"\n")
            for child in [Child(run, json.loads(line)) for line in lines]:
                children[child.pipe] = child
        for pipe, child in list(children.items()):
            if child.has_ended(pipe in readable):
                del children[pipe]
                replies.write(json.dumps(child.result()) + "\n")
    for child in children.values():  # nobody waits for them any more
        child.result()


class Child:
    """A fork that runs one request."""

    def __init__(self, run: Run, request: Request) -> None:
        self.request, self._begin_s, self._text = request, time.monotonic(), b""
        self._stopped: Result = {}
        self.pipe, to_parent = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self.pipe)
            _child(run, request, to_parent)
        os.close(to_parent)

    def has_ended(self, is_readable: bool) -> bool:
        """Return whether there is a result, or none to come; `is_readable` says that the pipe has something."""
        if is_readable:
            chunk = os.read(self.pipe, 65536)
            self._text += chunk
            return not chunk or self._text.endswith(b"\n")
        if _is_dead(self._pid):
            last, _, _ = select.select([self.pipe], [], [], 0)  # it may have written since anybody looked
            return self.has_ended(True) if last else True
        self._stopped = self._excess()
        return bool(self._stopped)

    def result(self) -> Result:
        """End the fork and all it started, and return the reply."""
        os.close(self.pipe)
        _kill_group(self._pid)
        _kill_family(self.request)
        _, status, usage = os.wait4(self._pid, 0)
        if self._text.endswith(b"\n"):
            reply = json.loads(self._text)
        else:
            reply = self._stopped or {"status": "failed", "reason": _ending(status), "silent": True, "died": True}
        measured = {"wall_s": time.monotonic() - self._begin_s, "peak_rss_bytes": usage.ru_maxrss * 1024}
        return {**reply, **measured, "number": self.request.get("number")}

    def _excess(self) -> Result:
        """Return the result of a cell that took more than it may, empty for one that did not."""
        timeout_s, memory_bytes = self.request.get("timeout_s"), self.request.get("memory_bytes")
        if timeout_s and time.monotonic() - self._begin_s > timeout_s:
            return {"status": "timeout", "reason": f"stopped after {timeout_s / 60:g} min"}
        if memory_bytes and (held := self._held_bytes()) > memory_bytes:
            limit = f"engine.memory_gb={memory_bytes / 1e9:g}"
            return {"status": "failed", "reason": f"out of memory: stopped at {held / 1e9:.3g} GB, {limit}"}
        return {}

    def _held_bytes(self) -> int:
        family = self.request.get("family")
        return held_bytes(family) if family else _resident_bytes(self._pid)


def _child(run: Run, request: Request, to_parent: int) -> None:
    """Run, write the result, and end without what Python does at exit; never returns."""
    try:
        os.setpgid(0, 0)
        threading.Thread(target=_end_with_parent, args=(os.getppid(), request), daemon=True).start()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(request.get("env") or {})
        if "torch" in sys.modules and request.get("threads"):
            sys.modules["torch"].set_num_threads(request["threads"])
        result = _result(run, request)
        sys.stdout.flush()
        sys.stderr.flush()
        _write(to_parent, (json.dumps(result) + "\n").encode())
    finally:
        os._exit(0)


def _write(descriptor: int, text: bytes) -> None:
    """Write all of a text; a pipe takes no more than it holds at a time."""
    while text:
        text = text[os.write(descriptor, text) :]


def _end_with_parent(parent: int, request: Request) -> None:
    """Die when the worker does: nobody would read the result."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    _kill_family(request)
    os.killpg(0, signal.SIGKILL)


def _result(run: Run, request: Request) -> Result:
    try:
        return {"status": "done", "reason": "", **run(request)}
    except SystemExit as stop:
        code = "" if stop.code is None else stop.code
        return {"status": "failed", "reason": f"exit({code}) was called", "silent": True}
    except BaseException as error:
        traceback.print_exc()
        return {"status": "failed", "reason": one_line(error)}


def _is_dead(pid: int) -> bool:
    """Return whether the child is a zombie: its pipe stays open as long as a process that it started lives."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):  # no /proc: such a process is waited for
        return False


def _resident_bytes(pid: int) -> int:
    """Return how much memory a process holds, 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the group may not exist yet, or not any more
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _kill_family(request: Request) -> None:
    if request.get("family"):
        kill_family(request["family"])


def _ending(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"the process ended with exit code {os.WEXITSTATUS(status)}"
    return f"the process was {killed_by(os.WTERMSIG(status))}"


def killed_by(number: int) -> str:
    """Return by which signal a process was killed, in words."""
    hint = ", as the kernel does when memory runs out" if number == signal.SIGKILL else ""
    return f"killed by {signal.Signals(number).name}{hint}"
