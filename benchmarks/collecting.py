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
    "DuckDB reads ledgers and logs alone, columns at once; a bare loop in Python, the evaluations, 40 % of the bytes, "
    "and the table take as long: see the next row. The rest holds every line against its schema and every file against "
    "its digest, and adds up rounds and cells"
)
_PARTS = "parts of the row above, of which nothing is checked"
_PANDAS = "pandas reads ledgers and logs alone, and checks nothing of them; for what fscost does beside see its table"
_BARE = "a part of the row above: each file read once and hashed, its JSON decoded and laid in columns, nothing checked"
_AGAIN = "most of it tells that no file has changed, see the next row; the rest makes the table"
_UNCHANGED = "a part of the row above: the runs found, their cells read, every byte hashed anew"
_LAYOUTS = "the first is read, of the others the cells, the frames that were kept and the tables"


def rows(folder: Path) -> Iterator[Row]:
    """Measure the reading into frames, and tables, without imports."""
    runs = copies(folder)
    kinds = ("frames", "pandas", "bare", "duckdb", "first", "parts", "again", "unchanged", "layouts")
    found = in_turn(*(lambda by=by: float(told_by("readers.py", by, runs)) for by in kinds))
    of = dict(zip(kinds, zip(*found, strict=True), strict=True))
    of["pandas"] = tuple(4 * part_s for part_s in of["pandas"])
    work, command = f"of {RUNS:,} runs × {CLIENTS + 1} workers", "`python benchmarks/readers.py {} FOLDER`".format
    with_pandas, with_duckdb = (
        "`pandas.read_json` of each ledger and log of every fourth, and concat, times 4",
        "DuckDB `read_json` of the same",
    )
    alone = f"{with_duckdb}, on one core each"
    loop = "the same files in a bare loop in Python"
    for told, ours, beside, theirs, at_most, note, limit in (
        (f"frames {work}", "frames", with_pandas, "pandas", 0.2, "", _PANDAS),
        (loop, "bare", with_pandas, "pandas", 0.2, _BARE, ""),
        (f"`table` {work}, the first time", "first", alone, "duckdb", 1, "", _DUCKDB),
        (f"{loop}, the evaluations and a table", "parts", alone, "duckdb", 1, _PARTS, ""),
        (f"`table` {work}, the second time", "again", alone, "duckdb", 0.3, "", _AGAIN),
        ("whether their files are the same, alone", "unchanged", alone, "duckdb", 0.3, _UNCHANGED, ""),
        (f"8 layouts {work}, one after another in one process", "layouts", "one layout", "first", 2, "", _LAYOUTS),
    ):
        ratios = [a / b for a, b in zip(of[ours], of[theirs], strict=True)]
        yield Row(told, beside, command(ours), command(theirs), at_most, ratios, note=note, limit=limit)


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
