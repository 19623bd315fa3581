"""What a command does where its output cannot go, and where it is ended at once."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Result, in_process

pytestmark = pytest.mark.pipeline

FSCOST = f"{shlex.quote(sys.executable)} -m fscost"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two cells that are done."""
    folder = tmp_path_factory.mktemp("swept")
    assert in_process("engine=estimate", "model=lr", "clients=3,4", cwd=folder).code == 0
    return folder


def shell(line: str, folder: Path, **env: str) -> Result:
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=os.environ | env, capture_output=True, text=True, encoding="utf-8"
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("verb", ["table", "status", "explain", "--help"])
def test_a_full_disk_under_the_output_is_one_line(swept: Path, verb: str) -> None:
    found = shell(f"{FSCOST} {verb} >/dev/full", swept)
    assert (found.code, found.err.splitlines()[-1:]) == (2, ["fscost: standard output: No space left on device"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_cells_are_computed_though_nobody_can_be_told(swept: Path) -> None:
    shell(f"{FSCOST} engine=estimate model=lr clients=7 >/dev/full 2>/dev/full", swept)
    assert len([*swept.glob("runs/*-c7-*/outcome.json")]) == 1


@pytest.mark.parametrize(("closed", "lines"), [(">&-", 0), ("2>&-", 2), ("<&- >&- 2>&-", 0)])
def test_what_a_shell_has_closed_is_nowhere(swept: Path, closed: str, lines: int) -> None:
    found = shell(f"{FSCOST} engine=estimate model=lr clients=3,8 {closed}", swept)
    assert (found.code, found.out.count(" FedAvg ")) == (0, lines)
    texts = [path.read_bytes() for path in swept.rglob("*") if path.is_file()]
    assert not any(b" to run, store " in text for text in texts), "what was told lies in a file"


def test_a_reader_that_has_enough_is_no_error(swept: Path) -> None:
    found = shell(f"{FSCOST} table | head -1", swept)
    assert (found.out.count("\n"), found.err) == (1, "")


def test_files_are_utf_8_whatever_the_locale_says(swept: Path) -> None:
    found = shell(f"{FSCOST} table", swept, PYTHONIOENCODING="ascii")
    assert (found.code, found.err) == (0, "")
    assert "†: estimated" in found.out


TWICE = """
import os, signal, time
from fscost.commands.interrupts import ended_by_signals
with ended_by_signals():
    try:
        os.kill(os.getpid(), signal.{first})
        time.sleep(100_000)
    except KeyboardInterrupt:
        print("ending", flush=True)
        os.kill(os.getpid(), signal.{second})
        time.sleep(100_000)
"""


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGHUP", "SIGTERM")])
def test_a_second_interrupt_ends_a_command_at_once(first: str, second: str) -> None:
    code = TWICE.format(first=first, second=second)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "ending\n")
    assert done.stderr == "fscost: ended at once; jobs of a cluster may go on\n"
