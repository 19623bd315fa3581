"""``python forks.py CFG…``: run FederatedScope's main.py with each configuration, in forks of one that imported it.

What a sweep of its cells in this interpreter cannot avoid: one import, and the courses. Runs under FederatedScope's.
"""

import gc
import os
import runpy
import sys
from pathlib import Path

import federatedscope

MAIN = str(Path(federatedscope.__file__).with_name("main.py"))


def main(configs: list[str]) -> None:
    """Run one after another; what they print is theirs."""
    runpy.run_path(MAIN, run_name="imported")
    gc.freeze()
    for config in configs:
        if os.fork() == 0:
            sys.argv = [MAIN, "--cfg", config, "outdir", f"{config}.forked"]
            runpy.run_path(MAIN, run_name="__main__")
            sys.stdout.flush()
            os._exit(0)
        if os.wait()[1]:
            raise SystemExit(f"{config}: failed")


if __name__ == "__main__":
    main(sys.argv[1:])
