"""What a user asked for, written: a file whole or not at all, and into a device, a FIFO or whatever a link names."""

import errno
import fcntl
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fscost.errors import StoreError
from fscost.files import part_of, whole, why

_DESCRIPTOR = re.compile(r"(?:/dev|/proc/(?:self|thread-self|\d+))/fd/(\d+)")
_MOST_LINKS = 40


@contextmanager
def output(path: Path) -> Iterator[BinaryIO]:
    """Yield what to write into so that it stands at `path`, in folders that are made; raises OSError.

    A file appears whole or not at all, with the rights of the one that it replaces; a link stays, and what it names is
    written. Into what is no file, as a device, a FIFO or ``/dev/stdout``, is written as it comes.
    """
    place = _named_by(path)
    if found := _DESCRIPTOR.fullmatch(str(place)):
        sys.stdout.flush()  # what was printed before comes before
        with os.fdopen(os.dup(int(found[1])), "wb") as file:
            yield file
    elif place.exists() and not place.is_file():
        with place.open("wb") as file:
            yield file
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_left(place)
        with whole(place) as file:
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            with suppress(OSError):  # there is none yet, or it is somebody else's
                os.fchmod(file.fileno(), stat.S_IMODE(place.stat().st_mode))
            yield file


def write_output(path: Path, text: str) -> None:
    """Write a text file that a user asked for; raises StoreError where that cannot be."""
    try:
        with output(path) as file:
            file.write(f"{text.removesuffix(chr(10))}\n".encode())
    except (OSError, ValueError) as error:
        raise StoreError(f"out={path}: cannot be written: {why(error)}; choose another with out=PATH") from error


def is_standard_output(path: Path) -> bool:
    """Return whether `path` is where this process prints: what is told there would be in the midst of a file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except (OSError, ValueError):
        return False


def _named_by(path: Path) -> Path:
    """Return what a link names in the end, whether or not it is there."""
    for _ in range(_MOST_LINKS):
        if _DESCRIPTOR.fullmatch(str(path)) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def remove_left(place: Path) -> None:
    """Remove what processes that were killed have left of this file; none that is written to on another machine."""
    stem, _, _ = part_of(place).name.rpartition("-")[0].rpartition("-")
    for part in place.parent.iterdir():
        process = re.fullmatch(rf"{re.escape(stem)}-(\d+)-\d+", part.name)
        if process and not _lives(int(process[1])):
            with suppress(OSError), part.open("rb") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
