"""Which engine runs a cell, and what it may be asked for."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from threading import Lock
from types import TracebackType
from typing import Any, Self

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import ENGINES, FEDERATEDSCOPE, RECORDED, WITHOUT_FEDERATEDSCOPE, engine_kind
from fscost.engine.base import Engine, EngineSettings
from fscost.errors import ConfigError
from fscost.protocol.known_options import KnownOptions
from fscost.protocol.release import NEWEST


def identify(config: Mapping[str, Any]) -> tuple[str, str, KnownOptions]:
    """Return the engine and the message protocol that an ``engine`` section means, with ``auto`` resolved, and what
    the engine can be asked for.

    ``engine=auto`` is FederatedScope where there is one; its protocol is that of the release, and its options are its
    own. Where a protocol is named, for results that are there already, it is not asked. Raises ConfigError for an
    interpreter that has no FederatedScope.
    """
    python = EngineSettings.from_config(config).python
    name, protocol = str(config["name"]), str(config["protocol"])
    if name == "auto":
        name = FEDERATEDSCOPE if _room(FEDERATEDSCOPE).is_within_reach(python) else WITHOUT_FEDERATEDSCOPE
    if not engine_kind(name).has_interpreter:
        return name, NEWEST.protocol if protocol == "auto" else protocol, KnownOptions.of_engine(name)
    if protocol != "auto":
        return name, protocol, KnownOptions.of_any()
    return name, *_room(name).identify(python)


def unasked(config: Mapping[str, Any]) -> tuple[str, str, KnownOptions]:
    """Return an engine for a plan whose cells nobody runs, as of settings beside a folder: no interpreter is needed."""
    return str(config["name"]), NEWEST.protocol, KnownOptions.of_any()


def described(name: str, settings: EngineSettings) -> str:
    """Return an engine with what it found on this machine, in words."""
    if not engine_kind(name).has_interpreter:
        return f"{name}, as there is no FederatedScope; FSCOST_FS_PYTHON names an interpreter that has it"
    return f"{name}, {_room(name).described(settings.python)}"


def refusals(section: Mapping[str, Any], cells: Sequence[Cell]) -> list[str]:
    """Return for each cell of an ``engine`` section why what its interpreter has does not take it, or nothing.

    As in `identify`, nobody is asked where a protocol is named.
    """
    asks = engine_kind(cells[0].engine).has_interpreter and str(section["protocol"]) == "auto"
    python = EngineSettings.from_config(section).python
    return _room(cells[0].engine).refusals(python, cells) if asks else [""] * len(cells)


class Engines:
    """The engines of one command, each made when it is first needed and closed at the end; threads may share them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: dict[tuple[str, str | None], Engine] = {}

    def of(self, cell: Cell, settings: EngineSettings) -> Engine:
        """Return the engine of a cell, imported only now; raises ConfigError where there is none of its name."""
        with self._lock:
            key = cell.engine, settings.python if engine_kind(cell.engine).has_interpreter else None
            if key not in self._made:
                self._made[key] = _room(cell.engine).make_engine(key[1])
            return self._made[key]

    def close(self) -> None:
        """Close them all; what they run is ended."""
        for engine in self._made.values():
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _room(name: str) -> Any:
    """Return the package of an engine; raises ConfigError where there is none."""
    if name == RECORDED:
        raise ConfigError("a program of your own recorded this run: start that again, or sweep it with engine=command")
    if name not in ENGINES:
        raise ConfigError(f"engine={name}: there is no such engine; there are {', '.join(ENGINES)}")
    return import_module(f"fscost.engine.{name}")
