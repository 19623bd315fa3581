"""Writing a file such that it exists complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, lines: Iterable[str]) -> None:
    """Write a text file of `lines`: write beside it, fsync, rename."""
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    with part.open("w") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
