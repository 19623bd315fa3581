"""Which runs lie below a folder: fscost's own, and FederatedScope's, which may be several folders of processes."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.collect.foreign import ForeignRun, foreign_runs
from fscost.collect.message_lists import listed_runs
from fscost.errors import CollectError, StoreError
from fscost.store.run import Run
from fscost.store.rundir import RunDir
from fscost.store.store import is_named_like_a_run

_SET_ASIDE = (".failed", ".corrupt")


def runs_below(*folders: Path) -> list[tuple[Cell | None, Run]]:
    """Return every run directory and every output of FederatedScope below the folders; None for an unknown cell.

    What lies below two of them is there once, and processes of a distributed course are one run wherever they lie. A
    file among them is a list of messages, of one run or several.
    """
    runs, outputs = dict[Path, RunDir](), dict[Path, ForeignRun]()
    listed = [(run.cell, run) for file in dict.fromkeys(folders) if file.is_file() for run in listed_runs(file)]
    place = Path.resolve if len(folders) > 1 else Path  # nothing is twice below one folder, as no link is followed
    for folder in folders:
        if folder.is_file():
            continue
        found, foreign = _below(folder)
        runs = {place(run.path): run for run in found} | runs
        outputs = {place(run.path): run for run in foreign} | outputs
    federated = [(run.cell(_ignore), run) for run in federations([*outputs.values()])]
    return [*sorted(((_cell_or_none(run), run) for run in runs.values()), key=_natural), *federated, *listed]


def _below(folder: Path) -> tuple[list[RunDir], list[ForeignRun]]:
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such folder; give a store, a run directory or overrides")
    unread = list[OSError]()
    names = {Path(path): {*below, *files} for path, below, files in os.walk(folder, onerror=unread.append)}
    names |= {path: {"cell.json"} for path in _closed(folder, unread)}
    found = sorted(path for path in names if "cell.json" in names[path])
    hidden = (any(part.startswith(".") for part in path.relative_to(folder).parts) for path in found)
    runs = [
        RunDir(path)
        for path, is_hidden in zip(found, hidden, strict=True)
        if not is_hidden and path.suffix not in _SET_ASIDE
    ]
    own = set(found)  # what FederatedScope left in a run directory of fscost's is no run of its own
    return runs, [run for run in foreign_runs(folder, names) if not own & {run.path, *run.path.parents}]


def _closed(folder: Path, errors: Sequence[OSError]) -> Iterator[Path]:
    """Yield the runs that may not be looked into, to be named as such; raises StoreError for the folder itself."""
    for error in errors:
        path = Path(error.filename)
        if path == folder:
            raise StoreError(f"{folder}: cannot be read: {error.strerror}")
        if is_named_like_a_run(path):
            yield path


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


# --- the processes of a distributed course, each in a folder of its own ---------------------------

Group = list[ForeignRun]

_NESTED = "sub_exp_"
"""How folders begin that FederatedScope makes in an ``outdir`` that is there; the time follows."""


def federations(runs: Sequence[ForeignRun]) -> Group:
    """Return runs by their paths, those that are processes of one distributed course as one.

    What belongs together has the same configuration, but for what says where it runs, and no worker twice: processes
    in one ``outdir``, in neighbouring folders, or anywhere if all are there. Several courses in one place are kept
    apart where each is complete and over before the next begins. What else could belong to several stays apart, and
    has a `note` that says so.
    """
    made = [run for run in runs if not run.is_process]
    for alike in _groups((run for run in runs if run.is_process), lambda run: run.setting):
        made += _courses(alike)
    return sorted(made, key=lambda run: run.path)


def _courses(left: Group) -> Iterator[ForeignRun]:
    """Yield the courses of processes of one setting: first those that are complete, then what there is of others."""
    for split, place in _WAYS:
        groups = _groups(left, place)
        left = []
        for group in groups:
            courses = split(group)
            yield from map(_merged, courses)
            left += [] if courses else group
    for group in _groups(left, _beside):
        note = (
            f"{len(group)} processes of the same setting, of more than one course: which belong together is not known, "
            "so each is shown by itself"
        )
        if len(group) > 1:
            group = [replace(run, is_apart=True, note=note if run is group[0] else "") for run in group]
        yield from group


def _groups(runs: Iterable[ForeignRun], key: Callable[[ForeignRun], Any]) -> list[Group]:
    groups: dict[Any, Group] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return [*groups.values()]


def _outdir(run: ForeignRun) -> Path:
    return run.path.parent if run.path.name.startswith(_NESTED) else run.path


def _beside(run: ForeignRun) -> Path:
    return _outdir(run).parent


def _anywhere(_run: ForeignRun) -> None:
    """Make one group of all."""


def _whole(group: Group) -> list[Group]:
    """Return the courses that a group is, none where one of them is not complete or began before another was over."""
    blocks: list[Group] = [[]]
    for run in sorted(group, key=lambda run: (_begin(run) or datetime.min, run.path)):
        if any(run.logged_workers & other.logged_workers for other in blocks[-1]):
            blocks.append([])
        blocks[-1].append(run)
    in_turn = all(_over_before(*pair) for pair in zip(blocks, blocks[1:], strict=False))
    return blocks if in_turn and all(map(_is_complete, blocks)) else []


def _part(group: Group) -> list[Group]:
    """Return a group of several processes as one course if no worker is in it twice, else nothing."""
    workers = [worker for run in group for worker in run.logged_workers]
    return [group] if len(group) > 1 and len(workers) == len(set(workers)) else []


_WAYS: tuple[tuple[Callable[[Group], list[Group]], Callable[[ForeignRun], Any]], ...] = (
    (_whole, _outdir),
    (_whole, _beside),
    (_whole, _anywhere),
    (_part, _outdir),
    (_part, _beside),
)


def _is_complete(group: Group) -> bool:
    workers = sorted(worker for run in group for worker in run.logged_workers)
    return len(workers) == (group[0].clients or 0) + 1 > 1 and workers == [*range(len(workers))]


def _over_before(group: Group, following: Group) -> bool:
    """Return whether a course was over before another began, by the names of folders and the logs."""
    ends = [begin + timedelta(minutes=run.minutes) for run in group if (begin := _begin(run))]
    begins = [begin for run in following if (begin := _begin(run))]
    return bool(ends and begins) and max(ends) <= min(begins)


def _begin(run: ForeignRun) -> datetime | None:
    try:
        return datetime.strptime(run.path.name, f"{_NESTED}%Y%m%d%H%M%S")
    except ValueError:
        return None


def _merged(group: Group) -> ForeignRun:
    """Return the processes of a course as one run, which lies where the server's folder is."""
    first, *others = sorted(group, key=lambda run: (not run.is_server, run.path))
    return replace(first, others=tuple(others))
