"""What a cell costs beside its engine: planned, launched, stored, collected, in the table."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.pairs import PAIRS, Row, peak_mb, ratios, seconds_of

_EMPTY = """
import hydra

@hydra.main(version_base="1.3", config_path=None)
def main(_config):
    pass

main()
"""


def rows(folder: Path) -> Iterator[Row]:
    """Measure 200 trivial cells beside 200 empty jobs of Hydra, and 2,000 beside 200."""
    (folder / "empty.py").write_text(_EMPTY)
    jobs = ("empty.py", "-m", "+job=range(0,200)")
    yield Row(
        "a sweep of 200 cells of `engine=estimate`, the engine included", "Hydra's own sweeper, empty jobs",
        "fscost / Hydra", "≤ 0.5", ratios(lambda: swept(200), lambda: seconds_of(sys.executable, *jobs, cwd=folder)),
    )  # fmt: skip
    few_mb = peak_mb()
    found = [swept(2000) / swept(200) for _ in range(PAIRS)]
    note = f"peak memory of any command so far {few_mb:.0f} MB, then {peak_mb():.0f} MB"
    yield Row("2,000 such cells", "200 of them", "2,000 / 200", "≤ 10", found, note)


def swept(cells: int) -> float:
    """Return the seconds of a whole sweep into an empty store."""
    with TemporaryDirectory() as folder:
        words = ("engine=estimate", "model=lr", f"clients=range(1,{cells // 2 + 1})", "method=fedavg,fedprox")
        return seconds_of(sys.executable, "-m", "fscost", "-m", *words, cwd=Path(folder))
