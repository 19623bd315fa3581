"""Start-up: verbs that only look, and the first line of a sweep, beside import of pandas; import of fscost."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.pairs import FSCOST, Row, first_line_s, in_turn, seconds_of

_VERBS = ("plan", "status", "table")
_CELLS = ("engine=estimate", "method=fedavg,fedprox", "clients=3,10")
_DEMO = ("-m", "method=fedavg,fedprox", "clients=3,10")


def rows(folder: Path) -> Iterator[Row]:
    """Measure what is printed of 4 cells that are done, and the import that a notebook begins with."""
    seconds_of(*FSCOST, *_CELLS, cwd=folder)
    seconds_of(*FSCOST, *_DEMO, "store=demo", cwd=folder)
    works = [partial(seconds_of, *FSCOST, verb, *_CELLS, cwd=folder) for verb in _VERBS]
    first = partial(first_line_s, *FSCOST, *_DEMO, "store=demo", cwd=folder)
    pandas = partial(_imported, "pandas", folder)
    pandas()  # once before: its files are read from the disk then
    found = in_turn(*works, first, pandas)
    beside = "`import pandas`", "`python -c 'import pandas'`"
    for number, verb in enumerate(_VERBS):
        of_verb = [took_s[number] / took_s[-1] for took_s in found]
        ours = f"`fscost {verb} {' '.join(_CELLS)}`"
        yield Row(f"start-up: `{verb}` of 4 cells", beside[0], ours, beside[1], 2.5, of_verb)
    of_first = [took_s[-2] / took_s[-1] for took_s in found]
    ours = f"the first line of `fscost {' '.join(_DEMO)}`"
    yield Row("start-up: first line of the sweep of `make demo`, done", beside[0], ours, beside[1], 1.5, of_first)
    modules = in_turn(partial(_imported, "fscost", folder), partial(_imported, "json, argparse", folder))
    ours, theirs = "`python -c 'import fscost'`", "`python -c 'import json, argparse'`"
    yield Row("`import fscost`", "`import json, argparse`", ours, theirs, 2, [own / other for own, other in modules])


def _imported(modules: str, folder: Path) -> float:
    return seconds_of(sys.executable, "-c", f"import {modules}", cwd=folder)
