"""What is the same in all rows leaves the table and is told below it, and no note says what no column does."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.errors import TableError
from fscost.tables import TableSpec
from tests.conftest import Result
from tests.tables.recorded import entries, rows_of, table_of, unpacked

STOPPED = ("patience=3", "fs.early_stop.stopped_after=7", "rounds=60")
"""A course that FederatedScope stops: 60 rounds are asked for, 8 are trained."""


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


@pytest.fixture
def swept(here: Path, fscost: Callable[..., Result]) -> Callable[..., Result]:
    """Estimates of a grid, and its table with settings."""

    def run(*words: str) -> Result:
        about_tables = [word for word in words if word.startswith(("table", "--"))]
        cells = ["engine=estimate", *(word for word in words if word not in about_tables)]
        assert fscost("-m", *cells).code == 0
        return fscost("table", *cells, *about_tables)

    return run


def head(text: str) -> str:
    """The heading of a table in text, in one line."""
    return " ".join(text.split("\n---")[0].split("\n", 2)[2].split())


@pytest.mark.pipeline
def test_rounds_and_sizes_that_never_differ_are_told_in_a_note(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg,fedprox", "model=mlp_m", "clients=3").out
    assert "Rounds" not in head(text) and "Params" not in head(text)
    assert "The same in all rows: 4,958 parameters, data digits, 10 rounds." in text
    assert "vs FedAvg" in head(text)  # that FedProx costs what FedAvg costs is a result


@pytest.mark.pipeline
def test_rounds_that_were_not_all_trained_stand_in_the_table_alone(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg,fedprox", "model=lr", "clients=3", *STOPPED).out
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("LR")] == ["8", "8"]
    assert "The same in all rows: 650 parameters, data digits." in text and "60 rounds" not in text


@pytest.mark.pipeline
def test_a_layout_without_rounds_tells_those_that_were_trained(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg,fedprox", "model=lr", "clients=3,4", *STOPPED, "table=matrix").out
    assert "The same in all rows: 650 parameters, data digits, 8 rounds." in text


def test_rounds_that_differ_are_told_by_no_note(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg", "model=lr", "clients=3", "patience=3", "rounds=60",
                 "fs.early_stop.stopped_after=7,9", "table=matrix").out  # fmt: skip
    assert "0 rounds" not in text and "8 rounds" not in text


@pytest.mark.pipeline
def test_rounds_trained_stand_only_beside_others_that_were_asked_for(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg", "model=lr", "clients=3", "rounds=3,5").out
    assert head(text).count("Rounds") == 1 and "rounds." not in text.split("The same in all rows")[1]
    stopped = swept("method=fedavg", "model=lr", "clients=3", "rounds=60,70", *STOPPED[:2]).out
    assert "Rounds trained" in head(stopped)
    (row, *_) = rows_of(swept("method=fedavg", "model=lr", "clients=3", "rounds=3,5", "--format=csv").out)
    assert row["rounds"] == row["rounds_trained"] == "3"


def test_what_ties_is_no_better_in_any_column(paper: Path) -> None:
    """Network bytes within 1 % tie: then so does what is said relative to them."""
    table = table_of(paper, measure="network", columns=("total", "ratio", "saving"))
    for column in ("total", "ratio", "saving"):
        best = {name for name, entry in entries(table, column).items() if entry.emphasis}
        assert best == {f"{model} {clients} fedper" for model in ("mlp_s", "mlp_m") for clients in (3, 10)}
    assert {entries(table, "saving")[f"convnet2 {clients} fedper"].text for clients in (3, 10)} == {"0.6"}


@pytest.mark.pipeline
def test_a_ratio_stays_where_anything_is_compared(swept: Callable[..., Result]) -> None:
    one = swept("method=fedavg", "model=lr,mlp_s", "clients=3").out
    assert "Ratio" not in head(one) and "vs " not in one and "relative to" not in one
    assert "Params" in head(one)
    options = swept("method=fedavg", "model=lr", "clients=3", "fs.dataloader.batch_size=16,32").out
    assert "Ratio" in head(options) and "relative to the first of the rows compared" in options


@pytest.mark.pipeline
@pytest.mark.parametrize(("layout", "gone"), [("accuracy_cost", "Saved"), ("model_size", "Growth")])
def test_other_layouts_compare_only_what_can_be(swept: Callable[..., Result], layout: str, gone: str) -> None:
    grid = {"accuracy_cost": "method=fedavg,fedprox", "model_size": "model=lr,mlp_s"}[layout]
    assert gone in head(swept("clients=3", grid, f"table={layout}").out)
    text = swept("clients=3,4", "method=fedavg", "model=lr", f"table={layout}").out
    assert gone not in text and "relative" not in text


@pytest.mark.pipeline
def test_speed_ups_need_another_method(paper: Path, fscost: Callable[..., Result], tmp_path: Path) -> None:
    for run in paper.glob("fedavg-mlp_s-*"):
        shutil.copytree(run, tmp_path / run.name)
    text = fscost("table", str(tmp_path), "table=to_target", "table.target=0.8").out
    assert "Speed-up" not in text and "relative" not in text and "divided" not in text
    assert head(text).count("Rounds") == 1 and "Bytes" in head(text)


@pytest.mark.pipeline
def test_what_is_named_stays(swept: Callable[..., Result], tmp_path: Path) -> None:
    grid = ("method=fedavg", "model=lr", "clients=3,4")
    (tmp_path / "mine.yaml").write_text("rows: [params, clients, method]\ncolumns: [total, ratio, rounds]\n")
    named = ("table.columns=[total,ratio,rounds]", "table.rows=[params,clients,method]")
    for settings in (named, (f"table={tmp_path / 'mine.yaml'}",)):
        text = swept(*grid, *settings).out
        assert all(name in head(text) for name in ("Params", "vs FedAvg", "Rounds"))
        assert "10 rounds" not in text and "650 parameters" not in text  # each is told once


@pytest.mark.pipeline
def test_a_layout_of_ones_own_may_let_them_leave(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg", "model=lr", "clients=3,4", "table.columns=[total,ratio?,rounds?]").out
    assert "Ratio" not in head(text) and "Rounds" not in head(text) and "10 rounds" in text


def test_what_can_differ_without_being_seen_cannot_leave() -> None:
    with pytest.raises(TableError, match=r"table.columns=total\?: only rounds .* write total"):
        TableSpec(columns=["total?"])


@pytest.mark.pipeline
def test_a_table_of_one_row_keeps_its_numbers(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg", "model=mlp_m", "clients=3").out
    assert "Params" in head(text) and "Rounds" in head(text) and "Ratio" not in head(text)
    assert "The same in all rows" not in text and "\nData digits.\n" in text


@pytest.mark.pipeline
def test_csv_has_every_column(swept: Callable[..., Result]) -> None:
    (first, second) = rows_of(swept("method=fedavg,fedprox", "model=mlp_m", "clients=3", "--format=csv").out)
    assert first["params"] == second["params"] == "4958"
    assert first["rounds"] == "10" and first["ratio"] == "1"


@pytest.mark.pipeline
def test_an_order_by_what_has_left_holds(swept: Callable[..., Result]) -> None:
    text = swept("method=fedavg,fedprox", "model=lr", "clients=3", "table.order=-rounds").out
    assert [line.split()[2] for line in text.splitlines() if line.startswith("LR")] == ["FedAvg", "FedProx"]


@pytest.mark.pipeline
def test_rules_between_groups_stay_where_they_were(paper: Path, fscost: Callable[..., Result], tmp_path: Path) -> None:
    for run in paper.glob("*-mlp_s-*-s0-*"):
        shutil.copytree(run, tmp_path / run.name)
    words = ("table", str(tmp_path), "--format", "latex")
    assert r"\cmidrule(l){2-" in fscost(*words).out  # clients are the second column once all models have one size
    assert r"\cmidrule(l){3-" in fscost(*words, "table.rows=[model,params,clients,method]").out


@pytest.mark.pipeline
def test_cells_that_failed_or_are_missing_keep_nothing_in_the_table(
    here: Path, swept: Callable[..., Result], fscost: Callable[..., Result]
) -> None:
    swept("method=fedavg", "model=lr", "clients=3")
    text = fscost("table", "engine=estimate", "method=fedavg,fedprox", "model=lr", "clients=3").out
    assert "missing" in text and "Rounds" not in head(text)
    assert "The same in all rows: 650 parameters, data digits, 10 rounds." in text


def test_a_plan_of_nothing_done_tells_what_is_to_be(here: Path, fscost: Callable[..., Result]) -> None:
    text = fscost("table", "engine=estimate", "method=fedavg,fedprox", "model=lr", "clients=3").out
    assert "The same in all rows: data digits, 10 rounds." in text and "n/a" in text
