"""The worker's isolation, with real forks: whatever a cell does, only that cell is lost."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fscost.worker.fork_server import serve
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def behave(request: dict[str, Any]) -> dict[str, Any]:
    """Do what a cell of FederatedScope may do."""
    os.write(1, b"said on standard output\n")
    return {"used": DEEDS[request["deed"]](request)}


def _raise(error: BaseException) -> None:
    raise error


def _leave_a_child(request: dict[str, Any]) -> None:
    Path(request["child"]).write_text(str(subprocess.Popen(["sleep", "600"]).pid))


def _eat(_request: dict[str, Any]) -> None:
    eaten = bytearray(300_000_000)
    eaten[::4096] = b"x" * len(eaten[::4096])
    time.sleep(600)


DEEDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nothing": lambda _: {"seed": 1},
    "exit": lambda _: _raise(SystemExit(3)),
    "raise": lambda _: _raise(KeyError("a late update\nand more lines")),
    "os._exit": lambda _: os._exit(7),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "wait": lambda request: until(Path(request["go"]).exists),
    "leave a child": lambda request: (_leave_a_child(request), time.sleep(600)),
    "leave a child and end": lambda request: (_leave_a_child(request), os._exit(7)),
    "eat": _eat,
    "look around": lambda _: os.environ["CUDA_VISIBLE_DEVICES"],
}


class Server:
    """`serve` in a process of its own, as the worker runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (to_read, self._requests), (self._replies, to_write) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._requests)
            serve(behave, to_read, os.fdopen(to_write, "w", buffering=1))
            os._exit(0)
        os.close(to_read)
        os.close(to_write)
        self._lines = os.fdopen(self._replies)

    def ask(self, deed: str, **more: Any) -> None:
        request = {"deed": deed, "log": str(self.folder / "engine.log"), **more}
        os.write(self._requests, (json.dumps(request) + "\n").encode())

    def reply(self) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(self._lines.readline())
        return reply

    def run(self, deed: str, **more: Any) -> dict[str, Any]:
        self.ask(deed, **more)
        return self.reply()

    def stop_asking(self) -> None:
        os.close(self._requests)
        self._requests = os.open(os.devnull, os.O_WRONLY)

    def end(self) -> None:
        os.close(self._requests)
        os.waitpid(self.pid, 0)
        self._lines.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.end()


def test_a_result_comes_back_with_time_and_memory(server: Server) -> None:
    begin_s = time.monotonic()
    result = server.run("nothing", number=5)
    assert 0 < result["wall_s"] < time.monotonic() - begin_s
    assert (result["status"], result["reason"], result["used"]) == ("done", "", {"seed": 1})
    assert result["peak_rss_bytes"] > 10**6
    assert result["number"] == 5
    assert (server.folder / "engine.log").read_text() == "said on standard output\n"


@pytest.mark.parametrize(
    ("deed", "reason", "silent", "died"),
    [
        ("exit", "exit(3) was called", True, False),
        ("raise", "KeyError: 'a late update\\nand more lines'", False, False),
        ("os._exit", "the process ended with exit code 7", True, True),
        ("kill", "the process was killed by SIGKILL, as the kernel does when memory runs out", True, True),
        ("leave a child and end", "the process ended with exit code 7", True, True),
    ],
)
def test_what_ends_a_cell_is_its_reason(server: Server, deed: str, reason: str, silent: bool, died: bool) -> None:
    result = server.run(deed, child=str(server.folder / "child"))
    assert (result["status"], result["reason"]) == ("failed", reason)
    assert (result.get("silent", False), result.get("died", False)) == (silent, died)
    assert server.run("nothing")["status"] == "done"


def test_cells_run_side_by_side_and_none_waits_for_another(server: Server) -> None:
    server.ask("wait", number=1, go=str(server.folder / "go"))
    server.ask("kill", number=2)
    server.ask("nothing", number=3)
    replies = {reply["number"]: reply["status"] for reply in (server.reply(), server.reply())}
    assert replies == {2: "failed", 3: "done"}
    (server.folder / "go").touch()
    assert (server.reply()["number"], server.run("nothing", number=4)["status"]) == (1, "done")


@pytest.mark.pipeline
def test_a_hang_is_stopped_at_its_timeout_with_all_it_started(server: Server) -> None:
    child = server.folder / "child"
    result, timeout_s = server.run("leave a child", timeout_s=1.2, child=str(child)), 1.2
    while not child.exists() and timeout_s < PATIENCE_S:  # a slow machine takes longer than that to start one
        timeout_s *= 10
        result = server.run("leave a child", timeout_s=timeout_s, child=str(child))
    assert (result["status"], result["reason"]) == ("timeout", f"stopped after {timeout_s / 60:g} min")
    assert result["wall_s"] >= timeout_s
    assert not _is_alive(int(child.read_text()))


@pytest.mark.pipeline
def test_memory_is_bounded(server: Server) -> None:
    held_bytes = server.run("nothing")["peak_rss_bytes"]  # a fork begins with what was imported before it
    limit_bytes = held_bytes + 150e6
    result = server.run("eat", memory_bytes=limit_bytes)
    assert (result["status"], result.get("died", False)) == ("failed", False)
    words = re.fullmatch(r"out of memory: stopped at (\S+) GB, engine\.memory_gb=(\S+)", result["reason"])
    assert words and float(words[1]) > float(words[2]) == pytest.approx(limit_bytes / 1e9, rel=1e-4)
    assert server.run("nothing", memory_bytes=limit_bytes)["status"] == "done"


def test_a_cell_sees_its_gpu_alone(server: Server) -> None:
    for gpu in ("0", "3"):
        assert server.run("look around", env={"CUDA_VISIBLE_DEVICES": gpu})["used"] == gpu
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_cells_nobody_waits_for_are_ended(server: Server) -> None:
    for number in (1, 2):
        server.ask("leave a child", child=str(server.folder / f"child{number}"))
    pids = [_pid_in(server.folder / f"child{number}") for number in (1, 2)]
    server.stop_asking()
    until(lambda: not [pid for pid in pids if _is_alive(pid)])


def test_a_killed_worker_takes_its_cells_along(server: Server) -> None:
    server.ask("leave a child", child=str(server.folder / "child"))
    pid = _pid_in(server.folder / "child")
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not _is_alive(pid))


def _pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text() != "")
    return int(path.read_text())


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
