"""Cells with every message metered beside the same cells without."""

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import FSCOST, NO_FS, Row, fs_python, seconds_of, told_by
from fscost.protocol.datasets import DATA_TYPES
from fscost.store.rundir import RunDir

_CELL = ("model=convnet2", "clients=30", "rounds=10")


def rows(folder: Path) -> Iterator[Row]:
    """Measure courses; without metering only what FederatedScope itself counts is counted."""
    seconds_of(*FSCOST, "engine=builtin", *_CELL, f"store={folder / 'runs'}", cwd=folder)
    run = next(path.parent for path in (folder / "runs").glob("*/cell.json"))
    file = DATA_TYPES[str(RunDir(run).read_cell().get("data.type"))].file()
    for engine, python in (("builtin", None), ("federatedscope", fs_python())):
        work = f"convnet2 on digits, 30 clients, 10 rounds, {engine}: every message metered"
        beside = "the same, of which only what FederatedScope itself counts is counted"
        command = f"`python benchmarks/metered.py {engine} CELL DATA`"
        if engine == "federatedscope" and python is None:
            yield Row(work, beside, command, "the same", 1.03, [], note=NO_FS)
            continue
        words = (engine, run / "cell.json", file)
        found = json.loads(told_by("metered.py", *words, **({"python": python} if python else {})))
        yield Row(work, beside, command, "the same", 1.03, found, note="what metering takes is timed inside the course")
