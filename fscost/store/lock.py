"""A file that one process at a time holds, on this machine and on others that share the file system.

The kernel lets go of it when its holder dies, however that happens: nothing stale can stay behind.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fscost.errors import StoreError
from fscost.files import opened


@contextmanager
def held(path: Path, holder_name: str) -> Iterator[bool]:
    """Hold a file as long as the context lasts; yields whether it is held, False where somebody else does.

    `holder_name` is what `holder` returns to others meanwhile. Raises StoreError on a file system without locks.
    """
    descriptor = _taken(path)
    if descriptor is None:
        yield False
        return
    try:
        with suppress(OSError):  # on a full disk it is held without a name
            os.ftruncate(descriptor, 0)
            os.write(descriptor, holder_name.encode())
        yield True
    finally:
        with suppress(OSError):  # what is left of it means nothing
            path.unlink()
        os.close(descriptor)


def holder(path: Path) -> str | None:
    """Return the name that the holder of a file gave, None where nobody holds it."""
    try:
        file = opened(path)
    except PermissionError:
        return "somebody whose files cannot be read here" if os.access(path.parent, os.X_OK) else None
    except OSError:  # it is not there, or is no file
        return None
    with file:
        return None if _lock(file.fileno(), fcntl.LOCK_SH, path) else file.read(1000).decode(errors="replace")


def _taken(path: Path) -> int | None:
    """Return a descriptor of the file that this process holds now, None where somebody else does."""
    while True:
        try:
            descriptor = _opened_to_write(path)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StoreError(f"{path}: cannot be written: is no regular file; remove it")
        if not _locked(descriptor, path):
            return None
        if _is_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # its holder removed it between the two calls: this file is nobody's any more


def _opened_to_write(path: Path) -> int:
    """Open a file that need not be there; its folder may be removed between the two calls, and made anew."""
    for _ in range(_MOST_REMOVALS):
        with suppress(FileNotFoundError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return _opened(path)
    return _opened(path)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)
    except PermissionError:
        with suppress(OSError):  # another user left it, who may be dead
            return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        raise


_MOST_REMOVALS = 100
"""A folder that cannot be made is in one that was removed: that of a command whose working folder is gone."""


def _locked(descriptor: int, path: Path) -> bool:
    """Lock a descriptor, or else close it."""
    is_locked = False
    try:
        is_locked = _lock(descriptor, fcntl.LOCK_EX, path)
    finally:
        if not is_locked:
            os.close(descriptor)
    return is_locked


def _lock(descriptor: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(
            f"{path}: its file system has no locks ({error.strerror}), so that two commands could compute one cell at "
            "once; choose another with store=PATH, or have it mounted with flock"
        ) from error
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
