"""Cells side by side against one after another: a sweep of 12 cells with one local job and with two.

``python benchmarks/local_jobs.py [PAIRS] [OVERRIDE…]`` runs pairs of the two, alternated, each in a store of its own,
and prints a Markdown table of their medians and the ratio.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from statistics import median

SWEEP = ("engine=builtin", "method=fedavg,fedprox", "model=convnet2", "clients=3,10", "seed=0,1,2")


def wall_s(jobs: int, overrides: Sequence[str]) -> float:
    """Return the seconds of the whole command, from its start to the table."""
    with tempfile.TemporaryDirectory() as folder:
        begin_s = time.monotonic()
        words = [sys.executable, "-m", "fscost", *SWEEP, *overrides, f"hydra.launcher.n_jobs={jobs}"]
        subprocess.run(words, cwd=folder, capture_output=True, check=True)
        return time.monotonic() - begin_s


def main(pairs: int, overrides: Sequence[str]) -> None:
    """Measure and print."""
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(pairs):
        for jobs, found in times.items():
            found.append(wall_s(jobs, overrides))
    ratios = [two / one for one, two in zip(times[1], times[2], strict=True)]
    print(f"12 cells, {pairs} pairs, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| work | median s | from | to |\n|---|---|---|---|")
    for jobs, found in times.items():
        print(f"| n_jobs={jobs} | {median(found):.1f} | {min(found):.1f} | {max(found):.1f} |")
    print(f"| ratio | {median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2:])
