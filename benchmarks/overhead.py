"""What a cell costs beside its engine: planned, launched, stored, collected, in the table."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.pairs import FSCOST, GATHERED, GATHERED_SHOWN, PAIRS, Row, Took, seconds_of, took

_EMPTY = """
import hydra

@hydra.main(version_base="1.3", config_path=None)
def main(_config):
    pass

main()
"""

_KEPT = (
    "each cell has 42 rows of messages: see the next row; of at most 5,000 runs what was read stays until the table is "
    "made, so that no ledger is read twice, and a line of a table is objects, too"
)
_ALONE = "a part of the row above, as every number in a table comes from these frames"


def rows(folder: Path) -> Iterator[Row]:
    """Measure 200 trivial cells beside 200 empty jobs of Hydra, and 2,000 beside 200."""
    (folder / "empty.py").write_text(_EMPTY)
    jobs = (sys.executable, "empty.py", "-m", "+job=range(0,200)")
    found = [(seconds_of(*jobs, cwd=folder), swept(200), swept(2000)) for _ in range(PAIRS)]
    few, many = (f"`fscost {' '.join(cells(count))}`" for count in (200, 2000))
    yield Row(
        "200 trivial cells, from the command to the table, their engine included",
        "Hydra's own sweeper and launcher, empty jobs", few, f"`python {' '.join(jobs[1:])}`", 0.5,
        [one.wall_s / hydra_s for hydra_s, (one, _), _ in found],
    )  # fmt: skip
    per_cell = [ten.wall_s / 10 / one.wall_s for _, (one, _), (ten, _) in found]
    yield Row("2,000 trivial cells: time per cell", "200 of them", many, few, 1, per_cell)
    sweeps, frames = zip(*(zip(one, ten, strict=True) for _, one, ten in found), strict=True)
    yield _peaks("2,000 trivial cells: peak memory", many, few, sweeps, limit=_KEPT)
    yield _peaks("their frames alone: peak memory", GATHERED_SHOWN, "the same", frames, note=_ALONE)


def _peaks(
    work: str, many: str, few: str, found: Sequence[tuple[Took, Took]], *, note: str = "", limit: str = ""
) -> Row:
    ratios = [ten.peak_bytes / one.peak_bytes for one, ten in found]
    most = [max(one.peak_bytes for one in own) / 1e6 for own in zip(*found, strict=True)]
    told = "{:.0f} MB at 200 cells, {:.0f} MB at 2,000".format(*most)
    return Row(
        work, "200 of them", many, few, 1.2, ratios, "of bytes", note="; ".join(filter(None, (told, note))), limit=limit
    )


def cells(count: int) -> tuple[str, ...]:
    """Return the overrides of so many cells."""
    return ("engine=estimate", "model=lr", f"clients=range(1,{count // 2 + 1})", "method=fedavg,fedprox")


def swept(count: int) -> tuple[Took, Took]:
    """Return what a whole sweep into an empty store takes, and then its frames alone."""
    with TemporaryDirectory() as folder:
        sweep = took(*FSCOST, *cells(count), cwd=Path(folder))
        return sweep, took(*GATHERED, "runs", cwd=Path(folder))
