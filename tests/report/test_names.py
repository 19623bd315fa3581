"""Whatever runs are called and whatever they printed is shown as it is, and nothing of it is ever run."""

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from fscost.api.results import Results
from fscost.api.selection import select
from fscost.cells.cell import Cell
from fscost.report import content, page
from fscost.store.rundir import RunDir
from fscost.tables.formats.format import clean
from tests.report.conftest import Opened
from tests.report.pages import labels, open_sections, plotted, recorded, report, shown

HOSTILE = (
    "<script>window.ran=1</script>",
    '"><img src=x onerror=window.ran=1>',
    "'\"&amp;&",
    "</script></style></title><svg onload=window.ran=1>",
    "<!--<script>${1}{{ 7*7 }}{% raw %}`%{x}",
    '<b>x</b><br><a href="javascript:window.ran=1">y</a>',
    "测试 \u202egnol\u202c \u2066אבג\u2069 \u200bz\u00ad",
    "🚀 \x1b[31mred\x07\t\x85\u2028|",
    "n" * 200,
)


def seen(text: str) -> str:
    """A text in one line, as the page shows it."""
    return " ".join(clean(text).split())


def named_in(text: str) -> str:
    """The name in a label of a figure; a model nobody knows is told apart by its hidden size behind it."""
    return seen(text).lower().partition(", model.hidden=")[0].removesuffix(" ↑").removesuffix(" ↓")


def spoilt(like: Path, folder: Path, text: str, number: int) -> Path:
    """A copy of a run in which every name is this text."""
    run = RunDir(Path(shutil.copytree(like, folder / f"{number} {text.replace('/', '⁄')}"[:60].strip())))
    cell = RunDir(like).read_cell()
    fs: dict[str, Any] = json.loads(json.dumps(cell.fs))
    fs["federate"]["method"] = fs["model"]["type"] = fs["data"]["type"] = text
    fs |= {"expname": text, "outdir": {text: text}}
    run.write_cell(Cell(engine=cell.engine, protocol=cell.protocol, fs=fs))
    run.engine_log.write_text(f"{text}\n", newline="")
    recorded.edit_outcome(run.path, host=text, device=text, versions={text: text}, warnings=[text])
    return run.path


@pytest.fixture(scope="module")
def named(paper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a done and a failed run for each name."""
    folder = tmp_path_factory.mktemp("named")
    (folder / "runs").mkdir()
    done, lost = recorded.runs_of(paper / "runs", "fedavg", "mlp_[sm]", 3)[::3]
    for number, text in enumerate(HOSTILE):
        spoilt(done, folder / "runs", text, 2 * number)
        failed = spoilt(lost, folder / "runs", text, 2 * number + 1)
        recorded.edit_outcome(failed, status="failed", reason=text)
    return folder


@pytest.fixture(scope="module")
def named_report(named: Path) -> Path:
    told = "table.provenance=full"  # hosts too
    return report(named, "runs", f"table.title='{HOSTILE[5]}'", "table.rows=[model,data,method]", told)


def texts(page: Page, of: str) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(of).all_inner_texts()]


def test_names_are_shown_in_tables_and_lists(named_report: Path, opened: Opened) -> None:
    page = opened(named_report)
    tables = [[seen(cell).lower() for row in shown(page, of)["rows"] for cell in row] for of in ("#table", "#cells")]
    for text in map(seen, HOSTILE):
        for cells in tables:  # model, data, and method, which is in small letters
            assert sum(text.lower() in cell for cell in cells) == 6
        assert any(f": {text}" in line for line in texts(page, "#failures li"))
    assert page.locator("h1").inner_text() == page.title() == HOSTILE[5]
    unhurt(page)


def test_names_are_shown_in_figures(named_report: Path, opened: Opened) -> None:
    page = opened(named_report)
    while page.locator("#figures .more").count():
        page.locator("#figures .more").first.click()
    wanted = {seen(text).lower() for text in HOSTILE}
    for figure in ("accuracy", "traffic", "audit"):
        assert {named_in(name) for name in labels(page, "accuracy")} == wanted
        plotted(page, figure)
        assert not page.evaluate(
            "[...document.querySelectorAll('.plot *')].filter(e => /^(a|b|img|br)$/i.test(e.localName)).length"
        )
    rows = page.locator("[data-figure=traffic] .ytick text, [data-figure=audit] .ytick text")
    assert {named_in(text) for text in rows.all_text_contents()} == wanted
    for number in range(len(HOSTILE)):
        told = hovered(page, number)
        assert any(seen(told).lower().startswith(name) for name in wanted), told
        assert "after round 1: " in told
    unhurt(page)


def hovered(page: Page, number: int) -> str:
    place = page.locator("[data-figure=accuracy] .plot").nth(number)
    place.scroll_into_view_if_needed()
    box = place.locator(".points path").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 1, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    place.locator(".hoverlayer .hovertext text.nums").first.wait_for()
    return place.locator(".hoverlayer .hovertext text.nums").first.text_content() or ""


def test_names_are_shown_in_sections(named: Path, named_report: Path, opened: Opened) -> None:
    page = opened(named_report)
    open_sections(page)
    for text in map(seen, HOSTILE):
        for status, count in (("done", 3), ("failed", 4)):  # log, versions, warning, reason
            own = [one for one in texts(page, f"#sections details:has(.{status})") if one.count(text) >= count]
            assert own, (status, text)
    for run in (named / "runs").iterdir():
        assert any(seen(f"run directory runs/{run.name}") in one for one in texts(page, "#sections dl"))
    assert page.locator("#sections :is(img, svg, script, a, b, br)").count() == 0
    unhurt(page)


def unhurt(page: Page) -> None:
    page.wait_for_timeout(50)
    assert page.evaluate("window.ran") is None
    # in one look: scripts come in while the page loads
    assert page.locator("script:not([type]):not([src^='blob:null/'])").count() == 0
    assert page.locator("[onerror], [onload], [onclick], a[href^='javascript:']").count() == 0


@pytest.mark.pipeline
def test_what_has_no_shape_is_shown(named: Path) -> None:
    """No character of a name turns, hides or breaks other text, wherever the page puts it."""
    with chdir(named):
        subject = Results(select(["runs"])).subject()
    text = page(subject, told := content(subject)) + json.dumps(told, ensure_ascii=False)
    assert not {c for c in text if not c.isprintable()} - {"\n"}
