"""Opening a report of 540 cells in Chromium, beside a page of their frame as pandas and Plotly write it."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from benchmarks.browser import chromium
from benchmarks.pairs import FSCOST, Row, in_turn, seconds_of, told_by

_CELLS = ("engine=estimate", "method=fedavg,fedprox,fedbn", "model=lr,mlp_s,mlp_m", "clients=3,10", "seed=range(0,30)")
_READY = "html[data-ready]"


def rows(folder: Path) -> Iterator[Row]:
    """Measure until a page is there to be read."""
    work, beside = (
        "open the report of 540 cells",
        "a page of pandas' `to_html` of the frame of cells, and a Plotly figure",
    )
    ours, theirs = (
        f"`python benchmarks/browser.py report.html '{_READY}'`",
        "`python benchmarks/browser.py page.html body`",
    )
    if chromium() is None or find_spec("playwright") is None:
        yield Row(work, beside, ours, theirs, 1, [], note="not measured: it needs Chromium: apt-get install chromium")
        return
    seconds_of(*FSCOST, *_CELLS, cwd=folder)
    seconds_of(*FSCOST, "report", *_CELLS, "--out", "report.html", cwd=folder)
    seconds_of(*FSCOST, "collect", *_CELLS, "--out", "frames", cwd=folder)
    _write_page(folder)
    found = in_turn(
        lambda: float(told_by("browser.py", folder / "report.html", _READY)),
        lambda: float(told_by("browser.py", folder / "page.html", "body")),
    )
    seconds = f"{min(own for own, _ in found):.2f} s and {min(other for _, other in found):.2f} s at best"
    yield Row(work, beside, ours, theirs, 1, [own / other for own, other in found], note=seconds)


def _write_page(folder: Path) -> None:
    """Write what a notebook would show of the same cells."""
    cells = pd.read_parquet(folder / "frames" / "cells.parquet")
    figure = go.Figure(go.Scatter(x=cells["params"], y=cells["training_uplink_payload_bytes"], mode="markers"))
    parts = [cells.to_html(), figure.to_html(full_html=False, include_plotlyjs=True)]
    (folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(parts)}")
