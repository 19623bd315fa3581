"""Files that exist complete or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from fscost.errors import StoreError


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
        write_whole(path, text.splitlines())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise StoreError(f"out={path}: cannot be written: {why}; choose another with out=PATH") from error


def sync_folder(folder: Path) -> None:
    """Wait until a folder's files, and then their names, are on the disk."""
    for path in [*folder.iterdir(), folder]:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def digest_of(path: str | Path) -> str:
    """Return the sha256 of a file's content, in hex; raises OSError where it cannot be read."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
