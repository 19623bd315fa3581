"""What a command reads, it reads once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COUNTED = """
import json, sys
from collections import Counter
from pathlib import Path

opened = Counter()
sys.addaudithook(lambda event, args: opened.update([str(args[0])]) if event == "open" else None)
from fscost.__main__ import main
code = main(["-m", "engine=estimate", "model=mlp_s", "clients=3,10"])
print(json.dumps([code, {path: count for path, count in opened.items() if path.endswith("ledger.jsonl")}]))
"""


@pytest.mark.pipeline
def test_a_sweep_reads_each_ledger_once(tmp_path: Path) -> None:
    root = str(Path(__file__).parent.parent.parent)
    for _ in ("computed", "found"):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{COUNTED}"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        code, opened = json.loads(done.stdout.splitlines()[-1])
        assert code == 0
        assert sorted(opened.values()) == [1, 1]
