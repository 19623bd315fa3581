"""`status`: how far cells are that this or any other process computes, once and until they are done."""

import io
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from fscost.api.cell_states import CellState
from fscost.api.watch import Look
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.commands.status import view
from fscost.files import write_whole
from fscost.metering import Ledger
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.cells.test_cell import cell
from tests.conftest import Result, cell_of, cells_of, in_process
from tests.launch.test_console import SHOW, Terminal, plain
from tests.waiting import PATIENCE_S

FAST = ("engine=estimate", "model=lr", "rounds=1")
TRAINED = ("engine=builtin", "model=convnet2", "rounds=20")


def finish(one: Cell, outcome: Outcome, store: Path = Path("runs")) -> RunDir:
    with Store(store).claim(one) as claim:
        assert claim is not None
        fresh = claim.begin(one)
        fresh.engine_log.write_text("")
        write_whole(fresh.ledger, Ledger({}).lines())
        fresh.write_outcome(outcome)
        return claim.publish(fresh)


def shown_until(fscost: Callable[..., Result], pattern: str, *words: str) -> str:
    """What is shown once the pattern is, or after a long time."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not re.search(pattern, out := fscost("status", *words).out) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return out


@pytest.mark.slow
def test_a_sweep_is_seen_from_outside_until_it_is_done(here: Path, fscost: Callable[..., Result]) -> None:
    words = [sys.executable, "-m", "fscost", *TRAINED]
    process = subprocess.Popen(words, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        one = re.escape(cell_of(*TRAINED).name)
        line = (
            rf"(?m)^{one}  round (?:[3-9]|\d\d)/20  acc \d+\.\d %  \d+ s  moved \d+ s ago  .+, process {process.pid}$"
        )
        shown_until(fscost, line, *TRAINED)
        process.send_signal(signal.SIGSTOP)  # it publishes no result until it may go on
        out = fscost("status", *TRAINED).out
        assert re.search(line, out), out
        assert out.splitlines()[:2] == ["convnet2  3 clients", "fedavg    1 running"]
        assert re.search(r"\n\n1 cell, 1 running; about [\w ]+ left\n$", out)
        assert fscost("status", *TRAINED[:2]).out.endswith(
            "\n\n1 other cell is running in this store\n1 cell, 1 missing\n"
        )
        assert "\n1 cell, 1 running" in fscost("status").out  # the last sweep
        assert "\n1 cell, 1 running" in fscost("status", "runs").out
        watching = [sys.executable, "-m", "fscost", "status", "--watch", "0.2", "runs"]
        with subprocess.Popen(watching, cwd=here, stdout=subprocess.PIPE, text=True) as watch:
            assert watch.stdout.readline().startswith("1 cell, 1 running; about ")
            process.send_signal(signal.SIGCONT)
            assert watch.stdout.read() == "1 cell, 1 done\n"  # it ends by itself
        assert "running" not in fscost("status").out
    finally:
        process.kill() if process.poll() is None else None
        process.wait()


HOLDER = """
import sys, time
from pathlib import Path
from fscost.store.store import Store
from tests.cells.test_cell import cell
with Store(Path("runs")).claim(cell()) as claim:
    claim.begin(cell()).progress.write_text('{"round": 2}')
    print("begun", flush=True)
    time.sleep(300)
