"""Entries below each other, for formats whose source is read as it is: Markdown and plain text."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from fscost.tables.formats.format import Raw
from fscost.tables.table import Column, Entry, Table


class Parts(NamedTuple):
    """An entry in a format's own syntax: the label or number, the number behind ±, and the signs at the end."""

    text: str
    spread: str = ""
    end: str = ""


def fill(text: str, width: int, at_right: bool = False) -> str:
    """Return text filled up to a width on the terminal, where some characters take two columns or none."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if at_right else text + blanks


def widest(texts: Iterable[str]) -> int:
    """Return the width of the widest text, 0 without any."""
    return max(map(cell_len, texts), default=0)


def columns_of(table: Table, parts: Callable[[Entry], Parts]) -> list[list[str]]:
    """Return each column's entries from the top, its numbers aligned: last digit below last digit, ± below ±."""
    return [_aligned(list(table.column(i)), column, parts) for i, column in enumerate(table.columns)]


def _aligned(entries: Sequence[Entry], column: Column, parts: Callable[[Entry], Parts]) -> list[str]:
    written = [parts(entry) for entry in entries]
    spread = widest(part.spread for part in written)
    pairs = [(part.text, _behind(part, spread)) for part in written]
    if not column.numeric:
        return ["".join(pair) for pair in pairs]
    numbers = [pair for entry, pair in zip(entries, pairs, strict=True) if not entry.mark]
    left, right = widest(text for text, _ in numbers), widest(behind for _, behind in numbers)
    return [
        text + behind if entry.mark else fill(text, left, at_right=True) + fill(behind, right)
        for entry, (text, behind) in zip(entries, pairs, strict=True)
    ]


def _behind(part: Parts, width: int) -> str:
    return (f" ± {fill(part.spread, width, at_right=True)}" if part.spread else "") + part.end


def padded(texts: Iterable[str], widths: Sequence[int], table: Table) -> list[Raw]:
    """Return the texts of a row, one per column, as wide as the columns; numbers stand at the right."""
    return [
        Raw(fill(text, width, column.numeric)) for text, width, column in zip(texts, widths, table.columns, strict=True)
    ]
