"""A method that had no effect is marked wherever it is shown, and told before it runs where the model is known."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.collect import gather, runs_below
from fscost.protocol.course_options import Options
from fscost.protocol.models import names_of
from fscost.protocol.no_effect import no_effect_of, options_in, part_of, without_effect
from tests.conftest import Result, cell_of, needs_train
from tests.tables.recorded import rows_of

GRID = ("engine=estimate", "method=fedavg,quant8,fedbn", "model=mlp_m,lr", "clients=3")
MARK = "§"


@pytest.fixture
def swept(here: Path, fscost: Callable[..., Result]) -> Callable[..., Result]:
    assert fscost(*GRID).code == 0
    return fscost


@needs_train
@pytest.mark.parametrize("model", ["lr", "mlp_s", "mlp_l", "convnet2", "convnet5", "vgg11", "lstm"])
def test_the_names_of_known_models_are_those_of_the_models(model: str) -> None:
    cell = cell_of("engine=builtin", f"model={model}", *(["resize=32"] if model in ("convnet5", "vgg11") else []))
    options = Options(cell)

    from fscost.engine.builtin.client_data import load_federation
    from fscost.engine.builtin.modules import build_model

    built = build_model(options, load_federation(options).clients[1]["train"].x[0])
    assert {*names_of(cell.get("model.type"), cell.get("model.layer", 2))} == {*built.state_dict()}


def cell(model: str = "mlp", method: str = "FedAvg", **sections: Any) -> Cell:
    fs = {"seed": 0, "federate": {"client_num": 3, "total_round_num": 2, "method": method}, "model": {"type": model}}
    return Cell(engine="builtin", protocol="master", fs=fs | sections)


EIGHT = {"quantization": {"method": "uniform", "nbits": 8}}


def local(*words: str) -> dict[str, Any]:
    return {"personalization": {"local_param": [*words]}}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (cell(**EIGHT), "quantization.method=uniform"),
        (cell("lr", **EIGHT), None),
        (cell("lr", "local", **EIGHT), "quantization.method=uniform"),  # no model is sent
        (cell("lstm", **EIGHT), "quantization.method=uniform"),
        (cell("bert", **EIGHT), None),  # nobody knows before it runs
        (cell(**local("bn")), "personalization.local_param=bn"),
        (cell(**local("norms")), None),
        (cell(**local("bn", "norms")), None),  # one word is in no name, and the other is
        (cell(**local("bn", "fc")), "personalization.local_param=bn,fc"),
        (cell(**local("bn"), **EIGHT), "quantization.method=uniform; personalization.local_param=bn"),
        (cell(**local("norms"), **EIGHT, fedprox={"use": True}), "quantization.method=uniform"),
        (cell(**EIGHT, vertical={"use": True}), None),
        (cell("lr", "local", **local("bn")), None),  # which is called local whatever it names
        (cell("lr", personalization={"local_param": "bn"}), None),
        (cell(), None),
    ],
)
def test_what_changes_nothing_is_known_before_it_runs(one: Cell, expected: str | None) -> None:
    assert no_effect_of(one) == expected


@pytest.mark.parametrize(
    "line",
    [
        "quantization.method=uniform quantised nothing: FederatedScope does so only for weights of layers with fc or "
        "conv in their name",
        *without_effect(["head.weight"], [], "uniform"),
        *without_effect(["fc.weight"], [], "uniform", method="global"),
    ],
)
def test_runs_tell_of_models_that_nobody_knows(line: str) -> None:
    assert no_effect_of(cell("bert", **EIGHT), [line]) == "quantization.method=uniform"
    assert no_effect_of(cell("bert"), [line]) is None  # of another option
    other = ["personalization.local_param: bn is in no name of the state_dict, so it keeps nothing local"]
    assert no_effect_of(cell("bert", **local("bn", "fc")), other) is None
    assert no_effect_of(cell("bert", **local("bn")), other) == "personalization.local_param=bn"


def test_the_part_of_a_combined_method_is_named() -> None:
    assert part_of("fedprox+quant16", "quantization.method") == "quant16"
    assert part_of("fedbn+fedprox+quant8", "personalization.local_param") == "fedbn"
    assert part_of("local: conv9, x+quant8", "personalization.local_param") == "local: conv9, x"
    assert part_of("ditto", "personalization.local_param") == ""
    assert options_in(float("nan")) == options_in(None) == ()


@pytest.mark.pipeline
def test_a_table_marks_the_row_and_says_why(swept: Callable[..., Result]) -> None:
    text = swept("table", *GRID).out
    marked = [
        line.split("  ")[0] + " " + line.split(MARK)[0].split()[-1] for line in text.splitlines() if f"{MARK} " in line
    ]
    assert marked == ["MLP-64 weights", "LR FedBN"]
    why = "8-bit weights: quantised nothing in MLP-64; FedBN: kept nothing local in LR"
    assert text.splitlines()[-1] == f"{MARK}: without effect: {why}"


@pytest.mark.pipeline
@pytest.mark.parametrize("format", ["latex", "markdown", "html", "text"])
def test_each_format_has_the_mark_and_its_note(swept: Callable[..., Result], format: str) -> None:
    text = swept("table", *GRID, "--format", format).out
    mark = r"\mathsection" if format == "latex" else MARK
    assert text.count(mark) == 3 and "8-bit weights: quantised nothing in MLP-64" in text


@pytest.mark.pipeline
def test_csv_names_the_option(swept: Callable[..., Result]) -> None:
    rows = rows_of(swept("table", *GRID, "--format", "csv").out)
    useless = {(row["method"], row["model"]): row["no_effect"] for row in rows if row["no_effect"]}
    assert useless == {
        ("quant8", "mlp_m"): "quantization.method", ("fedbn", "lr"): "personalization.local_param",
    }  # fmt: skip


@pytest.mark.pipeline
def test_where_models_stand_side_by_side_their_numbers_are_marked(swept: Callable[..., Result]) -> None:
    text = swept("table", *GRID, "table.across=model", "table.rows=[method]", "table.columns=[total]").out
    (line,) = (line for line in text.splitlines() if line.startswith("8-bit weights "))
    mlp, lr = line.removeprefix("8-bit weights").split()
    assert mlp.endswith(MARK) and MARK not in lr


@pytest.mark.pipeline
@pytest.mark.parametrize("layout", ["matrix", "model_size", "traffic", "audit"])
def test_other_layouts_mark_it_too(swept: Callable[..., Result], layout: str) -> None:
    text = swept("table", *GRID, f"table={layout}").out
    assert f"{MARK}: without effect: 8-bit weights: quantised nothing in MLP-64" in text
    marked = [line for line in text.splitlines() if f"{MARK} " in line]
    assert len(marked) == 2 and all("MLP-64" in line or "LR" in line for line in marked)


def test_a_combined_method_names_only_the_part_that_did_nothing(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("engine=estimate", "method=fedprox", "model=mlp_m", "fs.quantization.method=uniform")
    text = fscost(*words).out
    assert f"FedProx + 8-bit weights{MARK}" in text
    assert f"{MARK}: without effect: 8-bit weights: quantised nothing in MLP-64\n" in text


@pytest.mark.pipeline
def test_runs_written_before_are_read_by_their_warnings(swept: Callable[..., Result]) -> None:
    """A model that nobody knows: only the outcome of its run tells."""
    Path("shapes.yaml").write_text("head.weight: [10, 5]\nhead.bias: [10]\n")
    words = ("engine=estimate", "method=quant8", "model=spec", "shapes=shapes.yaml", "data=samples")
    assert "without effect" not in swept("plan", *words).out
    swept(*words)
    assert swept("plan", *words).out.splitlines()[0].endswith("  without effect: quant8 quantised nothing in shapes")
    assert "8-bit weights: quantised nothing in shapes" in swept("table", *words).out
    (outcome,) = Path("runs").glob("quant8-shapes-*/outcome.json")
    told = json.loads(outcome.read_text())
    assert told["warnings"] and "no_effect" not in told
    for odd in (None, "text", 3, [3]):
        outcome.write_text(json.dumps(told | {"warnings": odd}))
        done = swept("table", *words)
        assert (done.code, "without effect" in done.out) == (0, False)


@pytest.mark.pipeline
def test_frames_name_option_and_value(swept: Callable[..., Result]) -> None:
    cells = gather(runs_below(Path("runs"))).cells
    useless = cells[cells["no_effect"].notna()]
    assert {*zip(useless["method"], useless["model"], useless["no_effect"], strict=True)} == {
        ("quant8", "mlp_m", "quantization.method=uniform"),
        ("fedbn", "lr", "personalization.local_param=bn"),
    }


def test_a_plan_tells_it_before_anything_runs(here: Path, fscost: Callable[..., Result]) -> None:
    lines = fscost("plan", *GRID).out.splitlines()[:-1]
    told = [re.split("  without effect: ", line)[1] for line in lines if "without effect" in line]
    assert told == ["quant8 quantised nothing in mlp_m", "fedbn kept nothing local in lr"]
    assert all(line.startswith("missing") for line in lines)


@pytest.mark.pipeline
def test_status_counts_the_cells(here: Path, fscost: Callable[..., Result]) -> None:
    words = [word.replace("clients=3", "clients=3,4") for word in GRID]
    assert "\n\nwithout effect: quant8 quantised nothing in mlp_m (2 cells)\n" in fscost("status", *words).out
    fscost(*GRID)
    assert "without effect: fedbn kept nothing local in lr (1 cell)\n" in fscost("status", *GRID).out


@pytest.mark.pipeline
def test_a_report_says_it_in_table_list_cell_and_legend(swept: Callable[..., Result]) -> None:
    from fscost.api.results import Results
    from fscost.api.selection import select
    from fscost.report import content

    shown = content(Results(select(GRID)).subject())
    table = shown["tables"]["payload training auto"]
    assert [
        MARK,
        "without effect: 8-bit weights: quantised nothing in MLP-64; FedBN: kept nothing local in LR",
    ] in table["notes"]
    assert sum(MARK in str(row) for row in table["rows"]) == 2
    methods = [row[1] for row in shown["index"]["rows"]]
    assert sorted(set(methods)) == [
        "fedavg",
        "fedbn",
        "fedbn (kept nothing local)",
        "quant8",
        "quant8 (quantised nothing)",
    ]
    (useless,) = (c for c in shown["cells"].values() if c["name"].startswith("quant8-mlp_m"))
    assert "Warning: 8-bit weights: quantised nothing in MLP-64" in useless["html"]
    names = shown["figures"]["size payload training"]["names"]
    assert names == ["FedAvg", "8-bit weights (quantised nothing in MLP-64)", "FedBN (kept nothing local in LR)"]
