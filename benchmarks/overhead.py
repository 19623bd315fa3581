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

_KEPT = "of at most 5,000 runs, what was read stays until the table is made, so that no ledger is read twice"


def rows(folder: Path) -> Iterator[Row]:
    """Measure 200 trivial cells beside 200 empty jobs of Hydra, and 2,000 beside 200."""
    (folder / "empty.py").write_text(_EMPTY)
    jobs = (sys.executable, "empty.py", "-m", "+job=range(0,200)")
    found = [(seconds_of(*jobs, cwd=folder), swept(200), swept(2000)) for _ in range(PAIRS)]
    few, many = (f"`fscost {' '.join(cells(count))}`" for count in (200, 2000))
    yield Row(
        "200 trivial cells, from the command to the table, their engine included",
        "Hydra's own sweeper and launcher, empty jobs", few, f"`python {' '.join(jobs[1:])}`", 0.5,
        [one.wall_s / hydra_s for hydra_s, one, _ in found],
    )  # fmt: skip
    per_cell = [ten.wall_s / 10 / one.wall_s for _, one, ten in found]
    yield Row("2,000 trivial cells: time per cell", "200 of them", many, few, 1, per_cell)
    peak_mb = [
        max(peak) / 1e6 for peak in zip(*((one.peak_bytes, ten.peak_bytes) for _, one, ten in found), strict=True)
    ]
    yield Row(
        "2,000 trivial cells: peak memory", "200 of them", many, few, 1.2,
        [ten.peak_bytes / one.peak_bytes for _, one, ten in found], "of bytes",
        note="{:.0f} MB at 200 cells, {:.0f} MB at 2,000".format(*peak_mb), limit=_KEPT,
    )  # fmt: skip


def cells(count: int) -> tuple[str, ...]:
    """Return the overrides of so many cells."""
    return ("engine=estimate", "model=lr", f"clients=range(1,{count // 2 + 1})", "method=fedavg,fedprox")


def swept(count: int) -> Took:
    """Return what a whole sweep into an empty store takes."""
    with TemporaryDirectory() as folder:
        return took(*FSCOST, *cells(count), cwd=Path(folder))
