"""The worker's isolation, with real forks: whatever a cell does, only that cell is lost."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fscost.worker.serve import isolated, serve

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def behave(request: dict[str, Any]) -> dict[str, Any]:
    """Do what a cell of FederatedScope may do."""
    os.write(1, b"said on standard output\n")
    match request["deed"]:
        case "exit":
            raise SystemExit(3)
        case "raise":
            raise KeyError("a late update\nand more lines")
        case "os._exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(600)
        case "leave a child":
            Path(request["child"]).write_text(str(subprocess.Popen(["sleep", "600"]).pid))
            time.sleep(600)
    return {"used": {"seed": 1}}


@pytest.fixture
def requests() -> Any:
    """The reading end of a pipe on which nothing arrives."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


def run(deed: str, tmp_path: Path, requests: int, **more: Any) -> dict[str, Any]:
    return isolated(behave, {"deed": deed, "log": str(tmp_path / "engine.log"), **more}, requests)


def test_a_result_comes_back_with_time_and_memory(tmp_path: Path, requests: int) -> None:
    result = run("nothing", tmp_path, requests)
    assert (result["status"], result["reason"], result["used"]) == ("done", "", {"seed": 1})
    assert 0 < result["wall_s"] < 60
    assert result["peak_rss_bytes"] > 10**6
    assert (tmp_path / "engine.log").read_text() == "said on standard output\n"


@pytest.mark.parametrize(
    ("deed", "reason", "silent"),
    [
        ("exit", "exit(3) was called", True),
        ("raise", "KeyError: 'a late update\\nand more lines'", False),
        ("os._exit", "the process ended with exit code 7", True),
        ("kill", "the process was killed by SIGKILL, as the kernel does when memory runs out", True),
    ],
)
def test_what_ends_a_cell_is_its_reason(tmp_path: Path, requests: int, deed: str, reason: str, silent: bool) -> None:
    result = run(deed, tmp_path, requests)
    assert (result["status"], result["reason"], result.get("silent", False)) == ("failed", reason, silent)
    assert run("nothing", tmp_path, requests)["status"] == "done"


def test_a_hang_is_stopped_at_its_timeout_with_all_it_started(tmp_path: Path, requests: int) -> None:
    child = tmp_path / "child"
    result = run("leave a child", tmp_path, requests, timeout_s=1.2, child=str(child))
    assert (result["status"], result["reason"]) == ("timeout", "stopped after 0.02 min")
    assert 1 < result["wall_s"] < 30
    assert not _is_alive(int(child.read_text()))


def test_a_cell_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(["sleep", "0.5"], stdout=writing):  # the other side, which ends
        os.close(writing)
    begin_s = time.monotonic()
    assert run("hang", tmp_path, reading)["status"] == "failed"
    assert time.monotonic() - begin_s < 30
    os.close(reading)


def test_a_killed_worker_takes_its_cell_along(tmp_path: Path) -> None:
    request = {"deed": "leave a child", "log": str(tmp_path / "log"), "child": str(tmp_path / "child")}
    worker = os.fork()
    if worker == 0:
        isolated(behave, request, os.pipe()[0])
        os._exit(0)
    _until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    _until(lambda: not _is_alive(int((tmp_path / "child").read_text())))


def test_each_request_has_a_reply_until_they_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    for_replies = tmp_path / "replies"
    with for_replies.open("w") as replies:
        thread = threading.Thread(target=serve, args=(behave, reading, replies))
        thread.start()
        os.write(writing, (json.dumps({"deed": "nothing", "log": str(tmp_path / "log")}) + "\n").encode())
        _until(lambda: for_replies.read_text() != "" or bool(replies.flush()))
        os.close(writing)
        thread.join(30)
    assert [json.loads(line)["status"] for line in for_replies.read_text().splitlines()] == ["done"]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(condition: Any, seconds: float = 30) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it took too long"
        time.sleep(0.05)
