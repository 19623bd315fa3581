"""The builtin engine beside what it cannot avoid: the steps of SGD of the same cell in a bare loop."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import PAIRS, Row, told_by
from benchmarks.training import CELL, cell

_REST = (
    "the rest are the evaluations, see the next row, a meter of each message, copies of what is sent, and steps whose "
    "weights lie as torch makes them: laid out as the bare loop has them, they take 8 % less and losses change in the "
    "seventh digit"
)


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
    work = "the 600 steps and 300 evaluations of its clients alone, in a bare loop"
    yield Row(work, beside, ours, theirs, 1.25, [a / b for a, b in zip(with_evaluations_s, steps_s, strict=True)])
