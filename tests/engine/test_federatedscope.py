"""Real FederatedScope, in every interpreter that is named; skipped where there is none.

``FSCOST_TEST_FS_PYTHONS`` names several, separated as in PATH; else ``FSCOST_FS_PYTHON`` names one.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.cells.outcome import Outcome, Status
from fscost.collect import Frames, gather
from fscost.engine.base import EngineSettings
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.federatedscope import FederatedScopeEngine, interpreter
from fscost.errors import ConfigError
from fscost.protocol.methods import METHODS
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.conftest import TRAINED_METHODS, Result, cell_of, cells_of, execute, in_process, needs_mnist
from tests.waiting import PATIENCE_S, until

PYTHONS = [p for p in os.environ.get("FSCOST_TEST_FS_PYTHONS", "").split(os.pathsep) if p]
PYTHONS = PYTHONS or [p for p in [os.environ.get("FSCOST_FS_PYTHON", "")] if p]
WHY_NOT = "no FederatedScope: name interpreters that have it with FSCOST_TEST_FS_PYTHONS or FSCOST_FS_PYTHON"

pytestmark = pytest.mark.federatedscope


@pytest.fixture(scope="module", params=PYTHONS or [pytest.param("", marks=pytest.mark.skip(WHY_NOT))])
def python(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(python: str) -> Iterator[FederatedScopeEngine]:
    """A warm engine without a timeout."""
    made = FederatedScopeEngine(python)
    yield made
    made.close()


@pytest.fixture
def run(python: str, engine: FederatedScopeEngine, tmp_path: Path) -> Callable[..., tuple[Outcome, RunDir]]:
    """Run the one cell of some overrides."""

    def run(*overrides: str) -> tuple[Outcome, RunDir]:
        return execute(cell_of(*at(python), *overrides), Store(tmp_path / "runs"), engine)

    return run


def at(python: str) -> tuple[str, ...]:
    return "engine=federatedscope", f"engine.python={python}"


def protocol(python: str) -> str:
    return interpreter(python).protocol


def by_type(run: RunDir) -> pd.DataFrame:
    frame = gather([(run.read_cell(), run)]).messages
    return frame.drop(columns=["cell", "reported_bytes"]).sort_values(["round", "type", "link"], ignore_index=True)


GRID = ("method=fedavg,fedprox", "clients=3,10", "model=mlp_m,convnet2", "rounds=3")


def test_messages_equal_those_of_the_builtin_engine(python: str, engine: FederatedScopeEngine, tmp_path: Path) -> None:
    """Round, type, link, number, payload, scalar and wire bytes; asizeof depends on the Python version."""
    ours, theirs = (
        gather([(c, execute(c, Store(tmp_path / "runs"), e)[1]) for c in cells_of(*words, *GRID)])
        for e, words in (
            (BuiltinEngine(), ("engine=builtin", f"engine.protocol={protocol(python)}")),
            (engine, at(python)),
        )
    )
    assert set(theirs.cells["status"]) == {"done"}
    pd.testing.assert_frame_equal(_comparable(ours), _comparable(theirs))


def _comparable(frames: Frames) -> pd.DataFrame:
    axes = ["method", "model", "clients"]
    joined = frames.messages.merge(frames.cells[["cell", *axes]], on="cell").drop(columns=["cell", "reported_bytes"])
    return joined.sort_values([*axes, "round", "type", "link"], ignore_index=True)


@pytest.mark.parametrize(
    "words",
    [
        ("model=convnet5", "clients=2", "rounds=2", "local_unit=batch"),
        ("model=lstm", "fs.model.hidden=16", "rounds=2", "local_unit=batch"),
        pytest.param(("model=mlp_s", "data=mnist5k", "alpha=0.3", "rounds=2"), marks=needs_mnist),
        pytest.param(
            ("model=convnet2", "data=mnist5k", "resize=16", "rounds=1", "local_unit=batch"), marks=needs_mnist
        ),
    ],
    ids=lambda words: "-".join(word.split("=")[1] for word in words[:2]),
)
def test_more_models_and_data_send_what_the_builtin_engine_sends(
    python: str, run: Callable[..., tuple[Outcome, RunDir]], tmp_path: Path, words: tuple[str, ...]
) -> None:
    outcome, theirs = run(*words)
    assert outcome.status is Status.DONE, outcome.reason
    told = ("engine=builtin", f"engine.protocol={protocol(python)}")
    _, ours = execute(cell_of(*told, *words), Store(tmp_path / "ours"), BuiltinEngine())
    pd.testing.assert_frame_equal(by_type(ours), by_type(theirs))
    assert _flops(ours) == _flops(theirs)
    assert _samples(ours) == _samples(theirs)


THEIRS = [name for name in TRAINED_METHODS if not any(method.name == name and method.is_own for method in METHODS)]
"""The methods that FederatedScope has."""


@pytest.mark.parametrize("method", THEIRS)
def test_every_method_sends_what_the_builtin_engine_sends(
    method: str, python: str, run: Callable[..., tuple[Outcome, RunDir]], tmp_path: Path
) -> None:
    words = (f"method={method}", "model=mlp_s", "clients=5", "rounds=3")
    if method.startswith("quant"):
        words = (*words, "model=lr")  # nothing of an mlp is quantised
    cell = cell_of("engine=builtin", f"engine.protocol={protocol(python)}", *words)
    try:
        BuiltinEngine().check(cell)
    except ConfigError as error:
        pytest.skip(str(error))  # an older release does not have it
    outcome, theirs = run(*words)
    assert outcome.status is Status.DONE, outcome.reason
    _, ours = execute(cell, Store(tmp_path / "ours"), BuiltinEngine())
    found, expected = by_type(ours), by_type(theirs)
    if method.startswith("quant") and cell.protocol != "master":  # integers that are not pickled: values tell how long
        found, expected = found.drop(columns="wire_bytes"), expected.drop(columns="wire_bytes")
    pd.testing.assert_frame_equal(found, expected)


def _flops(run: RunDir) -> list[float]:
    lines = [json.loads(line) for line in run.system_metrics.read_text().splitlines()]
    return [line["total_flops"] for line in lines if isinstance(line["id"], int)]


def test_the_digits_are_split_as_in_the_builtin_engine(
    python: str, run: Callable[..., tuple[Outcome, RunDir]], tmp_path: Path
) -> None:
    """A skewed split gives every client another number of samples, which its last evaluation tells."""
    skewed = ("alpha=0.3", "clients=5", "rounds=1", "seed=7")
    _, theirs = run(*skewed)
    _, ours = execute(
        cell_of("engine=builtin", f"engine.protocol={protocol(python)}", *skewed), Store(tmp_path), BuiltinEngine()
    )
    assert _samples(theirs) == _samples(ours)
    assert len({test for _, test, _ in _samples(ours)}) > 1


def _samples(run: RunDir) -> list[tuple[str, Any, Any]]:
    lines = [eval(line) for line in run.eval_results.read_text().splitlines() if "'Client #" in line]
    totals = [(line["Role"], line["Results_raw"]["test_total"], line["Results_raw"]["val_total"]) for line in lines]
    return sorted(totals)


def test_the_seed_decides(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    first, again, other = (_losses(run("rounds=2", f"seed={seed}")[1]) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def _losses(run: RunDir) -> list[float]:
    return list(gather([(run.read_cell(), run)]).rounds["test_loss"])


def test_federatedscopes_own_data_just_work(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    outcome, made = run("data=toy", "model=lr", "rounds=2")
    assert outcome.status is Status.DONE
    sizes = by_type(made).query("type == 'model_para'")["payload_bytes"]
    assert set(sizes) == {3 * 6 * 4}  # three clients, six parameters of four bytes


def test_a_rerun_lands_in_the_same_place(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    """FederatedScope would write a second run into sub_exp_… of the first."""
    (_, first), (outcome, second) = run("rounds=1"), run("rounds=1")
    assert outcome.status is Status.DONE
    assert first.path == second.path
    assert not list(second.path.rglob("sub_exp*"))
    assert second.system_metrics.exists()


def test_a_value_that_starts_with_client_is_not_swallowed(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    """FederatedScope's command line takes any word starting with client for a client's configuration."""
    outcome, made = run("rounds=1", "fs.data.root=client_data")
    assert (outcome.status, made.read_cell().get("data.root")) == (Status.DONE, "client_data")


def test_secret_sharing_runs_and_says_what_was_done(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    """With more than 16 elements in a tensor FederatedScope's own counting would crash."""
    outcome, made = run("model=lr", "rounds=1", "fs.federate.use_ss=true")
    assert outcome.status is Status.DONE, outcome.reason
    assert any("pympler crashed" in warning for warning in outcome.warnings)
    small, _ = run("data=toy", "model=lr", "rounds=1", "fs.federate.use_ss=true")
    assert not any("pympler" in warning for warning in small.warnings)  # and counts as FederatedScope alone does
    peer = by_type(made).query("link == 'peer'")
    assert list(peer["payload_bytes"]) == [3 * 2 * 650 * 8]  # every client to two others, 650 doubles


