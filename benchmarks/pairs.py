"""Two commands side by side: pairs alternated in one run, so that what else the machine does meets both."""

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PAIRS = 5

Seconds = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """A line of the results: `ratios` are of seconds, one for each pair; `goal` is what their median should be.

    `of` says which over which, as in ``fscost / pandas``. A row without ratios tells in `note` why it was not measured.
    """

    work: str
    against: str
    of: str
    goal: str
    ratios: Sequence[float]
    note: str = ""

    def line(self) -> str:
        """Return the row in Markdown."""
        spread = f"{median(self.ratios):.2f} ({min(self.ratios):.2f}–{max(self.ratios):.2f})" if self.ratios else "–"
        return f"| {self.work} | {self.against} | {self.of} | {spread} | {self.goal} | {self.note} |"


def ratios(one: Seconds, other: Seconds, pairs: int = PAIRS) -> list[float]:
    """Return the seconds of `one` over those of `other`, pair by pair, after one that warms the files up."""
    one(), other()
    return [one() / other() for _ in range(pairs)]


def seconds_of(*words: str | Path, cwd: Path, **environment: str) -> float:
    """Return the seconds of a whole command, from its start to its end; raises CalledProcessError with its words."""
    begin_s = time.monotonic()
    told = subprocess.run(
        [*map(str, words)], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{told.stdout}{told.stderr}")
    return time.monotonic() - begin_s


def told_by(script: str, *words: str | Path) -> float:
    """Return the seconds that one of the scripts beside this says its work took, without its imports."""
    command = [sys.executable, Path(__file__).with_name(script), *words]
    return float(subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout)


def peak_mb() -> float:
    """Return the most memory that any command so far had, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6


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
