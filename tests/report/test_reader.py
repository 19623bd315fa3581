"""The page for every reader: on a phone, in the dark, on paper, and without a mouse."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.report.conftest import Opened
from tests.report.pages import chosen, column, drawn, open_sections, recorded, report, shown

FIT = """() => [...document.querySelectorAll('.plot .main-svg')]
  .every(svg => svg.getBoundingClientRect().width <= svg.closest('.panel').clientWidth + 1)"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture(scope="module")
def few(paper: Path) -> Path:
    """The report of six settings, one of which failed."""
    folder = paper / "few"
    (folder / "runs").mkdir(parents=True)
    for run in recorded.runs_of(paper / "runs", "fed*", "mlp_[sm]", 3)[::3]:
        shutil.copytree(run, folder / "runs" / run.name)
    recorded.edit_outcome(next((folder / "runs").glob("fedprox-mlp_m*")), status="failed", reason="worker 2: no memory")
    return report(folder, "runs")


def opened_wide(page: Page) -> None:
    """Draw all figures and open all sections."""
    for figure in ("accuracy", "size", "traffic", "audit"):
        drawn(page, figure)
    open_sections(page)


def test_on_a_phone_only_boxes_scroll_sideways(few: Path, opened: Opened) -> None:
    page = opened(few, **PHONE)
    opened_wide(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = """table => {
      const found = [];
      for (let e = table.parentElement; e; e = e.parentElement) if (e.scrollWidth > e.clientWidth) found.push(e);
      return found.map(e => [e.tagName, e.clientWidth, e.scrollWidth, getComputedStyle(e).overflowX]);
    }"""
    assert page.locator("#table table").first.evaluate(boxes) == []  # its rows are cards
    ((tag, width, inside, overflow),) = page.locator("#cells table").first.evaluate(boxes)
    assert (tag, overflow) == ("DIV", "auto")
    assert width <= 390 < inside
    sideways = page.locator("body *").evaluate_all(
        """all => all.filter(e => !e.closest("table, pre, svg, .plot"))
          .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert sideways == []


def test_on_a_phone_it_answers_to_fingers(few: Path, opened: Opened) -> None:
    page = opened(few, **PHONE)
    page.locator("#table thead .dt-column-header", has_text="Model").first.tap()
    expect(page.locator("#table th.dt-ordering-asc")).to_have_count(1)
    drawn(page, "accuracy")
    button = page.locator("[data-figure=accuracy] .legend button").first
    button.tap()
    expect(button).to_have_attribute("aria-pressed", "false")
    for control in page.locator("#controls select, .legend button, #sections summary").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 24  # what WCAG 2.2 asks of a target


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
  const behind = (e) => {
    const own = e ? rgb(getComputedStyle(e).backgroundColor) : [255, 255, 255, 255];
    return own[3] === 255 ? own : behind(e.parentElement);
  };
  const isText = (e) => [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const isSeen = (e) => e.getBoundingClientRect().width && !e.closest("script, option, .modebar, [aria-hidden=true]");
  return [...document.querySelectorAll("body *")].filter((e) => isText(e) && isSeen(e)).map((e) => {
    const style = getComputedStyle(e);
    const [text, paper] = [light(rgb(e instanceof SVGElement ? style.fill : style.color)), light(behind(e))];
    return [Math.max(text, paper) / Math.min(text, paper), e.textContent.slice(0, 40)];
  });
}"""
"""The contrast of each text that is seen to what is behind it, as WCAG computes it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(scheme: str, few: Path, opened: Opened) -> None:
    page = opened(few, color_scheme=scheme)
    opened_wide(page)
    page.locator("#table tbody tr").first.hover()
    found = page.evaluate(CONTRAST)
    assert len(found) > 300
    assert [one for one in found if one[0] < 4.5] == [], "contrast"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper))) < 60) is (scheme == "dark")
    assert page.locator("[data-figure=accuracy] .xtick text").first.evaluate(
        "tick => getComputedStyle(tick).fill"
    ) == page.evaluate("getComputedStyle(document.body).color")


def test_the_scheme_is_followed_while_the_page_is_open(few: Path, opened: Opened) -> None:
    page = opened(few, color_scheme="light")
    drawn(page, "accuracy")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html.dark")
    ink = page.evaluate("getComputedStyle(document.body).color")
    expect(page.locator("[data-figure=accuracy] .xtick text").first).to_have_css("fill", ink)


def test_everything_is_reached_and_operated_by_keyboard(few: Path, opened: Opened) -> None:
    page = opened(few)
    drawn(page, "accuracy")
    page.evaluate("document.activeElement.blur()")
    reached, unseen = [], []
    for _ in range(300):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => { const e = document.activeElement; if (e === document.body) return null;
              e.dataset.reached = ""; const s = getComputedStyle(e);
              const visible = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1;
              return [e.outerHTML.slice(0, 100), visible || s.boxShadow !== "none"]; }"""
        )
        if told is None:
            break
        reached.append(told[0])
        unseen += [] if told[1] else [told[0]]
    assert unseen == []
    wanted = "a[href], button, select, input, summary, [role=button], pre[tabindex]"
    missed = page.locator(f":is({wanted}):visible:not([data-reached])")
    assert (
        missed.evaluate_all("all => all.filter(e => !e.closest('.modebar')).map(e => e.outerHTML.slice(0, 100))") == []
    )
    assert len(reached) > 30


def test_controls_work_by_keyboard(few: Path, opened: Opened) -> None:
    page = opened(few)
    summary = page.locator("#sections summary").first
    summary.press("Space")
    expect(page.locator("#sections details").first).to_have_attribute("open", "")
    filter = page.locator("#table .dtcc-button_dropdown").first
    filter.press("Enter")
    dropdown = page.locator(".dtcc-dropdown")
    expect(dropdown).to_be_visible()
    first = dropdown.locator(".dtcc-list-buttons button").first
    name = first.inner_text().strip()
    first.press("Enter")
    page.keyboard.press("Escape")
    expect(dropdown).to_have_count(0)
    assert set(column(page, shown(page)["heads"][0])) == {name}


def test_on_paper_are_rows_and_figures_and_no_controls(few: Path, opened: Opened, tmp_path: Path) -> None:
    page = opened(few, color_scheme="dark")
    chosen(page, measure="wire")
    drawn(page, "accuracy")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_selector("[data-figure=audit] .panel:last-child .plot[data-drawn]", state="attached")
    for gone in ("nav", "#controls select", ".dt-search", ".dt-column-order", ".dtcc", ".copy", ".over"):
        assert page.locator(f"{gone}:visible").count() == 0, gone
    figures = page.locator(".plot").evaluate_all("all => all.map(one => one.closest('[data-figure]').dataset.figure)")
    panels = {"accuracy": 2, "pareto": 1, "size": 1, "traffic": 2, "audit": 2}
    assert Counter(figures) == panels
    assert page.locator(".plot[data-drawn]").count() == sum(panels.values())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(FIT)
    file = tmp_path / "page.pdf"
    page.pdf(path=file)
    text = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout
    for row in shown(page)["rows"]:
        assert re.search(r"\s+".join(map(re.escape, row[-3:])), text), row
    assert re.search(r"Measure +wire", text)
    assert "Cumulative" in text
    assert "no memory" in text
