"""The grammar of selections, the same for every verb: overrides, folders, or nothing for the last sweep."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fscost.engine import identify
from fscost.errors import ConfigError, StoreError
from fscost.files import write_whole
from fscost.plan import plan
from fscost.rundir import Store

_NOT_ABOUT_CELLS = ("store=", "out=", "table", "network", "hydra", "retries=", "fail_fast=", "engine.python=",
                    "engine.threads=", "engine.timeout_min=", "engine.memory_gb=")  # fmt: skip
"""Overrides that say how cells are run and shown, and not which."""


def named(words: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Return the overrides and the folders of a selection, of the last sweep where no cell is named.

    Raises ConfigError for overrides that name cells beside a folder, and where there was no last sweep.
    """
    overrides, folders = [w for w in words if "=" in w], [Path(w) for w in words if "=" not in w]
    if folders:
        if lost := [o for o in overrides if not o.startswith(_NOT_ABOUT_CELLS) or o.startswith("store=")]:
            allowed = "how they are run (engine.…, hydra…, retries, fail_fast) and shown (table…, network.…, out=…)"
            raise ConfigError(f"{lost[0]}: a folder names its runs itself; only {allowed} goes with it")
    elif not [o for o in overrides if not o.startswith(_NOT_ABOUT_CELLS)]:
        remembered, another_table = _last_sweep(overrides), any(o.startswith("table=") for o in overrides)
        overrides = [*(o for o in remembered if not (another_table and o.startswith("table"))), *overrides]
    return overrides, folders


def remember(store: Store, overrides: Sequence[str]) -> None:
    """Make these overrides the last sweep."""
    try:
        write_whole(store.path / "last_sweep.json", [json.dumps({"format": 1, "overrides": list(overrides)})])
    except OSError as error:
        raise StoreError(f"store={store.path}: cannot be written: {error.strerror}") from error


def _last_sweep(overrides: Iterable[str]) -> list[str]:
    store = plan([o for o in overrides if o.startswith("store=")], identify).store
    try:
        content: dict[str, Any] = json.loads((store / "last_sweep.json").read_text())
        return [str(override) for override in content["overrides"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"no sweep was run in {store} yet; name a grid, as method=fedavg,fedprox") from error
