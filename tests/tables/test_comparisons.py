"""What a reader of a table could be misled by: names that fit two numbers, comparisons across settings, bare zeros."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.collect.course_logs import final_and_best
from fscost.errors import TableError
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from tests.conftest import Result

ESTIMATE = ("engine=estimate", "model=lr", "rounds=2")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fscost: Callable[..., Result]) -> Callable[..., Result]:
    """Run a grid and return its table."""
    monkeypatch.chdir(tmp_path)

    def run(grid: tuple[str, ...], *words: str) -> Result:
        assert fscost(*grid).code == 0
        return fscost("table", *grid, *words)

    return run


def rows_of(done: Result) -> list[dict[str, str]]:
    """The rows of CSV, whose names are all different."""
    assert done.code == 0, done.err
    names = done.out.splitlines()[0].split(",")
    assert len(set(names)) == len(names)
    return list(csv.DictReader(io.StringIO(done.out)))


@pytest.mark.pipeline
def test_a_method_is_compared_with_the_baseline_of_its_own_setting(table: Callable[..., Result]) -> None:
    grid = (*ESTIMATE, "method=fedavg,fedprox", "clients=4", "clients_per_round=2,4")
    rows = rows_of(table(grid, "--format", "csv"))
    assert [float(row["total_payload_bytes"]) for row in rows] == [20800, 20800, 41600, 41600]
    assert [float(row["ratio"]) for row in rows] == [1, 1, 1, 1]


@pytest.mark.pipeline
def test_options_of_one_method_are_compared_and_the_baseline_is_not_called_by_what_both_are(
    table: Callable[..., Result],
) -> None:
    grid = (*ESTIMATE, "method=fedprox", "fs.fedprox.mu=0.1,0.5", "clients=4")
    text = table(grid).out
    assert "vs FedProx" not in text
    assert "Ratio: total relative to the first of the rows compared." in text


@pytest.mark.pipeline
def test_nothing_sent_is_a_ratio_of_zero_and_saves_all(table: Callable[..., Result]) -> None:
    grid = (*ESTIMATE, "method=fedavg,local")
    rows = rows_of(table(grid, "table.columns=[ratio,saving]", "--format", "csv"))
    assert [(float(row["ratio"]), float(row["saving_percent"])) for row in rows] == [(1, 0), (0, 100)]
    assert rows_of(table(grid, "table.baseline=local", "--format", "csv"))[0]["ratio"] == "n/a"


@pytest.mark.pipeline
def test_peers_beyond_training_are_the_mean_of_a_message_as_the_heading_says(table: Callable[..., Result]) -> None:
    done = table((*ESTIMATE, "method=ss"), "table.traffic=all", "table.unit=B")
    *_, peer = next(line for line in done.out.splitlines() if line.startswith("LR")).split()[:8]
    assert peer == "5,200"  # two frames of 650 float32, to each of two other clients
    assert "Peer: the mean of a message between clients" in done.out


@pytest.mark.pipeline
def test_a_column_says_what_tells_it_from_another_of_its_quantity(table: Callable[..., Result]) -> None:
    columns = "[total,{quantity: total, measure: wire},ratio,{quantity: ratio, measure: wire}]"
    text = table(ESTIMATE, f"table.columns={columns}", "--format", "markdown").out
    for name in ("Total, payload (kB)", "Total, wire (kB)", "vs FedAvg, payload", "vs FedAvg, wire"):
        assert f"| {name}" in " ".join(text.split())
    assert "Total, payload, Total, wire: all clients and rounds" in text
    rows_of(table(ESTIMATE, f"table.columns={columns}", "--format", "csv"))


@pytest.mark.pipeline
def test_targets_and_rounds_have_names_of_their_own(table: Callable[..., Result]) -> None:
    targets = "[{quantity: rounds_to, target: 0.5},{quantity: rounds_to, target: 0.7},rounds]"
    grid = (*ESTIMATE[:2], "rounds=2,4")
    (first, second) = rows_of(table(grid, f"table.columns={targets}", "--format", "csv"))
    assert (first["rounds"], first["rounds_trained"], second["rounds_trained"]) == ("2", "2", "4")
    assert {"rounds_to_0.5", "rounds_to_0.7"} <= first.keys()
    assert "Rounds until 50 % accuracy" in table(ESTIMATE, "table=matrix", "table.columns=[rounds_to]").out


@pytest.mark.pipeline
def test_what_is_compared_by_clients_is_named_with_its_number(table: Callable[..., Result]) -> None:
    text = table((*ESTIMATE, "clients=3,10"), "table.compare=clients").out
    assert "vs 3 clients: total relative to that of 3 clients." in text


@pytest.mark.pipeline
def test_totals_are_explained_by_the_names_they_have(table: Callable[..., Result]) -> None:
    text = table(ESTIMATE, "table=traffic").out
    assert "Training, Evaluation, Control, All: all clients and rounds, both directions." in text
    assert "Training share: of the bytes" in text


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("table.target=90", "an accuracy is logged as 0 to 1; write 0.9 for 90 %"),
        ("table.target=nan", "must be a number"),
        ("table.measure=[wire]", "must be one of payload"),
    ],
)
def test_settings_that_cannot_be_are_refused(table: Callable[..., Result], setting: str, words: str) -> None:
    done = table(ESTIMATE, setting)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert words in done.err


@pytest.mark.pipeline
def test_what_is_null_by_default_can_be_set_to_null(table: Callable[..., Result]) -> None:
    settings = ("table.across=null", "table.baseline=null", "table.decimals=null", "table.rows=[model,clients]")
    assert table(ESTIMATE, "table=matrix", *settings).code == 0


@pytest.mark.parametrize(("metric", "best"), [("test_roc_auc", 0.9), ("test_hits@5", 0.9), ("test_rmse", 0.2)])
def test_the_best_of_a_score_is_the_highest_and_of_an_error_the_lowest(metric: str, best: float) -> None:
    assert (
        final_and_best([{"round": n, metric: value} for n, value in enumerate((0.2, 0.9, 0.5))])[f"best_{metric}"]
        == best
    )


def test_a_run_that_diverged_has_no_metric() -> None:
    cells = cells_of([{"seed": n, "final_test_avg_loss": loss} for n, loss in enumerate((1.0, float("inf")))])
    spec = TableSpec(columns=["final"], metric="test_avg_loss")
    assert [row.entries[-1].text for row in build(Comparison(cells), spec, label="x").rows] == ["n/a"]


def test_a_cell_that_is_there_twice_is_named() -> None:
    with pytest.raises(TableError, match="fedavg, lr, 3 clients, seed 0: there are two runs, both a, of the same cell"):
        build(Comparison(cells_of([{"seed": 0}, {"seed": 0}])), TableSpec(columns=["rounds"]), label="x")


def cells_of(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame of done cells, all of one setting."""
    same = {
        "cell": "a",
        "engine": "builtin",
        "protocol": "master",
        "status": "done",
        "params": 650,
        "rounds_trained": 2,
    }
    axes = {"method": "fedavg", "model": "lr", "data": "digits", "clients": 3, "rounds": 2}
    return pd.DataFrame([same | axes | run for run in runs])


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("links: null", "must be a list of links"),
        ("links: [up]", "must be one of uplink"),
        ("measure: network", "must be one of payload"),
        ("published: .inf", "must be a number above 0"),
        ("where: {1: lr}", "is no axis"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(table: Callable[..., Result], setting: str, words: str) -> None:
    known = {"source": "S", "quantity": "Q", "published": "'40.7'", "where": "{model: lr}"}
    name, _, value = setting.partition(": ")
    row = ", ".join(f"{key}: {text}" for key, text in (known | {name: value}).items())
    Path("own.yaml").write_text(f"layout: published\nfigures: [{{{row}}}]\n")
    done = table(ESTIMATE, "table=own.yaml")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert words in done.err
