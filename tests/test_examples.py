"""The examples run as their readers run them, and the tables have what they recorded."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import fscost
from fscost.collect import gather, runs_below

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'fscost[train]'")

EXAMPLES = Path(fscost.__file__).parent.parent / "examples"

pytestmark = pytest.mark.pipeline


def cells_after(here: Path, *commands: list[str]) -> pd.DataFrame:
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    for script, *words in commands:
        done = subprocess.run([sys.executable, EXAMPLES / script, *words], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
    frames = gather(runs_below(here / "runs"))
    assert frames.warnings == []
    return frames.cells.set_index("method")


def test_plain_loops(here: Path) -> None:
    cells = cells_after(
        here,
        ["plain/fedavg.py", "--clients", "4", "--rounds", "2"],
        ["plain/fedavg.py", "--mu", "0.1"],
        ["plain/prototypes.py", "--rounds", "5"],
    )
    assert [*cells.index] == ["fedavg", "fedprox", "prototypes"]
    uplink = cells["training_uplink_payload_bytes"]
    assert uplink["fedavg"] == 4 * 2 * 2600 and uplink["fedprox"] == 3 * 3 * 2600
    assert 0 < uplink["prototypes"] <= 3 * 5 * (10 * 64 * 4 + 10 * 8)
    assert cells["training_downlink_payload_bytes"]["prototypes"] == 3 * 5 * 10 * 64 * 4
    assert (cells["final_test_acc"] > 0.8).all()
