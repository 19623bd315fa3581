"""Dimensions of what a formula computes: bytes and seconds, and the units in which they are printed."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Self

from fscost.cells.measure import BITS, UNITS

_TIMES = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
_COUNTS = ("param", "parameter", "client", "round")
"""What may stand in a unit as a word, as in ``kB/client``: it says what is divided by, and is no dimension."""

_OF_ONE = {"%": 0.01, "×": 1, "1": 1}


@dataclass(frozen=True)
class Dimension:
    """Bytes and seconds, each with its power; numbers without a unit have neither.

    It can be computed with as the numbers are; a plain number takes the dimension of what it is added to. Raises
    ValueError for a sum of two dimensions.
    """

    bytes: float = 0
    seconds: float = 0

    def __str__(self) -> str:
        above = [_power(name, n) for name, n in (("B", self.bytes), ("s", self.seconds)) if n > 0]
        below = [_power(name, -n) for name, n in (("B", self.bytes), ("s", self.seconds)) if n < 0]
        return "/".join([" ".join(above) or "1", *below]) if above or below else "a plain number"

    def __add__(self, other: Any) -> Self:
        if isinstance(other, Dimension) and other != self:
            raise ValueError(f"{self} and {other} are not the same kind")
        return self

    __radd__ = __sub__ = __rsub__ = __add__

    def __mul__(self, other: Any) -> "Dimension":
        more = other if isinstance(other, Dimension) else Dimension()
        return Dimension(self.bytes + more.bytes, self.seconds + more.seconds)

    __rmul__ = __mul__

    def __pow__(self, exponent: float) -> "Dimension":
        return Dimension(self.bytes * exponent, self.seconds * exponent)

    def __truediv__(self, other: Any) -> "Dimension":
        return self * (other**-1 if isinstance(other, Dimension) else 1)

    __floordiv__ = __truediv__

    def __rtruediv__(self, other: Any) -> "Dimension":
        return self**-1

    __rfloordiv__ = __rtruediv__

    def __neg__(self) -> Self:
        return self

    __pos__ = __neg__


def _one_of(*parts: Any) -> Any:
    """Return the dimension of what is chosen among parts, that have to be alike."""
    known = [part for part in parts if isinstance(part, Dimension)]
    return reduce(add, known) if known else parts[0]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ceil": lambda part: part,
    "floor": lambda part: part,
    "log2": lambda part: Dimension(),
    "max": _one_of,
    "min": _one_of,
    "sqrt": lambda part: part**0.5,
}
"""What the functions of a formula make of dimensions."""


def _power(name: str, exponent: float) -> str:
    return name if exponent == 1 else f"{name}^{exponent:g}"


@dataclass(frozen=True)
class Unit:
    """A unit as it is written, ``kB/s``; how many base units one is; and its dimension, None for one of one's own."""

    text: str
    scale: float = 1
    dimension: Dimension | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what is known of a unit: ``MB``, ``Mbit/s``, ``kB/client``, ``%/GB``; of ``kWh`` it is nothing.

        Raises ValueError for a unit of one's own that has a known one in it, as nobody knows what is to be converted.
        """
        parts = [("*", text), *re.findall(r"([/·])\s*([^/·]+)", text)]
        parts[0] = ("·", re.split(r"[/·]", text)[0])
        scale, dimension, foreign, converted = 1.0, Dimension(), [], []
        for sign, part in parts:
            factor, own = _known(part.strip())
            if own is None:
                foreign.append(part.strip())
                continue
            power = -1 if sign == "/" else 1
            scale, dimension = scale * factor**power, dimension * own**power
            converted += [part.strip()] if factor != 1 else []
        if foreign and converted:
            raise ValueError(f"nobody knows {foreign[0]}, so {converted[0]} cannot be converted; write the number into")
        return cls(text, scale, None if foreign else dimension)


def _known(name: str) -> tuple[float, Dimension | None]:
    if name in UNITS:
        return float(UNITS[name]), Dimension(bytes=1)
    if name in _TIMES:
        return _TIMES[name], Dimension(seconds=1)
    if name in _OF_ONE or name.removesuffix("s") in _COUNTS:
        return _OF_ONE.get(name, 1), Dimension()
    return 1, None


def is_conversion(number: float, unit: Unit) -> bool:
    """Return whether a number in a formula looks like what the unit converts by anyway, as 1e9 before ``GB``."""
    if unit.dimension is None or unit.scale == 1:
        return False
    usual = {1000**n for n in range(1, 5)} | {1024**n for n in range(1, 5)} | {60, 3600, *_own_conversions(unit.text)}
    return abs(number) in usual or (number != 0 and abs(1 / number) in usual)


def _own_conversions(text: str) -> Iterator[float]:
    if "%" in text:
        yield 100
    if any(name in text for name in BITS):
        yield 8
