"""Files that exist complete or not at all, and lines of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


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


def sync_folder(folder: Path) -> None:
    """Wait until a folder's files, and then their names, are on the disk."""
    for path in [*folder.iterdir(), folder]:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def json_lines(lines: Sequence[str]) -> list[Any] | None:
    """Return the objects of lines that hold one JSON object each, None where a line does not.

    All are read at once, which takes a third of the time of one after another.
    """
    if not all(line.startswith("{") and line.endswith("}") for line in lines):
        return None
    try:
        values: list[Any] = json.loads(f"[{','.join(lines)}]")
    except json.JSONDecodeError:
        return None
    return values if len(values) == len(lines) else None
