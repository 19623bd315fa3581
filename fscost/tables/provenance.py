"""Where the numbers of a table come from: the command, the engines and a digest of the cells."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pandas as pd

from fscost import __version__
from fscost.cells.outcome import Status


def provenance(cells: pd.DataFrame, command: str, rounds: pd.DataFrame | None = None) -> Iterator[str]:
    """Yield where the numbers come from, for a comment in the file; nothing where no command makes it again."""
    if not command:
        return
    yield f"fscost {__version__}: {command}"
    for (engine, protocol), own in cells.groupby(["engine", "protocol"], sort=False, dropna=False):
        commits = [*own["fs_commit"].dropna().unique()] if "fs_commit" in own else []
        commit = f", commit {', '.join(commits)}" if commits else ""
        done = (own["status"] == Status.DONE).sum()
        yield (
            f"engine {engine}, message protocol of FederatedScope {protocol}{commit}: {done} of {len(own)} cells done"
        )
    yield f"digest of the cells: sha256 {digest(cells, pd.DataFrame() if rounds is None else rounds)}"


def digest(*frames: pd.DataFrame) -> str:
    """Return the sha256 of the cells' ids, states, totals and metrics: equal for equal results, whenever computed."""
    return hashlib.sha256("\n".join(line for frame in frames for line in _results(frame)).encode()).hexdigest()


def _results(frame: pd.DataFrame) -> list[str]:
    told = sorted(str(name) for name in frame if name not in _NOT_RESULTS)
    return [*told, *sorted(repr([_canonical(row[name]) for name in told]) for row in frame.to_dict("records"))]


def _canonical(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(int(value) if _is_whole(value) else value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


_NOT_RESULTS = ("wall_s", "reason", "path", "no_effect", "id", "repeat")  # the last two are in ``cell``
