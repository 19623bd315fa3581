"""What a recording is of: the cell that its settings make, and the cell that a sweep asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import RECORDED
from fscost.errors import CollectError, ConfigError
from fscost.files import text_of
from fscost.protocol.release import NEWEST
from fscost.store.rundir import RUN_DIR


@dataclass(frozen=True)
class Settings:
    """The axes of a run by name, `args` that tell it from others beside them, and who its clients are.

    `names` are the clients' in the order of their worker ids, from 1. `folder` is the run directory that a sweep made
    for it, None outside of one.
    """

    axes: Mapping[str, Any]
    names: Sequence[Any]
    args: Mapping[str, Any]
    framework: str | None
    folder: Path | None

    @classmethod
    def of(cls, named: Mapping[str, Any], framework: str | None, args: Mapping[str, Any]) -> Settings:
        """Return the settings that a user gave, None for what was left out, filled up with those of the sweep's cell.

        Raises ConfigError for what is missing, cannot be, or is another than in the cell.
        """
        given = {name: value for name, value in named.items() if value is not None}
        names = _names(given["clients"]) if "clients" in given else []
        given.update({name: _whole(name, given[name]) for name in ("rounds", "seed") if name in given})
        given.update({"clients": len(names)} if names else {})
        folder = os.environ.get(RUN_DIR)
        plain = {name: _plain(name, value) for name, value in args.items()}
        if not folder:
            _check_complete(given)
            found = cls({"data": "", "seed": 0, **given}, names, plain, framework, None)
            found.cell(given.get("rounds", 1))
            return found
        asked = _asked(Path(folder))
        _compare(given, plain, asked)
        axes = asked["axes"]
        return cls(axes, names or range(1, axes["clients"] + 1), plain, framework, Path(folder))

    @property
    def rounds(self) -> int | None:
        """How many rounds are to be, None where the recording tells."""
        return self.axes.get("rounds")

    def cell(self, rounds: int) -> Cell:
        """Return the cell of a recording outside of a sweep; raises ConfigError for settings that cannot be."""
        return _cell({**self.axes, "rounds": rounds}, self.args, self.framework)

    def known_axes(self, rounds: int) -> dict[str, Any]:
        """Return the axes as cells have them, where so many rounds were recorded."""
        return dict(self.axes) if self.folder else self.cell(self.rounds or rounds).axes


def _cell(axes: Mapping[str, Any], args: Mapping[str, Any], framework: str | None) -> Cell:
    federate = {"method": str(axes["method"]).lower(), "client_num": axes["clients"], "total_round_num": axes["rounds"]}
    fs = {"federate": federate, "model": {"type": axes["model"]}, "data": {"type": axes["data"]}, "seed": axes["seed"]}
    beside = {"args": args, "framework": framework}
    return Cell(engine=RECORDED, protocol=NEWEST.protocol, fs={**fs, **{name: v for name, v in beside.items() if v}})


def _check_complete(given: Mapping[str, Any]) -> None:
    missing = [f"{name}=" for name in ("method", "model", "clients") if name not in given]
    if missing:
        raise ConfigError(f"fscost.record(): {', '.join(missing)} must be given where no sweep's cell says it")


# --- what a user gives ----------------------------------------------------------------------------


def _names(clients: Any) -> Sequence[Any]:
    """Return the names of the clients: 1, 2, … where only their number is given."""
    if isinstance(clients, (str, bytes)) or not (isinstance(clients, Iterable) or hasattr(clients, "__index__")):
        raise ConfigError(f"clients={clients!r}: must be how many there are, or a list of their names")
    if not isinstance(clients, Iterable):
        return range(1, _whole("clients", clients, least=1) + 1)
    names = list(clients)
    if not names or len({*map(_key, names)}) < len(names):
        raise ConfigError(f"clients={clients}: must be names of at least one client, none of them twice")
    return names


def _key(name: Any) -> Any:
    try:
        hash(name)
    except TypeError as error:
        raise ConfigError(f"clients: {name!r} is no name; take numbers or texts") from error
    return name


def _whole(name: str, value: Any, least: int = 0) -> int:
    try:
        number = index(value)
    except TypeError:
        number = -1
    if isinstance(value, bool) or number < (1 if name == "rounds" else least):
        raise ConfigError(f"{name}={value}: must be a whole number of at least {1 if name == 'rounds' else least}")
    return number


def _plain(name: str, value: Any) -> Any:
    """Return a setting as a JSON value; raises ConfigError for what is none."""
    value = value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}={value!r}: must be a number, a text, or a list of them") from error


# --- what a sweep asked for -----------------------------------------------------------------------


def _asked(folder: Path) -> dict[str, Any]:
    """Return the values of ``cell.json`` in a run directory; raises CollectError where there is none."""
    file = folder / "cell.json"
    try:
        found: dict[str, Any] = json.loads(text_of(file))
        found["axes"]["clients"] + found["axes"]["rounds"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise CollectError(f"{RUN_DIR}={folder}: no cell there: {error}; unset it outside of a sweep") from error
    return found


def _compare(given: Mapping[str, Any], args: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise ConfigError where a setting is another than that of the sweep's cell."""
    axes, others = asked["axes"], asked.get("fs", {}).get("args", {})
    full = {**axes, **given}
    meant = _cell({**full, "data": full["data"] or ""}, {}, None).axes
    wrong = [(name, given[name], axes[name]) for name in given if meant[name] != axes[name]]
    wrong += [
        (f"args.{name}", args[name], others[name]) for name in args if name in others and args[name] != others[name]
    ]
    if wrong:
        says = "{0}={1}: the cell of the sweep has {0}={2}; say {0}={1} there"
        raise ConfigError(*(says.format(name, value, its) for name, value, its in wrong))
