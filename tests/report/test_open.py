"""A report of anything opens from disk without a network, shows every run, and complains of nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.collect.test_foreign import SAMPLED, output
from tests.conftest import Result
from tests.report.conftest import Opened
from tests.report.pages import recorded, report, shown, soon

Fscost = Callable[..., Result]
ESTIMATE = ("engine=estimate", "rounds=2")


def test_the_recorded_runs(paper_report: Path, opened: Opened) -> None:
    page = opened(paper_report)
    assert page.title() == page.locator("h1").inner_text() == "Communication cost of federated training"
    assert page.locator("#summary").inner_text() == "comm_cost: 54 cells, 54 done"
    assert page.locator("#failures").is_hidden()
    assert len(shown(page)["rows"]) == 3 * 3 * 2
    assert len(shown(page, "#cells")["rows"]) == page.locator("#sections details").count() == 54
    assert page.locator("#provenance").inner_text().startswith("fscost ")


def test_the_page_forbids_itself_to_run_or_load_anything_else(paper_report: Path, browser: Browser) -> None:
    with browser.new_context(offline=True) as context:
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.goto(paper_report.as_uri())
        page.evaluate("fetch('https://host.invalid/').catch(() => {})")
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.ran=1><form action=x>')"
        )
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran=1' }))")
        page.wait_for_selector("body > img", state="attached")
        for directive in ("connect-src", "img-src", "script-src"):
            soon(page, lambda directive=directive: any(directive in text for text in said), True)
        assert page.evaluate("window.ran") is None


def test_estimates(here: Path, fscost: Fscost, opened: Opened) -> None:
    fscost(*ESTIMATE, "method=fedavg,fedbn", "model=lr,mlp_m", "clients=3,10")
    page = opened(report(here))  # the last sweep
    assert page.locator("#summary").inner_text().endswith(": 8 cells, 8 done")
    assert len(shown(page)["rows"]) == 8
    accuracy = page.locator("[data-figure=accuracy]")
    assert "engine=estimate trains nothing" in accuracy.inner_text()
    assert accuracy.locator(".plot").count() == 0


def test_missing_and_failed_cells(here: Path, fscost: Fscost, opened: Opened) -> None:
    fscost(*ESTIMATE, "method=fedavg,fedbn", "clients=3")
    (failed,) = Path("runs").glob("fedbn-*")
    recorded.edit_outcome(failed, status="failed", reason="worker 2: no memory")
    page = opened(report(here, *ESTIMATE, "method=fedavg,fedbn", "clients=3,10"))
    assert page.locator("#summary").inner_text().endswith(": 4 cells, 1 done, 1 failed, 2 missing")
    assert sorted(shown(page)["marks"])[0] == "failed"
    failed, missing, *to_do = page.locator("#failures li").all_inner_texts()
    assert failed.startswith("failed") and "no memory" in failed
    assert missing == "2 missing: not computed yet"
    assert len(to_do) == 3 and all(line.startswith("to do: python -m fscost") for line in to_do)


def test_output_that_fscost_did_not_launch(here: Path, opened: Opened) -> None:
    output(here / "exp" / "FedAvg_lr_on_toy", **SAMPLED)
    output(here / "exp" / "crashed", config="fs_config.yaml")
    page = opened(report(here, "exp"))
    assert page.locator("#summary").inner_text() == "comm_cost: 2 cells, 1 done, 1 failed"
    assert "implausible: upload is 0 for every worker" in page.locator("#provenance").inner_text()
    assert "no system_metrics.log" in page.locator("#failures").inner_text()


@pytest.mark.parametrize("layout", ["comm_cost", "audit", "matrix", "traffic"])
def test_one_cell_and_few_in_each_layout(layout: str, paper: Path, tmp_path: Path, opened: Opened) -> None:
    few = recorded.runs_of(paper / "runs", "fed*", "mlp_s", 3)[:: 9 if layout == "comm_cost" else 3]
    words = [str(run.relative_to(paper)) for run in few]
    page = opened(report(paper, *words, f"table={layout}", name=str(tmp_path / "report.html")))
    assert len(few) == (1 if layout == "comm_cost" else 3)
    assert page.locator("#summary").inner_text() == f"{layout}: {len(few)} cell{'s' * (len(few) > 1)}, {len(few)} done"
    assert shown(page)["refused"] is None
    assert shown(page)["rows"]
    assert len(shown(page, "#cells")["rows"]) == len(few)


def test_published_figures(here: Path, fscost: Fscost, opened: Opened) -> None:
    words = ("sweeps=published", "engine=estimate", "table=published")
    fscost(*words)
    page = opened(report(here, *words))
    assert shown(page)["refused"] is None
    assert shown(page)["rows"]
