"""What an engine is, and which one runs a cell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from fscost.cell import Cell
from fscost.errors import ConfigError
from fscost.record import Outcome
from fscost.rundir import RunDir

_NEWEST = "master"


class Engine(Protocol):
    """Computes cells."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for a cell this engine cannot run; computes and writes nothing."""

    def prepare(self, cell: Cell) -> None:
        """Get ready to run the cell; raises ConfigError for what is missing on this machine."""

    def run(self, cell: Cell, into: RunDir) -> Outcome:
        """Run one cell to its end and write its ledger and logs; never raise for a run that failed."""

    def close(self) -> None:
        """Let go of processes; the engine can be used again."""


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """How engines run cells, whatever the cells are; raises ConfigError for a value out of its range.

    `python` is the interpreter that has FederatedScope, None for this one; `timeout_min` (minutes) and `memory_gb`
    (10^9 bytes) bound each cell, None bounds nothing; `threads` are the CPU threads of one cell.
    """

    python: str | None = None
    timeout_min: float | None = None
    threads: int = 1
    memory_gb: float | None = None

    def __post_init__(self) -> None:
        for name, value, unit in (("timeout_min", self.timeout_min, "minutes"), ("memory_gb", self.memory_gb, "GB")):
            if value is not None and not _is_above_0(value):
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


def _is_above_0(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def identify(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the engine and the message protocol that an ``engine`` section means, with ``auto`` resolved.

    ``engine=auto`` is FederatedScope where there is one; its protocol is that of the release. Raises ConfigError for
    an interpreter that has no FederatedScope.
    """
    from fscost.engine.federatedscope import interpreter, is_within_reach

    python = EngineSettings.from_config(config).python
    name, protocol = str(config["name"]), str(config["protocol"])
    if name == "auto":
        name = "federatedscope" if is_within_reach(python) else "builtin"
    if protocol == "auto":
        protocol = interpreter(python).protocol if name == "federatedscope" else _NEWEST
    return name, protocol


def described(name: str, settings: EngineSettings) -> str:
    """Return an engine with what it found on this machine, in words."""
    if name != "federatedscope":
        return f"{name}, as there is no FederatedScope; FSCOST_FS_PYTHON names an interpreter that has it"
    from fscost.engine.federatedscope import interpreter

    return f"{name}, {interpreter(settings.python).description}"


class Engines:
    """The engines of one command, each made when it is first needed and closed at the end."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._made: dict[str, Engine] = {}

    def of(self, cell: Cell) -> Engine:
        """Return the engine of a cell; imports it only now, as engines import torch."""
        if cell.engine not in self._made:
            self._made[cell.engine] = self._make(cell.engine)
        return self._made[cell.engine]

    def _make(self, name: str) -> Engine:
        if name == "builtin":
            from fscost.engine.builtin import BuiltinEngine

            if self._settings.timeout_min is not None:
                raise ConfigError("engine.timeout_min: engine=builtin cannot be stopped; engine=federatedscope can")
            return BuiltinEngine()
        if name == "estimate":
            from fscost.engine.estimate import EstimateEngine

            return EstimateEngine()
        if name == "federatedscope":
            from fscost.engine.federatedscope import FederatedScopeEngine

            return FederatedScopeEngine(self._settings.python, self._settings.timeout_min)
        raise ConfigError(f"engine={name}: there is no such engine; there are builtin, estimate, federatedscope")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for engine in self._made.values():
            engine.close()
