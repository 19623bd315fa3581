"""Whoever imports fscost may use Hydra too: what is planned leaves all of his as it was, whatever happens."""

import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

from fscost.engine import identify
from fscost.errors import ConfigError
from fscost.plan import plan
from fscost.plan.hydra_config import register
from tests.plan.hydra_itself import BASE, started

OWN = {
    name: (lambda *_, name=name: f"their {name}") for name in ("type_of", "spec_of", "now", "fscost.type_of", "theirs")
}


@pytest.fixture(params=[False, True], ids=["a process", "a process with Hydra"])
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """A process with resolvers of its own and, with Hydra, a configuration that is open and a job that runs."""
    resolvers = BaseContainer._resolvers
    BaseContainer._resolvers = {name: one for name, one in resolvers.items() if name.startswith("oc.")}
    for name, resolver in OWN.items():
        register(name, resolver)
    if request.param:
        (tmp_path / "config.yaml").write_text("a: ${type_of:1}\nb: ${now:%Y}\nhydra: {job: {name: theirs}}\n")
        base = {"version_base": "1.2"} if BASE else {}
        with started(tmp_path, **base):
            HydraConfig.instance().set_config(hydra.compose("config", return_hydra_config=True))
            yield
        HydraConfig.instance().cfg = None
    else:
        yield
    BaseContainer._resolvers = resolvers


def state() -> dict[str, Any]:
    """Everything of the process that planning could have changed."""
    return {
        "hydra": GlobalHydra.instance().hydra,
        "version base": VersionBase.instance().version_base,
        "job": JobRuntime.instance().conf.copy(),
        "configuration of the job": HydraConfig.instance().cfg,
        "resolvers": dict(BaseContainer._resolvers),
        "composed": composed(),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "handlers": [*logging.root.handlers],
        "level": logging.root.level,
        "warnings": [*warnings.filters],
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "arguments": [*sys.argv],
    }


def composed() -> Any:
    return OmegaConf.to_container(hydra.compose("config"), resolve=True) if GlobalHydra.instance().hydra else None


def interrupted(engine: Any) -> Any:
    raise KeyboardInterrupt


def unknown(engine: Any) -> Any:
    raise ConfigError("no such engine")


def test_planning_leaves_all_as_it_was(theirs: None) -> None:
    before = state()
    seen: list[dict[str, Any]] = []

    def looking(engine: Any) -> Any:
        seen.append({key: value for key, value in state().items() if key not in ("version base", "resolvers")})
        return identify(engine)

    made = plan(["method=fedavg,fedprox", "data=digits", "alpha=0.5", "sweeps=quickstart"], looking)
    assert len(made.cells) == 4
    assert made.cells[0].cell.get("data.type") == "digits_flat"
    assert state() == before
    assert all(one.items() <= before.items() for one in seen)  # nor are they taken while cells are made


@pytest.mark.parametrize(
    ("overrides", "asked", "error"),
    [
        (["method=nope"], identify, ConfigError),
        (["clients=("], identify, ConfigError),
        (["alpha=-1"], identify, ConfigError),
        (["config_dir=nowhere"], identify, ConfigError),
        (["table=nowhere.yaml"], identify, ConfigError),
        ([], unknown, ConfigError),
        ([], interrupted, KeyboardInterrupt),
    ],
)
def test_so_does_what_fails_midway(theirs: None, overrides: list[str], asked: Any, error: type[BaseException]) -> None:
    before = state()
    with pytest.raises(error):
        plan(overrides, asked)
    assert state() == before


def test_options_of_ones_own_call_ones_own_resolvers(theirs: None, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "own.yaml").write_text(
        "# @package _global_\ndefaults: [lr]\nfs: {model: {task: '${theirs:}, ${type_of:1}'}}\n"
    )
    (one,) = plan(["model=own", f"config_dir={tmp_path}"], identify).cells
    assert one.cell.get("data.type") == "digits_flat"
    assert one.cell.get("model.task") == "their theirs, their type_of"


@pytest.mark.pipeline
def test_threads_plan_at_once(tmp_path: Path) -> None:
    def planned(number: int) -> tuple[int, Any]:
        folder = tmp_path / str(number) / "model"
        folder.mkdir(parents=True)
        (folder / "own.yaml").write_text(
            f"# @package _global_\ndefaults: [mlp_s]\nfs: {{model: {{hidden: {number}}}}}\n"
        )
        (one,) = plan(["model=own", f"config_dir={folder.parent}"], identify).cells
        return number, one.cell.get("model.hidden")

    with ThreadPoolExecutor(8) as pool:
        assert [a == b for a, b in pool.map(planned, range(100, 116))] == [True] * 16


JOB = """
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    import fscost

    @hydra.main(config_path=".", config_name="mine"{base})
    def job(config):
        own, folder = GlobalHydra.instance().hydra, HydraConfig.get().runtime.output_dir
        cells = fscost.plan("method=fedavg,fedprox", f"clients={{config.n}}")
        assert GlobalHydra.instance().hydra is own and HydraConfig.get().runtime.output_dir == folder
        print("planned", len(cells), config.n, config.text, HydraConfig.get().job.num, flush=True)
        fscost.plan(*[f"clients={{config.n}}", "method=nope"][: config.n])

    register = "replace" in OmegaConf.register_resolver.__code__.co_varnames
    (OmegaConf.register_resolver if register else OmegaConf.register_new_resolver)("type_of", lambda x: f"theirs {{x}}")
    job()
"""


@pytest.mark.pipeline
def test_within_a_job_of_hydra(tmp_path: Path) -> None:
    """A sweep of jobs: each plans, the next is composed after it, and the last one's mistake is its own."""
    (tmp_path / "mine.yaml").write_text("n: 1\ntext: ${type_of:${n}}\n")
    base = ', version_base="1.3"' if BASE else ""
    (tmp_path / "job.py").write_text(dedent(JOB).format(base=base))
    words = [sys.executable, "-W", "error", "job.py", "-m", "n=1,1,2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if line.startswith("planned")]
    assert told == ["planned 2 1 theirs 1 0", "planned 2 1 theirs 1 1", "planned 2 2 theirs 2 2"]
    assert done.returncode == 1
    assert "ConfigError: method=nope: no such method" in done.stderr
