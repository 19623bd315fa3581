"""Start-up: the verbs that only look, beside the import of pandas."""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Row, ratios, seconds_of

_CELLS = ("engine=estimate", "method=fedavg,fedprox", "clients=3,10")


def rows(folder: Path) -> Iterator[Row]:
    """Measure plan, status and table of 4 cells."""
    seconds_of(sys.executable, "-m", "fscost", *_CELLS, cwd=folder)
    for verb in ("plan", "status", "table"):
        found = ratios(
            lambda verb=verb: seconds_of(sys.executable, "-m", "fscost", verb, *_CELLS, cwd=folder),
            lambda: seconds_of(sys.executable, "-c", "import pandas", cwd=folder),
        )
        yield Row(f"`fscost {verb}` of 4 cells", "`python -c 'import pandas'`", "fscost / pandas", "≤ 2.5", found)
