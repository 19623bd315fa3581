"""What reports are made of, and what a page shows of it."""

import re
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from fscost.__main__ import main
from fscost.api.results import Results
from fscost.api.selection import Selection, select
from fscost.report import Subject, content, page
from fscost.tables import Table
from tests.tables import recorded
from tests.waiting import PAGE_S

__all__ = [
    "chosen",
    "column",
    "drawn",
    "labels",
    "open_sections",
    "plotted",
    "recorded",
    "report",
    "shown",
    "soon",
    "subject_of",
    "tables_of",
    "written",
]


def report(folder: Path, *words: str, name: str = "report.html") -> Path:
    """The page that the verb writes in a folder about the runs that these words select."""
    with chdir(folder):
        assert main(["report", *words, "--out", name]) == 0
    return folder / name


def subject_of(folder: Path, *words: str, **changed: Any) -> Subject:
    """What a report about the runs that these words select gets, with some of it changed."""
    with chdir(folder):
        return replace(Results(select(words)).subject(), **changed)


def written(subject: Subject, file: Path) -> Path:
    """The page about a subject."""
    file.write_text(page(subject, content(subject)))
    return file


def chosen(page: Page, **controls: str) -> None:
    """Switch what is counted, as a reader does."""
    for name, value in controls.items():
        select = page.locator(f"#controls select[name={name}]")
        if select.input_value() != value:
            select.select_option(value)


def shown(page: Page, of: str = "#table") -> dict[str, Any]:
    """Return what a section's table shows: its heads from the top, its rows from the top, and what stands around it."""
    return page.evaluate(
        """of => {
          const section = document.querySelector(of);
          const texts = (from, what) => [...from.querySelectorAll(what)].map(one => one.textContent);
          return {
            caption: section.querySelector(".caption")?.textContent,
            refused: section.querySelector(".holder > .warning")?.textContent,
            heads: texts(section, "thead .dt-column-title"),
            rows: [...section.querySelectorAll("table.dataTable tbody tr")].map(row => texts(row, "th, td")),
            marks: texts(section, "tbody .mark"),
            best: texts(section, "tbody .best"),
            second: texts(section, "tbody .second"),
            reading: section.querySelector(".notes p")?.textContent,
            notes: texts(section, ".notes dt").map((mark, i) => [mark, texts(section, ".notes dd")[i]]),
          };
        }""",
        of,
    )


def column(page: Page, head: str, of: str = "#table") -> list[str]:
    """The texts of a column from the top; heads are not grouped above it."""
    told = shown(page, of)
    number = int(head_of(page, head, of).locator("xpath=ancestor::th").get_attribute("data-dt-column") or "")
    return [row[number] for row in told["rows"]]


def soon(page: Page, get: Callable[[], Any], wanted: Any) -> None:
    """Assert that something becomes as wanted; a table is drawn a moment after it was asked for."""
    deadline_s = time.monotonic() + PAGE_S
    while (found := get()) != wanted and time.monotonic() < deadline_s:
        page.wait_for_timeout(20)
    assert found == wanted


def head_of(page: Page, head: str, of: str = "#table") -> Locator:
    """The head of a column, by its own line; the arrow behind it need not be told."""
    line = re.compile(rf"^{re.escape(head)}( [↑↓])?$")
    return page.locator(f"{of} thead .dt-column-header", has=page.get_by_text(line))


def tables_of(folder: Path, *words: str) -> "Tables":
    """Tables of the runs that these words select, made without a page."""
    with chdir(folder):
        return Tables(select(words))


class Tables:
    """The tables of a selection, however it is counted."""

    def __init__(self, selection: Selection) -> None:
        results = Results(selection)
        self.spec = results.spec
        self.of = results.tables_of(results.frames, to_do=results.to_do, command=selection.command)

    def counted(self, **settings: str) -> Table:
        return self.of(replace(self.spec, **settings))


def open_sections(page: Page) -> None:
    """Open every section with the keyboard, and wait until each is filled: a browser tells of it a moment later."""
    for summary in page.locator("#sections summary").all():
        summary.press("Enter")
    expect(page.locator("#sections details:not([open]), #sections details > div:empty")).to_have_count(0)


def drawn(page: Page, figure: str) -> None:
    """Look at all panels of a figure, until they are drawn."""
    for number in range(page.locator(f"[data-figure={figure}] .plot").count()):
        place = page.locator(f"[data-figure={figure}] .plot").nth(number)
        place.scroll_into_view_if_needed()
        page.wait_for_selector(f"[data-figure={figure}] .panel:nth-child({number + 1}) .plot[data-drawn]")


def plotted(page: Page, figure: str) -> dict[str, list[dict[str, Any]]]:
    """What is drawn in each panel of a figure, by its title: the traces that Plotly has."""
    drawn(page, figure)
    return page.evaluate(
        """figure => Object.fromEntries([...document.querySelectorAll(`[data-figure=${figure}] .panel`)].map(panel => [
          panel.querySelector("h4")?.textContent ?? "",
          panel.querySelector(".plot").data.map(({ entry, mode, x, y, text }) => ({ entry, mode, x, y, text })),
        ]))""",
        figure,
    )


def labels(page: Page, figure: str) -> list[str]:
    """The texts of a figure's legend."""
    return page.locator(f"[data-figure={figure}] .legend button").evaluate_all(
        "buttons => buttons.map(b => b.lastChild.textContent)"
    )
