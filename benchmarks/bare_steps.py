"""The builtin engine beside what it cannot avoid: the steps of SGD of the same cell in a bare loop."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import PAIRS, Row, told_by
from benchmarks.training import CELL, cell

_REST = (
    "most of the rest are the evaluations and weights that lie as messages have them, see the next row: where they lie "
    "otherwise, losses change in the seventh digit; then come asizeof and a meter of each message, and copies of models"
)
_ALONE = "what an engine with these losses and evaluations cannot avoid"


def rows(folder: Path) -> Iterator[Row]:
    """Measure cells by their own wall time, as their outcomes tell it."""
    own, steps_s, with_evaluations_s = [], [], []
    for seed in range(PAIRS):
        own.append(cell(folder, "builtin", seed, (*CELL, f"seed={seed}"))[0])
        steps_s.append(float(told_by("steps.py")))
        with_evaluations_s.append(float(told_by("steps.py", "evaluate")))
    work, beside = "convnet2 on digits, 30 clients, 10 rounds: builtin engine", "its 600 steps of SGD in a bare loop"
    ours, theirs = f"`fscost engine=builtin {' '.join(CELL)} seed=…`", "`python benchmarks/steps.py`"
    yield Row(work, beside, ours, theirs, 1.25, [a / b for a, b in zip(own, steps_s, strict=True)], limit=_REST)
    ours = "`python benchmarks/steps.py evaluate`"
    work = "the same steps and 300 evaluations alone, weights as torch makes them, in a bare loop"
    found = [a / b for a, b in zip(with_evaluations_s, steps_s, strict=True)]
    yield Row(work, beside, ours, theirs, 1.25, found, limit=_ALONE)
