"""What is drawn, read back from the figure, is what the ledgers and logs say by plain arithmetic."""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, linear_regression, mean, stdev
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fscost.api.results import Results
from fscost.api.selection import select
from fscost.plots import Sketch, View
from fscost.plots.draw import table
from fscost.tables import TableSpec

pytestmark = pytest.mark.pipeline

Sketched, Drawn = Callable[..., Sketch], Callable[..., Figure]

LABELS = {"FedAvg": "fedavg", "FedPer": "fedper", "FedProx": "fedprox"}
MODELS = {"MLP-16": "mlp_s", "MLP-64": "mlp_m", "ConvNet-2": "convnet2"}


def runs_of(paper: Path, method: str, model: str, clients: str) -> list[Path]:
    found = sorted((paper / "runs").glob(f"{method}-{model}-digits-c{clients}-s[012]-*"))
    assert len(found) == 3
    return found


def ledger(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]


def sent(run: Path, *types: str, before: float = math.inf, link: str = "") -> int:
    rows = (row for row in ledger(run) if row.get("type") in types and row["round"] < before)
    return sum(row["payload_bytes"] for row in rows if row["link"] == link or not link)


def accuracies(run: Path) -> list[float]:
    """The accuracy after each round; FederatedScope logged one after every round."""
    log = (run / "eval_results.log").read_text().splitlines()
    told = [line for line in log if "'Server #'" in line and "'Results_weighted_avg'" in line]
    return [float(re.search(r"'test_acc': ([\d.]+)", line)[1]) for line in told]  # type: ignore[index]


def panels(figure: Figure) -> dict[str, Axes]:
    return {own.get_title().replace("\n", " "): own for own in figure.axes if own.get_visible()}


def rows_of(sketch: Sketch) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(sketch))))


