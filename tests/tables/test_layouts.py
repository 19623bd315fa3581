"""Every layout over one recorded sweep: as it was, as it compiles, and one of them figure by figure from the ledgers.

`paper.tar.xz` is a store of FederatedScope's runs, with engine=federatedscope and master: 3 methods x 3 models x
2 clients x 3 seeds, 54 cells of 8 rounds.
"""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest

from fscost import __version__
from fscost.resources import conf
from fscost.tables.formats import FORMATS
from tests.conftest import DATA, Result
from tests.tables.recorded import of_one_model, unpacked
from tests.tables.tex import ENGINES, compiled

LAYOUTS = {
    "comm_cost": (),
    "matrix": (),
    "model_size": (),
    "to_target": ("table.target=0.9", "table.second=true"),
    "accuracy_cost": (),
    "traffic": (),
    "audit": (),
    "time": ("network.uplink_mbps=10", "network.downlink_mbps=50", "network.latency_ms=20"),
}
"""Layout → what it needs beside the runs."""


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recorded store, runs/, and with the runs of one model."""
    folder = tmp_path_factory.mktemp("paper")
    of_one_model(unpacked(folder), folder / "few")
    return folder


@pytest.fixture
def table(paper: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The verb table on the recorded store."""

    def run(layout: str, *words: str, store: str = "runs") -> str:
        monkeypatch.chdir(paper)
        done = fscost("table", store, f"table={layout}", *LAYOUTS[layout], *words)
        assert (done.code, done.err) == (0, "")
        return done.out

    return run


def test_every_shipped_layout_is_here() -> None:
    assert {path.stem for path in (conf() / "table").glob("*.yaml")} == {*LAYOUTS, "published", "compression"}


@pytest.mark.pipeline
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_format_is_as_it_was(layout: str, format: str, table: Callable[..., str]) -> None:
    """Whole tables, to be looked at when they change: FSCOST_UPDATE_GOLDEN=1 writes them anew."""
    text = table(layout, "--format", format).replace(f"fscost {__version__}", "fscost VERSION")
    golden = DATA / "tables" / f"{layout}{FORMATS[format].suffix}"
    if os.environ.get("FSCOST_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_compiles_and_fits_the_page(
    layout: str, engine: str, table: Callable[..., str], tmp_path: Path
) -> None:
    store = "few" if layout == "audit" else "runs"
    document = table(layout, "--format", "latex", "--standalone", store=store)
    done = compiled(document, tmp_path, engine)
    assert max(done.overfull_pt, default=0) <= 1


# --- from the ledgers, with plain arithmetic --------------------------------------------------------


def recomputed(run: Path) -> dict[str, float]:
    """What a run sent in training, counted line by line, and the accuracy that FederatedScope logged last."""
    rows = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    training = [row for row in rows if row.get("type") == "model_para"]
    sums = {link: [row for row in training if row["link"] == link] for link in ("uplink", "downlink")}
    size = {link: sum(row["payload_bytes"] for row in part) for link, part in sums.items()}
    messages = {link: sum(row["messages"] for row in part) for link, part in sums.items()}
    logged = [line for line in (run / "eval_results.log").read_text().splitlines() if "'Server #'" in line]
    *_, last = (line for line in logged if "'Results_weighted_avg'" in line)
    accuracy = float(last.partition("'test_acc': ")[2].partition(",")[0].rstrip("}"))
    return {
        "uplink": size["uplink"] / messages["uplink"],
        "downlink": size["downlink"] / messages["downlink"],
        "total": size["uplink"] + size["downlink"],
        "rounds": len({row["round"] for row in training}),
        "accuracy": accuracy,
        "params": rows[0]["params"],
    }


def test_every_figure_of_the_default_table_is_recomputed(paper: Path, table: Callable[..., str]) -> None:
    rows = list(csv.DictReader(io.StringIO(table("comm_cost", "--format", "csv"))))
    assert len(rows) == 3 * 3 * 2
    totals = {}
    for row in rows:
        pattern = f"{row['method']}-{row['model']}-digits-c{row['clients']}-s[012]-*"
        runs = [recomputed(run) for run in sorted((paper / "runs").glob(pattern))]
        assert int(row["seeds"]) == len(runs) == 3
        assert int(row["params"]) == runs[0]["params"]
        for name in ("uplink", "downlink", "total"):
            assert float(row[f"{name}_payload_bytes"]) == mean(run[name] for run in runs)
        total = totals[row["model"], row["clients"], row["method"]] = mean(run["total"] for run in runs)
        assert float(row["ratio"]) == pytest.approx(total / totals[row["model"], row["clients"], "fedavg"], rel=1e-12)
        assert float(row["rounds"]) == mean(run["rounds"] for run in runs) == 8
        accuracies = [run["accuracy"] for run in runs]
        assert float(row["final_test_acc"]) == pytest.approx(mean(accuracies), rel=1e-12)
        assert float(row["final_test_acc_std"]) == pytest.approx(stdev(accuracies), rel=1e-9)


@pytest.mark.pipeline
def test_what_is_printed_is_what_was_recomputed_rounded(table: Callable[..., str]) -> None:
    """The text of the default table beside its raw numbers, each in the unit of its heading."""
    raw = list(csv.reader(io.StringIO(table("comm_cost", "--format", "csv"))))[1:]
    shown = [line.split() for line in table("comm_cost").splitlines() if line.startswith(("MLP", "ConvNet"))]
    for numbers, words in zip(raw, shown, strict=True):
        uplink, downlink, total, ratio, _, accuracy, deviation = map(float, numbers[4:11])
        texts = [word.rstrip("*") for word in words[4:]]
        assert texts[:3] == [f"{uplink / 1e3:.2f}", f"{downlink / 1e3:.2f}", f"{total / 1e6:.3f}"]
        assert texts[3:] == [f"{ratio:.2f}", f"{100 * accuracy:.1f}", "±", f"{100 * deviation:.1f}"]
