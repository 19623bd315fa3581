"""What a sweep shows on a real terminal while it runs, and how it leaves it."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from fscost.cells.outcome import Outcome, Status
from fscost.launch.console import LiveProgress, duration, running_lines
from fscost.launch.task import Ended, How, Task
from fscost.launch.under_way import Running
from fscost.store.store import Store
from tests.cells.test_cell import cell
from tests.waiting import PATIENCE_S

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
FAST = ("engine=estimate", "method=fedavg,fedprox", "model=lr", "rounds=2")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *words: str, cwd: Path, columns: int = 100, **env: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"TERM": "xterm"} | env
        command = [sys.executable, "-m", "fscost", *words]
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def read(self, until: str = "\0", timeout_s: float = PATIENCE_S) -> str:
        """Return all that was shown once it has this text, or at the end."""
        deadline = time.monotonic() + timeout_s
        while until not in self.seen and time.monotonic() < deadline:
            if not select.select([self._ours], [], [], 0.1)[0]:
                continue
            try:
                self.seen += os.read(self._ours, 65536).decode(errors="replace")
            except OSError:  # the command has ended
                break
        return self.seen

    def end(self) -> int:
        self.read()
        os.close(self._ours)
        return self.process.wait(PATIENCE_S)


def plain(text: str) -> str:
    return ESCAPE.sub("", text)


@pytest.mark.pipeline
def test_a_terminal_shows_a_bar_then_the_same_lines_as_a_file_and_is_left_clean(here: Path) -> None:
    terminal = Terminal(*FAST, "clients=2,3", cwd=here)
    assert terminal.end() == 0
    shown = plain(terminal.seen)
    assert re.search(r"━ \d/4 done, \d running, \d to go, \d+ s", shown)
    assert re.search(r"\[4/4\] fed\w+-lr-digits-c\d-s0-\w+: done in \d+\.\d s\r\n", shown)
    assert re.search(r"4 cells: 4 done in \d+\.\d s\r\n", shown)
    assert terminal.seen.count(HIDE) == terminal.seen.count(SHOW) == 1
    after = terminal.seen.partition(SHOW)[2]
    assert "4 cells: 4 done" in plain(after)
    assert "to go" not in plain(after)


@pytest.mark.slow
def test_ci_and_dumb_terminals_get_lines(here: Path) -> None:
    for number, env in enumerate(({"CI": "true"}, {"TERM": "dumb"})):
        terminal = Terminal(*FAST, "clients=2", f"store=runs{number}", cwd=here, **env)
        assert terminal.end() == 0
        assert "2 cells: 2 done" in terminal.seen
        assert "\x1b" not in terminal.seen


@pytest.mark.slow
def test_an_interrupt_takes_the_bar_away_and_gives_the_cursor_back(here: Path) -> None:
    terminal = Terminal("engine=builtin", "model=convnet2", "rounds=1000000", "clients=2,3", cwd=here)
    try:
        assert "% " in terminal.read(until="% "), terminal.seen
        shown = plain(terminal.seen)
        assert "━ 0/2 done, " in shown
        assert re.search(r"fedavg-convnet2-digits-c\d-s0-\w{12}  round \d+/1000000  acc \d+\.\d % ", shown)
    finally:
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() in (130, -signal.SIGINT)
    after = terminal.seen.rpartition(SHOW)[2]
    assert HIDE not in after
    assert "2 cells: 2 not computed" in after
    assert plain(after).splitlines()[-1].startswith("fscost: interrupted")


# --- the report by itself --------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path: Path) -> Callable[[int], tuple[LiveProgress, io.StringIO]]:
    def make(columns: int) -> tuple[LiveProgress, io.StringIO]:
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, width=columns, height=20, _environ={})
        return LiveProgress([cell(seed=seed) for seed in range(20)], Store(tmp_path), console), file

    return make


def ended(seed: int, outcome: Outcome) -> tuple[Task, Ended]:
    return Task(cell(seed=seed), None, {}, ""), Ended(How.COMPUTED, outcome=outcome, log="x/engine.log")  # type: ignore[arg-type]


def test_failures_are_red_and_said_again_at_the_end(report: Callable[[int], tuple[LiveProgress, io.StringIO]]) -> None:
    live, file = report(200)
    live.ended(*ended(0, Outcome(status=Status.DONE, wall_s=3.0)), elsewhere=False)
    live.ended(*ended(1, Outcome(status=Status.FAILED, reason="out of [memory]")), elsewhere=False)
    live.look()
    live.summary()
    shown = file.getvalue()
    assert re.search(r"\x1b\[31m\[2/20\] \S+: failed in 0.0 s: out of \[memory\]; log: x/engine.log", shown)
    assert "\x1b[31mfailed: fedavg-" in shown.partition(SHOW)[2]
    assert re.search("1/20 done, 1 failed, 0 running, 18 to go, .* s, 54 s left", plain(shown))
    assert "[1/20]" in plain(shown).splitlines()[0]


def test_many_running_cells_leave_the_rest_uncounted_but_told(
    report: Callable[[int], tuple[LiveProgress, io.StringIO]], tmp_path: Path
) -> None:
    live, file = report(60)
    claims = [Store(tmp_path).claim(cell(seed=seed)) for seed in range(20)]
    for seed, claim in enumerate(claims):
        held = claim.__enter__()
        assert held is not None
        held.begin(cell(seed=seed))
    live.look()
    for claim in claims:
        claim.__exit__(None, None, None)
    live.summary()
    drawn, more, _ = plain(file.getvalue()).partition("and 10 more")
    lines = drawn.splitlines()
    assert more
    assert sum("round -/10" in line for line in lines) == 10
    assert all(len(line) <= 60 for line in lines)


@pytest.mark.parametrize(
    ("columns", "ends"),
    [
        (200, "moved 1 s ago  host, process 7"),
        (75, "moved 1 s ago"),
        (62, "12 s"),
        (50, "acc 97.1 %"),
        (20, "round 3/10"),
    ],
)
def test_a_line_that_is_too_long_loses_what_matters_least(columns: int, ends: str) -> None:
    one = Running(cell=cell(), holder="host, process 7", round=3, accuracy=0.9712, run_s=12, still_s=1)
    console = Console(file=(file := io.StringIO()), width=columns)
    console.print(running_lines([one], columns))
    (line,) = file.getvalue().splitlines()
    assert line.rstrip().endswith(ends)
    assert line.startswith("fedavg"[: columns - 14])
    assert len(line) <= columns


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (7500, "2 h 5 min"), (86400, "1 d"), (1e6, "11 d 13 h")],
)
def test_a_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
