"""The gate for files: regular ones of a size that can be read, and text in UTF-8; nothing is waited for."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.files import content_of, digest_of, is_there, opened, text_of

pytestmark = pytest.mark.usefixtures("ends_soon")

READERS = [text_of, content_of, digest_of, opened]


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What stands where a file should, by what it is."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    os.mkfifo("fifo")
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    Path("device").symlink_to("/dev/zero")
    Path("below").symlink_to("gone/file")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    return {name: Path(name) for name in ("fifo", "folder", "loop", "device", "below", "socket", "gone", "a\0b")}


@pytest.mark.parametrize("read", READERS, ids=lambda read: str(read.__name__))
def test_what_is_no_file_is_refused_and_not_waited_for(read: Callable[[Path], object], odd: dict[str, Path]) -> None:
    for name, path in odd.items():
        with pytest.raises((OSError, ValueError)):
            read(path)
            pytest.fail(name)


def test_what_a_disk_does_not_tell_is_there(odd: dict[str, Path]) -> None:
    assert {name for name, path in odd.items() if not is_there(path)} == {"below", "gone", "a\0b"}
    assert not is_there(Path("file" * 9))
    assert is_there(Path("file" * 99)), "a name that is too long is no answer"


def test_a_file_of_more_than_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as made:
        made.truncate(2**40)
    with pytest.raises(OSError, match=re.escape("has 1,099,511,627,776 B, more than the 4,294,967,296 B")):
        content_of(file)
    with pytest.raises(OSError, match="more than the 10 B that are read"):
        text_of(file, 10)


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "latin"
    file.write_bytes(b"one\ntwo\xe9\n")
    with pytest.raises(OSError, match="is no text in UTF-8: byte 0xe9 in line 2"):
        text_of(file)
