"""Which runs lie below a folder, fscost's own and FederatedScope's."""

import math
import os
from pathlib import Path

from fscost.cells.cell import Cell
from fscost.collect.federation import federations
from fscost.collect.foreign import ForeignRun, foreign_runs
from fscost.errors import CollectError, StoreError
from fscost.store.run import Run
from fscost.store.rundir import RunDir

_SET_ASIDE = (".failed", ".corrupt")


def runs_below(*folders: Path) -> list[tuple[Cell | None, Run]]:
    """Return every run directory and every output of FederatedScope below the folders; None for an unknown cell.

    What lies below two of them is there once, and processes of a distributed course are one run wherever they lie.
    """
    runs, outputs = dict[Path, RunDir](), dict[Path, ForeignRun]()
    for folder in folders:
        found, foreign = _below(folder)
        runs |= {run.path.resolve(): run for run in found if run.path.resolve() not in runs}
        outputs |= {run.path.resolve(): run for run in foreign if run.path.resolve() not in outputs}
    federated = [(run.cell(_ignore), run) for run in federations([*outputs.values()])]
    return [*sorted(((_cell_or_none(run), run) for run in runs.values()), key=_natural), *federated]


def _below(folder: Path) -> tuple[list[RunDir], list[ForeignRun]]:
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
    return runs, [run for run in foreign_runs(folder, names) if not own & {run.path, *run.path.parents}]


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
