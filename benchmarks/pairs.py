"""Commands side by side: taken in turn in one run, so that what else the machine does meets all of them."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PAIRS = 3

FSCOST = (sys.executable, "-m", "fscost")

_GATHER = (
    "import pathlib, sys; from fscost.collect import gather, runs_below; gather(runs_below(pathlib.Path(sys.argv[1])))"
)
GATHERED = (sys.executable, "-c", _GATHER)
"""Reads the runs below a folder into frames, and does nothing else."""

GATHERED_SHOWN = f"`python -c '{_GATHER}'`"

Seconds = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """A line of the results: `work` beside what a user would do instead, by the commands `ours` and `theirs`.

    `ratios` are of our seconds, or what `of` names, over theirs, one for each pair; their median should be `at_most`.
    Where it is not, `limit` says why. A row without ratios says in `note` why it was not measured.
    """

    work: str
    beside: str
    ours: str
    theirs: str
    at_most: float
    ratios: Sequence[float]
    of: str = ""
    note: str = ""
    limit: str = ""

    def line(self, number: int) -> str:
        """Return the row in Markdown."""
        start, goal = f"| {number} | {self.work} | {self.beside} |", f"≤ {self.at_most:.3g}"
        if not self.ratios:
            return f"{start} – | {goal} | – | {self.note} |"
        middle, least, most = map(_shown, (median(self.ratios), min(self.ratios), max(self.ratios)))
        is_met = median(self.ratios) <= self.at_most
        spread = f"**{middle}** ({least}–{most}) {self.of}".strip()
        note = "; ".join(filter(None, (self.note, "" if is_met else self.limit)))
        return f"{start} {spread} | {goal} | {'yes' if is_met else 'no'} | {note} |"

    def commands(self, number: int) -> str:
        """Return what was run, as an item of a list."""
        return f"{number}. {self.ours}, beside {self.theirs}"


def _shown(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio >= 1 else f"{ratio:.3g}"


def in_turn(*works: Seconds) -> list[tuple[float, ...]]:
    """Return what each of `works` takes, `PAIRS` times, one after the other and every other time in reverse."""
    found = []
    for number in range(PAIRS):
        order = range(len(works)) if number % 2 == 0 else reversed(range(len(works)))
        took_s = {which: works[which]() for which in order}
        found.append(tuple(took_s[which] for which in range(len(works))))
    return found


@dataclass(frozen=True)
class Took:
    """What a command took: its wall time from start to end, and the most memory that it, or a child of it, held."""

    wall_s: float
    peak_bytes: int


def took(*words: str | Path, cwd: Path) -> Took:
    """Run a command; raises SystemExit with what it printed if it fails."""
    begin_s = time.monotonic()
    with (cwd / "printed.log").open("w+") as log:
        process = subprocess.Popen([*map(str, words)], cwd=cwd, env=_environment(), stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - begin_s
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(map(str, words))}\n{log.read()}")
    return Took(wall_s, usage.ru_maxrss * 1024)


def seconds_of(*words: str | Path, cwd: Path) -> float:
    """Return the wall time of a whole command."""
    return took(*words, cwd=cwd).wall_s


def first_line_s(*words: str | Path, cwd: Path) -> float:
    """Return how long a command takes to print its first line; it is let come to its end."""
    begin_s = time.monotonic()
    process = subprocess.Popen(
        [*map(str, words)], cwd=cwd, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    line, took_s = process.stdout.readline(), time.monotonic() - begin_s
    rest, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{line}{rest}")
    return took_s


def told_by(script: str, *words: str | Path, python: str = sys.executable) -> str:
    """Return what one of the scripts beside this prints: the seconds of its work, without its imports."""
    command = [python, Path(__file__).with_name(script), *words]
    done = subprocess.run([*map(str, command)], env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Return this environment, in which every interpreter finds this fscost, and may keep what it has compiled."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[1])}


def fs_python() -> str | None:
    """Return the interpreter that has FederatedScope, None if there is none."""
    return os.environ.get("FSCOST_FS_PYTHON")


NO_FS = "not measured: set FSCOST_FS_PYTHON to an interpreter that has FederatedScope"


def machine() -> str:
    """Return what the results depend on besides the code."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores ({model}), {memory * 1024 / 1e9:.0f} GB, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
