"""The table of the page is, text by text, the table that is made without one, however it is counted."""

import shutil
from itertools import product
from pathlib import Path

import pytest

from fscost.cells.measure import MEASURES, Traffic
from fscost.errors import TableError
from fscost.tables import Table
from fscost.tables.formats.format import legend
from tests.report.conftest import Opened
from tests.report.pages import Tables, chosen, report, shown, tables_of

MEASURE, TRAFFIC, UNITS = [*MEASURES], [*map(str, Traffic), "all"], ["auto", "auto_binary", "B"]
SOME = {"small": "fed[ap][ve]?-mlp_s-digits-c3-s0-*", "medium": "fed[ap][ve]?-mlp_[sm]-*"}
"""FedAvg and FedPer: with one cell each, and with two models, two numbers of clients and three seeds."""


def told(table: Table) -> dict[str, object]:
    """What must stand on the page, in the words of `shown`."""
    groups = [column.group for column in table.columns]
    starts = [i for i, group in enumerate(groups) if not group or i == 0 or groups[i - 1] != group]
    entries = [entry for row in table.rows for entry in row.entries]
    emphasis = {style: [e.full for e in entries if e.emphasis == style and not e.mark] for style in ("best", "second")}
    return emphasis | {
        "caption": table.caption,
        "refused": None,
        "heads": [groups[i] or table.columns[i].full_head for i in starts]
        + [column.bottom for column in table.columns if column.group],
        "rows": [[entry.full for entry in row.entries] for row in table.rows],
        "marks": [entry.full for entry in entries if entry.mark],
        "reading": " ".join([*table.reading, legend(table, "Bold", "underlined")]).strip(),
        "notes": [[note.mark, note.meaning] for note in table.notes],
    }


@pytest.fixture(scope="module")
def some(paper: Path) -> Path:
    """A folder with folders of some of the recorded runs."""
    for name, runs in SOME.items():
        for run in (paper / "runs").glob(runs):
            shutil.copytree(run, paper / name / run.name)
    assert [len([*(paper / name).iterdir()]) for name in SOME] == [2, 24]
    return paper


TIMES = ("table=time", "network.uplink_mbps=10", "network.downlink_mbps=50")


@pytest.mark.parametrize(("folder", "words", "least"), [("medium", (), 50), ("small", TIMES, 16)])
def test_every_entry_in_every_measure_traffic_and_unit(
    folder: str, words: tuple[str, ...], least: int, some: Path, opened: Opened
) -> None:
    """All of it, refusals included: communication times are those of training alone."""
    page = opened(
        report(some, folder, *words, name=f"{folder}.html"), viewport={"width": 1280, "height": 200}
    )  # so that no figure is drawn again and again
    tables, seen = tables_of(some, folder, *words), set()
    for measure, traffic, unit in product(MEASURE, TRAFFIC, UNITS):
        chosen(page, measure=measure, traffic=traffic, unit=unit)
        now = shown(page)
        assert now == wanted(tables, measure, traffic, unit), (measure, traffic, unit)
        assert bool(now["refused"]) is (bool(words) and traffic != "training")
        seen.add(repr(now))
    assert len(seen) > least


def wanted(tables: Tables, measure: str, traffic: str, unit: str) -> dict[str, object]:
    try:
        return told(tables.counted(measure=measure, traffic=traffic, unit=unit))
    except TableError as error:
        empty = dict.fromkeys(("caption", "reading")) | {
            key: [] for key in ("heads", "rows", "marks", "best", "second")
        }
        return empty | {"refused": str(error), "notes": []}


def test_what_is_counted_is_switched_by_keyboard_and_told(paper: Path, paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report)
    tables = tables_of(paper, "runs")
    measure = page.get_by_label("Measure")
    assert measure.input_value() == "payload"
    assert page.locator("#meaning").inner_text() == f"payload: {MEASURES['payload'].meaning}."
    measure.focus()
    for key in MEASURE[1:]:
        page.keyboard.press("ArrowDown")
        assert measure.input_value() == key
        assert page.locator("#meaning").inner_text() == f"{key}: {MEASURES[key].meaning}."
        assert shown(page) == wanted(tables, key, "training", "auto")
    page.keyboard.press("Tab")
    page.keyboard.press("e")  # valuation
    page.keyboard.press("Tab")
    page.keyboard.press("b")  # ytes
    assert shown(page) == wanted(tables, MEASURE[-1], "evaluation", "B")
