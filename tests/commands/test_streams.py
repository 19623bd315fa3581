"""What a command does where its output cannot go, and where it is ended at once."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result, in_process

pytestmark = pytest.mark.pipeline

Fscost = Callable[..., Result]

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


def test_what_is_written_to_standard_output_is_alone_there(swept: Path) -> None:
    found = shell(f"{FSCOST} table --format csv --out /dev/stdout", swept)
    assert (found.code, found.err) == (0, "wrote /dev/stdout\n")
    assert found.out.startswith("model,") and found.out.count("\n") == 3


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    found = shell(f"mkdir gone; cd gone; rmdir ../gone; {FSCOST} table", tmp_path)
    assert (found.code, found.err) == (2, "fscost: the current folder was removed; cd to one that is there\n")


def test_too_little_memory_for_packages_is_one_line(swept: Path) -> None:
    """As `ulimit -v` has it, at whatever package that comes about."""
    (swept / "short").mkdir()
    short = r"raise ImportError('Advice:\n\nlibarrow.so: failed to map segment from shared object\n', name='pandas')"
    (swept / "short" / "pandas.py").write_text(short)
    path = f"{swept}/short{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    found = shell(f"{FSCOST} table", swept, PYTHONPATH=path)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert found.err.startswith("fscost: libarrow.so: failed to map segment from shared object; its packages need ")


WITHOUT_RIGHTS = "setpriv --inh-caps=-all --bounding-set=-all" if os.geteuid() == 0 else ""
"""What root may do as anybody else, it does not without capabilities."""


without_rights = pytest.mark.skipif(
    bool(subprocess.run(["sh", "-c", f"{WITHOUT_RIGHTS} true"], capture_output=True).returncode), reason="no setpriv"
)


@without_rights
def test_a_store_that_may_only_be_read_is_shown_where_nothing_is_to_be_computed(tmp_path: Path, fscost: Fscost) -> None:
    words = f"engine=estimate model=lr store={tmp_path}/theirs"
    assert fscost(*words.split()).code == 0
    (run,) = tmp_path.glob("theirs/fedavg-*")
    (mine := tmp_path / "mine").mkdir()
    for folder in (tmp_path / "theirs", tmp_path / "theirs" / ".running", run):
        folder.chmod(0o555)
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} {words}", mine)
    assert (found.code, found.err) == (0, f"1 cell: 1 done, 0 to run, store {tmp_path}/theirs\n")
    assert " FedAvg " in found.out and (mine / "tables" / "comm_cost.tex").exists()
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} {words} clients=3,99", mine)
    refused = f"fscost: store={tmp_path}/theirs: cannot be written: Permission denied; choose another with store=PATH"
    assert (found.code, found.err.splitlines()[-1]) == (2, refused)
    run.chmod(0)
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} check ../theirs", mine)
    assert (found.code, found.out.splitlines()[-1]) == (1, "1 run: 1 corrupt")
    assert f"{run}/cell.json".removeprefix(str(tmp_path)) in found.out and "Permission denied" in found.out
    (tmp_path / "theirs").chmod(0)
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} check ../theirs", mine)
    assert (found.code, found.err) == (2, "fscost: ../theirs: cannot be read: Permission denied\n")
    (tmp_path / "theirs").chmod(0o755)


@without_rights
def test_results_of_another_user_are_neither_lost_nor_waited_for(tmp_path: Path, fscost: Fscost) -> None:
    """Two results, one closed to others, the other gone with only a lock left of it that may be read alone."""
    words, theirs = f"engine=estimate model=lr clients=3,4 store={tmp_path}/theirs", tmp_path / "theirs"
    assert fscost(*words.split()).code == 0
    closed, gone = sorted(theirs.glob("fedavg-*"))
    before = closed.stat()
    shutil.rmtree(gone)
    (theirs / ".running" / f"{gone.name}.lock").touch(0o444)
    closed.chmod(0)
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} {words}", tmp_path)
    told = f"failed: {closed.name}: {closed}: cannot be read or replaced by this user; choose another with store=PATH"
    assert found.code == 1 and told in found.err.splitlines(), found.err
    assert f"{gone.name}: done in" in found.err
    (theirs / ".running").chmod(0)
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} plan {words}", tmp_path)
    assert (found.code, found.out.splitlines()[-1]) == (0, "2 cells, 1 done, 1 corrupt")
    theirs.chmod(0)
    found = shell(f"{WITHOUT_RIGHTS} {FSCOST} plan {words}", tmp_path)
    refused = f"fscost: store={theirs}: cannot be read: Permission denied; choose another with store=PATH\n"
    assert (found.code, found.err) == (2, refused)
    for folder in (theirs, theirs / ".running", closed):
        folder.chmod(0o755)
    assert closed.stat()[:8] == before[:8]


def test_a_disk_without_any_room_is_read_all_the_same(swept: Path) -> None:
    found = shell(f"ulimit -f 0; {FSCOST} table", swept)
    assert (found.code, found.err) == (0, "")
    (swept / "own.yaml").write_text("columns: [total]\n")
    found = shell(f"ulimit -f 0; {FSCOST} table table=own.yaml", swept)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert found.err.startswith("fscost: temporary files: No usable temporary directory found in ")


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


@pytest.mark.parametrize(("verb", "by"), [("table", "SIGTERM"), ("collect", "SIGHUP"), ("check", "SIGINT")])
def test_a_verb_that_shows_ends_at_once_too(swept: Path, verb: str, by: str) -> None:
    """Wherever it is: here it imports what does not come to its end."""
    (swept / "slow").mkdir(exist_ok=True)
    (swept / "slow" / "pandas.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(100_000)\n")
    path = f"{swept}/slow{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    words, env = [sys.executable, "-m", "fscost", verb], os.environ | {"PYTHONPATH": path}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, cwd=swept, env=env, text=True, **pipes) as command:  # type: ignore[call-overload]
        assert command.stdout.readline() == "here\n"
        command.send_signal(signal.Signals[by])
        assert command.stderr.read() == "fscost: interrupted; the same command goes on where it stopped\n"
    assert command.returncode in (130, -signal.SIGINT)  # Python's own, where an import was interrupted
