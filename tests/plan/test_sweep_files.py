"""Every file in sweeps/ plans, and every option in conf/ is called in tables what it is called on the command line."""

import re
from pathlib import Path

import pytest

from fscost.engine import DEFAULTS, Engines, identify
from fscost.plan import plan
from fscost.resources import conf, root
from tests.conftest import cell_of, cells_of

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
