"""The builtin engine beside FederatedScope, and estimates beside the builtin engine: the same cells."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.pairs import FSCOST, NO_FS, PAIRS, Row, fs_python, seconds_of, told_by

CELL = ("model=convnet2", "clients=30", "rounds=10")
_METHODS = ("fedavg", "fedprox", "fedbn", "fedper")
_MANY = ("model=convnet2", "clients=30", "rounds=100")

_STEPS = (
    "both engines take the same steps of SGD with torch on one thread, and those alone are most of what is left: "
    "see the next row. torch.func.vmap over clients takes longer than one client after the other, as grouped "
    "convolutions are slower on a CPU"
)


def rows(folder: Path) -> Iterator[Row]:
    """Measure cells by their own wall time, as their outcomes tell it; start-up is not in it."""
    yield from _beside_federatedscope(folder)
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


def _beside_federatedscope(folder: Path) -> Iterator[Row]:
    work, beside = "convnet2 on digits, 30 clients, 10 rounds: builtin engine", "FederatedScope's time in the same cell"
    ours, theirs = (f"`fscost engine={engine} {' '.join(CELL)} seed=…`" for engine in ("builtin", "federatedscope"))
    if not fs_python():
        yield Row(work, beside, ours, theirs, 0.25, [], note=NO_FS)
        return
    one, other, steps_s = [], [], []
    for seed in range(PAIRS):
        one.append(cell(folder, "builtin", seed, (*CELL, f"seed={seed}")))
        other.append(cell(folder, "federatedscope", seed, (*CELL, f"seed={seed}")))
        steps_s.append(float(told_by("steps.py")))
    told = [
        f"{fmean(own):.3f} ± {stdev(own):.3f}"
        for own in ([accuracy for _, accuracy in cells] for cells in (one, other))
    ]
    note = f"final accuracy over {PAIRS} seeds {told[0]}, FederatedScope's {told[1]}"
    found = [a / b for (a, _), (b, _) in zip(one, other, strict=True)]
    yield Row(work, beside, ours, theirs, 0.25, found, note=note, limit=_STEPS)
    alone = [alone_s / b for alone_s, (b, _) in zip(steps_s, other, strict=True)]
    work, ours = "its 600 steps of SGD alone, torch in a bare loop", "`python benchmarks/steps.py`"
    yield Row(work, beside, ours, theirs, 0.25, alone, limit="what an engine that takes these steps cannot avoid")


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
