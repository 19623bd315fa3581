"""A printed figure beside the conventions that reproduce its digits, and how surprising it is that some do."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from fscost.tables.conventions import Convention
from fscost.tables.printed_figure import BYTES, PrintedFigure

_MOST_NEAR = 3
_MORE_DIGITS = 2
_FAR_PERCENT = 10_000
_LITTLE, _MUCH = 0.5, 0.1
"""From so many hits expected by chance on, a hit says little; below the other, chance is no likely reason."""


@dataclass(frozen=True)
class Reading:
    """A convention in one of the units that the figure may be in: `value` is what would be printed."""

    convention: Convention
    unit: str

    @property
    def value(self) -> Fraction:
        """The number in the unit."""
        return self.convention.size / BYTES[self.unit]


@dataclass(frozen=True)
class Reconciliation:
    """What reproduces a figure: `hits`, all readings with its digits, and without any the `nearest` ones.

    `tried` is how many different numbers there were, `by_chance` how many of them an unrelated figure with as many
    digits would be expected to hit. `left_out` says what could not be counted. Printed, it is all of it as text.
    """

    figure: PrintedFigure
    cell: str
    hits: Sequence[Reading]
    nearest: Sequence[Reading]
    tried: int
    by_chance: float
    left_out: Sequence[str] = ()

    @classmethod
    def of(
        cls, figure: PrintedFigure, conventions: Sequence[Convention], cell: str, left_out: Sequence[str] = ()
    ) -> Self:
        """Compare a figure with every convention, in every unit that it may be in."""
        readings = [Reading(one, unit) for one in conventions for unit in figure.units]
        hits = [reading for reading in readings if figure.is_of(reading.value)]
        near = sorted(readings, key=lambda reading: abs(math.log(reading.value / figure.value)))
        different = {reading.value for reading in readings}
        chance = _by_chance(figure, different)
        return cls(figure, cell, hits, [] if hits else near[:_MOST_NEAR], len(different), chance, left_out)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        found = f"{len(self.hits)} of {self.tried} numbers {'has' if len(self.hits) == 1 else 'have'} these digits"
        yield f"{self.figure.text}, {self.cell}: {found if self.hits else f'none of {self.tried} numbers has them'}"
        yield from _aligned(self._rows())
        if self.hits:
            yield f"{_short(self.by_chance)} hits expected by chance: {_verdict(self.by_chance)}"
        yield from (f"left out: {line}" for line in self.left_out)

    def _rows(self) -> Iterator[Sequence[str]]:
        yield ("computed", "bytes", "" if self.hits else "difference", "convention")
        for one in self.hits or self.nearest:
            number = _number(float(one.value), self.figure.decimals + _MORE_DIGITS)
            off = 100 * (float(one.value / self.figure.value) - 1)
            percent = "" if self.hits else f"{off:+,.2f} %" if off < _FAR_PERCENT else f"{off:+.2g} %"
            yield (f"{number} {one.unit}", _bytes(one.convention.size), percent, str(one.convention))


def _by_chance(figure: PrintedFigure, values: set[Fraction]) -> float:
    """Return n ln(high / low) / ln(max / min): hits of a figure that is log-uniform over the span of n values.

    Span is at least a decade, as a single number would else have none.
    """
    if not values:
        return 0.0
    low = max(figure.low, figure.high / 1000)  # of a single digit, as 0 would be its lower end
    span = max(math.log(max(values) / min(values)), math.log(10))
    return len(values) * min(math.log(figure.high / low) / span, 1)


def _verdict(by_chance: float) -> str:
    if by_chance >= _LITTLE:
        return "a hit says little"
    return "a hit says something" if by_chance >= _MUCH else "a hit is hardly chance"


def _short(number: float) -> str:
    return f"{number:.2g}" if number < 10 else f"{number:.0f}"


def _number(value: float, decimals: int) -> str:
    """Return a number with its decimals; what has no two digits then is another order of magnitude than the figure."""
    return f"{value:,.{decimals}f}" if value >= 10 ** (1 - decimals) else f"{value:.3g}"


def _bytes(size: Fraction) -> str:
    return f"{int(size):,}" if size.denominator == 1 else f"{float(size):,.1f}"


def _aligned(rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Yield rows with columns of equal width, numbers to the right; a column of nothing is left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        *numbers, words = zip(row, widths, strict=True)
        yield "  ".join([*(text.rjust(width) for text, width in numbers), words[0]])
