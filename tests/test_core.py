"""What works without any extra, as on a laptop that only collects, tabulates and estimates."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

import fscost
from fscost.engine.estimate import EstimateEngine
from fscost.extras import EXTRAS
from fscost.store.store import Store
from tests.conftest import Result, cell_of, execute
from tests.one_process import OneProcess
from tests.tables.recorded import unpacked

pytestmark = pytest.mark.pipeline

HEAVY = ("torch", "sklearn", "scipy", "mlxtend", "matplotlib", "plotly", "itables")

CHECKOUT = Path(fscost.__file__).parents[1]


def without_extras(folder: Path, *commands: str) -> list[Result]:
    """What commands print in a Python, one for all of them, that has no package of an extra."""
    with OneProcess(folder, CHECKOUT, without=HEAVY) as python:
        return [python.run(*command.split()) for command in commands]


def test_estimates_and_all_that_is_told_of_them(tmp_path: Path) -> None:
    grid = "engine=estimate method=fedavg,fedbn,quant8 model=lr,mlp_s,convnet2 clients=3 alpha=null,0.5 rounds=2"
    found = without_extras(
        tmp_path, f"plan {grid}", grid, "table", "status", "explain", "table --cells", "table table=model_size",
        "collect --out frames", f"plan {grid}",
    )  # fmt: skip
    assert [(one.code, one.err.count("Traceback")) for one in found] == [(0, 0)] * len(found), found
    assert "18 cells, 18 missing" in found[0].out
    assert "18 cells, 18 done" in found[-1].out
    assert (tmp_path / "frames" / "messages.parquet").is_file()


def test_models_and_splits_of_every_kind_are_estimated(tmp_path: Path) -> None:
    found = without_extras(
        tmp_path,
        "engine=estimate model=convnet5,vgg11 data=mnist5k alpha=0.5 clients=10 rounds=1",
        "engine=estimate model=lstm clients=5 rounds=1",
        "engine=estimate model=mistral_7b_lora data=samples clients=2 rounds=3",
        "engine=estimate data=toy model=lr clients=100 rounds=3",
        "sweeps=published",
    )
    assert [one.code for one in found] == [0] * len(found), found


def test_recorded_runs_are_collected_and_tabulated(tmp_path: Path) -> None:
    unpacked(tmp_path)
    words = [
        "table runs",
        "table runs --format latex",
        "table runs table=audit",
        "collect runs --out frames",
        "plan runs",
    ]
    found = without_extras(tmp_path, *words)
    assert [(one.code, one.err) for one in found] == [(0, "")] * len(found)
    text, latex = found[0].out, found[1].out
    assert "FedProx" in text
    assert r"\begin{tab" in latex


TRAIN = (
    "fscost: engine=builtin: torch and scikit-learn are not installed; pip install 'fscost[train]', or take "
    "engine=estimate, which counts bytes without training\n"
)


@pytest.mark.parametrize("engine", ["auto", "builtin"])
def test_training_is_refused_before_anything_runs_and_by_the_plan(engine: str, tmp_path: Path) -> None:
    grid = f"engine={engine} clients=3"
    plan, run, both = without_extras(tmp_path, f"plan {grid}", grid, "engine=estimate,builtin clients=3 rounds=1")
    assert (plan.code, run.code, both.code) == (2, 2, 2)
    assert "1 cell, 1 missing" in plan.out
    assert plan.err == TRAIN
    assert run.err.endswith(TRAIN)
    assert both.err.endswith(TRAIN)
    assert not [*tmp_path.glob("runs/*/ledger.jsonl")]
    assert ("FSCOST_FS_PYTHON names an interpreter" in run.err) == (engine == "auto")


def test_what_was_trained_elsewhere_is_planned_and_tabulated(tmp_path: Path) -> None:
    """A plan refuses no more than what is left to compute."""
    grid = "engine=builtin method=fedavg model=lr clients=3 rounds=2"
    execute(cell_of(*grid.split()), Store(tmp_path / "runs"), EstimateEngine())  # ledgers are alike, and logs are lost
    plan, table, more = without_extras(tmp_path, f"plan {grid}", f"table {grid}", f"plan {grid} seed=0,1")
    assert (plan.code, plan.err) == (0, "")
    assert table.code == 0
    assert "2.60" in table.out
    assert (more.code, more.err) == (2, TRAIN)


def test_a_figure_and_a_page_name_their_extra(tmp_path: Path) -> None:
    found = without_extras(tmp_path, "engine=estimate rounds=1", "plot size", "report", "report --serve")
    assert [(one.code, one.err) for one in found[1:]] == [
        (2, "fscost: plot size: matplotlib is not installed; pip install 'fscost[figures]'\n"),
        (2, "fscost: report: plotly and itables are not installed; pip install 'fscost[report]'\n"),
        (2, "fscost: report: plotly and itables are not installed; pip install 'fscost[report]'\n"),
    ]
    assert not [*tmp_path.rglob("*.pdf"), *tmp_path.rglob("*.html.part")]


def test_importing_fscost_imports_nothing_else() -> None:
    told = "import sys, fscost; print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-S", "-c", told], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert {*done.stdout.split()} == {"__main__", "fscost"}


def _requirements(names: Sequence[str]) -> set[str]:
    return {found[0] for name in names if (found := re.match(r"[\w-]+(?!\[)", name))}


def test_the_extras_are_those_that_are_installed() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    assert {name: {*packages.values()} for name, packages in EXTRAS.items()} == {
        name: _requirements(optional[name]) for name in EXTRAS
    }
    assert not _requirements(project["dependencies"]) & {p for packages in EXTRAS.values() for p in packages.values()}
