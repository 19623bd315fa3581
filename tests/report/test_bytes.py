"""The same runs give the same page, whenever and wherever it is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.pages import recorded

pytestmark = pytest.mark.slow


def test_the_same_runs_give_the_same_bytes(paper: Path, tmp_path: Path) -> None:
    runs = [str(run) for run in recorded.runs_of(paper / "runs", "fed*", "mlp_[sm]", 3)[::3]]
    pages = []
    for seed in ("0", "1"):
        out = tmp_path / seed / "report.html"
        words = [sys.executable, "-m", "fscost", "report", *runs, "--out", str(out)]
        subprocess.run(words, cwd=tmp_path, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True)
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]
    assert len(pages[0]) < 3_000_000
