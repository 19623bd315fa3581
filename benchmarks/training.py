"""The builtin engine beside FederatedScope, estimates beside the builtin engine: the same cells."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from benchmarks.pairs import PAIRS, Row, seconds_of

_CELL = ("model=convnet2", "clients=30", "rounds=10")
_SEEDS = (0, 1, 2)


def rows(folder: Path) -> Iterator[Row]:
    """Measure cells by their own wall time, as their outcomes tell it; start-up is not in it."""
    work, against = "convnet2 on digits, 30 clients, 10 rounds: builtin engine", "FederatedScope, the same cell"
    if "FSCOST_FS_PYTHON" not in os.environ:
        yield Row(work, against, "builtin / FederatedScope", "≤ 0.25", [], "not measured: set FSCOST_FS_PYTHON")
    else:
        pairs = [(cell(folder, "builtin", n, seed), cell(folder, "federatedscope", n, seed)) for n, seed in _numbered()]
        accuracies = [[fmean(one[1] for one in own)] for own in zip(*pairs, strict=True)]
        note = "final accuracy {:.3f} and {:.3f}".format(*(accuracy for (accuracy,) in accuracies))
        yield Row(work, against, "builtin / FederatedScope", "≤ 0.25", [a[0] / b[0] for a, b in pairs], note)
    found = [cell(folder, "estimate", n, seed)[0] / cell(folder, "builtin", n, seed)[0] for n, seed in _numbered()]
    yield Row("the same cell: `engine=estimate`", "builtin engine", "estimate / builtin", "≤ 0.001", found)


def _numbered() -> Iterator[tuple[int, int]]:
    return ((number, _SEEDS[number % len(_SEEDS)]) for number in range(PAIRS))


def cell(folder: Path, engine: str, number: int, seed: int) -> tuple[float, float]:
    """Return the wall time in s and the last accuracy of a cell, computed anew."""
    store = folder / f"{engine}-{number}"
    words = (f"engine={engine}", *_CELL, f"seed={seed}", f"store={store}")
    seconds_of(sys.executable, "-m", "fscost", *words, cwd=folder)
    outcome = json.loads(next(store.glob("*/outcome.json")).read_text())
    return outcome["wall_s"], last_accuracy(store)


def last_accuracy(store: Path) -> float:
    """Return the accuracy on the test data after the last round, nan without any."""
    from fscost.collect import gather, runs_below

    cells = gather(runs_below(store)).cells
    return float(cells["final_test_acc"].iloc[0]) if "final_test_acc" in cells else float("nan")
