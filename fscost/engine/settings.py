"""How engines run a cell, whatever the cell is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from fscost.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """How engines run cells, whatever the cells are; raises ConfigError for a value out of its range.

    `python` is the interpreter that has FederatedScope, None for this one; each cell gets `threads` of the CPU, and at
    most `timeout_min` minutes and `memory_gb` 10^9 bytes where these are not None. `gpu` is what it sees, None for all.
    """

    python: str | None = None
    threads: int = 1
    timeout_min: float | None = None
    memory_gb: float | None = None
    gpu: str | None = None

    def __post_init__(self) -> None:
        limit = self.timeout_min
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0):
            raise ConfigError(f"engine.timeout_min={limit}: must be a number of minutes above 0, or null for no limit")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the settings in a configuration's ``engine`` section."""
        python = config["python"]
        return cls(python=None if python in (None, "") else str(python), timeout_min=config["timeout_min"])

    def as_request(self) -> dict[str, Any]:
        """Return what they are to a worker process."""
        return {
            "threads": self.threads,
            "timeout_s": None if self.timeout_min is None else 60 * self.timeout_min,
            "memory_bytes": None if self.memory_gb is None else 1e9 * self.memory_gb,
            "env": {} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu},
        }


DEFAULTS = EngineSettings()
