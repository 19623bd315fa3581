"""Reports as a reader has them: opened from disk in the system's Chromium, with the network off."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, expect, sync_playwright

from tests.report.pages import recorded, report
from tests.waiting import PAGE_S

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Opened = Callable[..., Page]

expect.set_options(timeout=1000 * PAGE_S)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; only for this package, as its event loop stays in the thread as long as it is there."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="package")
def usual(browser: Browser) -> Page:
    """The window without settings of its own, for one test after the other: a new one costs more than a page in it."""
    return window(browser)


def window(browser: Browser, **settings: object) -> Page:
    context = browser.new_context(offline=True, **settings)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * PAGE_S)
    return context.new_page()


class Complaints:
    """What the page of a file complains of or asks the network for, as long as its window is listened to."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self.found = page, list[str]()
        self._own = file.absolute().as_uri()
        self._listeners = {"console": self._said, "pageerror": self._threw, "request": self._asked}
        for event, listener in self._listeners.items():
            page.on(event, listener)  # type: ignore[call-overload]

    def end(self) -> None:
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console: {message.text}")

    def _threw(self, error: Error) -> None:
        self.found.append(f"page error: {error}")

    def _asked(self, request: Request) -> None:
        if request.url.partition("#")[0] != self._own and not request.url.startswith(("data:", "blob:null/")):
            self.found.append(f"request: {request.url}")


@pytest.fixture
def opened(browser: Browser, usual: Page) -> Iterator[Opened]:
    """Open a page and wait until it is ready; whatever it complains of or asks the network for fails the test."""
    heard: list[Complaints] = []

    def run(file: Path, at: str = "", **settings: object) -> Page:
        page = window(browser, **settings) if settings or heard else usual
        heard.append(Complaints(page, file))
        page.goto(f"{file.absolute().as_uri()}#{at}" if at else file.absolute().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield run
    for one in heard:
        one.end()
        left(one.page, is_kept=one.page is usual)
    assert [complaint for one in heard for complaint in one.found] == []


def left(page: Page, is_kept: bool) -> None:
    """Close a window, or make it as good as new."""
    if is_kept:
        page.mouse.move(0, 0)
        page.goto("about:blank")
    else:
        page.context.close()


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recorded store, runs/: 3 methods x 3 models x 2 clients x 3 seeds of 8 rounds."""
    folder = tmp_path_factory.mktemp("paper")
    recorded.unpacked(folder)
    return folder


@pytest.fixture(scope="session")
def paper_report(paper: Path) -> Path:
    """The report of all recorded runs."""
    return report(paper, "runs")
