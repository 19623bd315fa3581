"""Training commands of somebody's as cells, run for real: those that record, and all that can go wrong."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fscost.cells.outcome import Outcome, Status
from fscost.engine import EngineSettings
from fscost.engine.command import CommandEngine
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from fscost.worker.process_family import members
from tests.conftest import Result, cell_of, execute, in_process
from tests.launch.slurm_lab import one_node, why_not
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.pipeline  # each starts processes

CODE = Path(__file__).with_name("own_training.py")
COMMAND = f"engine.command={sys.executable} train.py {{method}} {{clients}} {{seed}} {{args.how}}"
SWEEP = (
    "engine=command",
    COMMAND,
    "method=fedavg,prototypes",
    "clients=2,3",
    "seed=0,1,2",
    "args.how=trains",
    "rounds=2",
)

Run = Callable[..., tuple[Outcome, RunDir]]


@pytest.fixture
def folder(here: Path) -> Path:
    shutil.copy(CODE, here / "train.py")
    return here


@pytest.fixture
def run(folder: Path) -> Iterator[Run]:
    """Computes the cell of one command."""
    engine = CommandEngine()

    def computed(how: str, *words: str, **settings: float) -> tuple[Outcome, RunDir]:
        cell = cell_of("engine=command", COMMAND, f"args.how={how}", "rounds=2", *words)
        return execute(cell, Store(folder / "runs"), engine, EngineSettings(**settings))  # type: ignore[arg-type]

    yield computed
    engine.close()


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_command_records_is_its_result(run: Run) -> None:
    outcome, done = run("trains")
    assert (outcome.status, outcome.reason, outcome.warnings) == (Status.DONE, "", ())
    reading = done.read()
    assert reading.ledger and sum(row["payload_bytes"] for row in reading.ledger.messages) == 2 * 2 * 3 * 40
    assert done.engine_log.read_text() == "the command began\n"
    assert not done.progress.exists()


def test_a_table_has_a_method_as_it_was_written_and_explain_no_release(
    folder: Path, fscost: Callable[..., Result]
) -> None:
    words = ("engine=command", COMMAND, "args.how=trains", "clients=2", "rounds=2")
    told = fscost("-m", *words, "method=FedProto,FedAvg", "table.rows=[method]")
    assert re.findall(r"^(FedProto|FedAvg) ", told.out, re.M) == ["FedProto", "FedAvg"]
    ours = fscost("table", *words, "method=FedProto", "table.labels.fedproto=Ours", "table.rows=[method]").out
    assert re.findall(r"^(FedProto|Ours) ", ours, re.M) == ["Ours"]
    assert (
        fscost("explain", *words, "method=FedProto").out.splitlines()[1] == "engine command, messages of own code: done"
    )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("exits", "the command ended with exit code 3; its last words: the command began"),
        ("says why", "the command ended with exit code 1; its last words: no GPU is left"),
        ("is killed", "the command was killed by SIGKILL, as the kernel does when memory runs out; its last words: "),
        (
            "is silent",
            "the command recorded nothing; count in it with fscost.record; its last words: the command began",
        ),
        ("exits at the end", "the command ended with exit code 4; its last words: "),
        ("other axes", "the command ended with exit code 1; its last words: "),
        ("shouts", "the command ended with exit code 1; its last words: the last words of many"),
        ("mumbles", "the command ended with exit code 1; its last words: \ufffd\ufffd\ufffd caf\ufffd red"),
    ],
)
def test_what_goes_wrong_is_a_failed_cell_with_its_last_words(run: Run, how: str, reason: str) -> None:
    outcome, failed = run(how)
    assert outcome.status is Status.FAILED and outcome.reason.startswith(reason)
    assert outcome.died is (how == "is killed"), "only that is worth another try"
    assert failed.engine_log.stat().st_size < 11_000_000


def test_other_axes_than_the_cells_are_never_its_result(run: Run) -> None:
    outcome, _ = run("other axes")
    assert "clients=4" in outcome.reason and "3" in outcome.reason


def test_a_foreign_ledger_is_held_against_its_cell(run: Run, folder: Path) -> None:
    """Whatever wrote it: here the ledger of another cell is copied."""
    _, done = run("trains")
    (folder / "train.py").write_text(
        f"import os, shutil\nshutil.copy({str(done.ledger)!r}, os.environ['FSCOST_RUN_DIR'])\n"
    )
    outcome, _ = run("trains", "clients=5")
    assert outcome.reason.startswith("the command recorded clients=3, and not what it was asked for, clients=5")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo hello >", "ledger.jsonl:1: no JSON (Expecting value)"),
        ("mkdir", "ledger.jsonl: cannot be read: "),
        ("echo '{\"format\": 2}' >", "ledger.jsonl:1: the file ends too early, its digest does not match"),
        ("echo '{\"format\": 99}' >", "ledger.jsonl:1: format 99"),
    ],
)
def test_what_is_no_ledger_is_no_result(folder: Path, text: str, reason: str) -> None:
    engine = CommandEngine()
    escaped = text.replace("{", "{{").replace("}", "}}")
    cell = cell_of("engine=command", f"engine.command={escaped} $FSCOST_RUN_DIR/ledger.jsonl", "engine.shell=true")
    outcome, _ = execute(cell, Store(folder / "runs"), engine)
    engine.close()
    assert outcome.status is Status.FAILED and outcome.reason.startswith(reason)
    assert "rerun" not in outcome.reason and ".running" not in outcome.reason.split(": ")[0]


def test_a_time_limit_ends_a_command_and_its_daemons(run: Run, folder: Path) -> None:
    outcome, _ = run("hangs", timeout_min=0.05)
    assert outcome.status is Status.TIMEOUT and outcome.reason.startswith("stopped after 0.05 min")
    assert not is_running(int((folder / "daemon").read_text()))


def test_a_memory_limit_is_that_of_a_command_and_its_children(run: Run) -> None:
    outcome, _ = run("eats", memory_gb=0.4)
    assert outcome.status is Status.FAILED and outcome.reason.startswith("out of memory: stopped at 0.")


def test_a_daemon_ends_with_its_command(run: Run, folder: Path) -> None:
    outcome, _ = run("leaves a daemon")
    assert outcome.status is Status.DONE
    assert not is_running(int((folder / "daemon").read_text()))


def test_a_command_has_the_users_environment_and_a_recorder(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that this interpreter has, the command's sees fscost alone."""
    monkeypatch.setenv("OWN", "word")
    (folder / "train.py").write_text(
        "import os, sys\nimport fscost\n"
        "print(os.getcwd(), os.environ['OWN'], os.environ['OMP_NUM_THREADS'], sys.stdin.read() == '')\n"
        "print([sorted(os.listdir(path)) for path in sys.path if path.startswith(os.environ['FSCOST_RUN_DIR'])])\n"
    )
    _, done = run("trains", threads=2)
    assert done.engine_log.read_text() == f"{folder} word 2 True\n[['fscost']]\n"


