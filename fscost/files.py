"""Files that exist complete or not at all, and that are read only where they are files of a size that can be read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_native_id
from typing import BinaryIO

MOST_BYTES = 2**32
"""What a file may have at most that is read at once."""


def opened(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; raises OSError for anything else, and never waits for a FIFO's writer."""
    return os.fdopen(_descriptor(path)[0], "rb")


def _descriptor(path: str | Path) -> tuple[int, int]:
    """Return a descriptor of a regular file, and its bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found.st_size
    os.close(descriptor)
    raise OSError(errno.EINVAL, "is no regular file", str(path))


def content_of(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file; raises OSError where it cannot be read or has more than `most`."""
    descriptor, size = _descriptor(path)
    try:
        if size > most:
            raise OSError(errno.EFBIG, f"has {size:,} B, more than the {most:,} B that are read", str(path))
        content = os.read(descriptor, size + 1)
        while len(content) < size and (more := os.read(descriptor, size)):  # a call reads up to 2 GB
            content += more
        return content
    finally:
        os.close(descriptor)


def text_of(path: str | Path, most: int = MOST_BYTES) -> str:
    """Return the text of a regular file; raises OSError as `content_of` does, also for what is not in UTF-8."""
    try:
        return content_of(path, most).decode()
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise OSError(
            errno.EILSEQ, f"is no text in UTF-8: byte {error.object[error.start]:#04x} in line {line}"
        ) from error


def is_there(path: Path) -> bool:
    """Return whether there is something at `path`, also where the disk does not tell: whoever reads it learns why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def is_settled(written_ns: int) -> bool:
    """Return whether a file was written so long ago that its times change when it is written again."""
    return written_ns < time.time_ns() - _SETTLED_NS


_SETTLED_NS = 2 * 10**9


def why(error: BaseException) -> str:
    """Return in words why a file cannot be read or written, without its path."""
    return str(getattr(error, "strerror", None) or error)


def unreadable(path: str | Path, error: OSError) -> str:
    """Return in a line that a file of a run cannot be read, why, and the next step."""
    step = "make it readable" if isinstance(error, PermissionError) else "rerun the cell"
    return f"{path}: cannot be read: {why(error)}; {step}"


@contextmanager
def whole(path: Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """Yield a file that stands at `path` once it is written: made beside it, fsync, rename; else nothing is left of it.

    Without fsync the file is whole whatever becomes of the process, but a power loss may leave it cut or empty.
    """
    part = part_of(path)
    try:
        with part.open("wb") as file:
            yield file
            if synced:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # an interrupt, too
        with suppress(OSError):
            part.unlink()
        raise


def part_of(path: Path) -> Path:
    """Return where this thread writes what is to stand at `path`; its name is no longer than a file system takes."""
    return path.with_name(f".{fitting(path.name, 200)}.part-{os.getpid()}-{get_native_id()}")


def fitting(name: str, most: int) -> str:
    """Return a name of at most `most` bytes: a longer one is cut, and ends with a digest of all of it."""
    if len(name.encode(errors="replace")) <= most:
        return name
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:12]
    return f"{name.encode(errors='replace')[: most - 13].decode(errors='ignore')}-{digest}"


def write_whole(path: Path, lines: Iterable[str], *, synced: bool = True) -> None:
    """Write a text file of `lines` as `whole` does, in UTF-8 whatever the locale says."""
    with whole(path, synced=synced) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's files, and then their names, are on the disk."""
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest_of(path: str | Path) -> str:
    """Return the sha256 of a file's content, in hex; raises OSError where it cannot be read."""
    digest = hashlib.sha256()
    descriptor, size = _descriptor(path)
    try:
        while block := os.read(descriptor, min(size + 1, 1 << 20)):
            digest.update(block)
    finally:
        os.close(descriptor)
    return digest.hexdigest()
