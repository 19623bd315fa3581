"""Labels: what tells rows apart is printed as it was given, whatever it looks like."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.collect import gather, runs_below
from fscost.errors import TableError
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.headings import label_of
from fscost.tables.marks import MISSING, UNKNOWN
from fscost.tables.option_values import Given, as_written, given, number_of, option_of, options_of
from fscost.tables.render import render
from fscost.tables.spec import TableSpec
from fscost.tables.table import Table
from tests.conftest import cells_of
from tests.tables.recorded import table_of
from tests.tables.test_layout_settings import estimates


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (False, "false"), (None, "null"), (0, "0"), (0.0, "0"), (-0.0, "0"), (-1, "-1"), (5, "5"),
        (1000, "1000"), (0.1, "0.1"), (1.0, "1.0"), (-0.5, "-0.5"), (1e-3, "0.001"), (1e-5, "1e-5"), (2e-10, "2e-10"),
        (1e16, "1e16"), (1.5e300, "1.5e300"), (123456.789, "123456.789"), (1 / 3, "0.3333333333333333"),
        ([], "[]"), (["bn", "fc.1"], "[bn, fc.1]"), ([1, 0.5, None, True], "[1, 0.5, null, true]"),
        ([{"alpha": 0.1}], "[{alpha: 0.1}]"), ({}, "{}"), ("0.10", "0.10"), ("True", "True"), ("a+b", "a+b"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_in_yaml(value: Any, text: str) -> None:
    assert as_written(value) == text
    if isinstance(value, float):
        assert float(text) == value


def test_a_rank_of_lora_is_named_behind_its_model() -> None:
    spec = TableSpec(labels={"bert_base": "BERT base", "bert_base_r4": "Ours", 5: "five"})
    labels = [spec.label(value) for value in ("bert_base_r8", "bert_base_r4", "mine_r8", "5_r1", "bert_base_rx")]
    assert labels == ["BERT base, LoRA r = 8", "Ours", "mine_r8", "five, LoRA r = 1", "bert_base_rx"]


def test_values_that_are_printed_alike_are_told_apart() -> None:
    values = {
        "a": 0,
        "b": "0",
        "c": False,
        "d": "false",
        "e": None,
        "f": "null",
        "g": "",
        "h": "1",
        "i": "[1]",
        "j": [1],
    }
    told = given(values)
    assert [str(told[key]) for key in values] == [
        "0",
        '"0"',
        "false",
        '"false"',
        "null",
        '"null"',
        '""',
        "1",
        '"[1]"',
        "[1]",
    ]
    assert len({*told.values()}) == len(values)
    assert given({"a": 1})["a"] == given({"a": 1.0})["a"] != given({"a": True})["a"]


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3), (0.5, 0.5), (True, None), ("5", None), (None, None), ([5], None)]
)
def test_only_numbers_are_ordered_as_numbers(value: Any, number: float | None) -> None:
    assert number_of(given({"a": value})["a"]) == number_of(value) == number


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [("clients", 1000, "1,000"), ("params", 4958, "4,958"), ("seed", 1234, "1234"), ("model", "007", "007"),
     ("method", "1.0+krum", "1.0 + Krum"), ("method", "-", "-"), ("method", "c++", "c++"), ("model", "1e+16", "1e+16")],
)  # fmt: skip
def test_counts_have_commas_and_names_have_none(key: str, value: Any, text: str) -> None:
    spec = TableSpec(labels={"krum": "Krum"})
    if text == "1e+16":  # of a model, not of two methods
        text = "1e + 16"
    assert label_of(key, value, spec).text == text


def test_what_is_not_known_is_a_mark_and_null_is_not() -> None:
    assert label_of("clients", None, TableSpec()).mark
    null = label_of("train.optimizer.lr", given({"a": None})["a"], TableSpec())
    assert (null.text, null.mark) == ("null", None)


def test_labels_are_found_by_what_is_printed() -> None:
    spec = TableSpec(labels={0.1: "small", True: 5, "null": "none", 10: "ten", "x": None})  # type: ignore[dict-item]
    told = given({"a": 0.1, "b": True, "c": None})
    assert [label_of("o", value, spec).text for value in told.values()] == ["small", "5", "none"]
    assert label_of("clients", 10, spec).text == "ten" and label_of("model", "x", spec).text == "x"


# --- from a sweep to the formats -----------------------------------------------------------------------


def with_values(folder: Path, values: list[Any], **settings: Any) -> Table:
    """Return the table of estimated cells, one for each value of an option."""
    estimates(folder, f"seed=range(0,{len(values)})")
    runs = runs_below(folder)
    cells = sorted((cell for cell, _ in runs if cell), key=lambda cell: cell.axes["seed"])
    frames = gather(runs)
    frames.cells["seed"] = 0
    own = {"train.option": {cell.id: value for cell, value in zip(cells, values, strict=True)}}
    spec = TableSpec(**{"rows": ("model", "method")} | settings)
    return build(Comparison(frames.cells, extra=own), spec, label="t")


VALUES = [10, 9.5, "9.5", True, 1, None, "", "naïve ±1,000 %", ["a", 1], "missing", 1e-5, "1e-3"]
LABELS = ["10", "9.5", '"9.5"', "true", "1", "null", '""', "naïve ±1,000 %", "[a, 1]", "missing", "1e-5", "1e-3"]


def options_in(table: Table) -> list[str]:
    (number,) = [i for i, column in enumerate(table.columns) if column.key == "train.option"]
    return [entry.text for entry in table.column(number)]


def test_every_value_of_an_option_has_its_row_and_its_label(tmp_path: Path) -> None:
    table = with_values(tmp_path, VALUES)
    assert sorted(options_in(table)) == sorted(LABELS)
    assert not any(entry.mark for row in table.rows for entry in row.entries)
    assert not [note for note in table.notes if note.mark in (UNKNOWN.sign, MISSING.sign, "0")]


def test_rows_in_order_have_numbers_by_size_and_then_the_rest(tmp_path: Path) -> None:
    ordered = options_in(with_values(tmp_path, VALUES, order="sorted"))
    assert ordered[:4] == ["1e-5", "1", "9.5", "10"] and sorted(ordered[4:]) == ordered[4:]


@pytest.mark.parametrize("format", ["markdown", "html", "text", "csv"])
def test_every_format_prints_the_same_labels(format: str, tmp_path: Path) -> None:
    written = render(with_values(tmp_path, VALUES), format)
    if format == "csv":
        rows = [*csv.DictReader(io.StringIO(written))]
        assert sorted(row["train.option"] for row in rows) == sorted(LABELS)
        return
    as_html = {'"9.5"': "&quot;9.5&quot;", '""': "&quot;&quot;"} if format == "html" else {}
    as_markdown = {"[a, 1]": r"\[a, 1]"} if format == "markdown" else {}
    for text in LABELS:
        assert (as_html | as_markdown).get(text, text) in written


def test_labels_stand_at_the_left_and_numbers_at_the_right(tmp_path: Path) -> None:
    lines = render(with_values(tmp_path, [0.1, 10, -3]), "markdown").splitlines()
    (rule,) = [line for line in lines if line.startswith("| :-")]

    assert rule.count("| :") == 3 and rule.endswith("-: |")


def test_an_option_stands_side_by_side(tmp_path: Path) -> None:
    table = with_values(tmp_path, [0.1, None, True, "0.1"], across="fs.train.optimizer.lr")
    assert [column.key for column in table.columns if not column.is_number] == ["model", "train.option", "method"]
    store = estimates(tmp_path / "lr", "method=fedavg,fedprox", "fs.train.optimizer.lr=0.01,0.1,1.0")
    table = table_of(store, rows=["method"], across="fs.train.optimizer.lr", columns=["total"])
    heads = [column.head for column in table.columns]
    assert heads == ["Method", *(f"train.optimizer.lr={lr}" for lr in ("0.01", "0.1", "1.0"))]
    assert [column.raw for column in table.columns][1] == "total_payload_bytes_train.optimizer.lr_0.01"
    assert len(table.rows) == 2 and not any(entry.mark for row in table.rows for entry in row.entries)


def test_an_option_that_does_not_vary_can_stand_side_by_side_too(tmp_path: Path) -> None:
    table = table_of(estimates(tmp_path), rows=["method"], across="fs.train.optimizer.lr")
    assert [column.head for column in table.columns] == ["Method", "train.optimizer.lr=0.1"]


@pytest.mark.parametrize("across", ["fs.train.optimiser.lr", "optimizer", "engine"])
def test_what_is_no_option_and_no_axis_does_not_run_across(across: str) -> None:
    with pytest.raises(TableError, match=f"table.across={across}: "):
        TableSpec(across=across).check_options([])
    with pytest.raises(TableError, match="is in table.rows too"):
        TableSpec(rows=["fs.train.optimizer.lr"], across="fs.train.optimizer.lr")


def cell_with(**options: Any) -> Cell:
    (cell,) = cells_of("engine=estimate", "model=lr", *(f"fs.{name}={value}" for name, value in options.items()))
    return cell


def test_an_option_that_a_cell_does_not_add_is_not_null() -> None:
    assert option_of(cell_with(), "train.optimizer.nesterov") == "not set"
    assert option_of(cell_with(**{"train.optimizer.nesterov": "null"}), "train.optimizer.nesterov") is None
    assert option_of(cell_with(), "train.optimizer.lr") == 0.1
    lists = options_of([cell_with(**{"personalization.local_param": "[bn,fc]"})], ["personalization.local_param"])
    (told,) = given(lists["personalization.local_param"]).values()
    assert told == Given("list", "[bn, fc]", "[bn, fc]")
