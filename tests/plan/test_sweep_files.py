"""Every file in sweeps/ plans, and every option in conf/ is called in tables what it is called on the command line."""

import re
import shutil
from pathlib import Path

import pytest

from fscost.engine import DEFAULTS, Engines, identify
from fscost.plan import plan
from fscost.resources import conf, root
from tests.conftest import cell_of, cells_of
from tests.one_process import OneProcess

SWEEPS = sorted((root() / "sweeps").glob("*.yaml"))


@pytest.mark.pipeline
@pytest.mark.parametrize("file", SWEEPS, ids=lambda f: f.stem)
def test_every_sweep_plans_as_many_cells_as_its_comment_says(file: Path) -> None:
    planned = plan([f"sweeps={file.stem}"], identify).cells
    with Engines() as engines:
        for one in planned:
            engines.of(one.cell, DEFAULTS).check(one.cell)
    said = re.search(r"(\d+) cells", file.read_text().splitlines()[1])
    assert said, "the first comment of a sweep says how many cells it has"
    assert len(planned) == int(said[1])
    assert cell_of(*planned[-1].overrides) == planned[-1].cell


_NO_NAMES = ("spec", "online", "sharelocal")
"""A model of any name, and ways of simulating FedAvg."""


_SIZES = {"splitfed": ("sizes.cut=1", "sizes.client_params=1")}
"""What has no default."""


@pytest.mark.slow
@pytest.mark.parametrize("group", ["method", "model"])
def test_an_options_name_is_read_back_from_its_configuration(group: str) -> None:
    for option in (file.stem for file in (conf() / group).glob("*.yaml") if file.stem not in _NO_NAMES):
        cell = cell_of(f"{group}={option}", *_SIZES.get(option, ()))
        rank = cell.get("model.spec.lora_rank") if group == "model" else None
        assert cell.axes[group] == (f"{option}_r{rank}" if rank else option)


@pytest.mark.pipeline
def test_how_it_is_simulated_is_no_method() -> None:
    assert [cell_of(f"method={option}").axes["method"] for option in ("online", "sharelocal")] == ["fedavg", "fedavg"]


@pytest.mark.pipeline
def test_data_is_read_back_too() -> None:
    assert cell_of("data=digits", "model=convnet2").axes["data"] == "digits"
    assert cell_of("data=toy", "model=lr").axes["data"] == "toy"
    assert [c.axes["data"] for c in cells_of("data=mnist5k", "model=lr,convnet2")] == ["mnist5k", "mnist5k"]


@pytest.mark.pipeline
def test_an_option_that_is_edited_or_new_is_what_the_next_plan_of_a_process_reads(tmp_path: Path) -> None:
    for name in ("fscost", "conf"):
        shutil.copytree(root() / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    option, new = tmp_path / "conf" / "method" / "fedprox.yaml", tmp_path / "conf" / "method" / "fedprox2.yaml"
    with OneProcess(tmp_path, tmp_path) as python:
        before = python.printed("plan", "method=fedprox", "--list")
        assert python.run("plan", "method=fedprox2").code == 2
        assert python.printed("plan", "method=fedprox", "--list") == before
        new.write_text(option.read_text())
        option.write_text(option.read_text().replace("mu: 0.1", "mu: 0.7"))
        after = python.printed("plan", "method=fedprox", "--list")
        assert after != before
        assert python.printed("plan", "method=fedprox2", "--list") == before
