"""Which runs lie below a folder, fscost's own and FederatedScope's."""

import math
import os
from pathlib import Path

from fscost.cell import Cell
from fscost.collect.federation import federations
from fscost.collect.foreign import ForeignRun, foreign_runs
from fscost.errors import CollectError, StoreError
from fscost.rundir import RunDir

Run = RunDir | ForeignRun

_SET_ASIDE = (".failed", ".corrupt")


def runs_below(folder: Path) -> list[tuple[Cell | None, Run]]:
    """Return every run directory and every output of FederatedScope below `folder`; None for an unknown cell."""
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such folder; give a store, a run directory or overrides")
    names = {Path(path): {*below, *files} for path, below, files in os.walk(folder)}
    found = sorted(path for path in names if "cell.json" in names[path])
    hidden = (any(part.startswith(".") for part in path.relative_to(folder).parts) for path in found)
    runs = [
        RunDir(path)
        for path, is_hidden in zip(found, hidden, strict=True)
        if not is_hidden and path.suffix not in _SET_ASIDE
    ]
    own = set(found)  # what FederatedScope left in a run directory of fscost's is no run of its own
    outputs = [run for run in foreign_runs(folder, names) if not own & {run.path, *run.path.parents}]
    foreign = [(run.cell(_ignore), run) for run in federations(outputs)]
    return [*sorted(((_cell_or_none(run), run) for run in runs), key=_natural), *foreign]


def _natural(run: tuple[Cell | None, Run]) -> tuple[tuple[int, float, str], ...]:
    """Order runs by their axes, numbers by size; those of which the cell cannot be read come last, as their folders."""
    cell, place = run
    axes = [*cell.axes.values()] if cell else [math.inf]
    numbers = ((0, axis, "") if isinstance(axis, int | float) else (1, 0, str(axis)) for axis in axes)
    return (*numbers, (1, 0, str(place.path)))


def _ignore(_warning: str) -> None:
    """Keep a warning to itself that `gather` gives again."""


def _cell_or_none(run: RunDir) -> Cell | None:
    try:
        return run.read_cell()
    except CollectError:
        return None
