"""54 runs that FederatedScope made, read by hand: 3 methods, 3 models, 2 numbers of clients, 3 seeds, 8 rounds."""

import csv
import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.collect import Frames, gather, runs_below
from fscost.store.run import Run
from fscost.tables import Table, TableSpec
from fscost.tables.arrangement import transposed
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.option_values import options_of, varying_options
from fscost.tables.table import Entry
from tests.conftest import DATA, resealed

METHODS, MODELS, CLIENTS, SEEDS, ROUNDS = (
    ("fedavg", "fedper", "fedprox"),
    ("mlp_s", "mlp_m", "convnet2"),
    (3, 10),
    (0, 1, 2),
    8,
)

State = frozenset[tuple[str, int, int, int, int]]

TYPES = {"training": {"model_para"}, "evaluation": {"evaluate", "metrics"}, "control": {"join_in", "finish"}}
"""FederatedScope's message types, by what they are for."""


def unpacked(folder: Path) -> Path:
    with tarfile.open(DATA / "paper.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    for run in (folder / "runs").iterdir():
        resealed(run)
    return folder / "runs"


def of_one_model(store: Path, folder: Path) -> Path:
    """A copy of the runs of the smallest model: a third, whose audit goes on over pages all the same."""
    return Path(shutil.copytree(store, folder, ignore=shutil.ignore_patterns("*-mlp_m-*", "*-convnet2-*")))


def runs_of(store: Path, method: str, model: str, clients: int) -> list[Path]:
    """The runs of one setting, one per seed."""
    return sorted(store.glob(f"{method}-{model}-digits-c{clients}-s*"))


def sent(run: Path, *traffics: str, link: str = "", until: int = ROUNDS + 1, count: str = "payload_bytes") -> int:
    """The sum over the ledger's messages of some traffic, over one link or all, before one round."""
    rows = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    types = {name for traffic in traffics for name in TYPES[traffic]}
    return sum(r[count] for r in rows if r.get("type") in types and link in r["link"] and r["round"] < until)


def evaluated(run: Path, metric: str = "test_acc") -> list[float]:
    """The server's metric after each round, as FederatedScope logged it."""
    lines = [line for line in (run / "eval_results.log").read_text().splitlines() if "'Results_weighted_avg'" in line]
    return [float(re.findall(rf"'{metric}': ([^,}}]+)", line)[0]) for line in lines]  # before other averages


def edit_ledger(run: Path, number: int, **values: int) -> None:
    """Change one message's line of a ledger, and its digest with it."""
    *lines, _ = (run / "ledger.jsonl").read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | values)
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    (run / "ledger.jsonl").write_text("\n".join([*lines, json.dumps({"sha256": digest})]) + "\n")
    resealed(run)


def edit_outcome(run: Path, **values: Any) -> None:
    """Change what a run's outcome says; `versions` are laid over those it has."""
    outcome = json.loads((run / "outcome.json").read_text())
    told = outcome["provenance"]
    told["versions"] |= values.pop("versions", {})
    told.update({key: values.pop(key) for key in [*values] if key in told})
    (run / "outcome.json").write_text(json.dumps(outcome | values))
    resealed(run)


def table_of(where: Path | Iterable[tuple[Cell | None, Run]], **settings: Any) -> Table:
    """The table of the runs in a folder, or of these, by a layout; rows are model, clients and method."""
    cells, frames = _collected(where, _state(where)) if isinstance(where, Path) else _of([*where])
    spec = TableSpec(**{"rows": ("model", "clients", "method"), "order": "sorted"} | settings)
    extra = options_of(cells, spec.options) | varying_options(cells)
    table = build(Comparison(frames.cells, frames.rounds, extra=extra), spec, label="t", command="make it")
    return transposed(table) if spec.transpose else table


@lru_cache(maxsize=4)
def _collected(folder: Path, _: State) -> tuple[list[Cell], Frames]:
    """What is collected from a folder, once for all its tables: a file that is edited gives it another state."""
    return _of(runs_below(folder))


def _state(folder: Path) -> State:
    """The names, sizes and times of all files below a folder."""
    stats = ((str(path), path.stat()) for path in folder.rglob("*"))
    return frozenset((path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats)


def _of(runs: list[tuple[Cell | None, Run]]) -> tuple[list[Cell], Frames]:
    return [cell for cell, _ in runs if cell], gather(runs)


def entries(table: Table, key: str) -> dict[str, Entry]:
    """A column by the raw name it begins with: the labels of each row, and its entry."""
    (number,) = [i for i, column in enumerate(table.columns) if column.raw.startswith(key)]
    labels = [i for i, column in enumerate(table.columns) if not column.is_number]
    return {" ".join(row.entries[i].text for i in labels): row.entries[number] for row in table.rows}


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a table in CSV."""
    return list(csv.DictReader(io.StringIO(text)))
