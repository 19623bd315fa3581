"""The worker: it imports FederatedScope once and runs every cell in a fork of itself.

A crash, an exit(), a hang or leaked state costs one cell, and no cell pays for the imports again. Requests are lines
of JSON on standard input, replies lines of JSON on what was standard output when the worker started.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Dict

from fscost.errors import one_line

Request = Dict[str, Any]
Result = Dict[str, Any]

_LOOK_S = 1.0
"""How often to look whether a child has died whose own children keep its pipe open."""


def main() -> None:
    """Import FederatedScope, say so, then run cells until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever FederatedScope prints must not be taken for a reply
    try:
        from fscost.worker.course import run_cell, versions

        ready = {"versions": versions()}
    except BaseException as error:
        replies.write(json.dumps({"error": one_line(error)}) + "\n")
        return
    replies.write(json.dumps(ready) + "\n")
    serve(run_cell, sys.stdin.fileno(), replies)


def serve(run: Callable[[Request], Result], requests: int, replies: Any) -> None:
    """Answer each line read from the descriptor `requests`; return when it ends."""
    while line := _read_line(requests):
        replies.write(json.dumps(isolated(run, json.loads(line), requests)) + "\n")


def isolated(run: Callable[[Request], Result], request: Request, requests: int) -> Result:
    """Run one request in a fork and return its result with ``status``, ``reason``, ``wall_s``, ``peak_rss_bytes``.

    ``timeout_s`` of the request, None for no limit, bounds the wall time. When `requests` ends, nobody waits any
    more, and the fork is killed.
    """
    begin_s = time.monotonic()
    from_child, to_parent = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(from_child)
        _child(run, request, to_parent)
    os.close(to_parent)
    text, timed_out = _await(pid, from_child, requests, request.get("timeout_s"))
    os.close(from_child)
    _kill_group(pid)
    _, status, usage = os.wait4(pid, 0)
    measured = {"wall_s": time.monotonic() - begin_s, "peak_rss_bytes": usage.ru_maxrss * 1024}
    if text.endswith("\n"):
        return {**json.loads(text), **measured}
    if timed_out:
        return {"status": "timeout", "reason": f"stopped after {request['timeout_s'] / 60:g} min", **measured}
    return {"status": "failed", "reason": _ending(status), "silent": True, **measured}


def _child(run: Callable[[Request], Result], request: Request, to_parent: int) -> None:
    """Run, write the result, and end without what Python does at exit; never returns."""
    try:
        os.setpgid(0, 0)
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        result = _result(run, request)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(to_parent, (json.dumps(result) + "\n").encode())
    finally:
        os._exit(0)


def _end_with_parent(parent: int) -> None:
    """Die when the worker does: nobody would read the result."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.killpg(0, signal.SIGKILL)


def _result(run: Callable[[Request], Result], request: Request) -> Result:
    try:
        return {"status": "done", "reason": "", **run(request)}
    except SystemExit as stop:
        code = "" if stop.code is None else stop.code
        return {"status": "failed", "reason": f"exit({code}) was called", "silent": True}
    except BaseException as error:
        traceback.print_exc()
        return {"status": "failed", "reason": one_line(error)}


def _await(pid: int, from_child: int, requests: int, timeout_s: float | None) -> tuple[str, bool]:
    """Return what the child wrote, nothing if it died or nobody waits any more, and whether it took too long."""
    deadline_s = time.monotonic() + timeout_s if timeout_s else float("inf")
    text = b""
    while not text.endswith(b"\n"):
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return "", True
        readable, _, _ = select.select([from_child, requests], [], [], min(left_s, _LOOK_S))
        if from_child in readable:
            chunk = os.read(from_child, 65536)
            text += chunk
            if not chunk:
                break
        elif requests in readable or _is_dead(pid):
            break
    return text.decode(), False


def _is_dead(pid: int) -> bool:
    """Return whether the child is a zombie: its pipe stays open as long as a process that it started lives."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):  # no /proc: such a process is waited for
        return False


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the group may not exist yet, or not any more
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _ending(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"the process ended with exit code {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    hint = ", as the kernel does when memory runs out" if number == signal.SIGKILL else ""
    return f"the process was killed by {signal.Signals(number).name}{hint}"


def _read_line(descriptor: int) -> bytes:
    """Return the next line, empty at the end; the other side sends one only after it has the reply to the last."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return b""
        line += chunk
    return line
