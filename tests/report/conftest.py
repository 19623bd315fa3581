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


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Open a page and wait until it is ready; whatever it complains of or asks the network for fails the test."""
    contexts, complaints = [], []

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"console: {message.text}")

    def threw(error: Error) -> None:
        complaints.append(f"page error: {error}")

    def run(file: Path, at: str = "", **settings: object) -> Page:
        def asked(request: Request) -> None:
            if request.url.partition("#")[0] != file.absolute().as_uri() and not request.url.startswith(
                ("data:", "blob:null/")
            ):
                complaints.append(f"request: {request.url}")

        context = browser.new_context(offline=True, **settings)  # type: ignore[arg-type]
        context.set_default_timeout(1000 * PAGE_S)
        contexts.append(context)
        page = context.new_page()
        page.on("console", said)
        page.on("pageerror", threw)
        page.on("request", asked)
        page.goto(f"{file.absolute().as_uri()}#{at}" if at else file.absolute().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield run
    for context in contexts:
        context.close()
    assert complaints == []


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
