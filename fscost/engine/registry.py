"""What an engine is, and which one runs a cell."""

from collections.abc import Mapping
from threading import Lock
from types import TracebackType
from typing import Any, Protocol, Self

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome
from fscost.engine.settings import DEFAULTS, EngineSettings
from fscost.errors import ConfigError
from fscost.protocol.known_options import Options
from fscost.protocol.release import NEWEST
from fscost.store.rundir import RunDir


class Engine(Protocol):
    """Computes cells."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for a cell this engine cannot run; computes and writes nothing."""

    def prepare(self, cell: Cell) -> None:
        """Get ready to run the cell; raises ConfigError for what is missing on this machine."""

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run one cell to its end and write its ledger and logs; never raise for a run that failed.

        Raises WorkerDied where the process that was to run cells is gone, and WorkerClosed after `close`.
        """

    def close(self) -> None:
        """End what runs, and let go of processes; the engine is of no more use."""


def identify(config: Mapping[str, Any]) -> tuple[str, str, Options]:
    """Return the engine and the message protocol that an ``engine`` section means, with ``auto`` resolved, and what
    the engine can be asked for.

    ``engine=auto`` is FederatedScope where there is one; its protocol is that of the release, and its options are its
    own. Where a protocol is named, for results that are there already, it is not asked. Raises ConfigError for an
    interpreter that has no FederatedScope.
    """
    from fscost.engine.federatedscope import interpreter, is_within_reach, options_of

    python = EngineSettings.from_config(config).python
    name, protocol = str(config["name"]), str(config["protocol"])
    if name == "auto":
        name = "federatedscope" if is_within_reach(python) else "builtin"
    if name != "federatedscope":
        return name, NEWEST.protocol if protocol == "auto" else protocol, Options.of_engine(name)
    if protocol != "auto":
        return name, protocol, Options.of_any()
    found = interpreter(python)
    return name, found.protocol, options_of(found)


def unasked(config: Mapping[str, Any]) -> tuple[str, str, Options]:
    """Return an engine for a plan whose cells nobody runs, as of settings beside a folder: no interpreter is needed."""
    return str(config["name"]), NEWEST.protocol, Options.of_any()


def described(name: str, settings: EngineSettings) -> str:
    """Return an engine with what it found on this machine, in words."""
    if name != "federatedscope":
        return f"{name}, as there is no FederatedScope; FSCOST_FS_PYTHON names an interpreter that has it"
    from fscost.engine.federatedscope import interpreter

    return f"{name}, {interpreter(settings.python).description}"


class Engines:
    """The engines of one command, each made when it is first needed and closed at the end; threads may share them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: dict[tuple[str, str | None], Engine] = {}

    def of(self, cell: Cell, settings: EngineSettings) -> Engine:
        """Return the engine of a cell; imports it only now, as engines import torch."""
        with self._lock:
            key = cell.engine, settings.python if cell.engine == "federatedscope" else None
            if key not in self._made:
                self._made[key] = _make(*key)
            return self._made[key]

    def close(self) -> None:
        """Close them all; what they run is ended."""
        for engine in self._made.values():
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _make(name: str, python: str | None) -> Engine:
    if name == "builtin":
        from fscost.engine.builtin import ServedBuiltinEngine

        return ServedBuiltinEngine()
    if name == "estimate":
        from fscost.engine.estimate import EstimateEngine

        return EstimateEngine()
    if name == "federatedscope":
        from fscost.engine.federatedscope import FederatedScopeEngine

        return FederatedScopeEngine(python)
    raise ConfigError(f"engine={name}: there is no such engine; there are builtin, estimate, federatedscope")
