"""Reading 2,000 runs of 101 workers: fscost, pandas file by file, DuckDB over all files at once."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Row, ratios, seconds_of, told_by
from fscost.cell import Cell
from fscost.rundir import RunDir

RUNS, CLIENTS = 2000, 100


def rows(folder: Path) -> Iterator[Row]:
    """Measure the reading of ledgers and logs, without imports; evaluations, which are no JSON, fscost reads too."""
    runs = copies(folder)
    work = f"collect {RUNS:,} runs × {CLIENTS + 1} workers: ledgers, logs and evaluations"
    for other, goal in (("pandas", "≤ 0.2"), ("duckdb", "≤ 1")):
        against = {
            "pandas": "`pandas.read_json` per ledger and log, and concat",
            "duckdb": "DuckDB `read_json` over all ledgers and all logs",
        }[other]
        found = ratios(lambda: told_by("readers.py", "fscost", runs), lambda o=other: told_by("readers.py", o, runs))
        yield Row(work, against, f"fscost / {other}", goal, found)


def copies(folder: Path) -> Path:
    """Return a store of as many runs as copies of one that was trained can be, each with a seed of its own."""
    words = ("engine=builtin", "model=lr", f"clients={CLIENTS}", "rounds=3", f"store={folder / 'one'}")
    seconds_of(sys.executable, "-m", "fscost", *words, cwd=folder)
    like = next(path.parent for path in (folder / "one").glob("*/cell.json"))
    cell = RunDir(like).read_cell()
    for seed in range(RUNS):
        other = Cell(engine=cell.engine, protocol=cell.protocol, fs=dict(cell.fs) | {"seed": seed})
        RunDir(Path(shutil.copytree(like, folder / "runs" / other.name))).write_cell(other)
    return folder / "runs"
