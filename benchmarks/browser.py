"""``python browser.py FILE SELECTOR``: print the seconds until Chromium has loaded a page in which SELECTOR stands."""

import shutil
import sys
import time
from pathlib import Path


def chromium() -> str | None:
    """Return the system's Chromium, None if there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def opened_s(file: Path, selector: str) -> float:
    """Return how long a page takes to be there, without the start of the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(0)
        begin_s = time.monotonic()
        page.goto(file.absolute().as_uri())
        page.wait_for_selector(selector, state="attached")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        took_s = time.monotonic() - begin_s
        browser.close()
    return took_s


if __name__ == "__main__":
    print(opened_s(Path(sys.argv[1]), sys.argv[2]))
