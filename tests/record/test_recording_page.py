"""The page "Count your own code" does what it says, in its order."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import fscost
from tests.pages import blocks

CHECKOUT = Path(fscost.__file__).parent.parent
PAGE = CHECKOUT / "docs" / "recording.md"

pytestmark = pytest.mark.pipeline


def test_the_page_does_what_it_says(here: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(CHECKOUT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = []
    for block in blocks(PAGE):
        if block.language == "python":
            (here / str(block.file)).write_text(block.text)
            continue
        if block.text.startswith("round,"):
            (here / "messages.csv").write_text(block.text)
            continue
        for line in block.text.splitlines():
            words = [sys.executable if word == "python" else word for word in shlex.split(line)]
            done = subprocess.run(words, capture_output=True, text=True, env=env)
            assert done.returncode == 0, f"{line}: {done.stderr}"
            said.append(done.stdout)
    _, own, sweep, listed = said
    assert "FedAvg" in own and "2.60" in own and "90.00" in own
    assert "args.mu" in sweep and "0.1" in sweep and "2.60" in sweep
    assert "messages" in listed and "2.60" in listed


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text().splitlines()) < 120
