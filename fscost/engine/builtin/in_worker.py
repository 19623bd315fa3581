"""What a worker process imports to run cells of the builtin engine; its forks then find everything imported."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.engine.builtin.training_run import run_cell as run
from fscost.store.rundir import RunDir

for _lazily in ("torch._dynamo", "torch.profiler._cupti_monitor"):  # what torch imports in the first local update
    try:
        import_module(_lazily)
    except ImportError:  # a torch that does without
        continue


def run_cell(request: dict[str, Any]) -> dict[str, Any]:
    """Run the cell of a request and return its outcome as JSON values."""
    outcome = run(Cell(**request["cell"]), RunDir(Path(request["into"])))
    return {"outcome": outcome.as_dict()}


def versions() -> dict[str, str]:
    """Return the version of this Python; every outcome tells the others."""
    return {"python": sys.version.split()[0]}
