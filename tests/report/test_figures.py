"""What is plotted are the sums of the ledgers, whatever is counted; hovering tells bytes to the last one."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Result, needs_train
from tests.report.conftest import Opened
from tests.report.pages import chosen, drawn, labels, plotted, recorded, report, shown, soon

METHODS = {"FedAvg": "fedavg", "FedPer": "fedper", "FedProx": "fedprox"}
MODELS = {"MLP-16": "mlp_s", "MLP-64": "mlp_m", "ConvNet-2": "convnet2"}
FIGURES = ("accuracy", "size", "traffic", "audit")
TYPES = recorded.TYPES


@pytest.fixture(scope="module")
def six(paper: Path) -> Path:
    """The report of six settings of three clients and three seeds each."""
    runs = recorded.runs_of(paper / "runs", "fed*", "mlp_[sm]", 3)
    return report(paper, *map(str, runs), name="six.html")


@pytest.fixture
def runs(paper: Path) -> Callable[[str, str], list[Path]]:
    return lambda method, model: recorded.runs_of(paper / "runs", METHODS[method], MODELS[model], 3)


Runs = Callable[[str, str], list[Path]]


def bytes_in(texts: list[str]) -> list[float]:
    return [float(re.findall(r"<br>(?:\w+: )?([\d,.]+) B$", text)[0].replace(",", "")) for text in texts]


def test_accuracy_over_cumulative_bytes(six: Path, runs: Runs, opened: Opened) -> None:
    page = opened(six)
    for traffic, measure in (("training", "payload"), ("training", "wire"), ("evaluation", "wire")):
        chosen(page, measure=measure, traffic=traffic)
        names, panels = labels(page, "accuracy"), plotted(page, "accuracy")
        assert (names, [*panels]) == ([*METHODS], ["MLP-16", "MLP-64"])
        for model, traces in panels.items():
            for name in names:
                low, high, line = (trace for trace in traces if trace["entry"] == names.index(name))
                own = runs(name, model)
                until = range(1, recorded.ROUNDS + 1)
                sums = [
                    fmean(recorded.sent(run, traffic, until=n, count=f"{measure}_bytes") for run in own) for n in until
                ]
                told = [*zip(*map(recorded.evaluated, own), strict=True)]
                assert bytes_in(line["text"]) == pytest.approx(sums, abs=0.051)
                assert [x / line["x"][-1] for x in line["x"]] == pytest.approx([size / sums[-1] for size in sums])
                assert line["y"] == pytest.approx([100 * fmean(some) for some in told])
                assert low["y"] == pytest.approx([100 * (fmean(some) - stdev(some)) for some in told])
                assert high["y"] == pytest.approx([100 * (fmean(some) + stdev(some)) for some in told])


def test_axes_are_in_the_unit_that_they_name(six: Path, opened: Opened) -> None:
    page = opened(six)
    for figure, unit, size in (
        ("accuracy", "MB", 1e6),
        ("size", "MB", 1e6),
        ("traffic", "MB", 1e6),
        ("audit", "kB", 1e3),
    ):
        (first, *_) = plotted(page, figure).values()
        assert re.search(rf"\b{unit}\b", titles(page, figure))
        trace = [one for one in first if one["text"]][-1]
        along = trace["y"] if figure == "size" else trace["x"]
        assert bytes_in(trace["text"]) == pytest.approx([size * value for value in along], abs=0.051)


def titles(page: Page, figure: str) -> str:
    axes = "plot => plot.layout.xaxis.title.text + ' ' + plot.layout.yaxis.title.text"
    return str(page.locator(f"[data-figure={figure}] .plot").first.evaluate(axes))


def test_bytes_over_parameters(six: Path, runs: Runs, opened: Opened) -> None:
    page, models = opened(six), ("MLP-16", "MLP-64")
    for traffic, measure in (("training", "payload"), ("all", "scalar")):
        chosen(page, measure=measure, traffic=traffic)
        (traces,) = plotted(page, "size").values()
        wanted = [*TYPES] if traffic == "all" else [traffic]
        for name, trace in zip(METHODS, traces, strict=True):
            sums = [fmean(total(run, *wanted, count=measure) for run in runs(name, model)) for model in models]
            assert bytes_in(trace["text"]) == pytest.approx(sums, abs=0.051)


def total(run: Path, *traffics: str, count: str) -> int:
    return recorded.sent(run, *traffics, until=recorded.ROUNDS + 2, count=f"{count}_bytes")


def workers_of(run: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (run / "ledger.jsonl").read_text().splitlines())
    return [row for row in rows if "worker" in row]


def test_bars_of_traffic_classes(six: Path, runs: Runs, opened: Opened) -> None:
    page = opened(six)
    chosen(page, measure="scalar")
    assert labels(page, "traffic") == [*TYPES]
    for model, traces in plotted(page, "traffic").items():
        for traffic, bars in zip(TYPES, traces, strict=True):
            sums = [fmean(total(run, traffic, count="scalar") for run in runs(name, model)) for name in METHODS]
            assert bars["y"] == [*METHODS]
            assert bytes_in(bars["text"]) == pytest.approx(sums, abs=0.051)


def test_what_is_logged_beside_what_travels(six: Path, runs: Runs, opened: Opened) -> None:
    page = opened(six)
    for model, traces in plotted(page, "audit").items():
        (dots,) = (trace for trace in traces if trace["entry"] == 1)
        for name in METHODS:
            workers = [row for run in runs(name, model) for row in workers_of(run)]
            for arrow, way in (("↑", "sent"), ("↓", "received")):
                text = dots["text"][dots["y"].index(f"{name} {arrow}")]
                assert bytes_in([text]) == pytest.approx(
                    [fmean(row[way]["payload_bytes"] for row in workers)], abs=0.051
                )


def hovered(page: Page, figure: str, panel: int = 0) -> str:
    """What is told at the first point of a panel."""
    drawn(page, figure)
    place = page.locator(f"[data-figure={figure}] .plot").nth(panel)
    place.scroll_into_view_if_needed()
    box = place.locator(".bars .point path, .points path").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 1, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    label = place.locator(".hoverlayer .hovertext text.nums").first
    label.wait_for()
    return str(label.evaluate("text => [...text.querySelectorAll('tspan')].map(line => line.textContent).join('|')"))


def test_hovering_tells_bytes_to_the_last_one(six: Path, runs: Runs, opened: Opened) -> None:
    page = opened(six)
    sizes = {
        traffic: fmean(total(run, traffic, count="payload") for run in runs("FedAvg", "MLP-16")) for traffic in TYPES
    }
    rounds = fmean(recorded.sent(run, "training", until=1) for run in runs("FedAvg", "MLP-16"))
    assert hovered(page, "size").endswith(f" parameters|{sizes['training']:,.0f} B")
    assert hovered(page, "traffic") == f"FedAvg|training: {sizes['training']:,.0f} B"
    told = hovered(page, "accuracy")
    assert re.fullmatch(rf"Fed\w+\|after round 1: [\d.]+\|{rounds:,.0f} B", told)


def test_legends_hide_and_show(six: Path, opened: Opened) -> None:
    page = opened(six)
    for figure in FIGURES:
        before = plotted(page, figure)
        button = page.locator(f"[data-figure={figure}] .legend button").first
        for press in (button.click, lambda: button.press("Enter"), button.click, lambda: button.press("Space")):  # noqa: B023
            press()
            is_hidden = button.get_attribute("aria-pressed") == "false"
            soon(page, lambda: 0 in entries(page, figure), not is_hidden)  # noqa: B023
        expect(button).to_have_attribute("aria-pressed", "true")
        assert plotted(page, figure) == before


def entries(page: Page, figure: str) -> set[Any]:
    return {trace["entry"] for traces in plotted(page, figure).values() for trace in traces}


def test_what_cannot_be_drawn_says_why(six: Path, opened: Opened) -> None:
    page = opened(six)
    chosen(page, traffic="control", measure="scalar")
    accuracy, audit = (page.locator(f"[data-figure={figure}]").inner_text() for figure in ("accuracy", "audit"))
    assert "control messages belong to no round" in accuracy
    assert "table.measure=scalar: is not known of workers" in audit
    chosen(page, traffic="training", measure="payload")
    assert len(plotted(page, "accuracy")) == len(plotted(page, "audit")) == 2


@needs_train
def test_a_method_that_sends_nothing_is_a_point_at_0(here: Path, fscost: Callable[..., Result], opened: Opened) -> None:
    """0 has no place on a logarithmic axis, and its point may be one of the front; bars are those of the table."""
    fscost("method=fedavg,local", "model=lr", "clients=2", "rounds=1", "seed=0,1")
    page = opened(report(here, "table.aggregate=min_max"))
    (traces,) = plotted(page, "pareto").values()
    (local,) = (trace["x"] for trace in traces if trace["text"] and "Local" in trace["text"][0])
    assert local == [0]
    axis = page.locator("[data-figure=pareto] .plot").evaluate(
        "plot => [plot.layout.xaxis.type, plot._fullLayout.xaxis.range[0]]"
    )
    assert axis[0] != "log" and axis[1] < 0
    bars = page.locator("[data-figure=pareto] .plot").evaluate(
        "plot => plot.data.map(t => t.error_y).filter(e => e).map(e => [e.array[0], e.arrayminus[0]])"
    )
    told = [float(text) for row in shown(page)["rows"] for text in re.findall(r"[\d.]+", row[-1])]
    for (above, below), (middle, low, high) in zip(bars, [told[:3], told[3:]], strict=True):
        assert (above, below) == (pytest.approx(high - middle, abs=0.11), pytest.approx(middle - low, abs=0.11))
