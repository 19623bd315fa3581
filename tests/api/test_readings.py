"""What a command reads, it reads once."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import fscost
from fscost.api import selection

COUNTED = """
import json, sys
from collections import Counter
from pathlib import Path

opened = Counter()
seen = lambda event, args: event == "open" and "/.running/" not in str(args[0])  # where it is written, and sealed
sys.addaudithook(lambda event, args: opened.update([str(args[0])]) if seen(event, args) else None)
from fscost.__main__ import main
from fscost.collect import frame_cache
frame_cache._LEAST_BYTES = 0  # as of a large store
code = main([*sys.argv[1:], "engine=estimate", "model=mlp_s", "clients=3,10"])
print(json.dumps([code, {path: count for path, count in opened.items() if path.endswith("ledger.jsonl")}]))
"""


@pytest.mark.pipeline
def test_a_sweep_and_its_status_read_each_ledger_once(tmp_path: Path) -> None:
    root = str(Path(__file__).parent.parent.parent)
    for verb in ("-m", "-m", "status"):  # computed, found, and looked at
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{COUNTED}", verb],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        code, opened = json.loads(done.stdout.splitlines()[-1])
        assert code == 0
        assert sorted(opened.values()) == [1, 1]


def test_the_last_sweep_is_planned_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fscost.run("clients=2,3", "engine=estimate", "model=lr", "rounds=1", store="my, runs", quiet=True)
    planned: list[Sequence[str]] = []
    plan = selection.plan
    monkeypatch.setattr(selection, "plan", lambda words, identify: planned.append(words) or plan(words, identify))
    assert fscost.table(store="my, runs").to_frame()["clients"].tolist() == [2, 3]
    assert len(planned) == 1
    for words, told in ((["store=a,b"], "store=a,b: a sweep has one store"), (["store=null"], "needs a value")):
        with pytest.raises(fscost.FscostError, match=told):
            fscost.table(*words)
