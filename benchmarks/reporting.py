"""Reports of many cells beside the table of them, and where the numbers of a run with many workers come from."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.browser import chromium
from benchmarks.pairs import FSCOST, Row, in_turn, seconds_of, told_by
from fscost.cells.cell import Cell
from fscost.store.integrity import sealed
from fscost.store.rundir import RunDir

_CELLS = ("engine=estimate", "method=fedavg,fedprox,fedbn,fedper,ditto", "model=lr,mlp_s,mlp_m,mlp_l,convnet2",
          "clients=3,5,10,20", "rounds=10")  # fmt: skip
_SEEDS = {1000: "seed=range(0,10)", 5000: "seed=range(0,50)"}
_MOST_BYTES = 6e6
_TABLES = "the page has 72 tables and 60 figures of the same lines: most of what is left is to print each"
WORKERS = 100_000


def rows(folder: Path) -> Iterator[Row]:
    """Measure whole commands over stores that are there."""
    yield from _reports(folder)
    yield from _explained(folder)


def _reports(folder: Path) -> Iterator[Row]:
    for number, seeds in _SEEDS.items():
        seconds_of(*FSCOST, *_CELLS, seeds, f"store={number}", cwd=folder)
    table, report, large = ("table", "1000"), *(("report", f"{n}", "--out", f"{n}.html") for n in _SEEDS)
    found = in_turn(*(partial(seconds_of, *FSCOST, *words, cwd=folder) for words in (table, report)))
    large_s = seconds_of(*FSCOST, *large, cwd=folder)  # once, as it takes a minute
    of_table, of_report = "`fscost table 1000`", "`fscost report 1000`"
    seconds = f"{min(own for _, own in found):.1f} s at best"
    yield Row("`report` of 1,000 estimated cells", "`table` of them", of_report, of_table, 4,
              [own / other for other, own in found], note=seconds, limit=_TABLES)  # fmt: skip
    yield Row("`report` of 5,000 estimated cells", "5 × that of 1,000", "`fscost report 5000`", of_report, 1.2,
              [large_s / (5 * own) for _, own in found])  # fmt: skip
    yield from _page(folder / "1000.html")


def _page(page: Path) -> Iterator[Row]:
    """Yield how large the page of 1,000 cells is, and how long it takes to open."""
    size, seconds, opens = page.stat().st_size, 2.0, f"`python benchmarks/browser.py {page.name} 'html[data-ready]'`"
    yield Row("the page of 1,000 cells: bytes", "6 MB", "its size", "6 MB", 1, [size / _MOST_BYTES],
              note=f"{size / 1e6:.1f} MB")  # fmt: skip
    if chromium() is None:
        yield Row("the page of 1,000 cells opens", "2 s", opens, "2 s", 1, [], note="not measured: it needs Chromium")
        return
    took = [own for (own,) in in_turn(lambda: float(told_by("browser.py", page, "html[data-ready]")))]
    yield Row("the page of 1,000 cells opens", "2 s", opens, "2 s", 1, [s / seconds for s in took])


def _explained(folder: Path) -> Iterator[Row]:
    run = many_workers(folder)
    files = "ledger and log, `json.loads` of each line"
    script = "import json, sys; [json.loads(line) for path in sys.argv[1:] for line in open(path)]"
    python = (FSCOST[0], "-c", script, run / "ledger.jsonl", run / "system_metrics.log")
    read = partial(seconds_of, *python, cwd=folder)
    for name, words in (("explain", ("explain", "many")), ("audit", ("table", "many", "table=audit"))):
        found = in_turn(partial(seconds_of, *FSCOST, *words, cwd=folder), read)
        yield Row(f"`{name}` of a run with {WORKERS:,} workers", files, f"`fscost {' '.join(words)}`",
                  f"`python -c '{script}'`", 5, [own / other for own, other in found])  # fmt: skip


def many_workers(folder: Path) -> Path:
    """Return a run of as many workers, made of one that was trained: its clients are there again and again."""
    words = ("engine=builtin", "model=lr", "clients=100", "rounds=2", f"store={folder / 'few'}")
    seconds_of(*FSCOST, *words, cwd=folder)
    like = next(path.parent for path in (folder / "few").glob("*/cell.json"))
    cell = RunDir(like).read_cell()
    fs = json.loads(json.dumps(cell.fs))
    fs["federate"]["client_num"] = WORKERS
    other = Cell(engine=cell.engine, protocol=cell.protocol, fs=fs)
    run = RunDir(Path(shutil.copytree(like, folder / "many" / other.name)))
    run.write_cell(other)
    *ledger, _ = _lines(run.path / "ledger.jsonl")
    text = "".join(f"{json.dumps(row)}\n" for row in _repeated(ledger, "worker"))
    digest = json.dumps({"sha256": sha256(text.encode()).hexdigest()})
    (run.path / "ledger.jsonl").write_text(f"{text}{digest}\n")
    log = _repeated(_lines(run.path / "system_metrics.log"), "id")
    (run.path / "system_metrics.log").write_text("".join(f"{json.dumps(row)}\n" for row in log))
    outcome = {name: value for name, value in run.read_outcome().items() if name not in ("files", "digest")}
    run.outcome_file.write_text(f"{sealed(outcome, run.path)}\n")
    return run.path


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _repeated(rows: list[dict[str, Any]], worker: str) -> Iterator[dict[str, Any]]:
    """Yield rows, those of clients as often as there are workers; sums of all are left as they were."""
    clients = [row for row in rows if isinstance(row.get(worker), int) and row[worker] > 0]
    yield from (row | {"clients": WORKERS} if "clients" in row else row for row in rows if row not in clients)
    yield from (clients[number % len(clients)] | {worker: number + 1} for number in range(WORKERS))
