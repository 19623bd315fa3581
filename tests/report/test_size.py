"""A report of hundreds of cells: how large it is, and that nothing is made before it is looked at."""

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page

from fscost.cells.cell import Cell
from fscost.store.rundir import RunDir
from tests.report.conftest import Opened
from tests.report.pages import drawn, recorded, report, shown

BYTES_OF_THE_PAGE, MOST_BYTES_EACH = 3_000_000, 10_000


def seeded(like: Path, folder: Path, seed: int, rate: str) -> None:
    """A copy of a run as one of another seed and another learning rate."""
    cell = RunDir(like).read_cell()
    fs = json.loads(json.dumps(cell.fs)) | {"seed": seed}
    fs["train"]["optimizer"] = {"lr": float(rate)}
    other = Cell(engine=cell.engine, protocol=cell.protocol, fs=fs)
    run = RunDir(Path(shutil.copytree(like, folder / other.name)))
    run.write_cell(other)
    recorded.edit_outcome(run.path, seed=seed)


def runs_of_rates(paper: Path, folder: Path, rates: int) -> int:
    """Make runs of 8 evaluated rounds; 108 for a rate: 3 methods, 3 models, 2 numbers of clients, 6 seeds."""
    (folder / "runs").mkdir()
    for like in sorted((paper / "runs").glob("*-s[01]-*")):
        base = int(like.name.split("-s")[-1].split("-")[0])
        for rate in range(rates):
            for more in range(3):
                seeded(like, folder / "runs", base + 2 * more, f"0.{rate + 1}")
    return len([*(folder / "runs").iterdir()])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rates", "words", "table"),
    [(5, (), "#cells"), (2, ("table.rows=[method,model,data,clients,rounds,seed]",), "#table")],
    ids=["seeds", "cells"],
)
def test_a_report_of_hundreds_of_trained_runs_is_small_and_idle(
    rates: int, words: tuple[str, ...], table: str, paper: Path, tmp_path: Path, opened: Opened
) -> None:
    cells = runs_of_rates(paper, tmp_path, rates)
    assert cells == 108 * rates
    file = report(tmp_path, "runs", *words)
    page = opened(file)
    assert file.stat().st_size < BYTES_OF_THE_PAGE + MOST_BYTES_EACH * cells
    assert page.locator("#sections details").count() == cells
    assert str(cells) in page.locator(f"{table} .dt-info").inner_text()
    idle(page)
    drawn_first(page)


def drawn_first(page: Page) -> None:
    place = page.locator("[data-figure=accuracy] .plot").first
    place.scroll_into_view_if_needed()
    page.wait_for_selector("[data-figure=accuracy] .plot[data-drawn]")


@pytest.mark.slow
def test_a_report_of_100_estimates_is_small_and_idle(here: Path, fscost, opened: Opened) -> None:
    words = ("engine=estimate", "method=fedavg,fedprox,fedbn,fedper,ditto", "model=lr,mlp_s,mlp_m,mlp_l,convnet2",
             "clients=3,5,10,20", "rounds=10")  # fmt: skip
    fscost(*words)
    file = report(here)
    page = opened(file)
    assert page.locator("#sections details").count() == 100
    assert file.stat().st_size < BYTES_OF_THE_PAGE + MOST_BYTES_EACH * 100
    idle(page)


def idle(page: Page) -> None:
    """What is not looked at costs nothing yet."""
    assert page.locator(".plot").count() > 0
    assert page.locator("#sections details > div > *").count() == 0
    assert page.locator(".plot .main-svg").count() == 0


def test_nothing_is_made_before_it_is_looked_at(paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report, viewport={"width": 1280, "height": 300})
    idle(page)
    page.locator("#sections summary").first.click()
    page.locator("#sections details > div > *").first.wait_for()
    assert page.locator("#sections details > div:not(:empty)").count() == 1
    drawn(page, "accuracy")
    assert page.locator("[data-figure=accuracy] .plot .main-svg").count() > 0
    assert len(shown(page, "#cells")["rows"]) == 54
