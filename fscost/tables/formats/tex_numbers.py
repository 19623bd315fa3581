"""Numbers in LaTeX: as siunitx reads them, and just as wide where it cannot: underlined, or over several rows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fscost.tables.table import Column, Entry

_PLUS_MINUS = r"${}\pm{}$"


@dataclass(frozen=True)
class Digits:
    """A number as printed, ``-1,234.50``: its sign, what stands before the decimal point and behind it, and a ±."""

    sign: str
    whole: str
    decimals: str
    spread: "Digits | None" = None

    @classmethod
    def of(cls, digits: str, sign: str = "", spread: "Digits | None" = None) -> "Digits":
        """Return the parts of a number."""
        whole, _, decimals = digits.partition(".")
        return cls(sign, whole, decimals, spread)

    @property
    def left(self) -> str:
        """What stands before the decimal point."""
        return self.sign + self.whole

    @property
    def text(self) -> str:
        """The number without ±."""
        return self.left + (f".{self.decimals}" if self.decimals else "")

    @property
    def source(self) -> str:
        """The number as siunitx reads it; its commas would be decimal points."""
        spread = rf" \pm {self.spread.source}" if self.spread else ""
        return self.text.replace(",", "") + spread


def digits_of(entry: Entry, column: Column) -> Digits | None:
    """Return the digits of an entry, None for a label, a mark, and what siunitx might print otherwise than it is."""
    number = entry.number
    if number is None or entry.mark or not column.numeric or not number.is_exact:
        return None
    spread = Digits.of(number.spread_text) if number.spread_text else None
    return Digits.of(number.digits, number.sign, spread)


def widest_of(numbers: Iterable[Digits]) -> Digits | None:
    """Return a number of zeros in which each of `numbers` has room, None if there are none."""
    found = list(numbers)
    if not found:
        return None
    sign = next((sign for sign in "+-" if any(number.sign == sign for number in found)), "")
    whole = re.sub(r"\d", "0", max((number.whole for number in found), key=len))
    decimals = max((number.decimals for number in found), key=len)
    return Digits(sign, whole, "0" * len(decimals), widest_of(number.spread for number in found if number.spread))


def options(widest: Digits) -> str:
    """Return siunitx's options for the room that a column needs, ``3.1(2)`` for ``123.4 ± 5.6``, and for a plus."""
    spread = f"({_count(widest.spread.whole + widest.spread.decimals)})" if widest.spread else ""
    point = f".{len(widest.decimals)}" if widest.decimals else ""
    kept = ",retain-explicit-plus=true" if widest.sign == "+" else ""
    return f"table-format={widest.sign}{_count(widest.whole)}{point}{spread}{kept}"


def padded(number: Digits, widest: Digits, command: str = "") -> str:
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


def _count(text: str) -> int:
    return len(text.replace(",", ""))


def _phantom(text: str) -> str:
    return rf"\phantom{{{text}}}" if text else ""