"""


@pytest.mark.pipeline
def test_a_killed_cell_is_interrupted_and_a_watch_gives_up_on_it(here: Path, fscost: Callable[..., Result]) -> None:
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{HOLDER}"], cwd=here, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    assert "round 2/10  -  " in fscost("status", "runs").out
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = fscost("status", "runs", "--watch", "0.1")
    assert (done.code, done.out) == (0, "1 cell, 1 interrupted\n")
    assert "mlp_m   3 clients\nfedavg  1 interrupted\n" in fscost("status", "runs").out


def test_failures_are_told_with_reason_and_log(here: Path, fscost: Callable[..., Result]) -> None:
    cells = cells_of(*FAST, "clients=2,3,4,5")
    for one, status in zip(cells, (Status.DONE, Status.FAILED, Status.TIMEOUT), strict=False):
        finish(one, Outcome(status=status, reason="[red] is no style", wall_s=2))
    (Path("runs") / cells[0].name / "ledger.jsonl").write_text("cut")
    done = fscost("status", *FAST, "clients=2,3,4,5")
    assert done.code == 0
    assert "fedavg  1 corrupt  1 failed   1 timeout  1 missing\n" in done.out
    assert f"failed: {cells[1].name}: [red] is no style; log: runs/{cells[1].name}/engine.log\n" in done.out
    assert f"timeout: {cells[2].name}: [red] is no style; log: " in done.out
    assert f"corrupt: {cells[0].name}: its files cannot be believed; rerun the cell\n" in done.out
    assert done.out.splitlines()[-1] == "4 cells, 1 failed, 1 timeout, 1 corrupt, 1 missing"


@pytest.mark.pipeline
def test_a_grid_has_methods_and_clients_and_counts_all_else(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("method=fedavg,fedprox", "clients=3,10,1", "seed=range(0,10)", "lr=0.1,0.2")
    done = fscost("status", "engine=estimate", *grid, "model=lr,mlp_s", "data=digits", "rounds=1")
    assert done.code == 0
    lr = ["lr       1 client    3 clients   10 clients"]
    rows = ["fedavg   20 missing  20 missing  20 missing", "fedprox  20 missing  20 missing  20 missing"]
    assert done.out.splitlines() == [
        *lr,
        *rows,
        "",
        lr[0].replace("lr   ", "mlp_s"),
        *rows,
        "",
        "240 cells, 240 missing",
    ]
    assert not list(here.iterdir())
    data = fscost("status", "engine=estimate", "data=digits,toy", "model=lr", "resize=null", "rounds=1").out
    assert data.startswith("lr, digits  3 clients\nfedavg      1 missing\n\nlr, toy  3 clients\n")


@pytest.mark.pipeline
def test_what_a_plan_refuses_has_no_status_unless_it_was_computed(here: Path, fscost: Callable[..., Result]) -> None:
    told, planned = (fscost(verb, "engine=builtin", "clients=0") for verb in ("status", "plan"))
    assert (told.code, told.err) == (planned.code, planned.err)
    assert "clients=0: must be at least 1" in told.err
    (one,) = cells_of("engine=builtin", "clients=0")
    finish(one, Outcome(status=Status.DONE))
    assert "1 done" in fscost("status", "engine=builtin", "clients=0").out


@pytest.mark.pipeline
def test_as_many_clients_as_the_data_have_are_no_0_clients(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("engine=federatedscope", "engine.protocol=master", "clients=0,3")
    assert [line.split("-")[3] for line in fscost("plan", *grid).out.splitlines()[:2]] == ["call", "c3"]
    head, row, *_ = fscost("status", *grid).out.splitlines()
    assert (head.split(), row.split()[1:]) == (["mlp_m", "3", "clients", "all", "clients"], ["1", "missing"] * 2)


def test_hundreds_of_missing_cells_are_counted_at_once(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("status", *FAST, "seed=range(0,50)", "clients=range(2,12)")
    assert "fedavg" + 10 * "  50 missing" in done.out
    assert done.out.endswith("500 cells, 500 missing\n")


@pytest.mark.pipeline
def test_a_narrow_terminal_gets_a_grid_in_parts() -> None:
    look = Look([CellState("", cell(federate__client_num=n), Status.MISSING) for n in range(1, 21)], [], 0)
    console = Console(file=(file := io.StringIO()), width=60)
    for part in view(look, console):
        console.print(part)
    lines = file.getvalue().splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert sum(line.startswith("mlp_m") for line in lines) == 5
    assert sum("1 missing" in line for line in lines) == 5
    assert re.findall(r"(\d+) client", file.getvalue()) == [str(n) for n in range(1, 21)]


def test_of_many_failures_a_watch_shows_the_last() -> None:
    look = Look([CellState(f"<{n}>", None, Status.FAILED, "why") for n in range(30)], [], 0)
    shown = [str(part) for part in view(look, Console(file=io.StringIO()), most=10)]
    assert shown == ["and 20 more:", *(f"failed: <{n}>: why" for n in range(20, 30)), "", "30 cells, 30 failed"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_failure_is_broken_at_blanks_but_for_the_path_of_its_log(width: int) -> None:
    log = Path("/a folder/with a long name/and a longer name below it/engine.log")
    why = "out of memory, \x1b[31m模型模型 was\nnamed [red]model[/red]"
    look = Look([CellState("fedavg-mlp", None, Status.FAILED, why, log)], [], 0)
    *told, _, totals = map(str, view(look, Console(file=io.StringIO(), width=width)))
    assert f"log: {log}" in told[-1]
    assert told[-1].startswith("  log: ") == (width < 200)
    assert all(cell_len(line) <= width for line in told if "log:" not in line)
    shown = "failed: fedavg-mlp: out of memory, �[31m模型模型 was named [red]model[/red]"
    assert " ".join(" ".join(told).split()).startswith(f"{shown}; log: /a folder")


def test_long_names_leave_counts_whole_on_a_narrow_terminal() -> None:
    named = [cell(federate__method=f"{'n' * 60}\r[red]{n}", federate__client_num=n) for n in (3, 10)]
    look = Look([CellState("", one, Status.MISSING) for one in named], [], 0)
    console = Console(file=(file := io.StringIO()), width=40)
    for part in view(look, console):
        console.print(part)
    lines = file.getvalue().splitlines()
    assert all(cell_len(line) <= 40 and line.isprintable() for line in lines)
    assert sum("1 missing" in line for line in lines) == 2


@pytest.mark.pipeline
def test_a_pipe_gets_no_colours_even_where_they_are_forced(here: Path) -> None:
    done = in_process("status", *FAST, cwd=here, env={"FORCE_COLOR": "1"})
    assert done.out.splitlines()[-1] == "1 cell, 1 missing"
    assert "\x1b" not in done.out


def test_a_folder_is_every_run_below_it(here: Path, fscost: Callable[..., Result]) -> None:
    (one, other) = cells_of(*FAST, "clients=2,3")
    finish(one, Outcome(status=Status.DONE), Path("a/runs"))
    renamed = finish(other, Outcome(status=Status.DONE), Path("b"))
    renamed.path.rename("b/renamed")
    (here / "fs" / "exp").mkdir(parents=True)
    (here / "fs" / "exp" / "eval_results.log").write_text("")
    done = fscost("status", ".")
    assert "fedavg  1 done     1 done\n" in done.out
    assert "failed: fs/exp: no system_metrics.log" in done.out
    assert done.out.splitlines()[-1] == "3 cells, 2 done, 1 failed"
    assert fscost("status", f"a/runs/{one.name}").out.splitlines()[-1] == "1 cell, 1 done"


@pytest.mark.pipeline
def test_watching_a_terminal_draws_over_itself_and_leaves_the_last_look(here: Path) -> None:
    done = in_process(*FAST, "clients=2,3", cwd=here)
    assert done.code == 0
    terminal = Terminal("status", "--watch", cwd=here, columns=60)
    assert terminal.end() == 0
    drawn, _, left = terminal.seen.rpartition(SHOW)
    assert "\x1b[32m1 done" in drawn
    shown = " ".join(plain(left).split())
    assert shown == "lr 2 clients 3 clients fedavg 1 done 1 done 2 cells, 2 done"


def test_an_interrupted_watch_leaves_the_last_look(here: Path) -> None:
    with Store(here / "runs").claim(cell()) as claim:
        assert claim is not None
        claim.begin(cell())
        terminal = Terminal("status", "--watch", "0.1", "runs", cwd=here)
        assert "1 running" in terminal.read(until="1 running")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
    assert plain(terminal.seen.rpartition(SHOW)[2]).strip().endswith("1 cell, 1 running")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--watch", "0"], "must be a number of seconds"),
        (["--watch", "-3"], "must be a number of seconds"),
        (["--watch=x"], "must be a number of seconds"),
        (["nowhere"], "no such folder"),
        ([], "no sweep was run"),
        (["runs", "clients=3"], "a folder names its runs itself"),
        (["clients=-1"], "clients=-1: must be"),
    ],
)
def test_mistakes_get_one_line(here: Path, fscost: Callable[..., Result], words: list[str], sentence: str) -> None:
    done = fscost("status", *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.pipeline
def test_a_selection_may_follow_watch(here: Path, fscost: Callable[..., Result]) -> None:
    one = cell_of(*FAST)
    finish(one, Outcome(status=Status.DONE))
    assert fscost("status", "--watch", *FAST).out == "1 cell, 1 done\n"
    assert fscost("status", *FAST, "--watch").out == "1 cell, 1 done\n"
    assert fscost("status", "--watch", "runs").out == "1 cell, 1 done\n"


@pytest.mark.pipeline
def test_looking_imports_neither_torch_nor_pandas(here: Path) -> None:
    look = f"import sys; from fscost.__main__ import main; main(['status', *{FAST!r}])"
    words = [sys.executable, "-c", f"{look}; print(*{{'torch', 'pandas', 'pyarrow'}} & sys.modules.keys())"]
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["1 cell, 1 missing", ""]
