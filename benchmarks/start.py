"""Start-up: the verbs that only look, beside the import of pandas."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.pairs import FSCOST, Row, in_turn, seconds_of

_VERBS = ("plan", "status", "table")
_CELLS = ("engine=estimate", "method=fedavg,fedprox", "clients=3,10")


def rows(folder: Path) -> Iterator[Row]:
    """Measure plan, status and table of 4 cells that are done."""
    seconds_of(*FSCOST, *_CELLS, cwd=folder)
    works = [partial(seconds_of, *FSCOST, verb, *_CELLS, cwd=folder) for verb in _VERBS]
    pandas = partial(seconds_of, sys.executable, "-c", "import pandas", cwd=folder)
    pandas()  # once before: its files are read from the disk then
    found = in_turn(*works, pandas)
    for number, verb in enumerate(_VERBS):
        ours, theirs = f"`fscost {verb} {' '.join(_CELLS)}`", "`python -c 'import pandas'`"
        of_verb = [took_s[number] / took_s[-1] for took_s in found]
        yield Row(f"start-up: `{verb}` of 4 cells", "`import pandas`", ours, theirs, 2.5, of_verb)
