"""Tables laid out otherwise: transposed, in sections, quantities above an axis; some rows alone, in any order."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import pytest
from markdown_it import MarkdownIt

from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.store.store import Store
from fscost.tables import Table, arrangement
from fscost.tables.origins import trace
from fscost.tables.terminal_table import view
from tests.conftest import Result, cells_of, execute
from tests.tables.recorded import entries, table_of, unpacked


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def made(paper: Path) -> Callable[..., Table]:
    """A table of some of the runs, which are read once for each set of settings."""
    few = {"only": {"model": ["mlp_s", "mlp_m"]}, "columns": ["total", "ratio", "final"]}
    return lambda **settings: table_of(paper, **few | settings)


def texts(table: Table) -> list[list[str]]:
    return [[entry.full for entry in row.entries] for row in table.rows]


def test_transposed_rows_are_columns_and_no_number_is_another(made: Callable[..., Table]) -> None:
    table, turned = made(), made(transpose=True)
    assert [row.entries[0].text for row in turned.rows] == ["Total (MB) ↓", "vs fedavg ↓", "Accuracy (%) ↑"]
    assert len(turned.columns) == 1 + len(table.rows)
    for number, row in enumerate(turned.rows):
        assert [*row.entries[1:]] == [*table.column(3 + number)]
    assert [(c.group, c.head) for c in turned.columns[1:4]] == [
        ("mlp_s, 3 clients", "fedavg"), ("mlp_s, 3 clients", "fedper"), ("mlp_s, 3 clients", "fedprox"),
    ]  # fmt: skip
    assert turned.to_csv() == table.to_csv()  # raw numbers are looked for by their names
    assert turned.to_frame().equals(table.to_frame())
    for text in (turned.to_latex(), turned.to_html(), turned.to_markdown(), turned.to_text()):
        assert "Accuracy" in text


def test_quantities_stand_above_the_axis(made: Callable[..., Table]) -> None:
    wide = {"rows": ["model", "method"], "across": "clients"}
    table, turned = made(**wide), made(**wide, above="quantity")
    assert [column.group for column in table.columns if column.group] == ["3 clients"] * 3 + ["10 clients"] * 3
    assert [(c.group, c.head) for c in turned.columns if c.group] == [
        ("Total (MB) ↓", "3 clients"), ("Total (MB) ↓", "10 clients"), ("vs fedavg ↓", "3 clients"),
        ("vs fedavg ↓", "10 clients"), ("Accuracy (%) ↑", "3 clients"), ("Accuracy (%) ↑", "10 clients"),
    ]  # fmt: skip
    before = {c.raw: [*table.column(n)] for n, c in enumerate(table.columns) if c.raw}
    assert {c.raw: [*turned.column(n)] for n, c in enumerate(turned.columns) if c.raw} == before
    assert turned.to_csv() == table.to_csv()


def test_sections_are_headings_over_their_rows_in_every_format(made: Callable[..., Table]) -> None:
    table = made(sections="clients")
    assert [(n, row.section) for n, row in enumerate(table.rows) if row.section] == [
        (0, "3 clients"),
        (6, "10 clients"),
    ]
    assert "clients" not in [column.key for column in table.columns]
    assert "clients" in table.to_csv().splitlines()[0]
    plain = table.to_text().splitlines()
    assert plain[plain.index("10 clients") - 1] == ""
    assert plain[plain.index("10 clients") + 1].split()[:2] == ["mlp_s", "fedavg"]
    assert r"\multicolumn{5}{@{}l}{\emph{10 clients}} \\" in table.to_latex()
    (body,) = (
        html5lib.HTMLParser(strict=True).parseFragment(table.to_html()).iter("{http://www.w3.org/1999/xhtml}table")
    )
    heads = [e.text for e in body.iter("{http://www.w3.org/1999/xhtml}th") if e.get("colspan") == "5"]
    assert heads == ["3 clients", "10 clients"]
    assert "<td><strong>10 clients</strong></td>" in (
        page := MarkdownIt().enable("table").render(table.to_markdown())
    ) or ('<td style="text-align:left"><strong>10 clients</strong></td>' in page)
    assert [str(part) for part in view(table, 100)].count("10 clients") == 1


def test_what_does_not_vary_makes_no_section(made: Callable[..., Table]) -> None:
    assert not any(row.section for row in made(sections="data").rows)


def test_only_some_rows_whose_baseline_need_not_be_there(made: Callable[..., Table]) -> None:
    whole, some = made(), made(only={"method": ["fedper", "fedprox"], "clients": [10]})
    kept = entries(some, "ratio")
    assert {*kept} == {
        f"{model} 10 {method}" for model in ("mlp_s", "mlp_m", "convnet2") for method in ("fedper", "fedprox")
    }
    for row, entry in kept.items():
        if row in entries(whole, "ratio"):
            assert entry.value == entries(whole, "ratio")[row].value  # to FedAvg, all the same
    assert "Ratio: total relative to that of fedavg." in some.reading or any("fedavg" in text for text in some.reading)


def test_a_value_may_be_named_by_its_label(made: Callable[..., Table]) -> None:
    table = made(only={"method": ["Ours"]}, labels={"fedper": "Ours"})
    assert {row.entries[2].text for row in table.rows} == {"Ours"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"only": {"method": ["fedavgg"]}},
            "table.only.method=fedavgg: no row has it; there are fedavg, fedper, fedprox",
        ),
        (
            {"only": {"metod": ["fedavg"]}},
            "table.only.metod: is no key of these rows; there are .* (did you mean method",
        ),
        ({"only": {"method": ["fedavg"], "model": []}}, "no row has all of these"),
        ({"only": ["fedavg"]}, "table.only=.*: must be a mapping"),
        ({"top": 2}, "table.top=2: .* table.order must name the column"),
        ({"top": 0, "order": "-total"}, "table.top=0: must be a whole number of at least 1"),
        ({"order": "-totl"}, "did you mean total"),
        ({"sections": "clents"}, "did you mean clients"),
        ({"sections": "clients", "across": "clients", "rows": ["method"]}, "runs across too"),
        ({"above": "metric"}, "table.above=metric: must be one of axis, quantity"),
        ({"transpose": "yes"}, "table.transpose=yes: must be true or false"),
    ],
)
def test_settings_that_cannot_be_are_refused(made: Callable[..., Table], settings: dict[str, Any], words: str) -> None:
    with pytest.raises(TableError) as refused:
        made(**settings)
    assert all(part in str(refused.value) for part in words.split(".*"))


def test_the_first_of_each_group_in_an_order_and_how_many_are_left_out(made: Callable[..., Table]) -> None:
    whole, table = made(), made(order="-final", top=1)
    finals = entries(whole, "final")
    assert len(table.rows) == 4
    for row, entry in entries(table, "final").items():
        group = [other.value for name, other in finals.items() if name.split()[:2] == row.split()[:2]]
        assert entry.value == max(group)
    assert "Of each group, the row with the largest Accuracy; 8 more are left out." in table.reading


def test_rows_are_ordered_by_any_key_and_any_head(made: Callable[..., Table]) -> None:
    assert [row[1] for row in texts(made(order="-clients"))] == (["10"] * 3 + ["3"] * 3) * 2
    assert [row[2] for row in texts(made(order="-method"))] == ["fedprox", "fedper", "fedavg"] * 4
    columns = [{"quantity": "final", "head": "Last"}, {"quantity": "best", "head": "Peak"}]
    peaks = [float(row[-1].split()[0].rstrip("‡")) for row in texts(made(columns=columns, order="-Peak"))]
    assert all(peaks[n : n + 3] == sorted(peaks[n : n + 3], reverse=True) for n in range(0, 12, 3))


@pytest.mark.pipeline
def test_the_command_line_and_the_door_take_them(here: Path, fscost: Callable[..., Result]) -> None:
    import fscost as door

    assert fscost("engine=estimate", "method=fedavg,fedbn,quant8", "model=lr,convnet2", "rounds=1").code == 0
    words = ("table.only.method=fedbn,quant8", "table.only.model=[ConvNet-2]", "table.order=-total", "table.top=1")
    rows = [*csv.DictReader(io.StringIO(fscost("table", *words, "--format", "csv").out))]
    assert [(row["model"], row["method"]) for row in rows] == [("convnet2", "fedbn")]
    only = {"method": ["fedbn", "quant8"], "model": ["ConvNet-2"]}
    assert [*door.table(only=only, order="-total", top=1).to_frame()["method"]] == ["fedbn"]
    assert fscost("table", "table.only.method=").err.startswith("fscost: table.only.method=: names no rows; write")
    assert fscost("plan", "table.only.metod=fedbn").code == 0
    drawn = door.table(only=only).rows
    assert len(drawn) == 2
    audited = door.table(layout="audit", only=only, labels={"fedbn": "Ours"}).to_frame()
    assert {*audited["model"]} == {"convnet2"}
    assert {*audited["method"]} == {"fedbn", "quant8"}
    refused = fscost("table", "table=audit", "table.only.method=fedbnn")
    assert (refused.code, "table.only.method=fedbnn: no row has it; there are fedavg, fedbn" in refused.err) == (
        2,
        True,
    )
    assert fscost("explain", "method=fedbn", "model=lr", "table.only.method=quant8").code == 0


# --- one name for many options --------------------------------------------------------------------

UNLIKE = [
    f"fs.train.optimizer.{name}={{}}" for name in ("lr", "momentum", "weight_decay")
] + ["fs.dataloader.batch_size={}", "fs.grad.grad_clip={}"]  # fmt: skip


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three configurations that differ in five options, the third in one from the first, each with two methods."""
    folder = tmp_path_factory.mktemp("unlike")
    for values in ((0.1, 0, 0, 8, 1), (0.2, 0.9, 0.1, 16, 2), (0.1, 0, 0, 8, 5)):
        words = [word.format(value) for word, value in zip(UNLIKE, values, strict=True)]
        for cell in cells_of("engine=estimate", "model=lr", "rounds=2", "method=fedavg,fedprox", *words):
            execute(cell, Store(folder), EstimateEngine())
    return folder


