"""What stands in a table: recomputed numbers, honest marks, and nothing averaged that differs."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fscost.app import select
from fscost.collect import gather
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.rundir import Store
from fscost.tables import TableSpec, build, render, varying_options
from fscost.tables.render import escape_markdown, escape_tex
from fscost.tables.spec import Column, Entry, Row, Table
from tests.conftest import DATA, Result, cells_of, execute

GRID = ("method=fedavg,fedprox", "model=lr,mlp_s", "clients=2,3", "rounds=2")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("tables") / "runs")
    for cell in cells_of(*GRID):
        execute(cell, made, BuiltinEngine())
    return made


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_number_is_recomputed_from_the_ledgers(store: Store, fscost: Callable[..., Result]) -> None:
    found = rows_of(fscost("table", *GRID, f"store={store.path}", "--format", "csv").out)
    assert len(found) == 8
    params = {"lr": 64 * 10 + 10, "mlp_s": 64 * 16 + 16 + 16 * 10 + 10 + 2 * 16 + 2 * 10}
    buffers = {"lr": 0, "mlp_s": 2 * 4 * (16 + 10) + 2 * 8}
    for row in found:
        uplink = 4 * params[row["model"]]
        downlink = uplink + buffers[row["model"]]
        assert int(row["params"]) == params[row["model"]]
        assert float(row["uplink_MB"]) == pytest.approx(uplink / 1e6, rel=1e-12)
        assert float(row["downlink_MB"]) == pytest.approx(downlink / 1e6, rel=1e-12)
        assert float(row["total_MB"]) == pytest.approx(2 * int(row["clients"]) * (uplink + downlink) / 1e6, rel=1e-12)
        assert (row["ratio"], row["rounds"]) == ("1", "2")


def test_rows_stand_in_the_order_in_which_they_were_named(store: Store, fscost: Callable[..., Result]) -> None:
    def order(*grid: str) -> list[tuple[str, ...]]:
        found = rows_of(fscost("table", *grid, f"store={store.path}", "--format", "csv").out)
        return [(row["model"], row["clients"], row["method"]) for row in found]

    assert order(*GRID)[:2] == [("lr", "2", "fedavg"), ("lr", "2", "fedprox")]
    turned = order("method=fedprox,fedavg", "model=mlp_s,lr", "clients=3,2", "rounds=2")
    assert turned[:2] == [("mlp_s", "3", "fedprox"), ("mlp_s", "3", "fedavg")]


@pytest.mark.parametrize("format", ["latex", "markdown", "text", "csv"])
def test_each_format_is_as_it_was(
    store: Store, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """Whole tables, to be looked at when they change; accuracies depend on the machine and are left out."""
    monkeypatch.chdir(store.path.parent)
    done = fscost("table", *GRID, "clients=2,3,4", "table.metric=test_total", "--format", format)
    golden = DATA / f"comm_cost.{format}"
    if os.environ.get("FSCOST_UPDATE_GOLDEN"):
        golden.write_text(done.out)
    assert done.out == golden.read_text()


def test_other_traffic_measures_and_units(store: Store, fscost: Callable[..., Result]) -> None:
    def first(*words: str) -> dict[str, str]:
        return rows_of(fscost("table", *GRID, f"store={store.path}", "--format", "csv", *words).out)[0]

    assert float(first("table.unit=B")["uplink_B"]) == 2600
    assert float(first("table.unit=KiB")["uplink_KiB"]) == 2600 / 1024
    assert float(first("table.traffic=evaluation", "table.unit=B")["downlink_B"]) == 2600
    assert first("table.traffic=evaluation", "table.unit=B")["uplink_B"] == "0"  # metrics carry no tensors
    assert float(first("table.measure=wire", "table.unit=B")["uplink_B"]) > 2600
    assert first("table.traffic=control", "table.measure=wire")["uplink_MB"] == "n/a"  # join_in cannot be encoded


def test_missing_cells_are_printed_as_missing_with_their_command(store: Store, fscost: Callable[..., Result]) -> None:
    done = fscost("table", "method=fedavg,fedprox", "clients=3,5", "model=lr", "rounds=2", f"store={store.path}")
    assert done.code == 0
    lines = [line for line in done.out.splitlines() if " 5 " in line]
    assert len(lines) == 2
    assert all(line.count("missing") == 6 for line in lines)
    assert "missing: not computed yet" in done.out
    assert f"python -m fscost method=fedprox clients=5 model=lr rounds=2 store={store.path}" in done.out


def test_a_row_with_a_missing_seed_has_no_number(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=1", "seed=0,1")
    complete = rows_of(fscost("table", "model=lr", "rounds=1", "seed=0,1", "--format", "csv").out)
    partly = rows_of(fscost("table", "model=lr", "rounds=1", "seed=0,1,2", "--format", "csv").out)
    assert complete[0]["uplink_MB"] == "0.0026"
    assert partly[0]["uplink_MB"] == "missing"


def test_seeds_become_mean_and_deviation(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=1", "seed=0,1,2")
    cells = pd.read_csv("tables/comm_cost.frames/cells.csv")
    accuracy = 100 * cells["final_test_acc"]
    text = fscost("table", "model=lr", "rounds=1", "seed=0,1,2").out
    assert f"{accuracy.mean():.1f} ± {accuracy.std():.1f}" in text  # pandas' std is the sample's
    assert "over 3 seeds" in text
    assert "0.00260 ±" not in text  # bytes do not vary


def test_an_option_that_varies_becomes_a_column(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("model=lr", "rounds=1", "lr=0.1,0.3").code == 0
    rows = rows_of(fscost("table", "model=lr", "rounds=1", "lr=0.1,0.3", "--format", "csv").out)
    assert [row["train.optimizer.lr"] for row in rows] == ["0.1", "0.3"]
    from_folder = rows_of(fscost("table", "runs", "--format", "csv").out)
    assert sorted(row["train.optimizer.lr"] for row in from_folder) == ["0.1", "0.3"]


def test_methods_are_not_compared_across_settings_unseen(here: Path, fscost: Callable[..., Result]) -> None:
    """A method that sampled fewer clients must not look cheaper than one that sampled all."""
    fscost("model=lr", "rounds=1", "method=fedavg", "clients_per_round=1")
    fscost("model=lr", "rounds=1", "method=fedprox")
    rows = rows_of(fscost("table", "runs", "--format", "csv").out)
    assert sorted(row["federate.sample_client_num"] for row in rows) == ["-1", "1"]


def test_a_missing_cell_takes_no_size_from_other_data(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=1")
    rows = rows_of(fscost("table", "model=lr", "rounds=1", "data=digits,toy", "--format", "csv").out)
    assert {row["data"]: row["params"] for row in rows} == {"digits": "650", "toy": "n/a"}


def test_other_traffic_than_training_is_told_per_message(store: Store, fscost: Callable[..., Result]) -> None:
    text = fscost("table", *GRID, f"store={store.path}", "table.traffic=control").out
    assert "MB/message" in text
    assert "per participating client" not in text


def test_an_accuracy_of_an_earlier_round_is_not_the_final_one(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=2")
    (log,) = Path("runs").glob("*/eval_results.log")
    log.write_text("".join(line for line in log.read_text().splitlines(True) if "'Round': 1," not in line))
    done = fscost("table")
    assert "ends with round 1 of 2" in done.err
    assert done.out.splitlines()[5].endswith("n/a")


def test_engines_and_protocols_are_not_mixed(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("model=lr", "rounds=1", "engine.protocol=master,v0.3.0")
    assert done.code == 2
    assert "differ in protocol: master and v0.3.0" in done.err
    assert len(list(Path("runs").glob("[!.]*/"))) == 2  # the runs are kept


def test_a_users_template(here: Path, store: Store, fscost: Callable[..., Result]) -> None:
    Path("mine.md.j2").write_text("{% for row in table.rows %}{{ row.entries[0].text }} {% endfor %}")
    done = fscost("table", *GRID, f"store={store.path}", "--format", "markdown", "--template", "mine.md.j2")
    assert done.out.split() == ["LR"] * 4 + ["MLP-16"] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one\n{{ nope }}", ["bad.md.j2:2:", "'nope' is undefined"]),
        ("{{ table.nope }}", ["bad.md.j2:1:", "nope"]),
        ("{% for %}", ["bad.md.j2:1:"]),
        ("{{ 1/0 }}", ["bad.md.j2:1:", "division by zero"]),
        ("{{ ''.__class__.__mro__ }}", ["bad.md.j2:1:", "unsafe"]),
    ],
)
def test_a_template_with_a_mistake_is_named_with_its_line(
    here: Path, store: Store, fscost: Callable[..., Result], text: str, words: list[str]
) -> None:
    Path("bad.md.j2").write_text(text)
    done = fscost("table", *GRID, f"store={store.path}", "--format", "markdown", "--template", "bad.md.j2")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    for word in words:
        assert word in done.err


def test_hostile_names_are_text() -> None:
    name = "a_b&c%d#e$f{g}h~i^j\\k<l>m|n\no"
    row = Row((Entry(name),))
    table = Table("comm_cost", name, name, name, (name,), (Column("k", name, numeric=False, tex="l"),), (row,), (name,),
                  (name,), (name,))  # fmt: skip
    tex = render(table, "latex")
    assert escape_tex(name) in tex
    body = "\n".join(line for line in tex.splitlines() if not line.startswith("%"))
    assert "a_b&c%d" not in body.replace(r"\label{tab:", "").replace("a_b&c%d#e$f{g}h~i^j\\k<l>m|n o}", "")
    rows = [line for line in render(table, "markdown").splitlines() if line.startswith("|")]
    assert all(line.replace(r"\|", "").count("|") == 2 for line in rows)
    assert rows_of(render(table, "csv"))[0]["k"] == name


def test_escapes() -> None:
    assert escape_tex(r"\~^_&%$#{}") == (r"\textbackslash{}\textasciitilde{}\textasciicircum{}\_\&\%\$\#\{\}")
    assert escape_tex("10⁶ × 2²⁰") == r"10$^6$ $\times$ 2$^2$$^0$"
    assert escape_tex("[α]") == r"{[}$\alpha${]}"
    assert escape_markdown("a|b_c*d`e") == r"a\|b\_c\*d\`e"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"measure": "payloads"}, "did you mean payload"),
        ({"traffic": "all"}, "must be one of training, evaluation, control"),
        ({"unit": "Mb"}, "must be one of B, kB, MB"),
        ({"digits": "abc"}, "must be a whole number from 1 to 9"),
        ({"labels": "abc"}, "must be a mapping"),
        ({"metric": 5}, "must be text"),
        ({"units": "MB"}, "no such setting (did you mean unit"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(setting: dict[str, str], words: str) -> None:
    with pytest.raises(TableError) as error:
        TableSpec.from_config({"name": "comm_cost"} | setting)
    assert words in str(error.value)


def test_a_table_of_nothing_is_refused() -> None:
    with pytest.raises(TableError, match="no cells are selected"):
        build(gather([]).cells, TableSpec(name="comm_cost"), label="x")


def test_options_that_vary_are_found_only_within_the_same_axes() -> None:
    assert varying_options(cells_of("method=fedavg,fedprox", "seed=0,1")) == {}
    found = varying_options(cells_of("fs.fedprox.mu=0.1,0.5", "method=fedprox"))
    assert [sorted(values.values()) for values in found.values()] == [[0.1, 0.5]]
    found = varying_options(cells_of("clients=4", "clients_per_round=-1,2"))
    assert sorted(found["federate.sample_client_num"].values()) == [-1, 2]


def test_the_same_files_give_the_same_bytes(store: Store, fscost: Callable[..., Result]) -> None:
    texts = {fscost("table", *GRID, f"store={store.path}", "--format", "latex").out for _ in range(2)}
    assert len(texts) == 1


def test_the_last_sweep_is_what_no_selection_means(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("model=lr", "rounds=1", "clients=2,3").code == 0
    assert fscost("table").out == fscost("table", "model=lr", "rounds=1", "clients=2,3").out
    assert len(select(["table.unit=B"]).runs) == 2
    assert json.loads(Path("runs/last_sweep.json").read_text())["overrides"] == ["model=lr", "rounds=1", "clients=2,3"]


def test_what_clients_send_to_each_other_has_a_column_where_there_is_any(tmp_path: Path) -> None:
    words = ["engine=estimate", "method=fedavg,ss", "model=lr", "clients=4", "rounds=2"]
    store = Store(tmp_path)
    cells = cells_of(*words)
    for cell in cells:
        execute(cell, store, EstimateEngine())
    frame = gather((cell, store.of(cell)) for cell in cells).cells
    table = build(frame, TableSpec(name="comm_cost", unit="B"), label="t")
    heads = [column.key for column in table.columns]
    assert heads.index("peer") == heads.index("downlink") + 1
    assert "metric" not in heads  # nothing was trained
    shares = [row.entries[heads.index("peer")].value for row in table.rows]
    assert shares == [0, 3 * 8 * 650]  # to each of three others, in doubles
    totals = [row.entries[heads.index("total")].value for row in table.rows]
    assert totals[1] == 2 * 4 * (8 * 650 + 4 * 650 + shares[1])
    alone = build(frame[frame["method"] == "fedavg"], TableSpec(name="comm_cost"), label="t")
    assert "peer" not in [column.key for column in alone.columns]


def test_combined_methods_are_called_by_the_labels_of_each() -> None:
    spec = TableSpec(name="comm_cost", labels={"fedprox": "FedProx", "quant8": "8-bit weights"})
    assert spec.label("fedprox+quant8") == "FedProx + 8-bit weights"
    assert spec.label("a+b") == "a + b"
