"""What is under way in a store, from its files alone: whoever computes a cell, on whatever machine."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from fscost.cells.cell import Cell
from fscost.collect import newest_evaluation, schedule_of
from fscost.errors import CollectError
from fscost.files import text_of
from fscost.store.json_lines import NoJson, loads, problem_of
from fscost.store.rundir import RunDir
from fscost.store.store import Store


@dataclass(frozen=True)
class Running:
    """A cell that is being computed by `holder`.

    `round` is the one under way, counted from 1, and `accuracy` that of the newest evaluation on the test data; None
    where no file says so yet. The cell runs for `run_s` seconds, in the last `still_s` of which nothing was written.
    """

    cell: Cell
    holder: str
    round: int | None
    accuracy: float | None
    run_s: float
    still_s: float

    @property
    def rounds(self) -> int:
        """How many rounds the cell has."""
        return _rounds(self.cell)

    @property
    def rounds_done(self) -> int:
        """How many rounds are behind it."""
        return (self.round or 1) - 1


def under_way(store: Store) -> list[Running]:
    """Return the cells that are being computed, by name."""
    found = (_running(store, run) for run in store.running().values())
    return [running for running in found if running is not None]


def _running(store: Store, run: RunDir) -> Running | None:
    """Return what the files of a run say, None where it began or ended in this moment."""
    try:
        cell, begin_s = run.read_cell(), run.cell_file.stat().st_mtime
    except (CollectError, OSError):
        return None
    if (holder := store.holder(cell)) is None:
        return None
    evaluations, now_s = _evaluations(run), time.time()
    evaluated, accuracy = _newest(evaluations, cell) if evaluations else (None, None)
    files = [run.cell_file, run.progress, run.engine_log, *([evaluations] if evaluations else [])]
    return Running(
        cell=cell,
        holder=holder,
        round=_round(run, evaluated, _rounds(cell)),
        accuracy=accuracy,
        run_s=max(0.0, now_s - begin_s),
        still_s=max(0.0, now_s - max(_mtimes(files), default=begin_s)),
    )


def _evaluations(run: RunDir) -> Path | None:
    """Return the evaluations so far; FederatedScope writes them into a folder of its own until it ends."""
    with suppress(OSError):
        if run.eval_results.exists():
            return run.eval_results
        return next((run.path / "fs").rglob(run.eval_results.name), None)
    return None


def _newest(evaluations: Path, cell: Cell) -> tuple[int | None, float | None]:
    """Return after which round the newest evaluation was, and its accuracy."""
    with suppress(OSError):
        if row := newest_evaluation(evaluations, schedule_of(cell.get, cell.protocol)):
            accuracy = row.get("test_acc")
            return row["round"], None if accuracy != accuracy else accuracy  # nan: no client could tell
    return None, None


def _round(run: RunDir, evaluated: int | None, rounds: int) -> int | None:
    """Return the round under way; its file may be missing or some rounds behind, where these are fast."""
    known = [] if evaluated is None else [evaluated + 1]
    with suppress(OSError, NoJson):
        said = loads(text_of(run.progress, _MOST_BYTES))
        known += [] if problem_of(said, "ProgressFile") else [said["round"]]
    return min(max(known), rounds) if known else None


_MOST_BYTES = 2**16
"""What ``progress.json`` may have at most; it has some bytes."""


def _mtimes(files: Iterable[Path]) -> Iterator[float]:
    for file in files:
        with suppress(OSError):
            yield file.stat().st_mtime


def _rounds(cell: Cell) -> int:
    return int(cell.get("federate.total_round_num"))


# --- how long it will take ------------------------------------------------------------------------

_ALIKE: tuple[tuple[str, ...], ...] = (("method", "model", "clients"), ("model", "clients"), ("model",), ())
"""By what cells are alike in the time that a round takes, the most alike first."""


def seconds_left(
    waiting: Iterable[Cell], running: Sequence[Running], measured: Sequence[tuple[Cell, float]], at_once: int
) -> float | None:
    """Return in how many seconds all will be done, None as long as that would be a guess.

    `measured` are cells with their wall time; a round of another takes as long as one of the most alike of them took
    on average. Without any, the rounds behind those that run must do, once there are two: in the first a cell also
    starts. Until a tenth of the cells are measured, at least half of the others must be of models that are, as a round
    of a large model takes a hundred times as long as one of a small one. `at_once` cells run at a time, and no less is
    left than the longest of them takes.
    """
    waiting = [*waiting]
    so_far = [(one.cell, one.run_s / one.rounds_done * one.rounds) for one in running if one.rounds_done >= _STARTED]
    known = measured or so_far
    if not (times := _RoundTimes(known)) or not _tell(known, [*waiting, *(one.cell for one in running)]):
        return None
    lefts = [times.of(cell) * _rounds(cell) for cell in waiting]
    lefts += [times.of(one.cell) * (one.rounds - one.rounds_done) for one in running]
    return max(sum(lefts) / max(1, at_once), *lefts, 0.0)


_STARTED = 2
"""After how many rounds the time that a cell took to start matters little."""


def _tell(known: Sequence[tuple[Cell, float]], others: Sequence[Cell]) -> bool:
    """Return whether measured cells tell about the others: they are many, or of the same models as half of them."""
    models = {cell.axis("model") for cell, _ in known}
    alike = sum(cell.axis("model") in models for cell in others)
    return 2 * alike >= len(others) or 10 * len(known) >= len(known) + len(others)


class _RoundTimes:
    """Mean seconds per round of measured cells, by what they have in common."""

    def __init__(self, measured: Iterable[tuple[Cell, float]]) -> None:
        times: dict[tuple[object, ...], list[float]] = defaultdict(list)
        for cell, wall_s in measured:
            for key in _keys(cell):
                times[key].append(wall_s / _rounds(cell))
        self._means = {key: fmean(found) for key, found in times.items()}

    def __bool__(self) -> bool:
        return bool(self._means)

    def of(self, cell: Cell) -> float:
        """Return the mean of the cells most like this one."""
        return next(self._means[key] for key in _keys(cell) if key in self._means)


def _keys(cell: Cell) -> Iterator[tuple[object, ...]]:
    return ((alike, *(cell.axis(name) for name in alike)) for alike in _ALIKE)