def test_a_program_that_is_not_there_is_told(folder: Path) -> None:
    engine = CommandEngine()
    outcome, _ = execute(cell_of("engine=command", "engine.command=pyhton a"), Store(folder / "runs"), engine)
    assert outcome.reason == "engine.command=pyhton a: there is no program pyhton here"
    (folder / "script").write_text("print()")
    (folder / "script").chmod(0o755)
    outcome, _ = execute(cell_of("engine=command", "engine.command=./script"), Store(folder / "runs"), engine)
    assert outcome.reason == "./script: cannot be started: Exec format error"
    engine.close()


def test_a_shell_runs_pipes_and_values_stay_what_they_are(folder: Path) -> None:
    engine = CommandEngine()
    words = (
        "engine=command",
        "engine.command=echo {args.x} | tr a b; exit 5",
        "args.x='a; touch c'",
        "engine.shell=true",
    )
    outcome, _ = execute(cell_of(*words), Store(folder / "runs"), engine)
    engine.close()
    assert outcome.reason == "the command ended with exit code 5; its last words: b; touch c"
    assert not (folder / "c").exists()


def test_code_that_was_edited_since_is_not_run_for_the_old_cell(run: Run, folder: Path) -> None:
    engine, cell = CommandEngine(), cell_of("engine=command", COMMAND, "args.how=trains", "engine.watch=[train.py]")
    with (folder / "train.py").open("a") as code:
        code.write("# edited\n")
    outcome, _ = execute(cell, Store(folder / "runs"), engine)
    engine.close()
    assert outcome.reason.startswith("engine.watch=train.py: was edited since this cell was planned")


def test_an_edit_makes_new_cells_and_a_plan_says_so(folder: Path, fscost: Callable[..., Result]) -> None:
    words = ("engine=command", COMMAND, "engine.watch=[train.py]", "args.how=trains", "rounds=2", "seed=0,1")
    assert fscost(*words).code == 0
    assert "edited" not in fscost("plan", *words).out
    with (folder / "train.py").open("a") as code:
        code.write("# edited\n")
    edited = fscost("plan", *words)
    said = "train.py was edited: 2 of these cells have a result of older content\n"
    assert edited.out.endswith(f"{said}2 cells, 2 missing\n")
    assert said in fscost("status", *words).out
    assert said in fscost(*words).err
    assert "command.watch" in fscost("table", "runs").out, "code of two contents is never averaged"


