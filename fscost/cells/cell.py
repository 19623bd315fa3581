"""A cell: one point of a grid, named by its content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fscost.cells import provenance_options
from fscost.cells.engine_kinds import engine_kind
from fscost.cells.names import adapter_of, data_of, method_of, model_of
from fscost.errors import ConfigError

CELL_SCHEMA = 1
"""Part of every id; a new number means that old results no longer answer new questions."""

AXES = ("method", "model", "data", "clients", "rounds", "seed")


@dataclass(frozen=True)
class Cell:
    """An engine and the FederatedScope configuration it is to run.

    `fs` holds what differs from FederatedScope's defaults, and always the options that name the axes.
    `protocol` is the FederatedScope release whose messages are sent. Raises ConfigError with every broken rule.
    """

    engine: str
    protocol: str
    fs: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise ConfigError(*problems)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the option with this dotted name, or `default` where the cell leaves FederatedScope's."""
        node: Any = self.fs
        for section in name.split("."):
            if not (type(node) is dict or isinstance(node, Mapping)) or section not in node:  # most are
                return default
            node = node[section]
        return node

    @cached_property
    def id(self) -> str:
        """The first 12 hex digits of the sha256 of the cell's canonical JSON; no clock, no order, no host.

        On which device it runs and where it writes is no part of it; where it reads is, as other data may lie there.
        """
        return self._hashed(self._identity)

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return _without_host(self.fs)

    @cached_property
    def former_id(self) -> str:
        """The id it had when all options were a part of it; another only where one says where it runs or writes."""
        return self.id if self._identity == self.fs else self._hashed(self.fs)

    def _hashed(self, fs: Mapping[str, Any]) -> str:
        content = {"schema": CELL_SCHEMA, "engine": self.engine, "protocol": self.protocol, "fs": _canonical(fs)}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def axes(self) -> dict[str, Any]:
        """The values that label the cell in frames and tables, read from the configuration itself.

        None clients are as many as the data have, which only a run can tell.
        """
        return {
            "method": method_of(self),
            "model": model_of(self),
            "data": data_of(self),
            "clients": self.get("federate.client_num") or None,
            "rounds": self.get("federate.total_round_num"),
            "seed": self.get("seed"),
        }

    def axis(self, name: str) -> Any:
        """Return an axis by name; ``fs.…`` reads any option of the configuration."""
        return self.axes[name] if name in self.axes else self.get(name[3:] if name.startswith("fs.") else name)

    @cached_property
    def name(self) -> str:
        """The name of the cell's run directory."""
        a = self.axes
        model = "+".join(filter(None, [str(a["model"]), adapter_of(self)]))
        clients = a["clients"] or "all"
        tail = f"-c{clients}-s{a['seed']}-{self.id}"
        what = f"{_slug(a['method'])}-{_slug(model)}-{_slug(a['data'])}"
        return f"{what[: _LONGEST_NAME - len(tail)]}{tail}"

    def as_dict(self) -> dict[str, Any]:
        """Return the cell as JSON values, axes first."""
        return {"axes": self.axes, "engine": self.engine, "protocol": self.protocol, "fs": self.fs}


def _without_host(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the options without those that say where a run happens or writes, and without sections of these alone."""
    left: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            if below := _without_host(value, f"{name}."):
                left[key] = below
        elif not provenance_options.is_host(name):
            left[key] = value
    return left


def _canonical(value: Any) -> Any:
    """Return `value` such that ``1`` and ``1.0`` are the same; a cell must not depend on how a number is written."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value] if isinstance(value, (list, tuple)) else str(value)


_LONGEST_NAME = 110
"""With what is put behind it, below the 143 characters that encrypted folders take; the id tells cells apart."""


def _slug(text: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_.+]", "_", str(text))


_COUNTS = {
    "federate.total_round_num": "rounds",
    "dataloader.batch_size": "fs.dataloader.batch_size",
    "train.local_update_steps": "fs.train.local_update_steps",
    "eval.freq": "fs.eval.freq",
}


def _problems(cell: Cell) -> Iterator[str]:
    for name in ("seed", "federate.client_num", "federate.total_round_num", "federate.method", "model.type"):
        if cell.get(name) in (None, ""):
            yield f"fs.{name} is not set; every cell needs it"
    yield from _client_problems(cell)
    for name, shown in _COUNTS.items():
        if not _is_count(value := cell.get(name, 1)):
            yield f"{shown}={value}: must be a whole number of at least 1"
    if not isinstance(seed := cell.get("seed"), int) or not 0 <= seed < 2**32:
        yield f"seed={seed}: must be a whole number of at least 0 and below 2^32"
    for name in ("data.args", "data.splitter_args"):
        items = cell.get(name) or []
        if not isinstance(items, (list, tuple)) or not all(isinstance(item, Mapping) for item in items):
            yield f"fs.{name}={cell.get(name)}: must be a list of mappings, as [{{resize: 32}}]"


def _client_problems(cell: Cell) -> Iterator[str]:
    """Yield what is wrong with how many clients there are, and how many of them train in a round.

    FederatedScope takes 0 for as many as the data have, and all where more are to train than there are.
    """
    clients, sampled = cell.get("federate.client_num"), cell.get("federate.sample_client_num", -1)
    if not _is_count(clients) and not (type(clients) is int and clients == 0):
        yield f"clients={clients}: must be a whole number of at least 1"
    if sampled != -1 and not _is_count(sampled):
        yield f"clients_per_round={sampled}: must be at least 1, or -1 for all clients"
    elif _is_count(clients) and sampled > clients and not engine_kind(cell.engine).has_interpreter:
        yield f"clients_per_round={sampled}: must not exceed clients={clients}"
    rate = cell.get("federate.sample_client_rate", -1)
    if rate != -1 and not (isinstance(rate, (int, float)) and 0 < rate <= 1):
        yield f"fs.federate.sample_client_rate={rate}: must be in (0, 1], or -1 for no sampling by rate"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
