"""A figure as somebody printed it: its digits, and the units that it may mean."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

from fscost.cells.measure import UNITS
from fscost.errors import ConfigError

_TERA: Final = {"TB": 10**12, "TiB": 2**40}
BYTES: Final = {name: Fraction(size) for name, size in (UNITS | _TERA).items()}
"""Bytes per unit; a printed figure may have larger ones than tables have."""

_EITHER: Final = {
    "b": ("B",), "k": ("kB", "KiB", "kbit"), "m": ("MB", "MiB", "Mbit"), "g": ("GB", "GiB", "Gbit"), "t": ("TB", "TiB"),
}  # fmt: skip
"""What papers mean by a letter: they write MB for any of the three."""

_WORDS: Final = {"byte": "b", "kilobyte": "k", "megabyte": "m", "gigabyte": "g", "terabyte": "t"}
_EXACT: Final = {name.lower(): name for name in BYTES if "i" in name}  # KiB and Mbit say what they are
_FIGURE: Final = re.compile(r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)", re.ASCII)
_MOST_CHARACTERS: Final = 40


@dataclass(frozen=True)
class PrintedFigure:
    """A number with the digits it was printed with, as a half-open interval, and the units that it may be in."""

    text: str
    value: Fraction
    decimals: int
    units: tuple[str, ...]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read ``256.48MB``, ``1,023 MiB`` or ``97``, of any unit; raises ConfigError for anything else."""
        found = _FIGURE.fullmatch(text.strip()) if len(text) <= _MOST_CHARACTERS else None
        shown = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
        if not found:
            raise ConfigError(
                f"{shown!r}: is no printed figure; write its digits and its unit, as 256.48MB or 1,023MiB"
            )
        digits = found[1].replace(",", "")
        if not Fraction(digits):
            raise ConfigError(f"{shown!r}: a figure of 0 is reproduced by nothing that is sent; write one above 0")
        decimals = len(digits.partition(".")[2])
        return cls(text.strip(), Fraction(digits), decimals, _units(found[2], shown))

    @property
    def low(self) -> Fraction:
        """The least number that is printed so."""
        return self.value - self._half

    @property
    def high(self) -> Fraction:
        """The number above all that are printed so."""
        return self.value + self._half

    @property
    def _half(self) -> Fraction:
        return Fraction(1, 2 * 10**self.decimals)

    def is_of(self, value: Fraction) -> bool:
        """Return whether a number, in the unit of the figure, is printed with these digits."""
        return self.low <= value < self.high


def _units(word: str, text: str) -> tuple[str, ...]:
    """Return the units that a printed one may mean, all of them for none."""
    if not word:
        return tuple(BYTES)
    lower = word.lower().removesuffix("s") if len(word) > 1 else word.lower()
    if lower in _EXACT:
        return (_EXACT[lower],)
    letter = _WORDS.get(lower, lower.removesuffix("b") or "b")
    if letter not in _EITHER:
        raise ConfigError(f"{text!r}: {word} is no unit of bytes; write {', '.join(BYTES)}, or none for any of them")
    return _EITHER[letter]
