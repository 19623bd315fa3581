"""What Hydra's public functions make of the configuration folder, by which ours are checked, on Hydra 1.3 and 1.4."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from fscost.resources import conf

BASE: dict[str, Any] = {} if hydra.__version__.startswith("1.4") else {"version_base": "1.3"}
"""What its functions are told; 1.4 has one behaviour."""


@contextmanager
def started(folder: Path | None = None, **base: Any) -> Iterator[None]:
    """Hydra, initialised for the whole process as by a user of it; with our configuration folder, or with another."""
    with initialize_config_dir(str(folder or conf()), job_name="theirs", **(base or BASE)):
        yield
    GlobalHydra.instance().clear()


def composed_by_hydra(*overrides: str) -> DictConfig:
    return hydra.compose("config", list(overrides), return_hydra_config=True)