def labels_in(table: Table) -> list[list[str]]:
    """The labels of each row, as they span."""
    places = [n for n, column in enumerate(table.columns) if not column.is_number]
    return [[row.entries[n].text if row.entries[n].span else "" for n in places] for row in table.rows]


def test_many_options_become_a_short_name_and_a_note(unlike: Path) -> None:
    table = table_of(unlike, rows=["clients", "method"])
    assert [c.key for c in table.columns][:3] == ["clients", "configuration", "method"]
    assert [labels[1:] for labels in labels_in(table)] == [
        ["A", "fedavg"], ["", "fedprox"], ["B", "fedavg"], ["", "fedprox"], ["C", "fedavg"], ["", "fedprox"]
    ]  # fmt: skip
    told = {note.mark: note.meaning for note in table.notes}
    full = {"train.optimizer.lr=0.1", "train.optimizer.momentum=0", "train.optimizer.weight_decay=0"}
    assert {*told["A"].split(", ")} == full | {"dataloader.batch_size=8", "grad.grad_clip=1"}
    assert told["B"] == "as A, but grad.grad_clip=5"
    assert [row.rule for row in table.rows] == [None, None, 1, None, 1, None]
    header, first, *_ = table.to_csv().splitlines()
    assert "grad.grad_clip" in header and "configuration" not in header


