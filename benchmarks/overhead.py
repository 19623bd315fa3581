"""What a cell costs beside its engine: planned, launched, stored, collected, in the table."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.pairs import FSCOST, PAIRS, Row, Took, seconds_of, took

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
    jobs = (sys.executable, "empty.py", "-m", "+job=range(0,200)")
    found = [(seconds_of(*jobs, cwd=folder), swept(200), swept(2000)) for _ in range(PAIRS)]
    yield Row(
        "200 trivial cells, from the command to the table, their engine included",
        f"`fscost {' '.join(cells(200))}`", f"Hydra's sweeper and launcher, empty jobs: `{' '.join(jobs[1:])}`", 0.5,
        [few.wall_s / hydra_s for hydra_s, few, _ in found],
    )  # fmt: skip
    yield Row(
        "2,000 trivial cells: time per cell", f"`fscost {' '.join(cells(2000))}`", f"`fscost {' '.join(cells(200))}`",
        1, [many.wall_s / 10 / few.wall_s for _, few, many in found],
    )  # fmt: skip
    peak_mb = [max(took.peak_bytes for took in column) / 1e6 for column in list(zip(*found, strict=True))[1:]]
    yield Row(
        "2,000 trivial cells: peak memory", "the same", "the same", 1.2,
        [many.peak_bytes / few.peak_bytes for _, few, many in found], of="bytes",
        note="{:.0f} MB at 200 cells, {:.0f} MB at 2,000".format(*peak_mb),
    )  # fmt: skip


def cells(count: int) -> tuple[str, ...]:
    """Return the overrides of so many cells."""
    return ("engine=estimate", "model=lr", f"clients=range(1,{count // 2 + 1})", "method=fedavg,fedprox")


def swept(count: int) -> Took:
    """Return what a whole sweep into an empty store takes."""
    with TemporaryDirectory() as folder:
        return took(*FSCOST, *cells(count), cwd=Path(folder))
