"""The verb plot as a user types it: what it writes, says, refuses and leaves out."""

import csv
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from fscost.api.results import Results
from fscost.api.selection import select
from fscost.plots import FIGURES, Sketch
from fscost.resources import root
from tests.conftest import DATA, Result
from tests.plots.conftest import DRAWN

Fscost = Callable[..., Result]
ESTIMATE = ("engine=estimate", "method=fedavg,fedbn", "model=lr,mlp_m", "clients=3,10", "rounds=2")


@pytest.fixture
def store(paper: Path, here: Path) -> Path:
    """A copy of the recorded store, to be changed."""
    return Path(shutil.copytree(paper / "runs", here / "runs"))


def rows_of(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_every_figure_is_listed_and_drawn(fscost: Fscost) -> None:
    told = " ".join(fscost("plot", "--help").out.split())
    assert all(f"{name}: {kind.meaning}" in told for name, kind in FIGURES.items())
    assert DRAWN.keys() == FIGURES.keys()
    script = (root() / "templates" / "report" / "report.js").read_text()
    assert all(len(re.findall(rf"^  {name}: \(figure", script, re.MULTILINE)) >= 2 for name in FIGURES), "DRAW, FORMS"
    assert all(f'{name}: "' in script for name in FIGURES), "TITLES"


@pytest.mark.pipeline
@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_written_with_its_numbers_and_told(figure: str, store: Path, fscost: Fscost) -> None:
    done = fscost("plot", figure, "runs", "--out", "figures", "--width", "page")
    assert (done.code, done.err) == (0, "")
    assert {path.name for path in Path("figures").iterdir()} == {f"{figure}.{s}" for s in ("pdf", "png", "csv")}
    assert Path(f"figures/{figure}.pdf").read_bytes().startswith(b"%PDF")
    assert "over n = 3 seeds." in done.out
    assert "data digits, 8 rounds" in done.out
    assert len({row["cells"] for row in rows_of(f"figures/{figure}.csv")}) == 18


@pytest.mark.pipeline
@pytest.mark.parametrize("figure", ["size", "traffic", "audit"])
def test_what_was_not_trained_is_drawn_as_an_estimate(figure: str, fscost: Fscost) -> None:
    fscost(*ESTIMATE)
    done = fscost("plot", figure)  # the last sweep
    assert (done.code, done.err) == (0, "")
    assert "Estimated: in closed form" in done.out
    assert Path(f"tables/{figure}.pdf").is_file()
    rows = rows_of(f"tables/{figure}.csv")
    assert {row["method"] for row in rows} == {"fedavg", "fedbn"}
    assert len(rows) == 8 * (3 if figure == "traffic" else 1)


@pytest.mark.pipeline
def test_asizeof_in_closed_form_is_a_mean_over_workers(fscost: Fscost) -> None:
    fscost(*ESTIMATE)
    fscost("plot", "audit")
    fscost("collect", "--out", "frames")
    (cell, *_) = rows_of("frames/cells.csv")
    every = [name for name in cell if name.count("_") == 3]
    for count, column in (("reported", "logged_bytes"), ("payload", "payload_bytes")):
        sent = sum(int(cell[name]) for name in every if name.endswith(f"_{count}_bytes"))
        (row,) = (row for row in rows_of("tables/audit.csv") if row["cells"] == cell["cell"])
        assert float(row[column]) == pytest.approx(sent / (int(cell["clients"]) + 1))


@pytest.mark.pipeline
def test_what_sends_nothing_is_named_in_its_panel(
    fscost: Fscost, sketched: Callable[..., Sketch], drawn: Callable[..., Figure], here: Path
) -> None:
    """0 has no place on a logarithmic axis."""
    words = ("engine=estimate", "method=fedavg,local", "model=lr,mlp_s,mlp_m", f"store={here / 'runs'}")
    fscost(*words)
    done = fscost("plot", "size", *words)
    silent = [f"not drawn: {model}, Local: nothing sent\n" for model in ("LR", "MLP-16", "MLP-64")]
    assert (done.code, done.err) == (0, "".join(silent))
    (own,) = drawn("size", sketched("size", *words)).axes
    assert [text.get_text() for text in own.get_legend().get_texts()] == ["slope 1.01", "Local: nothing sent"]
    assert [len(line.get_xdata()) for line in own.get_lines()] == [3, 0]


@pytest.mark.pipeline
def test_a_slope_needs_three_sizes_in_which_the_method_does_something(
    fscost: Fscost, sketched: Callable[..., Sketch], drawn: Callable[..., Figure], here: Path
) -> None:
    """Eight bits quantise nothing in an MLP: its bytes are FedAvg's, and no point of the line of 8 bits."""
    store = f"store={here / 'runs'}"
    words = ("engine=estimate", "method=fedavg,quant8", "model=lr,mlp_m,convnet2", store)
    fscost(*words)
    assert "8-bit weights: quantised nothing in MLP-64." in fscost("plot", "size", *words).out.splitlines()
    rows = {(row["method"], row["model"]): row["no_effect"] for row in rows_of("tables/size.csv")}
    assert [key for key, text in rows.items() if text == "quantization.method"] == [("quant8", "mlp_m")]
    figure = drawn("size", sketched("size", *words))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["FedAvg: slope 1.00"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "FedAvg", "8-bit weights (quantised nothing in MLP-64)",
    ]  # fmt: skip
    two = ("engine=estimate", "method=fedavg", "model=lr,mlp_m", store)
    assert "lope" not in fscost("plot", "size", *two).out
    assert not drawn("size", sketched("size", *two)).axes[0].get_legend()


@pytest.mark.pipeline
def test_rows_and_panels_say_what_did_nothing(
    fscost: Fscost, sketched: Callable[..., Sketch], drawn: Callable[..., Figure], here: Path
) -> None:
    words = ("engine=estimate", "method=fedavg,quant8", "model=lr,mlp_m", f"store={here / 'runs'}")
    fscost(*words)
    for figure in ("traffic", "audit"):
        lr, mlp = drawn(figure, sketched(figure, *words), 6.75).axes
        names = ([label.get_text().replace("\n", " ") for label in own.get_yticklabels()] for own in (lr, mlp))
        assert [some[1] for some in names] == ["8-bit weights", "8-bit weights (quantised nothing)"]


@pytest.mark.pipeline
def test_accuracy_needs_training(fscost: Fscost) -> None:
    fscost(*ESTIMATE)
    done = fscost("plot", "accuracy")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("fscost: plot accuracy: engine=estimate trains nothing, so there is no test_acc")
    assert not list(Path("tables").glob("accuracy*"))


@pytest.mark.pipeline
def test_a_sweep_file_names_its_figures(fscost: Fscost) -> None:
    Path("sweeps").mkdir()
    words = ("sweeps=model_size", "engine=estimate", "model=lr,mlp_s", "seed=0", "method=fedavg", "clients=3")
    fscost(*words)
    assert "wrote tables/model_size_size.pdf" in fscost("plot", "size", *words).out


@pytest.mark.pipeline
def test_logs_alone_have_no_payload(here: Path, fscost: Fscost) -> None:
    """What FederatedScope wrote and fscost never launched: its counts are drawn, and no payload is made up."""
    run = "fedavg_mlp64_c3_r4_evalfreq2"
    with tarfile.open(DATA / "fs_logs.tar.xz") as archive:
        archive.extractall(here, [one for one in archive if one.name.startswith(f"{run}/")], filter="data")
    config = Path(run, "config.yaml")
    config.write_text(config.read_text().replace("hidden: 64", "hidden: 65"))  # the log has another model
    done = fscost("plot", "audit", run, "--out", "out")
    assert done.code == 0
    assert "not drawn: FedAvg: payload or log n/a" in done.err
    logs = [json.loads(line) for line in Path(run, "system_metrics.log").read_text().splitlines()]
    told = {row["id"]: row.get("total_download_bytes") for row in logs}
    rows = rows_of("out/audit.csv")
    assert [row["logged_bytes"] for row in rows] == ["0", str(told[0]), "0", str(told[1])]
    assert {row["payload_bytes"] for row in rows} == {""}
    assert "only n/a" in fscost("plot", "traffic", run).err
    named = fscost("plot", "audit", run, "--out", "audit.pdf")
    assert (named.code, Path("audit.pdf").exists()) == (2, False)
    assert "out=audit.pdf: a figure is several files, in a folder; name that" in named.err


# --- what must not be drawn -----------------------------------------------------------------------


@pytest.mark.pipeline
@pytest.mark.parametrize("figure", FIGURES)
def test_unequal_seeds_are_told(figure: str, store: Path, fscost: Fscost) -> None:
    for run in {*store.glob("fedper-mlp_s-digits-c3-s1-*"), *store.glob("*-c10-*"), *store.glob("*-convnet2-*")}:
        shutil.rmtree(run)
    drawn = fscost("plot", figure, "runs")
    assert drawn.code == 0, drawn.err
    assert "n = 2 or 3 seeds" in drawn.out
    assert re.search(r"n = 2: .*FedPer[^;]*\.\n?", drawn.out)
    assert "n = 3: all others." in drawn.out


@pytest.mark.pipeline
def test_engines_are_not_mixed(store: Path, fscost: Fscost) -> None:
    fscost("engine=estimate", "model=mlp_s", "clients=3", "method=fedprox", "rounds=8")
    mixed = fscost("plot", "traffic", *(str(path) for path in store.glob("fed*-mlp_s-digits-c3-s0-*")))
    assert mixed.code == 2
    assert "differ in engine" in mixed.err


@pytest.mark.pipeline
def test_cells_without_numbers_are_named_where_they_would_stand(
    store: Path, fscost: Fscost, sketched: Callable[..., Sketch], drawn: Callable[..., Figure]
) -> None:
    words = ("engine=builtin", "method=fedavg,fedprox", "model=mlp_s", "clients=2,43", "rounds=1")
    assert fscost(*words).code == 1  # 43 clients: a last batch of one sample
    more = ("method=fedavg,fedprox,fedper", *(word for word in words if not word.startswith("method")))
    for figure in ("accuracy", "traffic", "audit"):
        done = fscost("plot", figure, *more, "--out", "out")
        assert done.code == 0
        told = [line for line in done.err.splitlines() if line.startswith("not drawn: ")]
        assert told == [
            f"not drawn: {clients} clients, {name}: {mark}" for clients, name, mark in
            [(2, "FedPer", "missing"), (43, "FedAvg", "failed"), (43, "FedProx", "failed"), (43, "FedPer", "missing")]
        ]  # fmt: skip
        assert "to compute it: python -m fscost" in done.err
        without = [row for row in rows_of(f"out/{figure}.csv") if row["status"] != "done"]
        assert {(row["clients"], row["method"], row["status"]) for row in without} == {
            ("2", "fedper", "missing"),
            ("43", "fedavg", "failed"), ("43", "fedprox", "failed"), ("43", "fedper", "missing"),
        }  # fmt: skip
        assert not any(value for row in without for name, value in row.items() if "bytes" in name)


@pytest.mark.pipeline
def test_more_methods_than_can_be_told_apart_have_a_panel_each(
    fscost: Fscost, sketched: Callable[..., Sketch], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten = ("engine=estimate", "method=fedavg,fedprox,fedopt,fedbn,fedper,fedrep,ditto,pfedme,quant8,quant16",
            "model=lr,mlp_s", "rounds=1", f"store={here / 'many'}")  # fmt: skip
    fscost(*ten)
    sketch = sketched("size", *ten)
    assert [panel.title.split(" (")[0] for panel in sketch.panels] == sketch.names
    assert sketch.panels[3].title == "FedBN (kept nothing local)"  # in LR: an MLP has norms
    assert all(len(panel.series) == 1 and len(panel.faint) == 10 for panel in sketch.panels)
    assert fscost("plot", "size", *ten, "--out", "out").code == 0


@pytest.mark.pipeline
def test_any_number_of_methods_is_drawn_in_a_column(
    fscost: Fscost, sketched: Callable[..., Sketch], drawn: Callable[..., Figure], here: Path
) -> None:
    """Panels get lower, and where a page has no more room, what has none of its own is a grey line, and told."""
    methods = "fedavg,fedprox,fedopt,fedbn,fedper,fedrep,ditto,quant8,quant16,pfedme,fedem,krum,median,trimmedmean"
    many = ("engine=estimate", f"method={methods}", "model=lr,mlp_s,mlp_m", "rounds=1", f"store={here / 'runs'}")
    fscost(*many)
    sketch = sketched("size", *many)
    made = drawn("size", sketch)
    assert len(made.axes) == 14
    assert made.get_figheight() <= 9
    done = fscost("plot", "size", *many, "--width", "2", "--out", "out")
    kept = [plain(own.get_title()) for own in drawn("size", sketch, 2).axes]
    assert kept == [plain(panel.title) for panel in sketch.panels][: len(kept)]
    assert 5 < len(kept) < 14
    assert (done.code, done.err.count("not drawn: ")) == (0, 1)
    assert "Krum, Median, Trimmed mean: only as grey lines, as no more panels fit on a page" in done.err
    assert {row["method"] for row in rows_of("out/size.csv")} == {*methods.split(",")}


def plain(text: str) -> str:
    return "".join(text.split())


RECORDED = """
import fscost, numpy as np
for method, model, size in (("fedfoo", "resnet", 50), ("fedfoo", "vgg", 70)):
    with fscost.record(method=method, model=model, clients=2, rounds=2, seed=0) as run:
        for r in range(2):
            run.downlink({"w": np.zeros(size, "float32")}, round=r)
            for client in (1, 2):
                run.uplink({"w": np.zeros(size, "float32")}, client=client, round=r)
            run.evaluated(round=r, test_acc=0.5 + r / 10)
"""


@pytest.mark.pipeline
def test_what_recorded_runs_do_not_tell_is_said(here: Path, fscost: Fscost) -> None:
    """Nobody knows the size of their models, and nothing is logged beside their messages."""
    exec(RECORDED, {})
    sizes, logs = fscost("plot", "size", "runs"), fscost("plot", "audit", "runs")
    assert (sizes.code, logs.code) == (2, 2)
    assert sizes.err.startswith("fscost: plot size: the parameters of resnet, vgg are not known")
    assert logs.err.startswith("fscost: plot audit: nothing but messages was counted in these runs")
    for figure in ("accuracy", "pareto", "traffic"):
        assert fscost("plot", figure, "runs").code == 0


@pytest.mark.pipeline
def test_the_axis_and_the_names_of_lines_are_as_asked(store: Path, fscost: Fscost) -> None:
    few = sorted(str(run) for run in store.glob("*-mlp_s-*-c3-s0-*"))
    assert fscost("plot", "accuracy", *few, "--at-ends", "--from-zero", "--over", "rounds", "--svg").code == 0
    image = Path("tables/accuracy_rounds.svg").read_text()
    assert image.startswith("<?xml")
    assert "--over=rounds" in image
    figure = Results(select(few)).plot("accuracy", "column", from_zero=True, at_ends=True).figure
    (own,) = figure.axes
    assert own.get_ylim()[0] == 0
    assert {text.get_text() for text in own.texts} == {"FedAvg", "FedPer", "FedProx"}
    assert not figure.legends
    usual = Results(select(few)).plot("accuracy", "column").figure
    assert 0.2 < usual.axes[0].get_ylim()[0] / min(line.get_ydata().min() for line in usual.axes[0].get_lines()) < 1


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "plot: name the figure first: accuracy, pareto, size, traffic or audit"),
        (("pie", "runs"), "plot pie: name the figure first: accuracy, pareto, size, traffic or audit"),
        (("size", "runs", "--width", "wide"), "--width wide: must be column, page or a number of inches from 2 to 20"),
        (("size", "runs/fedavg-mlp_s-digits-c3-s0-c37d32afd7a6"), "plot size: needs models of two sizes at least"),
        (("accuracy", "runs", "table.metric=acc"), "table.metric=acc: is not logged by these runs; there are test_acc"),
        (("accuracy", "runs", "table.traffic=all"), "table.traffic=all: control messages belong to no round"),
        (("audit", "runs", "table.measure=network"), "table.measure=network: is not known of workers"),
        (("size", "runs", "table.measure=mass"), "table.measure=mass: must be one of payload"),
        (("size", "runs", "--over", "rounds"), "plot size: --over rounds: is of the figures accuracy and pareto"),
        (("pareto", "runs", "--over", "rounds"), "plot pareto: --over rounds: must be bytes or uplink"),
        (("accuracy", "runs", "--over", "uplink", "table.measure=network"), "--over uplink: of network bytes each"),
        (("pareto", "runs", "table.better=up"), "table.better=up: must be one of higher, lower"),
        (
            ("traffic", "runs", "table.ours=[fedprx]"),
            "is no method here; there are fedavg, fedper, fedprox (did you mean",
        ),
        (("traffic", "nowhere"), "nowhere: no such folder"),
        (("traffic", "runs", "--out", "/proc/figures"), "out=/proc/figures: cannot be written"),
        (("accuracy", "method=fedopt", "engine=builtin"), "plot accuracy: there is no number to draw, only missing"),
        (("accuracy", "runs", "table.rows=[model,clients,method,seed]", "--width", "2"), "panels would be"),
    ],
)
def test_mistakes_are_one_line(words: tuple[str, ...], told: str, store: Path, fscost: Fscost) -> None:
    done = fscost("plot", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("fscost: ")
    assert done.err.count("\n") == 1
    assert told in done.err


def test_pgf_needs_latex(store: Path, fscost: Fscost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    few = sorted(str(run) for run in store.glob("*-mlp_s-*-c3-s0-*"))
    done = fscost("plot", "traffic", *few, "--pgf", "--out", "out")
    assert (done.code, done.out) == (2, "")
    assert "--pgf: needs pdflatex" in done.err
