"""What a reader takes from the page: the table as it is filtered, on a phone too, and the figures that were chosen."""

from pathlib import Path

import pytest

import fscost.api
from fscost.errors import TableError
from tests.report.conftest import Opened
from tests.report.pages import plotted, report, soon
from tests.tables.tex import NEEDS_PDFLATEX, compiled

FOUND = "document.querySelector('#table .copy span').textContent"
DOCUMENT = r"\documentclass{article}\usepackage[a3paper]{geometry}\usepackage{booktabs}\begin{document}%s\end{document}"


def copied(file: Path, opened: Opened, format: str) -> str:
    """What is in the clipboard after the rows of one model were filtered and copied."""
    page = opened(file, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#table input[type=search]").fill("MLP-16")
    page.get_by_role("button", name=f"Copy as {format}").click()
    soon(page, lambda: page.evaluate(FOUND), "6 rows copied")
    return str(page.evaluate("navigator.clipboard.readText()"))


@NEEDS_PDFLATEX
def test_the_table_as_filtered_is_copied_for_a_paper(paper_report: Path, opened: Opened, here: Path) -> None:
    text = copied(paper_report, opened, "LaTeX")
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert body[0] == r"MLP-16 & 1,262 & 3 & FedAvg & 5.05 & 5.27 & 0.248 & 1.00 & \textbf{95.6 $\pm$ 1.7} \\"
    assert len(body) == 6
    done = compiled(DOCUMENT % text, here)
    assert done.pages == 1


def test_the_table_as_filtered_is_copied_for_a_readme(paper_report: Path, opened: Opened) -> None:
    lines = copied(paper_report, opened, "Markdown").splitlines()
    rows = [line for line in lines if line.startswith("| MLP-16 ")]
    assert rows[0] == "| MLP-16 | 1,262 | 3 | FedAvg | 5.05 | 5.27 | 0.248 | 1.00 | **95.6 ± 1.7** |"
    assert len(rows) == 6
    assert any("Bold: best of" in line for line in lines)


def test_a_phone_shows_every_number_without_scrolling_aside(paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report, viewport={"width": 390, "height": 800})
    ends = "[...document.querySelectorAll('#table tbody :is(td, th)')].map(e => e.getBoundingClientRect().right)"
    assert max(page.evaluate(ends)) <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    heads = page.locator("#table tbody tr").first.locator("td, th")
    assert heads.nth(4).get_attribute("data-head") == "Per client and round (kB): Uplink ↓"


def test_a_page_has_the_figures_that_were_chosen(paper: Path, opened: Opened, tmp_path: Path) -> None:
    runs = sorted(str(run) for run in (paper / "runs").glob("*-mlp_s-*-c3-*"))
    page = opened(report(paper, *runs, "--figures", "pareto,accuracy", name=str(tmp_path / "few.html")))
    shown = page.locator("[data-figure]").evaluate_all("all => all.map(one => one.dataset.figure)")
    assert shown == ["pareto", "accuracy"]
    (traces,) = plotted(page, "pareto").values()
    assert [trace["mode"] for trace in traces] == ["lines", "markers", "markers", "markers"]
    page.select_option(".over select", "rounds")
    title = "document.querySelector('[data-figure=accuracy] .plot').layout?.xaxis.title.text"
    plotted(page, "accuracy")
    soon(page, lambda: page.evaluate(title), "Rounds")


def test_a_figure_that_there_is_not_is_refused(paper: Path) -> None:
    with pytest.raises(TableError, match="--figures paretto: there is no such figure.*did you mean pareto"):
        fscost.api.report(paper / "runs", figures=["paretto"])
