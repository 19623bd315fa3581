"""The page that is served: it follows the sweep, and leaves its reader where they are."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from fscost.cells.outcome import Outcome, Status
from fscost.store.store import Store
from tests.commands.test_status import finish
from tests.conftest import Result, cells_of
from tests.served import Server, serving
from tests.waiting import PAGE_S

Fscost = Callable[..., Result]

GRID = ("engine=estimate", "model=lr,mlp_s", "rounds=2", "clients=2,3")
LONG_MS = 1000 * PAGE_S


@pytest.fixture
def server(here: Path, fscost: Fscost) -> Iterator[Server]:
    assert fscost(*GRID[:-1], "clients=2").code == 0
    with serving(*GRID, cwd=here) as started:
        yield started


@pytest.fixture(autouse=True)
def closed(browser: Browser) -> Iterator[None]:
    """No window of a test is left: its page asks for newer results as long as it is open."""
    before = browser.contexts
    yield
    for context in browser.contexts:
        if context not in before:
            context.close()


def opened(browser: Browser, server: Server, **settings: Any) -> tuple[Page, list[str]]:
    """The page in a window of its own, and what it complains of."""
    context = browser.new_context(**settings)
    context.set_default_timeout(LONG_MS)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(server.url)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector("#progress .square")
    return page, complaints


def states(page: Page) -> list[str]:
    return [text.split(", ")[1] for text in page.locator(".square").evaluate_all("all => all.map(one => one.title)")]


def until(page: Page, script: str) -> None:
    """Wait until a script says yes; the page's policy does not let Playwright wait in it."""
    deadline = time.monotonic() + PAGE_S
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(100)


def test_what_ends_appears_and_the_reader_is_left_where_they_are(
    browser: Browser, server: Server, fscost: Fscost, here: Path
) -> None:
    page, complaints = opened(browser, server)
    assert states(page) == ["done", "missing", "done", "missing"]
    page.select_option("select[name=measure]", "wire")
    page.locator("[data-figure=traffic] .legend button", has_text="control").click()
    page.locator("#table thead th", has_text="Clients").locator(".dt-column-order").click()
    page.fill("#table input[type=search]", "MLP")
    page.locator("#sections summary").first.click()
    table = page.locator("#table .holder")
    page.fill("#cells input[type=search]", "mlp_s")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#cells .holder tbody tr")).to_have_count(2)
    assert "missing" in table.inner_text()
    y = page.evaluate("document.activeElement.getBoundingClientRect().top")
    page.evaluate("window.isSame = true")
    first = page.evaluate("document.body.dataset.content")

    assert fscost(*GRID).code == 0
    until(page, "document.querySelector('#summary').textContent.includes('4 done')")

    assert states(page) == ["done"] * 4
    assert page.evaluate("document.body.dataset.content") != first
    assert page.evaluate("window.isSame")
    assert "missing" not in table.inner_text()
    assert page.locator("#progress .totals").inner_text() == "4 cells, 4 done"
    assert page.locator("#failures").is_hidden()
    told = "(({ value, selectionStart }) => [value, selectionStart])(document.activeElement)"
    assert page.evaluate(told) == ["mlp_s", 4]
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") == pytest.approx(y, abs=2)
    expect(page.locator("#cells .holder tbody tr")).to_have_count(2)
    assert page.input_value("#table input[type=search]") == "MLP"
    expect(page.locator("#table tbody tr")).to_have_count(2)
    assert page.locator("#table thead th[aria-sort=ascending]").inner_text().startswith("Clients")
    assert page.input_value("select[name=measure]") == "wire"
    assert page.locator("#sections details[open] h4").count() >= 3
    off = page.locator("[data-figure=traffic] .legend button[aria-pressed=false]")
    assert off.all_text_contents() == ["■control"]
    assert complaints == []


def test_newer_results_wait_as_long_as_text_is_selected(
    browser: Browser, server: Server, fscost: Fscost, here: Path
) -> None:
    page, complaints = opened(browser, server)
    page.locator("#provenance").select_text()
    assert fscost(*GRID).code == 0
    expect(page.locator("#controls .warning")).to_contain_text("once no text is selected", timeout=LONG_MS)
    assert "2 missing" in page.inner_text("#summary")
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("#summary")).to_contain_text("4 done", timeout=LONG_MS)
    expect(page.locator("#controls .warning")).to_have_text("")
    assert complaints == []


def test_a_server_that_is_gone_is_told_and_found_again(
    browser: Browser, server: Server, fscost: Fscost, here: Path
) -> None:
    page, _ = opened(browser, server)
    page.evaluate("window.isSame = true")
    assert server.interrupt()[0] == 0
    trouble = page.locator("#controls .warning")
    expect(trouble).to_contain_text("Connection lost", timeout=LONG_MS)
    assert states(page) == ["done", "missing", "done", "missing"]
    assert fscost(*GRID).code == 0
    with serving(*GRID, cwd=here, port=str(server.port)):
        expect(trouble).to_have_text("", timeout=LONG_MS)
        expect(page.locator("#summary")).to_contain_text("4 done", timeout=LONG_MS)
        assert page.evaluate("window.isSame")
    with serving(*GRID[:-1], "clients=2", cwd=here, port=str(server.port)):  # is about other cells
        expect(page.locator("#summary")).to_contain_text("2 cells, 2 done", timeout=LONG_MS)
        assert not page.evaluate("window.isSame")


def test_names_are_text_and_states_have_marks(browser: Browser, here: Path) -> None:
    cells = cells_of("engine=estimate", "model=lr,mlp_s", "rounds=3", "clients=2,3")
    runs = here / "<img src=x onerror=alert(1)> \"&amp;' 🦉"
    finish(cells[0], Outcome(status=Status.FAILED, reason="<script>alert(2)<!--"), runs)
    finish(cells[1], Outcome(status=Status.TIMEOUT, reason="too long"), runs)
    (runs / finish(cells[2], Outcome(status=Status.DONE), runs).path.name / "cell.json").write_text("{")
    with Store(runs).claim(cells[3]) as claim, serving(".", cwd=here) as server:
        claim.begin(cells[3]).progress.write_text('{"round": 3}')
        page, complaints = opened(browser, server, color_scheme="dark", viewport={"width": 390, "height": 844})
        until(page, "document.querySelectorAll('.square').length === 4")
        marks = dict(zip(states(page), page.locator(".square").all_inner_texts(), strict=True))
        assert marks == {"failed": "✗", "timeout": "!", "running": "▸", "corrupt": "?"}
        assert f"{cells[0].name}, failed, <script>alert(2)<!--" in page.locator(".square.failed").get_attribute("title")
        assert runs.name in page.locator(".square.corrupt").get_attribute("aria-label")
        assert ", running, round 3 of 3, about " in page.locator(".square.running").get_attribute("aria-label")
        expect(page.locator("#progress .running th")).to_have_text(cells[3].name)
        assert page.locator("#progress img, #progress script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.emulate_media(media="print")
        assert page.locator("#progress").is_hidden()
        assert complaints == []


def test_a_page_from_disk_asks_nobody(browser: Browser, here: Path, fscost: Fscost) -> None:
    assert fscost("report", *GRID, "--out", "page.html").code == 0
    page = browser.new_context(offline=True).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    page.goto((here / "page.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_timeout(1500)
    assert {*asked} <= {"file", "data", "blob"}
    assert page.locator("#progress").is_hidden()
