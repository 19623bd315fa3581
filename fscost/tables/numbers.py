"""From numbers to text; the only place where that happens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import stdev
from typing import Any


@dataclass(frozen=True)
class Number:
    """A number as it is printed, ``-1,234.50 ± 0.25``: `value` and `spread` in `unit`, each with so many `decimals`.

    A number that is rounded to 0 is not printed as 0 but as ``<0.01`` or ``>-0.01``. With `has_plus` what is above 0
    has a sign too. A `suffix` stands behind the digits, as in ``3.9×``, and `bounds`, the least and the largest of what
    it is the mean of, in parentheses: ``91.2 (90.5–91.6)``.
    """

    value: Any
    decimals: int = 0
    spread: float | None = None
    unit: str = ""
    has_plus: bool = False
    suffix: str = ""
    bounds: tuple[float, float] | None = None

    @cached_property
    def digits(self) -> str:
        """The digits, without a sign."""
        return _digits(self.value, self.decimals)

    @cached_property
    def is_exact(self) -> bool:
        """Whether sign and digits say it: it is finite, and no number below the last decimal."""
        return math.isfinite(self.value) and (self.value == 0 or _has_value(self.digits))

    @property
    def sign(self) -> str:
        """The sign, if it has one."""
        return "-" if self.value < 0 else "+" if self.has_plus and self.value > 0 else ""

    @property
    def rounded(self) -> float:
        """The number as it is printed; one below the last decimal is no 0."""
        if self.is_exact:
            return float(round(self.value, self.decimals))
        return math.copysign(10.0**-self.decimals / 2, self.value)

    @cached_property
    def text(self) -> str:
        """The number without what stands behind ±."""
        if self.is_exact or not math.isfinite(self.value):
            return self.sign + self.digits + self.suffix + self._range
        least = f"{10**-self.decimals:.{self.decimals}f}{self.suffix}"
        return f"<{least}" if self.value > 0 else f">-{least}"

    @property
    def _range(self) -> str:
        if self.bounds is None:
            return ""
        low, high = (Number(bound, self.decimals).text for bound in self.bounds)
        return f" ({low}–{high})"

    @cached_property
    def spread_text(self) -> str:
        """The number behind ±, nothing where there is none."""
        return "" if self.spread is None else _digits(self.spread, self.decimals)

    @property
    def has_zero_spread(self) -> bool:
        """Whether a 0 is printed behind ±."""
        return self.spread is not None and not _has_value(self.spread_text)


def _digits(value: Any, decimals: int) -> str:
    """Return a number without its sign; whole numbers are exact, however large."""
    is_whole = decimals == 0 and not isinstance(value, float)
    return f"{abs(value):,}" if is_whole else f"{abs(value):,.{decimals}f}"


def _has_value(digits: str) -> bool:
    return any(digit in digits for digit in "123456789")


def counted(size: float, decimals: int, spread: float | None = None, unit: str = "") -> Number:
    """Return bytes as they are printed: a 0 was counted, and has no decimals."""
    return Number(size, decimals if size else 0, spread, unit)


def printed(number: Any, decimals: int, *, is_bytes: bool = False, is_signed: bool = False) -> str:
    """Return a number with thousands separators; of bytes a 0 has no decimals; what `is_signed` has a plus too."""
    return counted(number, decimals).text if is_bytes else Number(number, decimals, has_plus=is_signed).text


def whole(number: Any) -> str:
    """Return a count with thousands separators."""
    return f"{number:,}" if isinstance(number, int) else Number(number).text


def significant(value: float) -> str:
    """Return a number with three significant digits and commas between thousands."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 or rounded == 0 else f"{rounded:#.3g}"


def as_set(value: float) -> str:
    """Return a setting with no more digits than it needs: ``0.9``, ``50``."""
    return f"{value:g}"


def deviation_of(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, None for fewer than two values.

    `stdev` adds up fractions, which takes far longer than to see that all values are equal, as bytes of seeds are.
    """
    if len(values) < 2:
        return None
    return stdev(values) if any(value != values[0] for value in values) else 0.0
