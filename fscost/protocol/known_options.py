"""Which options an engine can be asked for: those of the frozen list, or those of a FederatedScope that is there."""

import math
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from fscost.errors import ConfigError, nearest
from fscost.protocol import fs_options

EVERYWHERE = ""
"""The open section that holds all others."""

_STRICT: Mapping[str, Sequence[str]] = {
    **{kind: (kind,) for kind in ("bool", "int", "str", "list", "dict")},
    "float": ("int", "float"),
}

_PLAIN = ("bool", "int", "float", "list", "str", "NoneType")


@dataclass(frozen=True, kw_only=True)
class KnownOptions:
    """The options that somebody knows, `whose` says in words.

    `defaults` are by dotted name; below the sections `open` anything can be set. `takes` says for each kind of default
    which kinds of values it takes, all where it says nothing; `crashing` for options on which values it crashes, how,
    and what to do. `older` are its own names for options that cells know by another. `deviating` are the defaults that
    it has set otherwise than every release. `cure` ends a refusal.
    """

    whose: str
    defaults: Mapping[str, Any]
    open: Sequence[str] = ()
    takes: Mapping[str, Sequence[str]] = field(default_factory=lambda: _STRICT)
    crashing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    older: Mapping[str, str] = field(default_factory=dict)
    deviating: Mapping[str, Any] = field(default_factory=dict)
    cure: str = ""

    @classmethod
    @cache
    def of_engine(cls, engine: str) -> Self:
        """Return the frozen list: what builtin and estimate may be asked for; they refuse most of it themselves."""
        cure = "; engine=federatedscope runs what the FederatedScope of engine.python has"
        return cls(whose=f"engine={engine}", defaults=fs_options.known(), open=fs_options.open_sections(), cure=cure)

    @classmethod
    @cache
    def of_any(cls) -> Self:
        """Return the frozen list and whatever else a FederatedScope may have that is not here to be asked."""
        return cls(whose="FederatedScope", defaults=fs_options.known(), open=(EVERYWHERE,))

    def is_known(self, name: str) -> bool:
        """Return whether an option can be set, by name or below an open section."""
        return name in self.defaults or any(name.startswith(f"{section}.") or not section for section in self.open)

    def check_name(self, name: str) -> None:
        """Refuse a name that is no option and no section; raises ConfigError with the nearest names."""
        known = self.is_known(name) or name in fs_options.known()  # of the latter, the value is checked
        if not known and not any(option.startswith(f"{name}.") for option in self.defaults):
            raise ConfigError(f"fs.{name}: {self._lacks(name)}")

    def check_all(self, flat: Mapping[str, Any], shown: str = "fs.") -> None:
        """Refuse options as `check`; raises ConfigError that names all that nobody here has."""
        lacking = [name for name, value in flat.items() if self._is_lacking(name, value)]
        if lacking:
            raise ConfigError(f"{shown}{lacking[0]}: {self._lacks(*lacking)}")
        for name, value in flat.items():
            self.check(name, value, shown)

    def check(self, name: str, value: Any, shown: str = "fs.") -> None:
        """Refuse an option that nobody here has, or a value of a type that it does not take.

        Raises ConfigError with the nearest names, or with the type that is expected. The default of an option that is
        not there is what happens without.
        """
        if self._is_lacking(name, value):
            raise ConfigError(f"{shown}{name}: {self._lacks(name)}")
        if name not in self.defaults:
            return
        default = self.defaults[name]
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{shown}{name}={value}: must be a finite number")
        self.check_crashes({name: value}, shown)
        kind, given = kind_of(default), kind_of(value)
        cuts = (kind, given) == ("int", "float")  # FederatedScope takes 3.7 for a whole number, and uses 3
        if cuts or given not in self.takes.get(kind, (given,)):
            raise ConfigError(f"{shown}{name}={value!r}: expected {kind}, as its default {default!r} is")
        if name in fs_options.TEXTS and not all(isinstance(each, str) for each in value):
            raise ConfigError(f"{shown}{name}={value!r}: expected a list of texts")

    def check_crashes(self, flat: Mapping[str, Any], shown: str = "fs.") -> None:
        """Refuse values that are taken and known to end a run; raises ConfigError that says how."""
        for name, value in flat.items():
            if how := self.crashing.get(name, {}).get(str(value)):
                raise ConfigError(f"{shown}{name}={value}: {self.whose} crashes on it: {how}")

    def read(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a YAML file, by dotted name, as FederatedScope reads them, by the names of cells."""
        return {self.older.get(name, name): self._value(self.older.get(name, name), flat[name]) for name in flat}

    def _value(self, name: str, value: Any) -> Any:
        """Return ``1e-3``, text to YAML 1.1, as the number that FederatedScope reads in it, and other literals too."""
        kind = kind_of(self.defaults.get(name))
        literal = _literal(value)
        if isinstance(literal, tuple):  # a cell cannot keep it apart from a list: where it matters, the text stays
            return list(literal) if kind == "list" else value
        if kind == "int" and isinstance(literal, float) and literal.is_integer():
            return int(literal)
        return literal if kind_of(literal) in _PLAIN else value

    def _is_lacking(self, name: str, value: Any) -> bool:
        is_default = name in fs_options.known() and fs_options.default(name) == value
        return not self.is_known(name) and not is_default

    def _lacks(self, name: str, *others: str) -> str:
        nor = f"; nor has it {', '.join(others)}" if others else ""
        return f"{self.whose} has no such option{nearest(name, self.defaults)}{nor}{self.cure}"


def kind_of(value: Any) -> str:
    """Return the name of a value's type; a tuple counts as a list, as FederatedScope turns each into the other."""
    return "list" if isinstance(value, tuple) else type(value).__name__


def _literal(value: Any) -> Any:
    """Return what a text is as a Python literal, or the text."""
    if not isinstance(value, str):
        return value
    try:
        return literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value
