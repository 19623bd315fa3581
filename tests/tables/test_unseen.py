"""Bytes beside the tensors: the measure content, and the sentence where payload leaves out more than a trifle."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.collect import gather
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.captions import unseen
from fscost.tables.comparison import Comparison
from tests.conftest import Result
from tests.tables.recorded import rows_of
from tests.tables.test_client_rounds import COURSES, run_of

TOY = ("engine=estimate", "data=toy", "model=lr", "clients=3", "rounds=2")  # 24 B of weights, and 8 B with an upload
MLP = ("engine=estimate", "model=mlp_m", "clients=3", "rounds=2")


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(1000, 10)], ""),
        ([(1000, 11)], "11 B beside 1,000 B"),
        ([(640, 17_106), (10**6, 20_000)], "17,106 B beside 640 B"),
        ([(10**6, 20_000), (0, 1)], "1 B beside 0 B"),
        ([(None, 5), (5, None), (float("nan"), 1)], ""),
        ([(0, 0)], ""),
    ],
)
def test_more_than_a_hundredth_is_told(pairs: list[tuple[float, float]], told: str) -> None:
    found = [*unseen(pairs)]
    assert len(found) == bool(told)
    assert all(told in text and "table.measure=content" in text for text in found)


def test_trees_send_most_beside_tensors(tmp_path: Path) -> None:
    """Gradients are Python's lists of floats."""
    sent = [m for m in COURSES["xgb_bc_c2_t2__py39"] if m["type"] not in ("join_in", "address", "finish")]
    sent = [m for m in sent if not m["type"].startswith(("eval", "feature", "ask"))]
    payload, scalar = (sum(m[key] * len(m["receivers"]) for m in sent) for key in ("payload", "scalar"))
    frames = gather([run_of("xgb_bc_c2_t2__py39", tmp_path)])
    table = build(Comparison(frames.cells), TableSpec(rows=["method"], columns=["total"]), label="t")
    assert any(f"{scalar:,} B beside {payload:,} B" in text for text in table.reading)
    both = build(Comparison(frames.cells), TableSpec(rows=["method"], columns=["total"], measure="content"), label="t")
    assert both.rows[0].entries[-1].value == payload + scalar
    assert not any("leaves out" in text for text in both.reading)


@pytest.mark.pipeline
def test_the_traffic_that_is_counted_decides(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("table", "engine=estimate", "model=lr", "clients=3", "rounds=2")
    assert fscost(*words[1:]).code == 0
    assert "leaves out" not in fscost(*words).out
    assert "leaves out" in fscost(*words, "table.traffic=evaluation").out  # metrics are numbers
    assert "leaves out" not in fscost(*words, "table.traffic=evaluation", "table.measure=wire").out


@pytest.mark.pipeline
def test_content_is_payload_and_scalar_everywhere(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost(*TOY).code == 0
    (row,) = rows_of(fscost("table", *TOY, "table.measure=content", "--format", "csv").out)
    assert (float(row["uplink_content_bytes"]), float(row["downlink_content_bytes"])) == (32, 24)
    assert float(row["total_content_bytes"]) == 2 * 3 * (32 + 24)
    assert "with 48 B of numbers and text, content = 192 B" in fscost("explain", *TOY).out
    done = fscost("plot", "traffic", *TOY, "table.measure=content", "--out", "figures")
    assert done.code == 0, done.err


@pytest.mark.slow
def test_content_in_the_audit(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("engine=builtin", "data=toy", "model=lr", "clients=2", "rounds=2", "fs.federate.make_global_eval=true")
    assert fscost(*words).code == 0
    payload, content = (
        rows_of(fscost("table", *words, "table=audit", f"table.measure={m}", "--format", "csv").out)
        for m in ("payload", "content")
    )
    (client,) = [row for row in content if row["worker"] == "clients 1–2"]
    (same,) = [row for row in payload if row["worker"] == "clients 1–2"]
    assert (float(same["sent_payload_bytes"]), float(client["sent_content_bytes"])) == (48, 64)
    assert "leaves out" in fscost("table", *words, "table=audit").out
    assert "leaves out" not in fscost("table", *words, "table=audit", "table.measure=content").out
    assert fscost("plot", "audit", *words, "table.measure=content", "--out", "figures").code == 0


@pytest.mark.pipeline
def test_a_published_figure_may_be_of_content(here: Path, fscost: Callable[..., Result]) -> None:
    """Each of six uploads is 24 B of weights and 8 B of a number of samples."""
    figure = (
        "  - {source: s, quantity: all, where: {model: lr}, links: [uplink], unit: B, measure: %s, published: '%s'}\n"
    )
    Path("mine.yaml").write_text(
        f"title: t\nlayout: published\nfigures:\n{figure % ('payload', 144)}{figure % ('content', 192)}"
    )
    assert fscost(*TOY).code == 0
    done = fscost("table", *TOY, "table=mine.yaml")
    assert done.code == 0, done.err
    assert done.out.count("0.00") == 2
    assert "48 B beside 144 B" in done.out