def test_accuracy_over_bytes(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    sketch = sketched("accuracy")
    figure, told = drawn("accuracy", sketch), rows_of(sketch)
    assert len(told) == 3 * 3 * 2 * 8
    assert len(panels(figure)) == 6
    for title, own in panels(figure).items():
        model, clients = re.fullmatch(r"(.*), (\d+) clients", title).groups()  # type: ignore[union-attr]
        assert [line.get_label() for line in own.get_lines()] == [*LABELS]
        for line, band in zip(own.get_lines(), own.collections, strict=True):
            runs = runs_of(paper, LABELS[line.get_label()], MODELS[model], clients)
            x = [mean(sent(run, "model_para", before=n) for run in runs) for n in range(1, 9)]
            seeds = [*zip(*map(accuracies, runs), strict=True)]
            y = [100 * fmean(some) for some in seeds]
            assert [*line.get_xdata()] == pytest.approx([size / 1e6 for size in x])
            assert [*line.get_ydata()] == pytest.approx(y)
            edge = {(round(a, 6), round(b, 6)) for a, b in band.get_paths()[0].vertices}
            for size, middle, some in zip(x, y, seeds, strict=True):
                assert (round(size / 1e6, 6), round(middle - 100 * stdev(some), 6)) in edge
                assert (round(size / 1e6, 6), round(middle + 100 * stdev(some), 6)) in edge
            own_rows = [r for r in told if (r["method"], r["model"], r["clients"]) ==
                        (LABELS[line.get_label()], MODELS[model], clients)]  # fmt: skip
            assert [float(row["training_payload_bytes"]) for row in own_rows] == x
            assert [float(row["test_acc_std"]) for row in own_rows] == pytest.approx([stdev(some) for some in seeds])
            assert {row["cells"] for row in own_rows} == {" ".join(run.name[-12:] for run in runs)}
            assert {row["seeds"] for row in own_rows} == {"3"}


@pytest.mark.parametrize(
    ("aggregate", "below", "above", "said"),
    [
        ("ci95", lambda some: 4.302653 * stdev(some) / 3**0.5, None, "95 % confidence interval"),
        ("min_max", lambda some: fmean(some) - min(some), lambda some: max(some) - fmean(some), "least to the largest"),
        ("median", None, None, "median over n = 3 seeds"),
    ],
)
def test_bands_are_what_tables_have(
    aggregate: str, below: Any, above: Any, said: str, paper: Path, sketched: Sketched, drawn: Drawn
) -> None:
    """4.302653 is the quantile of Student's t at 97.5 % with two degrees of freedom, from a printed table."""
    sketch = sketched("accuracy", "runs", f"table.aggregate={aggregate}")
    assert said in " ".join(sketch.caption)
    own = panels(drawn("accuracy", sketch))["MLP-16, 3 clients"]
    assert len(own.collections) == (3 if below else 0)
    points = panels(drawn("pareto", sketched("pareto", "runs", f"table.aggregate={aggregate}")))["3 clients"]
    assert bool(points.collections) == bool(below)  # the bars, of bytes there are none
    if not below:
        return
    seeds = [*zip(*map(accuracies, runs_of(paper, "fedavg", "mlp_s", "3")), strict=True)]
    heights = sorted(round(b, 4) for _, b in own.collections[0].get_paths()[0].vertices)
    for some in seeds:
        middle, up = fmean(some), (above or below)(some)
        assert min(abs(100 * (middle - below(some)) - one) for one in heights) < 1e-3
        assert min(abs(100 * (middle + up) - one) for one in heights) < 1e-3
    last = next(row for row in rows_of(sketch) if row["round"] == "8")
    if aggregate == "min_max":
        assert (float(last["test_acc_min"]), float(last["test_acc_max"])) == (min(seeds[-1]), max(seeds[-1]))
    else:
        assert float(last["test_acc_ci95"]) == pytest.approx(below(seeds[-1]), rel=1e-5)


def test_accuracy_over_uplink_and_over_rounds(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    for over in ("uplink", "rounds"):
        figure = drawn("accuracy", sketched("accuracy", over=over))
        own = panels(figure)["MLP-16, 3 clients"]
        for line in own.get_lines():
            runs = runs_of(paper, LABELS[line.get_label()], "mlp_s", "3")
            up = [mean(sent(run, "model_para", before=n, link="uplink") for run in runs) for n in range(1, 9)]
            x = [size / 1e6 for size in up] if over == "uplink" else [*range(1, 9)]
            assert [*line.get_xdata()] == pytest.approx(x)
    assert figure._supxlabel.get_text() == "Rounds"


def test_points_and_the_front(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    sketch = sketched("pareto")
    told = {(r["method"], r["model"], r["clients"]): r for r in rows_of(sketch)}
    assert len(told) == 3 * 3 * 2
    for title, own in panels(drawn("pareto", sketch)).items():
        clients, found = title.removesuffix(" clients"), {}
        for method, model in ((m, n) for m in LABELS.values() for n in MODELS.values()):
            runs = runs_of(paper, method, model, clients)
            x = mean(sent(run, "model_para") for run in runs) / 1e6
            found[method, model] = (x, 100 * fmean(accuracies(run)[-1] for run in runs))
        drawn_at = [(*point,) for line in own.get_lines() if line.get_label() in LABELS for point in line.get_xydata()]
        assert sorted(drawn_at) == pytest.approx([*map(pytest.approx, sorted(found.values()))])
        best = {
            key for key, (x, y) in found.items()
            if not any(a <= x and b >= y and (a, b) != (x, y) for a, b in found.values())
        }  # fmt: skip
        assert {key for key in found if told[(*key, clients)]["on_front"] == "True"} == best
        assert 2 < len(best) < 9


def test_of_a_loss_the_front_is_below(sketched: Sketched) -> None:
    """Less is better: the front begins with the fewest bytes and ends with the least loss."""
    rows = [r for r in rows_of(sketched("pareto", "runs", "table.metric=test_avg_loss")) if r["clients"] == "3"]
    front = sorted((r for r in rows if r["on_front"] == "True"), key=lambda r: float(r["training_payload_bytes"]))
    losses = [float(row["test_avg_loss"]) for row in front]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == min(float(row["test_avg_loss"]) for row in rows)


def test_lines_on_each_other_are_told_apart_and_named(sketched: Sketched, drawn: Drawn) -> None:
    """FedProx sends what FedAvg does: one line would cover the other."""
    sketch = sketched("size")
    assert sketch.caption[-1] == "On each other, closer than 1 % of the axes: FedAvg and FedProx."
    for own in panels(drawn("size", sketch)).values():
        widths = {line.get_label(): line.get_linewidth() for line in own.get_lines()}
        assert widths["FedAvg"] > widths["FedProx"] == widths["FedPer"]
    course = drawn("accuracy", sketched("accuracy"))
    marked = {line.get_label(): line.get_markevery() for line in panels(course)["MLP-64, 10 clients"].get_lines()}
    assert marked == {"FedAvg": (0, 2), "FedProx": (1, 2), "FedPer": (0, 1)}


def test_bytes_over_size_with_slopes(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    figure = drawn("size", sketched("size"))
    for title, own in panels(figure).items():
        clients, slopes = title.removesuffix(" clients"), {}
        for line in own.get_lines():
            method = LABELS[line.get_label()]
            runs = [runs_of(paper, method, model, clients) for model in MODELS.values()]
            x = [ledger(some[0])[0]["params"] for some in runs]
            y = [mean(sent(run, "model_para") for run in some) for some in runs]
            assert [*line.get_xdata()] == pytest.approx([params / 1e3 for params in x])
            assert [*line.get_ydata()] == pytest.approx([size / 1e6 for size in y])
            slopes[line.get_label()] = linear_regression([*map(math.log, x)], [*map(math.log, y)]).slope
        assert [text.get_text() for text in own.get_legend().get_texts()] == [
            f"{name}: slope {slope:.2f}" for name, slope in slopes.items()
        ]


def test_bytes_by_traffic_class(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    types = {"training": ["model_para"], "evaluation": ["evaluate", "metrics"],
             "control": ["join_in", "address", "finish"]}  # fmt: skip
    for title, own in panels(drawn("traffic", sketched("traffic"))).items():
        model, clients = re.fullmatch(r"(.*), (\d+) clients", title).groups()  # type: ignore[union-attr]
        for number, method in enumerate(LABELS.values()):
            end = 0.0
            for bar, some in zip(own.patches[3 * number : 3 * number + 3], types.values(), strict=True):
                size = mean(sent(run, *some) for run in runs_of(paper, method, MODELS[model], clients)) / 1e6
                assert (bar.get_x(), bar.get_width()) == (pytest.approx(end), pytest.approx(size))
                end += size
            assert float(own.texts[number].get_text()) == pytest.approx(end, rel=0.005)


def logged(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "system_metrics.log").read_text().splitlines()]


def test_the_log_beside_the_payload(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    """The mean over server and clients, which FederatedScope calls sys_avg; uploads are not logged at all."""
    for title, own in panels(drawn("audit", sketched("audit"))).items():
        model, clients = re.fullmatch(r"(.*), (\d+) clients", title).groups()  # type: ignore[union-attr]
        counts = [line for line in own.get_lines() if line.get_label() == "logged_bytes"]
        sizes = [line for line in own.get_lines() if line.get_label() == "payload_bytes"]
        factors = [text.get_text() for text in own.texts if text.get_text().startswith("×")]
        assert [text.get_text() for text in own.texts].count("0") == 3
        for number, method in enumerate(LABELS.values()):
            runs = runs_of(paper, method, MODELS[model], clients)
            workers = [row for run in runs for row in ledger(run) if "worker" in row]
            told = fmean(
                row["total_download_bytes"] for run in runs for row in logged(run) if isinstance(row["id"], int)
            )
            up, down = (fmean(row[way]["payload_bytes"] for row in workers) for way in ("sent", "received"))
            assert counts[number].get_xdata()[0] == pytest.approx(told / 1e3)
            assert [line.get_xdata()[0] for line in sizes[2 * number : 2 * number + 2]] == pytest.approx(
                [up / 1e3, down / 1e3]
            )
            assert float(factors[number][1:]) == pytest.approx(down / told, rel=0.005)


def test_what_sends_nothing_is_drawn_whatever_another_panel_needs(sketched: Sketched, drawn: Drawn) -> None:
    sketch = sketched("accuracy", "runs")
    silent, large = (panel.series[0].records for panel in sketch.panels[:2])
    for record in large:
        record[sketch.along] *= 100
    assert {own.get_xscale() for own in drawn("accuracy", sketch).axes} == {"log"}
    for record in silent:
        record[sketch.along] = 0
    assert {own.get_xscale() for own in drawn("accuracy", sketch).axes} == {"linear"}


@pytest.mark.parametrize(
    ("measure", "name"), [("payload", "payload"), ("content", "content bytes"), ("wire", "wire bytes")]
)
def test_the_legend_names_what_was_counted(measure: str, name: str, sketched: Sketched, drawn: Drawn) -> None:
    made = drawn("audit", sketched("audit", "runs", f"table.measure={measure}"))
    assert [text.get_text() for text in made.legends[0].get_texts()][1] == name


@pytest.mark.parametrize(
    ("sizes", "unit"), [([240, 44_000_000], "kB"), ([2_600, 2_600], "kB"), ([0, 250_000, 9_000_000], "MB"), ([0], "B")]
)
def test_one_unit_is_between_the_least_and_the_largest(sizes: list[float], unit: str, paper: Path) -> None:
    compared, spec = Results(select([str(paper / "runs")])).compared, TableSpec()
    assert View.of(compared, spec, of_workers=False).unit(sizes) == unit


def test_one_cell_is_audited_worker_by_worker(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    (first, *_) = runs = runs_of(paper, "fedavg", "convnet2", "3")
    sketch = sketched("audit", *(str(run) for run in runs))
    (own,) = drawn("audit", sketch).axes
    assert [label.get_text() for label in own.get_yticklabels()] == [
        "server ↑", "server ↓", "clients 1–3 ↑", "clients 1–3 ↓",
    ]  # fmt: skip
    server = next(row for row in ledger(first) if row.get("worker") == 0)
    assert [float(row["payload_bytes"]) for row in rows_of(sketch)[:2]] == [
        server["sent"]["payload_bytes"], server["received"]["payload_bytes"],
    ]  # fmt: skip


def test_methods_of_one_label_are_lines_of_their_own(sketched: Sketched, drawn: Drawn) -> None:
    """Their bytes are never added up, and their names tell which is which; so do titles of panels."""
    labels = ("table.labels.fedprox=FedAvg", "table.labels.mlp_s=Ours", "table.labels.mlp_m=Ours")
    told, alike = (sketched("traffic", "runs", *words) for words in ((), labels))
    assert [[s.records for s in p.series] for p in alike.panels] == [[s.records for s in p.series] for p in told.panels]
    assert alike.names == ["FedAvg (fedavg)", "FedPer", "FedAvg (fedprox)"]
    assert [panel.title for panel in alike.panels][:2] == ["Ours (mlp_s), 3 clients", "Ours (mlp_s), 10 clients"]


def test_bits_are_no_bytes(sketched: Sketched, drawn: Drawn) -> None:
    bits = sketched("traffic", "runs", "table.unit=Mbit")
    assert [line for line in bits.caption if "Mbit" in line] == ["Mbit = 10⁶ bits."]
    assert max(own.get_xlim()[1] for own in drawn("traffic", bits).axes) > 8 * 69  # MB of the largest


def test_settings_of_tables_hold(paper: Path, sketched: Sketched, drawn: Drawn) -> None:
    runs = runs_of(paper, "fedavg", "convnet2", "3")
    words = [*(str(run) for run in runs), "table.measure=wire", "table.unit=MiB", "table.aggregate=median"]
    sketch = sketched("accuracy", *words)
    (line,) = drawn("accuracy", sketch).axes[0].get_lines()
    size = sum(row["wire_bytes"] for row in ledger(runs[0]) if row.get("type") == "model_para")
    assert line.get_xdata()[-1] == pytest.approx(size / 2**20)
    assert line.get_ydata()[-1] == pytest.approx(100 * sorted(accuracies(run)[-1] for run in runs)[1])
    assert sketch.x == "Cumulative wire bytes of training messages (MiB)"
    assert sketch.over == "median over n = 3 seeds"


def test_a_class_that_is_not_known_is_no_zero(sketched: Sketched, drawn: Drawn) -> None:
    """FederatedScope cannot encode join_in, so the wire bytes of control messages are not known."""
    sketch = sketched("traffic", "runs", "table.measure=wire")
    assert {row["traffic"] for row in rows_of(sketch)} == {"training", "evaluation"}
    assert len(sketch.untold) == 18
    assert all(text.endswith(": control n/a") for text in sketch.untold)
    for own in drawn("traffic", sketch).axes:
        assert len(own.patches) == 2 * 3
        assert all(text.get_text().endswith("+") for text in own.texts)
