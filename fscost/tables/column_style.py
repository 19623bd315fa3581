"""How the numbers of a column are printed: unit, decimals, mean and deviation over seeds, and which are the best."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, median

from fscost.cells.measure import NETWORK, UNITS
from fscost.tables.column import AUTO_UNITS, ColumnSpec
from fscost.tables.lines import Values
from fscost.tables.marks import ESTIMATED, UNKNOWN, Mark, MarkKind
from fscost.tables.numbers import Number, deviation_of
from fscost.tables.own_formula import sources_of
from fscost.tables.quantity import Kind, Quantity
from fscost.tables.significance import Judge, Sample, half_width
from fscost.tables.table import Emphasis, Entry

TIED = 0.01
"""Estimates of network bytes, and times of them, that differ by less are alike: their error is 0.8 %."""

_ESTIMATED_DIGITS = 3
"""How many significant digits of such estimates are printed: with an error of 0.8 % a fourth means nothing."""

LEAST = 0.1
"""An automatic unit is the largest one in which the smallest number of a column is not below this."""


@dataclass(frozen=True)
class Datum:
    """What one entry is made from: a value per seed in base units, or a mark; `runs` are the cells it comes from.

    `notes` are marks to stand behind the number.
    """

    values: Values
    runs: tuple[str, ...] = ()
    is_estimate: bool = False
    notes: tuple[Mark, ...] = ()

    @property
    def numbers(self) -> list[float]:
        """The values, none where a mark stands for them."""
        return [] if isinstance(self.values, Mark) else self.values

    def middle(self, aggregate: str) -> float | None:
        """Return the mean over seeds, or the median; None where there is no number."""
        if not self.numbers:
            return None
        return median(self.numbers) if aggregate == "median" else fmean(self.numbers)

    @cached_property
    def deviation(self) -> float | None:
        """The sample standard deviation over seeds, None for fewer than two."""
        return deviation_of(self.numbers)

    def spread(self, aggregate: str) -> float | None:
        """Return what stands behind ±: the deviation, or half of a confidence interval; None for others."""
        if aggregate == "ci95":
            return half_width(self.numbers)
        return self.deviation if aggregate == "mean_std" else None

    @cached_property
    def varies(self) -> bool:
        """Whether seeds differ; rounding in a sum is no difference."""
        return self.deviation is not None and self.deviation > 1e-9 * abs(fmean(self.numbers))


@dataclass(frozen=True)
class Style:
    """How the numbers of one column are printed: `scale` is how many base units are one of `unit`.

    What differs by less than `tolerance`, relative to how far the better one is from `tied_from`, is no better. No more
    than `digits` significant ones are known.
    """

    quantity: Quantity
    unit: str
    scale: float
    decimals: int
    aggregate: str
    with_deviation: bool
    tolerance: float = 0.0
    tied_from: float = 0.0
    digits: int | None = None

    def entry(self, datum: Datum, *, is_marked: bool) -> Entry:
        """Return the entry of a datum; `is_marked` says that estimates have a mark behind them."""
        if isinstance(datum.values, Mark):
            return Entry(mark=datum.values, runs=datum.runs)
        value, deviation = datum.middle(self.aggregate), self._deviation(datum)
        if value is None:
            return Entry(mark=UNKNOWN, runs=datum.runs)
        notes = (ESTIMATED,) if is_marked and datum.is_estimate else ()
        bounds = (min(datum.numbers), max(datum.numbers)) if self.aggregate == "min_max" and datum.varies else None
        number = self.number(value, self._visible(deviation), bounds)
        return Entry(
            "", value, number, deviation=deviation, bounds=bounds, notes=(*notes, *datum.notes), runs=datum.runs
        )

    def _deviation(self, datum: Datum) -> float | None:
        """Return what is behind ±; nothing for bytes and times that do not vary."""
        if not self.with_deviation or (self._is_counted and not datum.varies):
            return None
        return datum.spread(self.aggregate)

    def _visible(self, deviation: float | None) -> float | None:
        """Return a deviation as far as it is printed: of bytes and times none that rounds to 0."""
        is_seen = deviation is None or not self._is_counted or round(deviation / self.scale, self.decimals) != 0
        return deviation if is_seen else None

    @property
    def _is_counted(self) -> bool:
        """Whether it is of bytes or times, which are the same for most seeds."""
        return self.quantity.kind in (Kind.BYTES, Kind.SECONDS)

    def number(self, value: float, deviation: float | None = None, bounds: tuple[float, float] | None = None) -> Number:
        """Return a number of the column, in base units, as it is printed, with what stands behind it."""
        spread = None if deviation is None else deviation / self.scale
        low_high = None if bounds is None else (bounds[0] / self.scale, bounds[1] / self.scale)
        shown, decimals = self._known(value / self.scale)
        if self.quantity.kind is Kind.BYTES and not shown:
            decimals = 0  # a 0 was counted
        return Number(shown, decimals, spread, self.unit, suffix=self.quantity.suffix, bounds=low_high)

    def _known(self, value: float) -> tuple[float, int]:
        """Return a number with its decimals; of an estimate no more digits than its error leaves."""
        if self.digits is None or not value or not math.isfinite(value):
            return value, self.decimals
        decimals = self.digits - 1 - math.floor(math.log10(abs(value)))
        if decimals >= self.decimals:  # rounded twice, 2.4496 would be 2.5
            return value, self.decimals
        return round(value, decimals), max(0, decimals)


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
    is_estimate = column.measure == NETWORK and any(
        part.kind in (Kind.BYTES, Kind.SECONDS) for part in sources_of(column)
    )
    tied_from = 100.0 if quantity.kind is Kind.PERCENT else 0.0  # what is left of the bytes is the estimate
    tolerance = TIED if is_estimate else 0.0
    with_deviation = varies and aggregate in ("mean_std", "ci95")
    is_capped = is_estimate and column.decimals is None and quantity.kind is not Kind.PERCENT
    digits = _ESTIMATED_DIGITS if is_capped else None
    return Style(quantity, unit, scale, decimals, aggregate, with_deviation, tolerance, tied_from, digits)


def _scale(column: ColumnSpec, quantity: Quantity, unit: str) -> float:
    if quantity.kind is Kind.BYTES:
        return UNITS[unit]
    if quantity.kind is Kind.OWN:
        return quantity.scale
    return 1 / column.factor if quantity.kind is Kind.METRIC else 1


def _decimals(column: ColumnSpec, quantity: Quantity, unit: str, values: Sequence[float], *, varies: bool) -> int:
    """Return one number of decimals for a column: enough for the significant digits of its smallest number."""
    fixed = {Kind.PERCENT: 1, Kind.FACTOR: 2, Kind.COUNT: int(varies or not all(map(float.is_integer, values)))}
    if quantity.kind is Kind.METRIC and column.is_rate:
        return 1 if varies else 2  # a deviation of whole percents makes more decimals noise
    if quantity.suffix:  # 3.9× is plain, 1.04× needs its second digit
        return 1 if all(value in (0, 1) or value >= 2 for value in values) else 2
    if quantity.unit == "%":
        return 1
    if quantity.kind in fixed:
        return fixed[quantity.kind]
    if not values or (quantity.kind is Kind.BYTES and unit in ("B", "bit") and all(map(float.is_integer, values))):
        return 0
    return max(0, min(9, column.precision - 1 - math.floor(math.log10(min(values)))))


def unit_for(setting: str, data: Iterable[Datum], aggregate: str) -> str:
    """Return the unit of bytes that was set, or with auto, the largest in which no number is small."""
    if setting not in AUTO_UNITS:
        return setting
    sizes = [value for datum in data if (value := datum.middle(aggregate))]
    first, *larger = AUTO_UNITS[setting]
    fitting = [unit for unit in larger if sizes and min(sizes) / UNITS[unit] >= LEAST]
    return fitting[-1] if fitting else first


# --- the best -------------------------------------------------------------------------------------


def emphasised(
    entries: Sequence[Entry], groups: Sequence[Hashable], style: Style, better: str, *, with_second: bool
) -> list[Entry]:
    """Return the entries, the best of each group emphasised; `better` is ``lower``, ``higher`` or nothing.

    What is printed alike ties, and so do estimates that differ by less than their error. Where all are alike none is
    the best, nor where a number is not known or still to come.
    """
    if not better:
        return [*entries]
    members: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    found: dict[int, Emphasis] = {}
    for own in members.values():
        found |= _of_group({n: entries[n] for n in own}, style, better, with_second=with_second)
    return [replace(own, emphasis=found[number]) if number in found else own for number, own in enumerate(entries)]


def best_by_test(
    entries: Sequence[Entry], samples: Sequence[Sample], groups: Sequence[Hashable], better: str, judge: Judge
) -> list[Entry]:
    """Return the entries, of each group those emphasised that a test over seeds does not tell from the best mean.

    `samples` are their numbers by seed. Where all are alike, or one is not known or of a single seed, none is the best.
    """
    members: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    found: dict[int, Emphasis] = {}
    for own in (own for own in members.values() if better and all(samples[n] for n in own)):
        is_best = judge.best([samples[n] for n in own], better)
        if is_best and not all(is_best):
            found |= {n: "best" for n, best in zip(own, is_best, strict=True) if best}
    return [replace(own, emphasis=found[number]) if number in found else own for number, own in enumerate(entries)]


def _of_group(group: Mapping[int, Entry], style: Style, better: str, *, with_second: bool) -> dict[int, Emphasis]:
    if any(entry.mark and entry.mark.kind is not MarkKind.NOT_REACHED for entry in group.values()):
        return {}
    numbers = {n: entry.number for n, entry in group.items() if entry.number}
    known = {n: entry.value / style.scale for n, entry in group.items() if entry.number}
    values = _with_ties(numbers, known, style, better)
    ranks = sorted(set(values.values()), reverse=better == "higher")
    if len(ranks) + (len(numbers) < len(group)) < 2:
        return {}
    names: dict[float, Emphasis] = {ranks[0]: "best"} if ranks else {}
    if with_second and len(ranks) > 1:
        names[ranks[1]] = "second"
    return {n: names[value] for n, value in values.items() if value in names}


def _with_ties(
    numbers: Mapping[int, Number], known: Mapping[int, float], style: Style, better: str
) -> dict[int, float]:
    """Return the numbers as they are printed; what differs from the best by no more than the tolerance is the best.

    `known` are the same numbers with all their digits.
    """
    values = {n: number.rounded for n, number in numbers.items()}
    if not values or not style.tolerance:
        return values
    best = max if better == "higher" else min
    first = best(values.values())
    top = best(known.values())  # with two decimals, 1 % is a matter of rounding
    alike = style.tolerance * abs(top - style.tied_from)
    return {n: first if abs(known[n] - top) <= alike else value for n, value in values.items()}
