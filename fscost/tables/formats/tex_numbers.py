"""Numbers in LaTeX: as siunitx reads them, and just as wide where it cannot: underlined, or over several rows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fscost.tables.table import Column, Entry

_FORM = re.compile(r"([-+]?)(0|[1-9]\d{0,2}(?:,\d{3})*)(?:\.(\d+))?", re.ASCII)
_PLUS_MINUS = r"${}\pm{}$"


@dataclass(frozen=True)
class Number:
    """A number as printed, ``-1,234.50``: its sign, what stands before the decimal point and behind it, and a ±."""

    sign: str
    whole: str
    decimals: str
    spread: "Number | None" = None

    @property
    def left(self) -> str:
        """What stands before the decimal point."""
        return self.sign + self.whole

    @property
    def text(self) -> str:
        """The number without ±."""
        return self.left + (f".{self.decimals}" if self.decimals else "")

    @property
    def has_zero_spread(self) -> bool:
        """Whether a ± of 0 stands behind it, which siunitx leaves out."""
        return self.spread is not None and not re.search("[1-9]", self.spread.text)

    @property
    def source(self) -> str:
        """The number as siunitx reads it; its commas would be decimal points."""
        spread = rf" \pm {self.spread.source}" if self.spread else ""
        return self.text.replace(",", "") + spread


def number_of(entry: Entry, column: Column) -> Number | None:
    """Return the number of an entry, None for a label, a mark, and what siunitx might print otherwise than it is."""
    number = _parsed(entry.text) if column.numeric and not entry.mark else None
    if number is None or not entry.spread:
        return number
    spread = _parsed(entry.spread)
    if spread is None or spread.sign or len(spread.decimals) != len(number.decimals):
        return None
    return replace(number, spread=spread)


def widest_of(numbers: Iterable[Number]) -> Number | None:
    """Return a number of zeros in which each of `numbers` has room, None if there are none."""
    found = list(numbers)
    if not found:
        return None
    sign = next((sign for sign in "+-" if any(number.sign == sign for number in found)), "")
    whole = re.sub(r"\d", "0", max((number.whole for number in found), key=len))
    decimals = max((number.decimals for number in found), key=len)
    return Number(sign, whole, "0" * len(decimals), widest_of(number.spread for number in found if number.spread))


def options(widest: Number) -> str:
    """Return siunitx's options for the room that a column needs, ``3.1(2)`` for ``123.4 ± 5.6``, and for a plus."""
    spread = f"({_digits(widest.spread.whole + widest.spread.decimals)})" if widest.spread else ""
    point = f".{len(widest.decimals)}" if widest.decimals else ""
    kept = ",retain-explicit-plus=true" if widest.sign == "+" else ""
    return f"table-format={widest.sign}{_digits(widest.whole)}{point}{spread}{kept}"


def padded(number: Number, widest: Number, command: str = "") -> str:
    r"""Return a number as text of the width of `widest`: wherever both are centred, their decimal points are aligned.

    `command` is one that gets the number as its argument, as ``\underline``.
    """
    shown, behind = number.text, _phantom(widest.decimals[len(number.decimals) :])
    if number.spread and widest.spread:
        shown += _PLUS_MINUS + padded(number.spread, widest.spread)
    elif widest.spread:
        behind += _phantom(_PLUS_MINUS + widest.spread.text)
    shown = f"{command}{{{shown}}}" if command else shown
    before = _phantom(widest.left[: len(widest.left) - len(number.left)])
    return (before + shown + behind).replace("-", "$-$").replace("+", "$+$")


def _parsed(text: str) -> Number | None:
    match = _FORM.fullmatch(text.replace("−", "-"))
    return Number(match[1], match[2], match[3] or "") if match else None


def _digits(text: str) -> int:
    return len(text.replace(",", ""))


def _phantom(text: str) -> str:
    return rf"\phantom{{{text}}}" if text else ""
