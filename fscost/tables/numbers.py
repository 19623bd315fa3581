"""From numbers to text; the only place where that happens: units, decimals, mean and deviation over seeds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median, stdev

from fscost.cells.measure import NETWORK, UNITS
from fscost.tables.column import AUTO_UNITS, ColumnSpec
from fscost.tables.lines import Values
from fscost.tables.marks import ESTIMATED, ZERO, Mark, why
from fscost.tables.quantities import QUANTITIES, Kind, Quantity
from fscost.tables.table import Entry

TIED = 0.01
"""Estimates of network bytes, and times of them, that differ by less are alike: their error is 0.8 %."""

_LEAST = 0.1
"""An automatic unit is the largest one in which the smallest number of a column is not below this."""


@dataclass(frozen=True)
class Datum:
    """What one entry is made from: a value per seed in base units, or a mark; `runs` are the cells it comes from.

    `note` is a mark to stand behind the number.
    """

    values: Values
    runs: tuple[str, ...] = ()
    is_estimate: bool = False
    note: str = ""

    @property
    def numbers(self) -> list[float]:
        """The values, none where a mark stands for them."""
        return [] if isinstance(self.values, str) else self.values

    def middle(self, aggregate: str) -> float | None:
        """Return the mean over seeds, or the median; None where there is no number."""
        if not self.numbers:
            return None
        return median(self.numbers) if aggregate == "median" else fmean(self.numbers)

    @cached_property
    def varies(self) -> bool:
        """Whether seeds differ; rounding in a sum is no difference."""
        numbers = self.numbers
        return len(numbers) > 1 and stdev(numbers) > 1e-9 * abs(fmean(numbers))


def printed(number: float, decimals: int, *, is_bytes: bool = False, is_signed: bool = False) -> str:
    """Return a number with thousands separators; a 0 is one, and no number that is rounded to it is printed as it.

    That is ``<0.01``, or ``>-0.01``. Of bytes a 0 was counted, and has no decimals; what `is_signed` has a plus too.
    """
    text = f"{number:{'+' if is_signed else ''},.{decimals}f}"
    if any(digit in text for digit in "123456789") or not math.isfinite(number):
        return text
    if number == 0:
        return ZERO if is_bytes else text.lstrip("+-")
    least = f"{10**-decimals:.{decimals}f}"
    return f"<{least}" if number > 0 else f">-{least}"


@dataclass(frozen=True)
class Style:
    """How the numbers of one column are printed: `scale` is how many base units are one of `unit`.

    What differs by less than `tolerance`, relative to how far the better one is from `tied_from`, is no better.
    """

    quantity: Quantity
    unit: str
    scale: float
    decimals: int
    aggregate: str
    with_deviation: bool
    tolerance: float = 0.0
    tied_from: float = 0.0

    def entry(self, datum: Datum, *, is_marked: bool) -> Entry:
        """Return the entry of a datum; `is_marked` says that estimates are told apart from other numbers."""
        if isinstance(datum.values, str):
            return Entry(str(datum.values), mark=True, why=why(datum.values), runs=datum.runs)
        value, deviation = datum.middle(self.aggregate), self._deviation(datum)
        if value is None:
            return Entry(Mark.UNKNOWN, mark=True, runs=datum.runs)
        return Entry(
            self.text(value),
            value,
            spread="" if deviation is None else f"{deviation / self.scale:,.{self.decimals}f}",
            deviation=deviation,
            note=(ESTIMATED if is_marked and datum.is_estimate else "") + datum.note,
            runs=datum.runs,
        )

    def _deviation(self, datum: Datum) -> float | None:
        if not self.with_deviation or len(datum.numbers) < 2:
            return None
        deviation = stdev(datum.numbers)
        is_invisible = round(deviation / self.scale, self.decimals) == 0
        return None if is_invisible and self.quantity.kind in (Kind.BYTES, Kind.SECONDS) else deviation

    def text(self, value: float) -> str:
        """Return a number of the column as text."""
        return printed(value / self.scale, self.decimals, is_bytes=self.quantity.kind is Kind.BYTES)


def style_of(
    column: ColumnSpec, quantity: Quantity, unit: str, data: Sequence[Datum], aggregate: str, alike: Sequence[Datum]
) -> Style:
    """Return how a column is printed: one unit, and one number of decimals, the same for the numbers `alike`."""
    varies = any(datum.varies for datum in data)
    scale = _scale(column, quantity, unit)
    values = [abs(value / scale) for datum in alike if (value := datum.middle(aggregate))]
    decimals = column.decimals
    if decimals is None or (quantity.kind is Kind.COUNT and not varies and all(map(float.is_integer, values))):
        decimals = _decimals(column, quantity, unit, values, varies=varies)
    source = QUANTITIES[quantity.against] if quantity.against else quantity
    is_estimate = column.measure == NETWORK and source.kind in (Kind.BYTES, Kind.SECONDS)
    tied_from = 100.0 if quantity.kind is Kind.PERCENT else 0.0  # what is left of the bytes is the estimate
    tolerance = TIED if is_estimate else 0.0
    return Style(quantity, unit, scale, decimals, aggregate, varies and aggregate == "mean_std", tolerance, tied_from)


def _scale(column: ColumnSpec, quantity: Quantity, unit: str) -> float:
    if quantity.kind is Kind.BYTES:
        return UNITS[unit]
    return 1 / column.factor if quantity.kind is Kind.METRIC else 1


def _decimals(column: ColumnSpec, quantity: Quantity, unit: str, values: Sequence[float], *, varies: bool) -> int:
    """Return one number of decimals for a column: enough for the significant digits of its smallest number."""
    fixed = {Kind.PERCENT: 1, Kind.FACTOR: 2, Kind.COUNT: int(varies or not all(map(float.is_integer, values)))}
    if quantity.kind is Kind.METRIC and column.is_rate:
        return 1 if varies else 2  # a deviation of whole percents makes more decimals noise
    if quantity.kind in fixed:
        return fixed[quantity.kind]
    if not values or (quantity.kind is Kind.BYTES and unit == "B" and all(map(float.is_integer, values))):
        return 0
    return max(0, min(9, column.precision - 1 - math.floor(math.log10(min(values)))))


def unit_for(setting: str, data: Iterable[Datum], aggregate: str) -> str:
    """Return the unit of bytes that was set, or with auto, the largest in which no number is small."""
    if setting not in AUTO_UNITS:
        return setting
    sizes = [value for datum in data if (value := datum.middle(aggregate))]
    first, *larger = AUTO_UNITS[setting]
    fitting = [unit for unit in larger if sizes and min(sizes) / UNITS[unit] >= _LEAST]
    return fitting[-1] if fitting else first
