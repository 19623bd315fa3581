"""The builtin engine beside FederatedScope and its own steps of SGD, estimates beside it: the same cells."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.pairs import FSCOST, NO_FS, PAIRS, Row, fs_python, seconds_of, told_by

_CELL = ("model=convnet2", "clients=30", "rounds=10")
_METHODS = ("fedavg", "fedprox", "fedbn", "fedper")
_MANY = ("model=convnet2", "clients=30", "rounds=100")

_STEPS = (
    "both engines take the same steps of SGD with torch on one thread, and those alone are most of what is left: "
    "see the next row. torch.func.vmap over clients takes longer than one client after the other, as grouped "
    "convolutions are slower on a CPU"
)
_UNAVOIDABLE = "what an engine that takes these steps cannot avoid"
_REST = (
    "most of the rest are evaluations, copies and means, and weights that lie as messages have them, see the next row: "
    "where they lie otherwise, losses change in the seventh digit; then come asizeof and a meter of each message"
)
_ALONE = "a part of the row above, which an engine with these losses and evaluations cannot avoid"


def rows(folder: Path) -> Iterator[Row]:
    """Measure cells by their own wall time, as their outcomes tell it; start-up is not in it."""
    yield from _courses(folder)
    found = []
    for number in range(PAIRS):
        words = (*_MANY, f"method={','.join(_METHODS)}", "seed=range(0,250)", f"store={folder / f'estimates-{number}'}")
        estimates_s = seconds_of(*FSCOST, "engine=estimate", *words, cwd=folder)
        method = f"method={_METHODS[number % len(_METHODS)]}"
        found.append(estimates_s / 1000 / cell(folder, "builtin", number, (*_MANY, method, f"seed={number}"))[0])
    ours = f"`fscost engine=estimate {' '.join(_MANY)} method={','.join(_METHODS)} seed=range(0,250)`"
    theirs = f"`fscost engine=builtin {' '.join(_MANY)}` with one of these methods and seeds in each pair"
    work, beside = (
        "estimate 1,000 cells of 100 rounds, from the command to the table",
        "the builtin engine's time in them",
    )
    yield Row(work, beside, ours, theirs, 0.001, found)


def _courses(folder: Path) -> Iterator[Row]:
    """Measure the builtin engine beside FederatedScope, if there is one, and beside what it cannot avoid."""
    own, steps_s, course_s, other = [], [], [], []
    for seed in range(PAIRS):
        words = (*_CELL, f"seed={seed}")
        own.append(cell(folder, "builtin", seed, words))
        steps_s.append(float(told_by("steps.py")))
        course_s.append(float(told_by("steps.py", "course")))
        if fs_python():
            other.append(cell(folder, "federatedscope", seed, words))
    own_s, other_s = ([wall_s for wall_s, _ in cells] for cells in (own, other))
    ours, theirs = (f"`fscost engine={name} {' '.join(_CELL)} seed=…`" for name in ("builtin", "federatedscope"))
    steps, bare_course = "`python benchmarks/steps.py`", "`python benchmarks/steps.py course`"
    work, beside = "convnet2 on digits, 30 clients, 10 rounds: builtin engine", "FederatedScope's time in the same cell"
    missing = "" if other else NO_FS
    note = missing or f"final accuracy over {PAIRS} seeds {_accuracy(own)}, FederatedScope's {_accuracy(other)}"
    yield Row(work, beside, ours, theirs, 0.25, _ratios(own_s, other_s), note=note, limit=_STEPS)
    alone, found = "its 600 steps of SGD alone, torch in a bare loop", _ratios(steps_s, other_s)
    yield Row(alone, beside, steps, theirs, 0.25, found, note=missing or _UNAVOIDABLE)
    beside = "its 600 steps of SGD in a bare loop"
    yield Row(work, beside, ours, steps, 1.25, _ratios(own_s, steps_s), limit=_REST)
    work = "the same steps, 300 evaluations and FedAvg's copies and means alone, in a bare loop"
    yield Row(work, beside, bare_course, steps, 1.25, _ratios(course_s, steps_s), note=_ALONE)


def _ratios(ours_s: list[float], theirs_s: list[float]) -> list[float]:
    return [a / b for a, b in zip(ours_s, theirs_s, strict=True)] if theirs_s else []


def _accuracy(cells: list[tuple[float, float]]) -> str:
    found = [accuracy for _, accuracy in cells]
    return f"{fmean(found):.3f} ± {stdev(found):.3f}"


def cell(folder: Path, engine: str, number: int, words: tuple[str, ...]) -> tuple[float, float]:
    """Return the wall time in s and the last accuracy of a cell, computed anew."""
    store = folder / f"{engine}-{number}-{len(words)}"
    seconds_of(*FSCOST, f"engine={engine}", *words, f"store={store}", cwd=folder)
    outcome = json.loads(next(store.glob("*/outcome.json")).read_text())
    return outcome["wall_s"], last_accuracy(store)


def last_accuracy(store: Path) -> float:
    """Return the accuracy on the clients' test data after the last round."""
    from fscost.collect import gather, runs_below

    return float(gather(runs_below(store)).cells["final_test_acc"].iloc[0])