def test_quantisation_without_effect_is_told(python: str, run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    quantised = ("rounds=1", "fs.quantization.method=uniform", "fs.quantization.nbits=8")
    if protocol(python) == "v0.2.0":
        with pytest.raises(ConfigError, match=r"fs.quantization.method: FederatedScope v0.2.0 .* has no such option"):
            run("model=mlp_m", *quantised)
        return
    outcome, _ = run("model=mlp_m", *quantised)
    assert any("quantised nothing" in warning for warning in outcome.warnings)
    outcome, made = run("model=convnet2", *quantised)
    assert not any("quantised" in warning for warning in outcome.warnings)
    sizes = by_type(made).set_index("type").query("link == 'downlink'")["payload_bytes"]
    assert sizes["model_para"] < sizes["evaluate"] / 3


def test_a_personal_parameter_that_is_none_is_told(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    outcome, _ = run("rounds=1", "fs.personalization.local_param=[bn]")
    assert any("bn is in no name of the state_dict" in warning for warning in outcome.warnings)


def test_a_cell_that_federatedscope_changed_fails(run: Callable[..., tuple[Outcome, RunDir]]) -> None:
    outcome, _ = run("rounds=1", "fs.federate.method=local", "fs.federate.unseen_clients_rate=0.4")
    assert outcome.status is Status.FAILED
    assert "fs.federate.unseen_clients_rate=0.4: FederatedScope used 0.0" in outcome.reason


def test_another_mode_is_refused_before_it_starts() -> None:
    words = ("engine=federatedscope", "engine.protocol=master", "fs.federate.mode=distributed")
    with pytest.raises(ConfigError, match="standalone mode"):
        FederatedScopeEngine(None).check(cell_of(*words))


def test_a_splitter_that_crashes_is_refused_where_it_does(python: str) -> None:
    words = (*at(python), "fs.data.type=femnist", "fs.data.splitter=iid")
    if protocol(python) not in ("master", "v0.3.0", "v0.2.0"):  # later commits and branch llm have mended it
        assert cell_of(*words).get("data.splitter") == "iid"
        return
    with pytest.raises(ConfigError, match=r"crashes on it: .*; take fs.data.splitter=iid_fixed"):
        cell_of(*words)


def test_a_model_that_crashes_is_refused(python: str) -> None:
    with pytest.raises(ConfigError, match=r"fs.model.type=vgg11: .* crashes on it: .*Output size is too small"):
        cell_of(*at(python), "model=vgg11", "resize=32")


def test_a_release_that_is_not_there_is_refused(python: str) -> None:
    other = "v0.3.0" if protocol(python) != "v0.3.0" else "master"
    cell = cell_of(*at(python), f"engine.protocol={other}")
    with pytest.raises(ConfigError, match=f"engine.protocol={other}: there is FederatedScope"):
        FederatedScopeEngine(python).prepare(cell)


def test_a_hang_is_stopped_and_the_next_cell_runs(python: str, tmp_path: Path) -> None:
    endless, short = cells_of(*at(python), "rounds=1000000,1")
    with closing(FederatedScopeEngine(python)) as engine:
        outcome, run = execute(endless, Store(tmp_path), engine, EngineSettings(timeout_min=0.05))
        assert (outcome.status, outcome.reason) == (Status.TIMEOUT, "stopped after 0.05 min")
        assert run.status() is Status.TIMEOUT
        assert execute(short, Store(tmp_path), engine)[0].status is Status.DONE


def test_a_killed_cell_fails_with_its_last_words_and_costs_no_other(python: str, tmp_path: Path) -> None:
    endless, short = cells_of(*at(python), "rounds=1000000,1")
    with closing(FederatedScopeEngine(python)) as engine, ThreadPoolExecutor() as pool:
        both = [pool.submit(execute, cell, Store(tmp_path), engine) for cell in (endless, short)]
        assert both[1].result(PATIENCE_S)[0].status is Status.DONE
        (cell,) = _forks_of(engine)
        os.kill(cell, signal.SIGKILL)
        outcome, _ = both[0].result(PATIENCE_S)
    assert (outcome.status, outcome.died) == (Status.FAILED, True)
    assert outcome.reason.startswith(
        "the process was killed by SIGKILL, as the kernel does when memory runs out; its l"
    )


def test_a_killed_worker_costs_no_cell(python: str, tmp_path: Path) -> None:
    cell = cell_of(*at(python), "rounds=60")
    with closing(FederatedScopeEngine(python)) as engine, ThreadPoolExecutor() as pool:
        run = pool.submit(execute, cell, Store(tmp_path), engine)
        until(lambda: bool(_forks_of(engine)))
        os.kill(_pid(engine), signal.SIGKILL)
        assert run.result(PATIENCE_S)[0].status is Status.DONE


def _pid(engine: FederatedScopeEngine) -> int:
    worker = engine._worker._worker
    assert worker is not None
    return worker._process.pid


def _forks_of(engine: FederatedScopeEngine) -> list[int]:
    if engine._worker._worker is None:
        return []
    return [int(pid) for pid in Path(f"/proc/{_pid(engine)}/task/{_pid(engine)}/children").read_text().split()]


def test_exit_fails_the_cell_with_the_last_words(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FederatedScope calls exit() where wandb is asked for and cannot be imported."""
    (tmp_path / "wandb.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    cell = cell_of(*at(python), "rounds=1", "fs.wandb.use=true")
    with closing(FederatedScopeEngine(python)) as engine:
        outcome, _ = execute(cell, Store(tmp_path / "runs"), engine)
    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith("exit() was called; its last words: ")
    assert outcome.reason.endswith("ERROR: cfg.wandb.use=True but not install the wandb package")


def test_ctrl_c_leaves_nothing_running(python: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "fscost", *at(python), "rounds=1000000"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sweep:
        until(lambda: any(log.stat().st_size for log in tmp_path.rglob("engine.log")))
        sweep.send_signal(signal.SIGINT)
        _, told = sweep.communicate(timeout=PATIENCE_S)
    assert sweep.returncode == 130
    assert told.splitlines()[-1].startswith("fscost: interrupted")
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in p.read_bytes()]


MINE = """
from federatedscope.register import register_config

def mine(cfg):
    cfg.federate.my_switch = False

register_config("mine", mine)
"""

FORK = {
    "federate": {"client_num": 3, "total_round_num": 4, "my_switch": True},
    "data": {"type": "toy"},
    "model": {"type": "lr"},
    "trainer": {"type": "general"},
    "criterion": {"type": "MSELoss"},
    "train": {"optimizer": {"lr": 0.1}},
}


def test_an_option_of_a_fork_is_metered_where_it_is(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fork is a copy with one module more, which nobody committed."""
    (tmp_path / "fs.yaml").write_text(json.dumps(FORK))
    words = (*at(python), f"fs_config={tmp_path / 'fs.yaml'}")
    with pytest.raises(ConfigError, match=r"federate.my_switch: FederatedScope .*commit .* has no such option"):
        cell_of(*words)
    package = shutil.copytree(interpreter(python).folder, tmp_path / "fork" / "federatedscope")
    (package / "contrib" / "configs" / "mine.py").write_text(MINE)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    interpreter.cache_clear()
    with closing(FederatedScopeEngine(python)) as engine:
        cell = cell_of(*words)
        outcome, run = execute(cell, Store(tmp_path / "runs"), engine)
    interpreter.cache_clear()
    assert (outcome.status, cell.get("federate.my_switch")) == (Status.DONE, True), outcome.reason
    models = by_type(run).query("type == 'model_para'")
    assert set(models["payload_bytes"] / models["messages"]) == {24}
    assert (len(models), set(models["messages"])) == (8, {3})


def test_auto_takes_federatedscope_and_says_so(python: str, tmp_path: Path) -> None:
    result: Result = in_process("rounds=1", cwd=tmp_path, env={"FSCOST_FS_PYTHON": python})
    assert result.code == 0, result.err
    assert f"engine=auto: federatedscope, FederatedScope {protocol(python)}" in result.err
