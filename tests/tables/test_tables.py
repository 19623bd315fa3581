"""What stands in a table: recomputed numbers, honest marks, and nothing averaged that differs."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fscost.api.selection import select
from fscost.collect import gather
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.store.store import Store
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.option_values import varying_options
from tests.conftest import Result, cells_of, execute, resealed

GRID = ("method=fedavg,fedprox", "model=lr,mlp_s", "clients=2,3", "rounds=2")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("tables") / "runs")
    for cell in cells_of(*GRID):
        execute(cell, made, BuiltinEngine())
    return made


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.pipeline
def test_every_number_is_recomputed_from_the_ledgers(store: Store, fscost: Callable[..., Result]) -> None:
    found = rows_of(fscost("table", *GRID, f"store={store.path}", "--format", "csv").out)
    assert len(found) == 8
    params = {"lr": 64 * 10 + 10, "mlp_s": 64 * 16 + 16 + 16 * 10 + 10 + 2 * 16 + 2 * 10}
    buffers = {"lr": 0, "mlp_s": 2 * 4 * (16 + 10) + 2 * 8}
    for row in found:
        uplink = 4 * params[row["model"]]
        downlink = uplink + buffers[row["model"]]
        assert int(row["params"]) == params[row["model"]]
        assert int(row["uplink_payload_bytes"]) == uplink
        assert int(row["downlink_payload_bytes"]) == downlink
        assert int(row["total_payload_bytes"]) == 2 * int(row["clients"]) * (uplink + downlink)
        assert (row["ratio"], row["rounds"]) == ("1", "2")


@pytest.mark.pipeline
def test_rows_stand_in_the_order_in_which_they_were_named(store: Store, fscost: Callable[..., Result]) -> None:
    def order(*grid: str) -> list[tuple[str, ...]]:
        found = rows_of(fscost("table", *grid, f"store={store.path}", "--format", "csv").out)
        return [(row["model"], row["clients"], row["method"]) for row in found]

    assert order(*GRID)[:2] == [("lr", "2", "fedavg"), ("lr", "2", "fedprox")]
    turned = order("method=fedprox,fedavg", "model=mlp_s,lr", "clients=3,2", "rounds=2")
    assert turned[:2] == [("mlp_s", "3", "fedprox"), ("mlp_s", "3", "fedavg")]


@pytest.mark.pipeline
def test_other_traffic_and_measures(store: Store, fscost: Callable[..., Result]) -> None:
    def first(*words: str) -> dict[str, str]:
        return rows_of(fscost("table", *GRID, f"store={store.path}", "--format", "csv", *words).out)[0]

    assert first()["uplink_payload_bytes"] == "2600"
    evaluation = first("table.traffic=evaluation")
    assert evaluation["evaluation_downlink_payload_bytes"] == "2600"
    assert evaluation["evaluation_uplink_payload_bytes"] == "0"  # metrics carry no tensors
    wire = first("table.measure=wire")
    assert float(wire["uplink_wire_bytes"]) > 2600
    control = first("table.traffic=control", "table.measure=wire")
    assert control["control_uplink_wire_bytes"] == "n/a"  # join_in cannot be encoded
    parts = [int(first(f"table.traffic={t}")[f"{p}total_payload_bytes"])
             for t, p in (("training", ""), ("evaluation", "evaluation_"), ("control", "control_"))]  # fmt: skip
    assert int(first("table.traffic=all")["all_total_payload_bytes"]) == sum(parts)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("unit", "texts"),
    [
        ("B", ["2,600", "20,800", "(B)"]),
        ("KiB", ["2.54", "20.3", "(KiB)", "KiB = 2¹⁰ bytes."]),
        ("MB", ["0.00260", "0.0208", "(MB)", "MB = 10⁶ bytes."]),
        ("auto", ["2.60", "20.8", "(kB)", "kB = 10³ bytes."]),
        ("auto_binary", ["2.54", "20.3", "(KiB)", "KiB = 2¹⁰ bytes."]),
    ],
)
def test_units(store: Store, fscost: Callable[..., Result], unit: str, texts: list[str]) -> None:
    text = fscost("table", *GRID, f"store={store.path}", f"table.unit={unit}").out
    for word in texts:
        assert word in text
    units = {word for word in ("(B)", "(kB)", "(MB)", "(KiB)", "(MiB)") if word in text}
    assert len(units) == 1  # one for all of a column, and never those of 1000 with those of 1024


@pytest.mark.pipeline
def test_missing_cells_are_printed_as_missing_with_their_command(store: Store, fscost: Callable[..., Result]) -> None:
    done = fscost("table", "method=fedavg,fedprox", "clients=3,5", "model=lr", "rounds=2", f"store={store.path}")
    assert done.code == 0
    lines = [line for line in done.out.splitlines() if " 5 " in line]
    assert len(lines) == 2
    assert all(line.count("missing") == 5 for line in lines)
    assert "missing: not computed yet" in done.out
    assert f"python -m fscost method=fedprox clients=5 model=lr rounds=2 store={store.path}" in done.out


@pytest.mark.pipeline
def test_a_row_with_a_missing_seed_has_no_number(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=1", "seed=0,1")
    complete = rows_of(fscost("table", "model=lr", "rounds=1", "seed=0,1", "--format", "csv").out)
    partly = rows_of(fscost("table", "model=lr", "rounds=1", "seed=0,1,2", "--format", "csv").out)
    assert complete[0]["uplink_payload_bytes"] == "2600"
    assert partly[0]["uplink_payload_bytes"] == "missing"


@pytest.mark.pipeline
def test_seeds_become_mean_and_deviation(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=1", "seed=0,1,2")
    cells = pd.read_csv("tables/comm_cost.frames/cells.csv")
    accuracy = 100 * cells["final_test_acc"]
    text = fscost("table", "model=lr", "rounds=1", "seed=0,1,2").out
    assert f"{accuracy.mean():.1f} ± {accuracy.std():.1f}" in text  # pandas' std is the sample's
    assert "over n = 3 seeds" in text
    assert "2.60 ±" not in text  # bytes do not vary


@pytest.mark.pipeline
def test_an_option_that_varies_becomes_a_column(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("model=lr", "rounds=1", "lr=0.1,0.3").code == 0
    rows = rows_of(fscost("table", "model=lr", "rounds=1", "lr=0.1,0.3", "--format", "csv").out)
    assert [row["train.optimizer.lr"] for row in rows] == ["0.1", "0.3"]
    from_folder = rows_of(fscost("table", "runs", "--format", "csv").out)
    assert sorted(row["train.optimizer.lr"] for row in from_folder) == ["0.1", "0.3"]


@pytest.mark.pipeline
def test_methods_are_not_compared_across_settings_unseen(here: Path, fscost: Callable[..., Result]) -> None:
    """A method that sampled fewer clients must not look cheaper than one that sampled all."""
    fscost("model=lr", "rounds=1", "method=fedavg", "clients_per_round=1")
    fscost("model=lr", "rounds=1", "method=fedprox")
    rows = rows_of(fscost("table", "runs", "--format", "csv").out)
    assert sorted(row["federate.sample_client_num"] for row in rows) == ["-1", "1"]


@pytest.mark.pipeline
def test_a_missing_cell_takes_no_size_from_other_data(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=1")
    rows = rows_of(fscost("table", "model=lr", "rounds=1", "data=digits,toy", "--format", "csv").out)
    assert {row["data"]: row["params"] for row in rows} == {"digits": "650", "toy": "n/a"}


@pytest.mark.pipeline
def test_other_traffic_than_training_is_told_per_message(store: Store, fscost: Callable[..., Result]) -> None:
    text = fscost("table", *GRID, f"store={store.path}", "table.traffic=control").out
    assert "Per message" in text
    assert "per participating client" not in text


@pytest.mark.pipeline
def test_an_accuracy_of_an_earlier_round_is_not_the_final_one(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("model=lr", "rounds=2")
    (log,) = Path("runs").glob("*/eval_results.log")
    log.write_text("".join(line for line in log.read_text().splitlines(True) if "'Round': 1," not in line))
    resealed(log.parent)
    done = fscost("table")
    assert "ends with round 1 of 2" in done.err
    assert done.out.splitlines()[5].endswith("n/a")


@pytest.mark.pipeline
def test_engines_and_protocols_are_not_mixed(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("model=lr", "rounds=1", "engine.protocol=master,v0.3.0")
    assert done.code == 2
    assert "differ in protocol: master and v0.3.0" in done.err
    assert len(list(Path("runs").glob("[!.]*/"))) == 2  # the runs are kept


@pytest.mark.pipeline
def test_a_users_template(here: Path, store: Store, fscost: Callable[..., Result]) -> None:
    Path("mine.md.j2").write_text("{% for row in table.rows %}{{ row.entries[0].text }} {% endfor %}")
    done = fscost("table", *GRID, f"store={store.path}", "--format", "markdown", "--template", "mine.md.j2")
    assert done.out.split() == ["LR"] * 4 + ["MLP-16"] * 4


@pytest.mark.pipeline
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


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"measure": "payloads"}, "did you mean payload"),
        ({"traffic": "every"}, "must be one of training, evaluation, control, all"),
        ({"unit": "Mb"}, "must be one of B, kB, MB"),
        ({"precision": "abc"}, "must be a whole number from 1 to 9"),
        ({"labels": "abc"}, "must be a mapping"),
        ({"metric": 5}, "must be text"),
        ({"units": "MB"}, "no such setting (did you mean unit"),
        ({"columns": ["totl"]}, "table.columns=totl: must be one of"),
        (
            {"columns": [{"quantity": "total", "unt": "B"}]},
            "table.columns.unt: a column has no such setting (did you mean unit",
        ),
        ({"columns": [5]}, "must be a quantity, or a mapping"),
        ({"columns": []}, "a table has at least one"),
        ({"rows": ["modl"]}, "table.rows=modl: must be one of"),
        ({"rows": ["model", "model?"]}, "has a key twice"),
        ({"rows": 3}, "must be a list"),
        ({"across": "params"}, "table.across=params: must be one of"),
        ({"across": "method"}, "is in table.rows too"),
        ({"order": "totl"}, "table.order=totl: must be one of"),
        ({"aggregate": "max"}, "must be one of mean_std, ci95, min_max, mean, median"),
        ({"page": "wide"}, "must be one of auto, column, page, landscape, long"),
        ({"target": "high"}, "table.target=high: must be a number"),
        ({"decimals": -1}, "must be a whole number from 0 to 9, or null"),
        ({"best": 1}, "must be true, false or significant"),
        ({"figures": [{}]}, "figures belong to the layout published"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(setting: dict[str, str], words: str) -> None:
    with pytest.raises(TableError) as error:
        TableSpec.from_config({"name": "comm_cost"} | setting)
    assert words in str(error.value)


def test_a_table_of_nothing_is_refused() -> None:
    with pytest.raises(TableError, match="no cells are selected"):
        build(Comparison(gather([]).cells), TableSpec(name="comm_cost"), label="x")


def test_options_that_vary_are_found_only_within_the_same_axes() -> None:
    assert varying_options(cells_of("method=fedavg,fedprox", "seed=0,1")) == {}
    found = varying_options(cells_of("fs.fedprox.mu=0.1,0.5", "method=fedprox"))
    assert [sorted(values.values()) for values in found.values()] == [[0.1, 0.5]]
    found = varying_options(cells_of("clients=4", "clients_per_round=-1,2"))
    assert sorted(found["federate.sample_client_num"].values()) == [-1, 2]


@pytest.mark.pipeline
def test_the_same_files_give_the_same_bytes(store: Store, fscost: Callable[..., Result]) -> None:
    texts = {fscost("table", *GRID, f"store={store.path}", "--format", "latex").out for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.pipeline
def test_a_fifo_in_the_place_of_the_last_sweep_is_waited_for_by_nobody(
    here: Path, fscost: Callable[..., Result]
) -> None:
    Path("runs").mkdir()
    os.mkfifo("runs/last_sweep.json")
    assert "no sweep was run in runs yet" in fscost("table").err
    assert fscost("engine=estimate", "model=lr", "rounds=1").code == 0
    assert "FedAvg" in fscost("table").out


@pytest.mark.pipeline
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
    spec = TableSpec(columns=["uplink", "downlink", "peer", "total", "final"], unit="B")
    table = build(Comparison(frame), spec, label="t")
    heads = [column.key.removesuffix("_payload_bytes") for column in table.columns]
    assert heads.index("peer") == heads.index("downlink") + 1
    assert "final_test_acc" not in heads  # nothing was trained
    shares = [row.entries[heads.index("peer")].value for row in table.rows]
    assert shares == [0, 3 * 8 * 650]  # to each of three others, in doubles
    totals = [row.entries[heads.index("total")].value for row in table.rows]
    assert totals[1] == 2 * 4 * (8 * 650 + 4 * 650 + shares[1])
    alone = build(Comparison(frame[frame["method"] == "fedavg"]), spec, label="t")
    assert "peer_payload_bytes" not in [column.key for column in alone.columns]


def test_combined_methods_are_called_by_the_labels_of_each() -> None:
    spec = TableSpec(name="comm_cost", labels={"fedprox": "FedProx", "quant8": "8-bit weights"})
    assert spec.label("fedprox+quant8") == "FedProx + 8-bit weights"
    assert spec.label("a+b") == "a + b"
