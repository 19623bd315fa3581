"""What an engine is, and the settings of all of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome
from fscost.errors import ConfigError
from fscost.store.rundir import RunDir


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
        for name, value, unit in (("timeout_min", self.timeout_min, "minutes"), ("memory_gb", self.memory_gb, "GB")):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 < value < math.inf):
                raise ConfigError(f"engine.{name}={value}: must be a number of {unit} above 0, or null for no limit")
        if not isinstance(self.threads, int) or isinstance(self.threads, bool) or self.threads < 1:
            raise ConfigError(f"engine.threads={self.threads}: must be a whole number of at least 1")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the settings in a configuration's ``engine`` section."""
        python = config["python"]
        return cls(
            python=None if python in (None, "") else str(python),
            timeout_min=config["timeout_min"],
            threads=config["threads"],
            memory_gb=config["memory_gb"],
        )

    def as_request(self) -> dict[str, Any]:
        """Return what they are to a worker process."""
        return {
            "threads": self.threads,
            "timeout_s": None if self.timeout_min is None else 60 * self.timeout_min,
            "memory_bytes": None if self.memory_gb is None else 1e9 * self.memory_gb,
            "env": {} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu},
        }


DEFAULTS = EngineSettings()


class Engine(Protocol):
    """Computes cells. Its room offers it as ``make_engine(python)``, with the interpreter that settings name."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for a cell this engine cannot run; computes and writes nothing."""

    def check_here(self, cell: Cell) -> None:
        """Raise ConfigError for packages that this machine lacks to run the cell; starts nothing."""

    def prepare(self, cell: Cell) -> None:
        """Get ready to run the cell; raises ConfigError for what is missing on this machine."""

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run one cell to its end and write its ledger and logs; never raise for a run that failed.

        Raises WorkerDied where the process that was to run cells is gone, and WorkerClosed after `close`.
        """

    def close(self) -> None:
        """End what runs, and let go of processes; the engine is of no more use."""
