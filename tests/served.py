"""A report that is served by a process of its own, and asked as a browser asks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S


class Server:
    """``fscost report --serve`` with these words, from when it says where it is."""

    def __init__(self, *words: str, cwd: Path) -> None:
        command = [sys.executable, "-m", "fscost", "report", *words]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def told(self, path: str) -> Any:
        return json.loads(self.ask(path)[1])

    def told_until(self, path: str, is_it: Callable[[Any], object]) -> Any:
        """What a path tells once it is this, or after a long time."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not is_it(told := self.told(path)) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        return told

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; return the exit code and what else was printed."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@contextmanager
def serving(*words: str, cwd: Path, port: str = "0") -> Iterator[Server]:
    server = Server(*words, f"--serve={port}", cwd=cwd)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def squares(progress: Any) -> list[dict[str, Any]]:
    return [square for grid in progress["grids"] for _, places in grid["rows"] for own in places for square in own]
