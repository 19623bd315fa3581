"""A caller with settings of its own who uses the whole door; prints done if all of them are as they were."""

import decimal
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch

import fscost

GRID = ("method=fedavg,fedprox", "clients=2", "rounds=1", "model=lr,mlp_s")
TRAINED, ESTIMATED = (*GRID, "engine=builtin"), (*GRID, "engine=estimate")


def state() -> dict[str, Any]:
    """What a caller may have set, or finds when it goes on."""
    handled = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    root = logging.root
    return {
        "signals": {number: signal.getsignal(number) for number in handled},
        "logging": (root.level, [*root.handlers], [*root.filters], root.manager.disable, logging.getLoggerClass()),
        "warnings": ([*warnings.filters], warnings.showwarning),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "random": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()),
        "torch": (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "system": ([*sys.argv], [*sys.path], sys.excepthook, sys.displayhook, sys.getrecursionlimit()),
        "threads": ([*threading.enumerate()], threading.excepthook),
        "processes": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "collector": (gc.isenabled(), gc.get_threshold()),
        "numbers": (locale.setlocale(locale.LC_ALL), repr(decimal.getcontext()), np.geterr(), np.get_printoptions()),
        "pandas": [pd.get_option(f"display.{name}") for name in ("max_rows", "precision", "width", "max_colwidth")],
        "matplotlib": dict(matplotlib.rcParams),
    }


def own_settings() -> None:
    """Set what a caller may set."""
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    signal.signal(signal.SIGINT, lambda number, frame: None)
    logging.basicConfig(level=logging.ERROR)
    warnings.simplefilter("error")
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    os.environ["OMP_NUM_THREADS"] = "3"
    pd.set_option("display.precision", 2)
    matplotlib.use("svg")
    matplotlib.rcParams["font.size"] = 33


STEPS: dict[str, Callable[[], object]] = {
    "plan": lambda: fscost.plan(*GRID).to_frame(),
    "run": lambda: fscost.run(*TRAINED, quiet=True),
    "estimate": lambda: fscost.run(*ESTIMATED, quiet=True),
    "rerun": lambda: fscost.rerun(*ESTIMATED, quiet=True),
    "collect": lambda: fscost.collect("runs"),
    "table": lambda: (fscost.table(*TRAINED).to_html(), fscost.table(*TRAINED).to_frame()),
    "figure": lambda: (fscost.plot("size", *TRAINED).save("figures"), fscost.plot("accuracy", *TRAINED)._repr_png_()),
    "explain": lambda: str(fscost.explain(*TRAINED)),
    "report": lambda: fscost.report(*TRAINED),
    "mistake": lambda: refused("method=nope"),
    "failure": lambda: fscost.run("model=mlp_s", "rounds=1", "clients=43", "engine=builtin", quiet=True),
}


def refused(word: str) -> None:
    """Make a mistake."""
    try:
        fscost.run(word)
    except fscost.FscostError:
        return
    raise AssertionError(word)


def take_all_steps() -> None:
    """Use all functions, and look after each."""
    own_settings()
    before = state()
    for name, step in STEPS.items():
        step()
        after = state()
        changed = [key for key in before if before[key] != after[key]]
        assert not changed, (name, [(before[key], after[key]) for key in changed])
    print("done")


if __name__ == "__main__":
    take_all_steps()
