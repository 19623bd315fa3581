"""Tables are ordered by raw numbers and filtered by what they show, and stay so when something else is counted."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from fscost.tables.marks import FAILED, MISSING, UNKNOWN
from fscost.tables.table import Column, Entry, Row, Table
from tests.report.conftest import Opened
from tests.report.pages import chosen, column, head_of, recorded, shown, soon, subject_of, tables_of, written
from tests.tables.samples import number

COLUMNS = (
    Column("m", "Method", numeric=False),
    Column("up", "Uplink", "MB", raw="bytes"),
    Column("a", "Accuracy", raw="acc"),
)
ROWS = (
    ("a", number("10.2", 10_200_000, spread="0.1"), number("0.91", 0.91)),
    ("b", number("9.5", 9_500_000, spread="12.0"), Entry(mark=MISSING)),
    ("c", Entry(mark=MISSING), Entry(mark=UNKNOWN)),
    ("d", number("1,000.0", 1e9, note="†"), number("0.1", 0.1)),
    ("e", number("0", 0), number("-3", -3)),
    ("f", number("9.5", 9_499_999), Entry("1e-05", 1e-5)),
    ("g", Entry(mark=FAILED), number("0.2", 0.2)),
)


def table() -> Table:
    return Table("t", "T", "payload", COLUMNS, tuple(Row((Entry(name), *own)) for name, *own in ROWS))


@pytest.fixture
def odd(paper: Path, tmp_path: Path, opened: Opened) -> Page:
    """A page with a table in which texts and numbers have other orders."""
    (run,) = recorded.runs_of(paper / "runs", "fedavg", "mlp_s", 3)[:1]
    return opened(written(subject_of(paper, str(run), table_of=lambda spec: table()), tmp_path / "odd.html"))


@pytest.mark.parametrize("how", ["click", "Enter", "Space"])
def test_numbers_are_ordered_as_numbers_and_what_is_missing_is_last(odd: Page, how: str) -> None:
    def turn(head: str, wanted: str) -> None:
        if how == "click":
            head_of(odd, head).click()
        else:
            head_of(odd, head).locator(".dt-column-order").focus()
            odd.keyboard.press(how)
        number = len(wanted)
        soon(odd, lambda: "".join(column(odd, "Method")[:number]), wanted)

    turn("Uplink", "efbad")
    turn("Uplink", "dabfe")
    turn("Accuracy", "efdga")
    turn("Accuracy", "agdfe")
    turn("Accuracy", "abcdefg")  # as it was made
    turn("Method", "abcdefg")
    turn("Method", "gfedcba")


def test_seeds_spread_does_not_count(paper: Path, paper_report: Path, opened: Opened) -> None:
    """91.0 ± 9 is more than 90.9 ± 0.1: rows are in the order of the raw means."""
    page = opened(paper_report)
    table = tables_of(paper, "runs").counted()
    (number,) = (i for i, one in enumerate(table.columns) if one.head == "Accuracy")
    means = sorted(
        ((row.entries[number].value, row.entries[number].full) for row in table.rows), key=lambda one: one[0]
    )
    assert any("±" in text for _, text in means)
    head = table.columns[number].full_head
    for expected in (means, means[::-1]):
        head_of(page, head).click()
        soon(page, lambda: column(page, head), [text for _, text in expected])  # noqa: B023


def search(page: Page, of: str = "#table") -> Locator:
    return page.locator(f"{of} .dt-search input")


def listed(page: Page, head: str, *values: str) -> None:
    """Tick values in the list filter of a column, opened and closed by keyboard."""
    button = head_of(page, head).locator("button.dtcc-button_dropdown")
    button.focus()
    page.keyboard.press("Enter")
    for value in values:
        page.locator(".dtcc-dropdown .dtcc-list-buttons button", has=page.get_by_text(value, exact=True)).click()
    page.keyboard.press("Escape")
    assert page.locator(".dtcc-dropdown").count() == 0


def test_the_search_field_survives_what_is_switched(paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report)
    search(page).fill("fedprox")
    assert set(column(page, "Method")) == {"FedProx"}
    assert len(shown(page)["rows"]) == 6
    chosen(page, measure="wire", traffic="all", unit="B")
    assert search(page).input_value() == "fedprox"
    assert set(column(page, "Method")) == {"FedProx"}
    search(page).fill("no such thing")
    assert page.locator("#table tbody").inner_text().strip() == "no row has that"
    search(page).fill("")
    assert len(shown(page)["rows"]) == 18


def test_lists_of_labels_survive_what_is_switched(paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report)
    listed(page, "Method", "FedAvg", "FedPer")
    listed(page, "Clients", "10")
    expected = [[model, "10", method] for model in ("MLP-16", "MLP-64", "ConvNet-2") for method in ("FedAvg", "FedPer")]
    assert sorted([row[0], row[2], row[3]] for row in shown(page)["rows"]) == sorted(expected)
    head_of(page, "Params").click()
    chosen(page, measure="network", unit="auto_binary")
    assert sorted([row[0], row[2], row[3]] for row in shown(page)["rows"]) == sorted(expected)


def test_the_order_survives_what_is_switched(paper: Path, paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report)
    head_of(page, "Total (MB)").click()
    page.wait_for_selector("#table th.dt-ordering-asc")
    chosen(page, measure="wire", unit="B")
    table = tables_of(paper, "runs").counted(measure="wire", unit="B")
    (number,) = (i for i, one in enumerate(table.columns) if one.head == "Total")
    rows = sorted(table.rows, key=lambda row: row.entries[number].value)
    assert shown(page)["rows"] == [[entry.full for entry in row.entries] for row in rows]


def test_the_index_filters_the_sections_too(paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report)
    search(page, "#cells").fill("fedper convnet2")
    visible = page.locator("#sections details:visible summary").all_inner_texts()
    assert len(visible) == len(shown(page, "#cells")["rows"]) == 6
    assert all(text.startswith("fedper-convnet2") for text in visible)
