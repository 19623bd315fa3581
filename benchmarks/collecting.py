"""Reading 2,000 runs of 101 workers: fscost, pandas file by file, DuckDB over all files at once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import FSCOST, Row, in_turn, seconds_of, told_by
from fscost.cells.cell import Cell
from fscost.store.integrity import sealed
from fscost.store.rundir import RunDir

RUNS, CLIENTS = 2000, 100

_DUCKDB = (
    "DuckDB reads on all cores and only ledgers and logs; fscost on one, checks digests and lines, and reads the "
    "evaluations too, 40 % of the bytes, which are no JSON"
)


def rows(folder: Path) -> Iterator[Row]:
    """Measure the reading into frames, without imports."""
    runs = copies(folder)
    found = in_turn(*(lambda by=by: float(told_by("readers.py", by, runs)) for by in ("fscost", "pandas", "duckdb")))
    work = f"collect {RUNS:,} runs × {CLIENTS + 1} workers"
    command = "`python benchmarks/readers.py {} FOLDER`".format
    for by, told, at_most, in_pairs, limit in (
        ("pandas", "`pandas.read_json` of each ledger and log, and concat", 0.2, [a / b for a, b, _ in found], ""),
        ("duckdb", "DuckDB `read_json` over all ledgers, and all logs", 1, [a / c for a, _, c in found], _DUCKDB),
    ):
        yield Row(work, told, command("fscost"), command(by), at_most, in_pairs, limit=limit)


def copies(folder: Path) -> Path:
    """Return a store of as many runs as copies of one that was trained can be, each with a seed of its own."""
    words = ("engine=builtin", "model=lr", f"clients={CLIENTS}", "rounds=3", f"store={folder / 'one'}")
    seconds_of(*FSCOST, *words, cwd=folder)
    like = next(path.parent for path in (folder / "one").glob("*/cell.json"))
    cell = RunDir(like).read_cell()
    for seed in range(RUNS):
        other = Cell(engine=cell.engine, protocol=cell.protocol, fs=dict(cell.fs) | {"seed": seed})
        run = RunDir(Path(shutil.copytree(like, folder / "runs" / other.name)))
        run.write_cell(other)
        outcome = {name: value for name, value in run.read_outcome().items() if name not in ("files", "digest")}
        run.outcome_file.write_text(sealed(outcome, run.path) + "\n")
    return folder / "runs"