def test_two_commands_in_one_table_are_told_apart(folder: Path, fscost: Callable[..., Result]) -> None:
    words = ("engine=command", "args.how=trains", "rounds=2")
    for command in (COMMAND, f"{COMMAND} "):
        assert fscost(*words, command).code == 0
    assert "command.template" in fscost("table", "runs").out


# --- whole sweeps ---------------------------------------------------------------------------------


def failures(done: Result) -> list[str]:
    """Why cells failed, as the summary has it."""
    return sorted(re.findall(r"^failed: \S+: (.*?)(?:; its last words.*)?(?:; log:.*)?$", done.err, re.M))


EXPECTED = [
    "the command ended with exit code 3",
    "the command recorded nothing; count in it with fscost.record",
    "the command was killed by SIGKILL, as the kernel does when memory runs out",
]


def break_three(folder: Path) -> None:
    """Seed 10, 11 and 12 go wrong, each of one cell."""
    for seed, how in ((10, "is killed"), (11, "is silent"), (12, "exits")):
        (folder / f"seed{seed}").write_text(how)


def mend(folder: Path) -> None:
    for path in folder.glob("seed*"):
        path.unlink()


TWELVE = ("engine=command", COMMAND, "seed=range(1,13)", "args.how=trains", "rounds=2")


def test_a_sweep_of_twelve_of_which_three_fail_is_completed(folder: Path, fscost: Callable[..., Result]) -> None:
    break_three(folder)
    done = in_process(*TWELVE, "hydra.launcher.n_jobs=3", cwd=folder)
    assert done.code == 1 and "9 done, 3 failed" in done.err
    assert failures(done) == EXPECTED
    assert "12 cells, 9 done, 3 failed" in fscost("status", *TWELVE).out
    mend(folder)
    again = fscost("rerun", "--failed", *TWELVE)
    assert again.code == 0 and "3 cells: 3 done" in again.err
    shown = fscost("table", "runs")
    assert shown.code == 0 and not [*members_of(folder)]
    assert "own" in shown.out and "60.0" in shown.out.replace("0.600", "60.0")


@pytest.mark.slurm
def test_the_same_sweep_on_slurm(
    folder: Path, fscost: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("submitit", reason="no submitit: pip install 'fscost[slurm]'")
    if reason := why_not():
        pytest.skip(reason)
    break_three(folder)
    with one_node(tmp_path_factory.mktemp("slurm"), cpus=4):
        done = in_process(*TWELVE, "hydra/launcher=slurm", cwd=folder)
        assert done.code == 1 and "9 done, 3 failed" in done.err
        assert failures(done) == EXPECTED
        mend(folder)
        again = fscost("rerun", "--failed", *TWELVE, "hydra/launcher=slurm")
        assert again.code == 0 and "3 cells: 3 done" in again.err


def members_of(folder: Path) -> Iterator[int]:
    """The processes of commands whose run directories are in a folder."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
        except OSError:
            continue
        if f"FSCOST_RUN_DIR={folder.resolve()}".encode() in environment:
            yield int(path.name)


def command(*words: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fscost", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_loses_nothing_and_leaves_no_process(
    folder: Path, fscost: Callable[..., Result]
) -> None:
    chance, before = random.Random(0), dict[str, int]()
    words = (*TWELVE[:3], "args.how=slow", *TWELVE[4:])
    for _ in range(10):
        sweep = command(*words, "hydra.launcher.n_jobs=2", folder=folder)
        until(lambda sweep=sweep: [*members_of(folder)] or sweep.poll() is not None)
        time.sleep(chance.uniform(0, 2))
        sweep.kill()
        sweep.wait(PATIENCE_S)
        until(lambda: not [*members_of(folder)])
        results = {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("runs/*/outcome.json")}
        assert before.items() <= results.items(), "a finished cell was computed again"
        before = results
    final = fscost(*words)
    assert final.code == 0 and f"12 cells: {len(before)} done, {12 - len(before)} to run" in final.err
    assert not [*(folder / "runs" / ".running").iterdir()]


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_commands_and_their_daemons(folder: Path, by: signal.Signals) -> None:
    sweep = command("engine=command", COMMAND, "args.how=hangs", folder=folder)
    until((folder / "daemon").exists)
    until(lambda: len([*members_of(folder)]) == 2)
    sweep.send_signal(by)
    sweep.wait(PATIENCE_S)
    until(lambda: not [*members_of(folder)])


def test_members_of_a_family_are_found_by_their_environment() -> None:
    sleeper = subprocess.Popen(["sleep", "600"], env={**os.environ, "OWN_MARK": "a"}, start_new_session=True)
    until(lambda: [*members("OWN_MARK=a")] == [sleeper.pid])
    assert not [*members("OWN_MARK=")] and not [*members("MARK=a")]
    sleeper.kill()
    sleeper.wait()
    assert not [*members("OWN_MARK=a")]
