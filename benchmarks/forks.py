"""``python forks.py JOBS CFG…``: run FederatedScope's main.py with each configuration, in forks of one import.

What a sweep of its cells in this interpreter cannot avoid: one import, and the courses. Runs under FederatedScope's.
"""

import gc
import os
import runpy
import sys
from pathlib import Path

import federatedscope

MAIN = str(Path(federatedscope.__file__).with_name("main.py"))


def main(jobs: int, configs: list[str]) -> None:
    """Run so many at a time; what they print is theirs."""
    runpy.run_path(MAIN, run_name="imported")
    gc.freeze()
    for number, config in enumerate(configs):
        if number >= jobs:
            _wait_for_one()
        if os.fork() == 0:
            sys.argv = [MAIN, "--cfg", config, "outdir", f"{config}.forked"]
            runpy.run_path(MAIN, run_name="__main__")
            sys.stdout.flush()
            os._exit(0)
    for _ in configs[:jobs]:
        _wait_for_one()


def _wait_for_one() -> None:
    if os.wait()[1]:
        raise SystemExit("a course failed")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
