"""Files that exist complete or not at all, and that are read only where they are files of a size that can be read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from fscost.errors import StoreError

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


def why(error: BaseException) -> str:
    """Return in words why a file cannot be read or written, without its path."""
    return str(getattr(error, "strerror", None) or error)


def write_whole(path: Path, lines: Iterable[str], *, synced: bool = True) -> None:
    """Write a text file of `lines`: write beside it, fsync, rename.

    Without fsync the file is whole whatever becomes of the process, but a power loss may leave it cut or empty.
    """
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    with part.open("w") as file:
        file.writelines(f"{line}\n" for line in lines)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file that a user asked for, and the folders around it; raises StoreError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.removesuffix("\n").split("\n"))  # not splitlines: U+2028 ends no line of a file
    except (OSError, ValueError) as error:
        raise StoreError(f"out={path}: cannot be written: {why(error)}; choose another with out=PATH") from error


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
