"""What the page tells of one cell, and how a reader gets there."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Result
from tests.report.conftest import Opened
from tests.report.pages import recorded, report, shown

Fscost = Callable[..., Result]


@pytest.fixture
def three(paper: Path, here: Path) -> list[Path]:
    """Three recorded runs, to be changed."""
    return [
        Path(shutil.copytree(run, here / "runs" / run.name))
        for run in recorded.runs_of(paper / "runs", "fedper", "mlp_s", 3)
    ]


@pytest.fixture(scope="module")
def untouched(paper: Path) -> tuple[Path, list[Path]]:
    """The report of three recorded runs, and these; the first has a log."""
    folder = paper / "untouched"
    runs = [
        Path(shutil.copytree(run, folder / "runs" / run.name))
        for run in recorded.runs_of(paper / "runs", "fedper", "mlp_s", 3)
    ]
    (runs[0] / "engine.log").write_text("".join(f"line {number}\n" for number in range(30)))
    return report(folder, "runs"), runs


Untouched = tuple[Path, list[Path]]


def section(page: Page, run: Path) -> str:
    return f"#sections details[id^=cell-{run.name[-12:]}]"


def test_a_link_of_the_index_opens_the_section(untouched: Untouched, opened: Opened) -> None:
    file, three = untouched
    page = opened(file)
    run = three[1]
    own = page.locator(section(page, run))
    expect(own.locator("> div")).to_be_empty()
    page.locator("#cells tbody a", has_text=run.name[-12:]).press("Enter")
    expect(own).to_have_attribute("open", "")
    expect(own.locator("summary")).to_be_focused()
    expect(own).to_be_in_viewport()
    assert own.locator("summary").inner_text().split() == [run.name, "done"]
    assert page.locator("#sections details[open]").count() == 1
    page.keyboard.press("Enter")
    expect(own).not_to_have_attribute("open", "")


def test_the_address_of_a_section_opens_it(untouched: Untouched, opened: Opened) -> None:
    file, three = untouched
    page = opened(file, at=f"cell-{three[2].name[-12:]}")
    expect(page.locator("#sections details[open] summary")).to_contain_text(three[2].name)


def test_a_section_tells_configuration_provenance_ledger_arithmetic_and_log(
    untouched: Untouched, fscost: Fscost, opened: Opened
) -> None:
    file, three = untouched
    run = three[0]
    page = opened(file)
    page.locator("#cells tbody a", has_text=run.name[-12:]).click()
    own = page.locator(section(page, run))
    outcome, cell = (json.loads((run / f"{name}.json").read_text()) for name in ("outcome", "cell"))
    own.locator("dl").wait_for()
    told = own.inner_text()
    provenance = outcome["provenance"]
    for fact in (cell["protocol"], provenance["device"], provenance["fs_commit"], f"runs/{run.name}"):
        assert fact in told
    assert "host" not in own.locator("dt").all_inner_texts()
    assert all(f"{name} {version}" in told for name, version in provenance["versions"].items())
    blocks = own.locator("pre").all_inner_texts()
    assert [f"line {number}" for number in range(10, 30)] in [block.splitlines() for block in blocks]
    assert any(re.search(r"(?m)^ +client_num: 3$", block) for block in blocks)
    explained = fscost("explain", str(run)).out
    (arithmetic,) = (block for block in blocks if block.startswith("What was sent"))
    assert arithmetic in explained
    rows = [row.split("\t") for row in own.locator("table tbody").inner_text().splitlines()]
    assert rows == ledger_of(run)


def ledger_of(run: Path) -> list[list[str]]:
    """What the ledger says of each type and link, by hand."""
    lines = [row for row in map(json.loads, (run / "ledger.jsonl").read_text().splitlines()) if "type" in row]
    traffic = {kind: name for name, kinds in recorded.TYPES.items() for kind in kinds}
    found = []
    for link, kind in dict.fromkeys((row["link"], row["type"]) for row in lines):
        own = [row for row in lines if (row["link"], row["type"]) == (link, kind)]
        counts = [len({row["round"] for row in own}), sum(row["messages"] for row in own)]
        each = [[row[f"{name}_bytes"] for row in own] for name in ("payload", "scalar", "reported", "wire")]
        sums = ["n/a" if None in sizes else f"{sum(sizes):,}" for sizes in each]
        found.append([traffic[kind], link, kind, *(f"{count:,}" for count in counts), *sums])
    return found


def test_cells_that_are_not_done_are_listed_with_reason_and_command(
    three: list[Path], fscost: Fscost, opened: Opened
) -> None:
    recorded.edit_outcome(three[0], status="failed", reason="worker 2: no memory left")
    (three[1] / "outcome.json").unlink()
    page = opened(report(Path(), "runs"))
    failures = page.locator("#failures li")
    assert failures.count() == 4
    for run, state, reason in (
        (three[0], "failed", "worker 2: no memory left"),
        (three[1], "interrupted", "interrupted"),
    ):
        own = failures.filter(has_text=run.name, has=page.locator("em"))
        assert own.locator("em").inner_text() == state
        assert reason in own.inner_text()
        assert failures.get_by_text(f"python -m fscost rerun runs/{run.name}", exact=True).count() == 1
        own.locator("a").click()
        told = page.locator(section(page, run))
        expect(told).to_have_attribute("open", "")
        assert f"rerun runs/{run.name}" in told.inner_text()
        assert "What was sent (payload)" not in told.inner_text()
    index = shown(page, "#cells")
    states = [row[index["heads"].index("state")] for row in index["rows"]]
    assert sorted(states) == ["done", "failed", "interrupted"]


def test_the_index_tells_main_numbers(untouched: Untouched, opened: Opened) -> None:
    file, three = untouched
    page = opened(file)
    told = shown(page, "#cells")
    for row in told["rows"]:
        (run,) = (run for run in three if run.name.endswith(row[0]))
        payload, seconds = (row[told["heads"].index(head)] for head in ("training payload (B)", "wall time (s)"))
        assert payload == f"{recorded.sent(run, 'training'):,}"
        assert seconds == f"{json.loads((run / 'outcome.json').read_text())['wall_s']:,.2f}"


def test_what_is_open_stays_so_when_something_else_is_counted(untouched: Untouched, opened: Opened) -> None:
    file, three = untouched
    page = opened(file)
    page.locator("#sections summary").first.click()
    page.get_by_label("Measure").select_option("wire")
    assert page.locator("#sections details[open]").count() == 1
