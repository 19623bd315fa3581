"""What a user asked for is written whole or not at all, and into what is no file; nobody's leftovers stay."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from fscost.errors import StoreError
from fscost.files import fitting, part_of, whole
from fscost.outputs import output, write_output


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.tex"
    write_output(path, "old\n")
    with pytest.raises(KeyboardInterrupt), output(path) as file:
        file.write(b"half")
        file.flush()
        raise KeyboardInterrupt
    assert (path.read_text(), [*path.parent.iterdir()]) == ("old\n", [path])


def test_a_file_keeps_its_rights(tmp_path: Path) -> None:
    (path := tmp_path / "table.tex").touch()
    path.chmod(0o640)
    write_output(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "second").symlink_to("far/table.tex")
    (link := tmp_path / "first").symlink_to("second")
    for text in ("new", "again"):
        write_output(link, text)
        assert (tmp_path / "far" / "table.tex").read_text() == f"{text}\n"
    assert link.readlink() == Path("second")
    (loop := tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StoreError, match="Too many levels of symbolic links; choose another"):
        write_output(loop, "nowhere")


def test_a_device_and_a_fifo_take_what_is_written(tmp_path: Path) -> None:
    reads, device = os.openpty()  # a device of the test's own: what replaced /dev/null would be the whole machine's
    write_output(Path(os.ttyname(device)), "text")
    assert os.read(reads, 100) == b"text\r\n" and Path(os.ttyname(device)).is_char_device()
    os.mkfifo(fifo := tmp_path / "fifo")
    read = list[str]()
    (reader := Thread(target=lambda: read.append(fifo.read_text()))).start()
    write_output(fifo, "text")
    reader.join()
    assert (read, fifo.is_fifo()) == (["text\n"], True)


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in (tmp_path, tmp_path / "socket", tmp_path / ("n" * 300), Path("/dev/fd/987"), tmp_path / "a\0b"):
            with pytest.raises(StoreError, match=r"^out=.*: cannot be written: .+; choose another with out=PATH$"):
                write_output(path, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["socket"]


PRINTS = """
import sys
from pathlib import Path
from fscost.outputs import write_output
print("before")
write_output(Path(sys.argv[1]), "text")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_is_written_where_it_stands(tmp_path: Path, name: str) -> None:
    """Whatever it is: here a file that has a line already, as after ``>>``."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    (printed := tmp_path / "printed").write_text("first\n")
    with printed.open("a") as file:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
        subprocess.run([sys.executable, "-c", PRINTS, name], stdout=file, cwd=tmp_path, env=env, check=True)
    assert printed.read_text() == "first\nbefore\ntext\nafter\n"


KILLED = """
import os, signal, sys
from pathlib import Path
from fscost.outputs import output
with output(Path(sys.argv[1])) as file:
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), signal.{by})
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path, other = tmp_path / "a.csv", tmp_path / ".b.csv.part-1-1"
    code = [sys.executable, "-c", KILLED.format(by="SIGKILL"), path]
    assert subprocess.run(code, stdout=subprocess.PIPE).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"\.a\.csv\.part-\d+-\d+", left.name)
    for path_of_others in (other, begun := tmp_path / f".a.csv.part-{os.getpid()}-1"):  # which nobody holds yet
        path_of_others.touch()
    with subprocess.Popen([*code[:2], KILLED.format(by="SIGSTOP"), path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        write_output(path, "new")
        assert {*tmp_path.iterdir()} == {path, other, begun, tmp_path / f".a.csv.part-{writer.pid}-{writer.pid}"}
        writer.kill()
    write_output(path, "again")
    assert {*tmp_path.iterdir()} == {path, other, begun}


def test_what_another_machine_writes_is_left_alone(tmp_path: Path) -> None:
    """No process here has its number; but it holds its file."""
    code = [sys.executable, "-c", KILLED.format(by="SIGSTOP"), tmp_path / "a.csv"]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        elsewhere = next(tmp_path.iterdir()).rename(tmp_path / ".a.csv.part-4194305-4194305")  # above any number
        write_output(tmp_path / "a.csv", "new")
        assert elsewhere.exists()
        writer.kill()


def test_threads_do_not_write_into_each_others_file(tmp_path: Path) -> None:
    path, parts = tmp_path / "a.csv", list[Path]()
    (thread := Thread(target=lambda: parts.append(part_of(path)))).start()
    thread.join()
    assert parts != [part_of(path)]


@pytest.mark.parametrize("name", ["n" * 255, "表" * 85])
def test_the_longest_name_that_a_file_can_have_is_written(tmp_path: Path, name: str) -> None:
    with whole(tmp_path / name) as file:
        file.write(b"text")
    assert (tmp_path / name).read_text() == "text"


def test_names_that_are_cut_stay_apart() -> None:
    assert fitting("short", 120) == "short"
    cut = [fitting("表" * 100 + end, 120) for end in "ab"]
    assert cut[0] != cut[1] and all(len(name.encode()) <= 120 for name in cut)
