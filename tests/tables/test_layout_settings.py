"""Every setting of a layout, against sums over the ledgers and FederatedScope's own logs."""

import re
import shutil
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from fscost.collect import runs_below
from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.resources import conf
from fscost.store.store import Store
from fscost.tables import TableSpec
from tests.conftest import Result, cells_of, execute
from tests.tables.recorded import (
    CLIENTS,
    METHODS,
    MODELS,
    ROUNDS,
    TYPES,
    edit_ledger,
    edit_outcome,
    entries,
    evaluated,
    rows_of,
    runs_of,
    sent,
    table_of,
    unpacked,
)

Table = Callable[..., Result]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def few(paper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one model and one seed."""
    folder = tmp_path_factory.mktemp("few")
    for run in paper.glob("*-mlp_s-*-s0-*"):
        shutil.copytree(run, folder / run.name)
    return folder


def estimates(folder: Path, *overrides: str) -> Path:
    for cell in cells_of("engine=estimate", "model=lr", "rounds=2", *overrides):
        execute(cell, Store(folder), EstimateEngine())
    return folder


def labels(table: Any) -> list[str]:
    return [column.key for column in table.columns if not column.is_number]


# --- rows, columns, order -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["model", "data?", "clients", "rounds?", "method"], ["model", "clients", "method"]),
        (["data?", "model", "rounds", "clients?", "method"], ["model", "rounds", "clients", "method"]),
        (["method"], ["model", "clients", "method"]),  # what varies and is not named stands before the last
        (["method", "params"], ["model", "clients", "method", "params"]),
        (["model", "method"], ["model", "clients", "method"]),
        (["model?", "method", "engine", "fs.train.optimizer.lr", "fs.model.layer?"],
         ["model", "method", "engine", "clients", "train.optimizer.lr"]),
    ],
)  # fmt: skip
def test_rows_are_told_apart_by_what_varies(paper: Path, rows: list[str], expected: list[str]) -> None:
    table = table_of(paper, rows=rows)
    assert labels(table) == expected
    assert len(table.rows) == len(METHODS) * len(MODELS) * len(CLIENTS)


def test_an_option_stands_where_it_is_named(tmp_path: Path) -> None:
    store = estimates(tmp_path, "lr=0.1,0.3", "method=fedavg,fedprox")
    assert labels(table_of(store, rows=["fs.train.optimizer.lr?", "method"])) == ["train.optimizer.lr", "method"]
    alone = estimates(tmp_path / "alone", "method=fedavg,fedprox")
    assert labels(table_of(alone, rows=["fs.train.optimizer.lr?", "method"])) == ["method"]
    table = table_of(alone, rows=["fs.fedprox.mu", "method"])
    assert [[entry.text for entry in row.entries[:2]] for row in table.rows] == [["0", "fedavg"], ["0.1", "fedprox"]]
    with pytest.raises(TableError, match=r"^table.rows=fs.fedprox.nu: FederatedScope has no such option"):
        TableSpec(rows=["fs.fedprox.nu"]).check_options([])


@pytest.mark.parametrize("columns", [["total"], ["uplink", "total"]])
def test_an_axis_across(paper: Path, columns: list[str]) -> None:
    table = table_of(paper, rows=["model", "method"], across="clients", columns=columns, unit="B", best=False)
    assert [column.raw for column in table.columns[2:]] == [
        f"{column}_payload_bytes_clients_{clients}" for clients in CLIENTS for column in columns
    ]
    tops = {(column.top, column.bottom) for column in table.columns[2:]}
    if len(columns) == 1:
        assert tops == {("Total (B)", "3 clients"), ("Total (B)", "10 clients")}
    else:
        assert tops == {(f"{n} clients", head) for n in CLIENTS for head in ("Uplink (B/client/round)", "Total (B)")}
    for clients in CLIENTS:
        for row, entry in entries(table, f"total_payload_bytes_clients_{clients}").items():
            model, method = row.split()
            assert entry.value == sent(runs_of(paper, method, model, clients)[0], "training")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("named", [("lr", "3"), ("lr", "2"), ("mlp_s", "3"), ("mlp_s", "2")]),
        ("sorted", [("lr", "2"), ("lr", "3"), ("mlp_s", "2"), ("mlp_s", "3")]),
        ("total", [("lr", "2"), ("lr", "3"), ("mlp_s", "2"), ("mlp_s", "3")]),
        ("-total", [("lr", "3"), ("lr", "2"), ("mlp_s", "3"), ("mlp_s", "2")]),
    ],
)
def test_order(here: Path, fscost: Table, order: str, expected: list[tuple[str, str]]) -> None:
    grid = ("engine=estimate", "model=lr,mlp_s", "clients=3,2", "rounds=2")
    assert fscost(*grid).code == 0
    done = fscost("table", *grid, "table.rows=[model,clients]", f"table.order={order}", "--format", "csv")
    assert [(row["model"], row["clients"]) for row in rows_of(done.out)] == expected


@pytest.mark.parametrize(("order", "sign"), [("params", 1), ("-params", -1)])
def test_order_by_size_and_what_the_first_is(here: Path, fscost: Table, order: str, sign: int) -> None:
    """The first that is known is what others are relative to; a missing one comes last."""
    done = ("engine=estimate", "model=mlp_s,lr,mlp_m", "clients=2", "rounds=2")
    assert fscost(*done).code == 0
    grid = tuple(word.replace("mlp_m", "mlp_m,mlp_l") for word in done)
    layout = ("table=model_size", f"table.order={order}", "--format", "csv")
    rows = rows_of(fscost("table", *grid, *layout).out)
    assert [row["model"] for row in rows] == [*["lr", "mlp_s", "mlp_m"][::sign], "mlp_l"]
    totals = [float(row["total_payload_bytes"]) for row in rows[:3]]
    assert [float(row["ratio"]) for row in rows[:3]] == [total / totals[0] for total in totals]
    assert rows[3]["ratio"] == "missing"


# --- relative numbers -----------------------------------------------------------------------------


def test_ratio_and_saving_against_a_named_baseline(paper: Path) -> None:
    table = table_of(paper, columns=["total", "ratio", "saving"], baseline="fedprox")
    assert [column.full_head for column in table.columns[4:]] == ["vs fedprox ↓", "Saved (%) ↑"]
    ratios, savings = entries(table, "ratio"), entries(table, "saving")
    for row, entry in ratios.items():
        model, clients, method = row.split()
        own, base = (sent(runs_of(paper, m, model, int(clients))[0], "training") for m in (method, "fedprox"))
        assert entry.value == own / base
        assert savings[row].value == pytest.approx(100 * (base - own) / base)
        assert len(entry.runs) == (3 if method == "fedprox" else 6)  # its own and those of the baseline


def test_a_baseline_that_is_not_there(paper: Path, fscost: Table) -> None:
    done = fscost("table", str(paper), "table.baseline=fedprx")
    assert (done.code, done.out) == (2, "")
    known = "table.baseline=fedprx: is no method here; there are fedavg, fedper, fedprox (did you mean fedprox"
    assert done.err.startswith(f"fscost: {known}")
    runs = [pair for pair in runs_below(paper) if not pair[1].path.name.startswith("fedprox-mlp_s")]
    found = entries(table_of(runs, columns=["ratio"], baseline="fedprox"), "ratio")
    assert {row for row, entry in found.items() if entry.text == "n/a"} == {
        f"mlp_s {clients} {method}" for clients in CLIENTS for method in ("fedavg", "fedper")
    }


# --- bytes ----------------------------------------------------------------------------------------


def test_shares_of_bytes_and_directions(paper: Path) -> None:
    testing = {"quantity": "total", "traffic": "evaluation", "unit": "GiB", "decimals": 5, "head": "Testing"}
    columns: list[Any] = ["total", "total_uplink", "total_downlink", "uplink", "per_parameter", "traffic_share"]
    columns += [{"quantity": "total", "traffic": "all", "head": "All"}, testing]
    table = table_of(paper, rows=["model", "params", "clients", "method"], columns=columns)
    numbers = dict(zip(("total", "up", "down", "share", "each", "part", "all", "eval"), range(4, 12), strict=True))
    for row in table.rows:
        (model, params, clients, method), found = (
            [entry.value for entry in row.entries[:4]],
            {name: row.entries[number] for name, number in numbers.items()},
        )
        run = runs_of(paper, method, model, clients)[0]
        assert found["total"].value == sent(run, "training") == found["up"].value + found["down"].value
        assert found["up"].value == sent(run, "training", link="uplink")
        assert found["share"].value == sent(run, "training", link="uplink") / (clients * ROUNDS)
        assert found["each"].value == sent(run, "training") / sent(run, "training", count="messages") / params
        assert found["all"].value == sent(run, *TYPES)
        assert found["part"].value == pytest.approx(100 * sent(run, "training") / sent(run, *TYPES), rel=1e-12)
        assert found["eval"].text == f"{sent(run, 'evaluation') / 2**30:.5f}"
    heads = [column.full_head for column in table.columns[4:]]
    assert heads[:3] == ["Total, training (MB) ↓", "Total uplink (MB) ↓", "Total downlink (MB)"]  # which is never best
    assert heads[-2:] == ["All (MB) ↓", "Testing (GiB)"]


def test_what_clients_send_each_other_is_in_the_total_and_in_neither_direction(tmp_path: Path) -> None:
    store = estimates(tmp_path, "method=ss", "clients=4")
    table = table_of(store, columns=["total", "total_uplink", "total_downlink", "peer"])
    total, up, down, peer = (next(iter(entries(table, f"{key}_payload").values())).value
                             for key in ("total", "total_uplink", "total_downlink", "peer"))  # fmt: skip
    assert total == up + down + 4 * 2 * peer
    assert peer > 0


@pytest.mark.parametrize(
    ("unit", "shares", "total"),
    [
        ("auto", "kB", "MB"),
        ("auto_binary", "KiB", "KiB"),
        ("B", "B", "B"),
        ("MiB", "MiB", "MiB"),
    ],  # 0.09998 MiB is too little
)
def test_one_unit_for_both_directions_and_one_for_totals(paper: Path, unit: str, shares: str, total: str) -> None:
    table = table_of(
        paper, columns=["uplink", "downlink", "total", "total_uplink", "total_downlink"], unit=unit, best=False
    )
    per = f"Per client and round ({shares})"
    assert [column.top for column in table.columns[3:5]] == [per, per]
    assert [column.full_head for column in table.columns[5:]] == [
        f"{name} ({total})" for name in ("Total", "Total uplink", "Total downlink")
    ]


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("settings", "uplinks"),
    [
        ({"unit": "kB"}, ["4.37", "274.94"]),  # three digits of the smallest number, and their decimals for all
        ({"unit": "kB", "precision": 1}, ["4", "275"]),
        ({"unit": "kB", "precision": 5}, ["4.3680", "274.9440"]),
        ({"unit": "kB", "decimals": 0}, ["4", "275"]),
        ({"unit": "kB", "decimals": 4}, ["4.3680", "274.9440"]),
        ({"unit": "B"}, ["4,368", "274,944"]),
        ({"unit": "GB", "decimals": 3}, ["<0.001", "<0.001"]),
        ({"unit": "KiB"}, ["4.27", "268.50"]),
    ],
)
def test_digits(paper: Path, settings: dict[str, Any], uplinks: list[str]) -> None:
    table = table_of(paper, columns=["uplink", "rounds"], **settings)
    found = entries(table, "uplink")
    assert [found[f"{model} 3 fedper"].text for model in ("mlp_s", "convnet2")] == uplinks
    assert {entry.text for entry in entries(table, "rounds").values()} == {"8"}  # whole, whatever others have


# --- a target -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metric", "target"), [("test_acc", 0.9), ("val_acc", 0.8), ("test_avg_loss", 0.6)])
def test_rounds_and_bytes_until_a_target(paper: Path, metric: str, target: float) -> None:
    columns = ["rounds_to", "bytes_to", "speedup", "bytes_ratio"]
    table = table_of(paper, columns=columns, metric=metric, target=target)
    found = {column: entries(table, column) for column in columns}

    def until(method: str, model: str, clients: str) -> list[int]:
        """The round of each seed that was the first to reach the target, those that did not left out."""
        logged = [evaluated(run, metric) for run in runs_of(paper, method, model, int(clients))]
        reached = [[v <= target if "loss" in metric else v >= target for v in values] for values in logged]
        return [some.index(True) + 1 for some in reached if any(some)]

    marks = 0
    for row in found["rounds_to"]:
        model, clients, method = row.split()
        own, base = until(method, model, clients), until("fedavg", model, clients)
        shown = [found[column][row] for column in columns]
        if len(own) < 3:
            marks += 1
            assert [entry.text for entry in shown] == ["8+", "—", "—", "—"]
            continue
        runs = runs_of(paper, method, model, int(clients))
        size = [sent(run, "training", until=last) for run, last in zip(runs, own, strict=True)]
        assert shown[0].value == fmean(own)
        assert shown[1].value == fmean(size)
        if len(base) == 3:
            assert shown[2].value == fmean(base) / fmean(own)
        else:
            assert [entry.text for entry in shown[2:]] == ["n/a", "n/a"]
    assert 0 < marks < len(table.rows)


# --- layouts of one's own -------------------------------------------------------------------------


def test_the_shipped_layout_says_every_default() -> None:
    told = yaml.safe_load((conf() / "table/shared/layout.yaml").read_text())
    known = {f.name: f for f in fields(TableSpec) if f.name not in ("connection", "labels", "figures")}
    assert told.keys() == known.keys()
    for name, field in known.items():
        default = field.default if field.default is not MISSING else field.default_factory()  # type: ignore[misc]
        assert told[name] == ([*default] if isinstance(default, tuple) else default), name


@pytest.mark.parametrize(
    ("text", "title", "keys"),
    [
        ("title: Mine\ncolumns: [total]\n", "Mine", ["model", "params", "clients", "method", "total_payload_bytes"]),
        ("rows: [model, method]\nacross: clients\n", "payload of training",
         ["model", "method", "total_payload_bytes_clients_3", "total_payload_bytes_clients_10"]),
        ("defaults: [matrix, _self_]\ncolumns: [rounds]\n", "Communication cost by number of clients",
         ["model", "params", "method", "rounds_clients_3", "rounds_clients_10"]),
    ],
)  # fmt: skip
def test_a_layout_file_anywhere_says_what_differs(
    few: Path, fscost: Table, text: str, title: str, keys: list[str]
) -> None:
    Path("some").mkdir()
    Path("some/mine.yaml").write_text(text)
    done = fscost("table", str(few), "table=some/mine.yaml")
    assert done.code == 0, done.err
    assert done.out.startswith(title)
    assert "FedAvg" in done.out  # labels are those of all layouts
    csv = fscost("table", str(few), "table=some/mine.yaml", "--format", "csv").out
    assert csv.splitlines()[0].split(",") == [*keys, "seeds"]
    changed = fscost("table", str(few), "table=some/mine.yaml", "table.title=Other").out
    assert changed.startswith("Other: ")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nowhere.yaml", None, "table=nowhere.yaml: cannot be read: No such file or directory"),
        ("mine.yaml", "- total\n", "table=mine.yaml: must be a mapping, as conf/table/comm_cost.yaml is"),
        ("mine.yaml", "", "table=mine.yaml: must be a mapping"),
        ("mine.yaml", "title: [\n", "table=mine.yaml:2: no YAML: "),
        ("mine.yaml", "titel: Mine\n", "table.titel: a table has no such setting (did you mean title"),
        ("mine.yaml", "defaults: [matrx, _self_]\n", "matrx"),
        ("mine.yaml", "columns: [{quantity: total, unt: B}]\n", "table.columns.unt: a column has no such setting"),
        ("mine.yaml", "defaults: [own]\n", "a configuration file leads back to itself; look at its defaults"),
        ("mine", None, "table=mine: no such table; there are accuracy_cost, audit, "),
    ],
)
def test_a_layout_that_is_wrong_is_told_in_one_line(
    few: Path, fscost: Table, name: str, text: str | None, words: str
) -> None:
    if text is not None:
        Path(name).write_text(text)
    done = fscost("table", str(few), f"table={name}")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert words in done.err


@pytest.mark.pipeline
def test_a_file_says_by_its_name_what_it_is(few: Path, fscost: Table) -> None:
    own = {"x.html": "<td", "x.md": "| FedPer", "x.csv": "fedper,", "x.tex": r"\bottomrule", "x": "FedPer   "}
    for name in own:
        assert fscost("table", str(few), "--out", f"out/{name}").out == f"wrote out/{name}\n"
        assert [word for word in own.values() if word in Path(f"out/{name}").read_text()] == [own[name]]
    Path("mine.tex.j2").write_text(r"<<table.title>> 100\% \& <<'a_b & c'>>")
    done = fscost("table", str(few), "--template", "mine.tex.j2")
    assert r"a\_b \& c" in done.out, done.err
    assert r"\documentclass" in fscost("table", str(few), "--format", "latex", "--standalone").out
    assert "<html" in fscost("table", str(few), "--out", "x.html", "--standalone").err + Path("x.html").read_text()
    refused = fscost("table", str(few), "--standalone")
    assert (refused.code, refused.err.count("\n")) == (2, 1)


def test_the_runs_behind_each_number(paper: Path, fscost: Table) -> None:
    text = fscost("table", str(paper), "table.columns=[total,ratio]", "--cells").out
    blocks = re.split(r"^(?=Model )", text, flags=re.M)[1:]
    assert len(blocks) == len(METHODS) * len(MODELS) * len(CLIENTS)
    named = {"MLP-16": "mlp_s", "MLP-64": "mlp_m", "ConvNet-2": "convnet2"}
    for block in blocks:
        model, clients, method = re.findall(r"Model (\S+), .* Clients (\d+), Method (\w+)", block)[0]
        own, base = (
            [str(run) for run in runs_of(paper, name, named[model], int(clients))]
            for name in (method.lower(), "fedavg")
        )
        paths = [line.strip() for line in block.splitlines() if line.startswith("    ")]
        assert paths == (own if method == "FedAvg" else [*own, *own, *base])
        assert all(Path(path, "ledger.jsonl").is_file() for path in paths)


# --- provenance -----------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_results(paper: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    for method in ("fedavg", "fedper"):
        for run in runs_of(paper, method, "mlp_s", 3)[:1]:
            shutil.copytree(run, store / run.name)
    run = next(store.glob("fedper*"))

    def digest(*, turned: bool = False) -> str:
        runs = runs_below(store)
        return table_of(runs[::-1] if turned else runs).provenance[-1]

    assert digest() == digest(turned=True)
    assert re.fullmatch(r"digest of the cells: sha256 [0-9a-f]{64}", digest())
    found = [digest()]
    edit_outcome(run, wall_s=99.0)
    assert digest() == found[0]
    edit_ledger(run, 2, payload_bytes=15817)
    found.append(digest())
    edit_ledger(run, 2, payload_bytes=15815)
    edit_ledger(run, 5, payload_bytes=15817)  # the same total, later
    found.append(digest())
    edit_ledger(run, 2, payload_bytes=15816)
    edit_ledger(run, 5, payload_bytes=15816)
    assert digest() == found[0]
    log = run / "eval_results.log"
    log.write_text(log.read_text().replace("'test_acc': 0.", "'test_acc': 0.0", 1))
    found.append(digest())
    assert len(set(found)) == 4
