"""The best of those that are compared: which way is better, what ties, and when nobody can say."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from fscost.engine.estimate import EstimateEngine
from fscost.store.store import Store
from fscost.tables import Table
from fscost.tables.column import ColumnSpec
from fscost.tables.column_style import Datum, emphasised, style_of
from fscost.tables.marks import FAILED, MISSING, NOT_REACHED, TIMEOUT, UNKNOWN, Mark, not_reached
from fscost.tables.quantities import QUANTITIES
from tests.conftest import cells_of, execute, resealed
from tests.tables.recorded import METHODS, entries, evaluated, runs_of, table_of, unpacked


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


def chosen(values: list[float | Mark], groups: str, better: str = "lower", measure: str = "payload") -> str:
    """Emphasise bytes that are printed without decimals: B for best, s for second, - for neither."""
    column = ColumnSpec(quantity="total", unit="B", decimals=0, measure=measure)
    style = style_of(column, QUANTITIES["total"], "B", [], "mean_std", [])
    data = [Datum(value if isinstance(value, Mark) else [value]) for value in values]
    shown = emphasised([style.entry(d, is_marked=False) for d in data], groups, style, better, with_second=True)
    return "".join({"best": "B", "second": "s", "": "-"}[entry.emphasis] for entry in shown)


@pytest.mark.parametrize(
    ("values", "groups", "expected"),
    [
        ([3, 1, 2], "aaa", "-Bs"),
        ([3, 1, 2, 7, 9, 8], "aaabbb", "-BsB-s"),  # of each group its own
        ([3, 1, 2, 7, 9, 8], "ababab", "sBBs--"),
        ([1.4, 0.6, 2], "aaa", "BBs"),  # printed alike
        ([1, 1, 1], "aaa", "---"),
        ([1.1, 0.9], "aa", "--"),
        ([1, 2], "ab", "--"),  # nothing to compare with
        ([1, MISSING, 2], "aaa", "---"),
        ([1, FAILED, 2], "aaa", "---"),
        ([1, UNKNOWN, 2], "aaa", "---"),
        ([1, MISSING, 1, 2], "abbb", "----"),
        ([1, NOT_REACHED, 2], "aaa", "B-s"),  # worse than any other
        ([1, not_reached(8)], "aa", "B-"),
        ([1, not_reached(8), TIMEOUT], "aaa", "---"),
        ([not_reached(8), NOT_REACHED], "aa", "--"),
        ([0, 5], "aa", "Bs"),
    ],
)
def test_best_and_second(values: list[float | Mark], groups: str, expected: str) -> None:
    assert chosen(values, groups) == expected


@pytest.mark.parametrize(
    ("values", "measure", "expected"),
    [
        ([1000, 1009, 1020], "payload", "Bs-"),
        ([1000, 1009, 1020], "network", "BBs"),  # within the error of the estimate
        ([1000, 1009, 1001], "network", "---"),
        ([1000, 1011], "network", "Bs"),
    ],
)
def test_estimates_within_their_error_tie(values: list[float | Mark], measure: str, expected: str) -> None:
    assert chosen(values, "a" * len(values), measure=measure) == expected


def test_more_is_better_where_it_is() -> None:
    assert chosen([1, 3, 2], "aaa", "higher") == "-Bs"
    assert chosen([1, 3, 2], "aaa", "") == "---"


def best_of(table: Table, key: str) -> set[str]:
    return {row for row, entry in entries(table, key).items() if entry.emphasis == "best"}


def expected_of(table: Table, key: str, better: Any, *, apart: str = "method") -> set[str]:
    """The rows whose printed number is the best of those that differ in one axis only, by hand."""
    place = ["model", "clients", "method"].index(apart)
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    for row, entry in entries(table, key).items():
        others = tuple(word for n, word in enumerate(row.split()) if n != place)
        groups.setdefault(others, {})[row] = float(entry.text.replace(",", ""))
    told = [group for group in groups.values() if len(set(group.values())) > 1]
    return {row for group in told for row, number in group.items() if number == better(group.values())}


@pytest.mark.parametrize(
    ("column", "settings", "better"),
    [
        ("uplink", {}, min),
        ("total", {}, min),
        ("ratio", {}, min),
        ("saving", {}, max),
        ("final", {}, max),
        ("final", {"metric": "test_avg_loss"}, min),
        ("best", {"metric": "val_avg_loss"}, min),
        ("rounds_to", {}, min),
        ("bytes_to", {}, min),
        ("speedup", {}, max),
    ],
)
def test_the_best_of_what_was_recorded(paper: Path, column: str, settings: dict[str, Any], better: Any) -> None:
    table = table_of(paper, columns=[column], **settings)
    found = best_of(table, column)
    assert found == expected_of(table, column, better)
    assert 0 < len(found) < len(table.rows)


def test_a_loss_that_is_lowest_is_the_best_one(paper: Path) -> None:
    loss = {
        method: sum(evaluated(run, "test_avg_loss")[-1] for run in runs_of(paper, method, "mlp_s", 3))
        for method in METHODS
    }
    best = best_of(table_of(paper, columns=["final"], metric="test_avg_loss"), "final")
    assert [row for row in best if row.startswith("mlp_s 3 ")] == [f"mlp_s 3 {min(loss, key=lambda m: loss[m])}"]


@pytest.mark.parametrize("column", ["rounds", "traffic_share"])
def test_what_is_neither_good_nor_bad_is_not_emphasised(paper: Path, column: str) -> None:
    assert not best_of(table_of(paper, columns=[column]), column)


def test_compared_along_another_axis(paper: Path) -> None:
    table = table_of(paper, columns=["total"], compare="clients")
    assert best_of(table, "total") == expected_of(table, "total", min, apart="clients")
    assert {row.split()[1] for row in best_of(table, "total")} == {"3"}


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, {"best"}), ({"second": True}, {"best", "second"}), ({"best": False}, set())]
)
def test_the_second_best_only_when_asked_for(paper: Path, settings: dict[str, bool], expected: set[str]) -> None:
    table = table_of(paper, columns=["final"], target=0.9, **settings)
    assert {entry.emphasis for row in table.rows for entry in row.entries} - {""} == expected


def test_methods_are_compared_within_settings(tmp_path: Path) -> None:
    """Two methods with 1 or 4 of 4 clients a round: four rows, two groups."""
    store = Store(tmp_path)
    for cell in cells_of("engine=estimate", "model=lr", "clients=4", "method=fedavg,fedper", "clients_per_round=1,4"):
        execute(cell, store, EstimateEngine())
    table = table_of(tmp_path, columns=["total"], unit="B")
    assert best_of(table, "total") == {"lr 4 1 fedper", "lr 4 -1 fedper"}  # which keeps its only layer to itself
    assert len(table.rows) == 4


@pytest.mark.parametrize(("metric", "better"), [("roc_auc", max), ("f1", max), ("rmse", min)])
def test_the_best_round_and_the_best_row_are_of_one_mind(paper: Path, tmp_path: Path, metric: str, better: Any) -> None:
    run = shutil.copytree(runs_of(paper, "fedavg", "mlp_s", 3)[0], tmp_path / "runs" / "one")
    log = run / "eval_results.log"
    log.write_text(log.read_text().replace("'test_acc'", f"'test_{metric}'"))
    resealed(run)
    table = table_of(tmp_path / "runs", columns=["best"], metric=f"test_{metric}")
    (entry,) = entries(table, "best").values()
    assert entry.value == better(evaluated(run, f"test_{metric}"))
    assert any(f": {'highest' if better is max else 'lowest'} of" in text for text in table.reading)
