"""All processes that a command started, wherever they went: they carry a variable of its environment.

A process group loses those that made one of their own, as daemons do. Where there is no /proc, none is found.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

_TIMES = 10
"""How often to look again for what was started while others were killed."""


def members(mark: str) -> Iterator[int]:
    """Yield the processes in whose environment `mark` stands, ``NAME=VALUE``; not those that this user may not see."""
    wanted = b"\0" + os.fsencode(mark) + b"\0"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # it is gone, or another user's
            continue
        if wanted in b"\0" + environment + b"\0":
            yield int(folder.name)


def kill_family(mark: str) -> None:
    """Kill them all, and what they start meanwhile."""
    for _ in range(_TIMES):
        found = list(members(mark))
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not found:
            return


def held_bytes(mark: str) -> int:
    """Return how much memory they hold together; what several share counts once."""
    return sum(map(_proportional_bytes, members(mark)))


def _proportional_bytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0