def test_options_that_are_named_stay_and_so_do_few(unlike: Path) -> None:
    named = table_of(unlike, rows=["clients", "fs.grad.grad_clip", "method"], most_options=3, labels={"A": "Base"})
    assert [c.key for c in named.columns][:4] == ["clients", "grad.grad_clip", "configuration", "method"]
    assert labels_in(named)[0][1:] == ["1", "Base", "fedavg"]
    assert any(note.mark == "B" and note.meaning.startswith("as Base, but ") for note in named.notes)
    few = table_of(unlike, rows=["clients", "method"], most_options=5)
    assert not {"configuration"} & {column.key for column in few.columns} and len(few.rows[0].entries) == 2 + 5 + 1


def test_options_above_rows_and_columns_say_what_they_are(unlike: Path) -> None:
    options = ["clients", "fs.grad.grad_clip", "method"]
    sections = table_of(unlike, rows=options, sections="fs.grad.grad_clip", labels={"grad.grad_clip": "Clip"})
    assert [row.section for row in sections.rows if row.section] == ["Clip=1", "Clip=2", "Clip=5"]
    turned = table_of(unlike, rows=options, most_options=9, only={"grad.grad_clip": [2]}, transpose=True)
    assert "grad.grad_clip=2" in turned.columns[1].group


def test_what_is_too_much_to_read_is_told_by_cells(unlike: Path) -> None:
    assert [arrangement._name(n) for n in (0, 25, 26, 52, 701, 702)] == ["A", "Z", "AA", "BA", "ZZ", "AAA"]
    names = {(f"v{n}",) * 30: arrangement._name(n) for n in range(2)}
    said, notes = arrangement._told(names, ["option"] * 30)
    assert (said, notes) == (["Configurations differ in 30 options, which --cells names."], [])
    first, *_ = trace(table_of(unlike, rows=["clients", "method"]), {})
    assert "Configuration A, " in first and "grad.grad_clip 1" in first
