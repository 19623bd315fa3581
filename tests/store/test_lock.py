"""Locks with real processes: one holder at a time, and none that is dead."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fscost.errors import StoreError
from fscost.store.lock import held, holder
from tests.conftest import no_byte_more
from tests.waiting import PATIENCE_S

HOLD = """
import sys, time
from pathlib import Path
from fscost.store.lock import held
with held(Path(sys.argv[1]), "the other") as is_held:
    print(is_held, flush=True)
    time.sleep(600)
"""

COUNT = """
import sys
from pathlib import Path
from fscost.store.lock import held
done = 0
while done < 200:
    with held(Path(sys.argv[1]), "") as is_held:
        if is_held:
            number = int(Path(sys.argv[2]).read_text())
            Path(sys.argv[2]).write_text(str(number + 1))
            done += 1
"""


def test_a_holder_that_is_killed_holds_no_more(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with held(path, "me") as is_held:
            assert not is_held
        assert holder(path) == "the other"
        other.send_signal(signal.SIGKILL)
    assert path.exists()  # what is left of it means nothing
    assert holder(path) is None
    with held(path, "me") as is_held:
        assert is_held
        assert holder(path) == "me"
    assert not path.exists()


@pytest.mark.pipeline
def test_many_processes_take_turns(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    words = [sys.executable, "-c", COUNT, tmp_path / "lock", tmp_path / "number"]
    for process in [subprocess.Popen(words) for _ in range(4)]:
        assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "number").read_text() == "800"


def test_a_child_does_not_hold_what_its_parent_held(tmp_path: Path) -> None:
    with held(tmp_path / "lock", "me"):
        child = subprocess.Popen(["sleep", "30"])
    with held(tmp_path / "lock", "me") as is_held:
        assert is_held
    child.kill()
    child.wait()


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with held(tmp_path / "new" / "lock", "") as is_held:
        assert is_held
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"), held(tmp_path / "file" / "lock", ""):
        pass


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "device", "loop", "folder"):
        assert holder(tmp_path / name) is None
        with pytest.raises(StoreError, match=f"{name}: cannot be written: "), held(tmp_path / name, ""):
            pytest.fail(name)


def test_a_lock_is_held_on_a_full_disk_too_without_a_name(tmp_path: Path) -> None:
    with no_byte_more(), held(tmp_path / "lock", "me") as is_held:
        assert is_held
        assert holder(tmp_path / "lock") == ""
    assert not (tmp_path / "lock").exists()


def test_a_folder_that_is_gone_with_its_working_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StoreError, match="lock: cannot be written: No such file"), held(Path("runs/lock"), ""):
        pass
