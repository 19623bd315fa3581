"""Plain text for the terminal and the columns of Markdown: aligned with blanks, a line per row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len

from fscost.tables.formats.format import Format, Raw, clean, legend
from fscost.tables.table import Column, Entry, Heading, Table


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
    places = max((_places(entry) for entry in entries), default=0)
    gaps = [places - _places(entry) if column.numeric and entry.number else 0 for entry in entries]
    pairs = [(part.text, _behind(part, spread, gap)) for part, gap in zip(written, gaps, strict=True)]
    if not column.numeric:
        return ["".join(pair) for pair in pairs]
    numbers = [(*pair, gap) for entry, pair, gap in zip(entries, pairs, gaps, strict=True) if not entry.mark]
    left = max((cell_len(text) + gap for text, _, gap in numbers), default=0)
    right = max((cell_len(behind) - gap for _, behind, gap in numbers), default=0)
    return [
        text + behind if entry.mark else fill(text, left - gap, at_right=True) + fill(behind, right + gap)
        for entry, (text, behind), gap in zip(entries, pairs, gaps, strict=True)
    ]


def _places(entry: Entry) -> int:
    """Return how much room what stands behind the last digit before the decimal point takes."""
    number = entry.number
    if number is None or entry.mark or number.bounds or number.suffix or not number.decimals:
        return 0
    return 1 + number.decimals


def _behind(part: Parts, width: int, gap: int) -> str:
    """Return what stands behind a number; a `gap` is the room of decimals that it lacks, so that points are aligned."""
    if not part.spread:
        return part.end + " " * gap
    return f"{' ' * gap} ± {fill(part.spread, width, at_right=True)}{part.end}"


def padded(texts: Iterable[str], widths: Sequence[int], table: Table) -> list[Raw]:
    """Return the texts of a row, one per column, as wide as the columns; numbers stand at the right."""
    return [
        Raw(fill(text, width, column.numeric)) for text, width, column in zip(texts, widths, table.columns, strict=True)
    ]


GAP = "  "
SIGNS = {"best": "*", "second": "°", "ours": "", "": ""}


def parts(entry: Entry) -> Parts:
    """Return an entry as it stands in a column of aligned numbers."""
    return Parts(clean(entry.text), clean(entry.spread), clean(entry.note) + SIGNS[entry.emphasis])


def _entry(entry: Entry) -> Raw:
    """Return an entry without blanks around it."""
    return Raw(clean(entry.full) + SIGNS[entry.emphasis])


def _line(cells: Iterable[str]) -> Raw:
    """Return a row of padded cells as a line."""
    return Raw(GAP.join(cells).rstrip())


def _context(table: Table) -> Mapping[str, Any]:
    """Return the lines of the head and of the rows as lists of padded cells, and the line below the head."""
    columns = columns_of(table, parts)
    widths = widths_of(table, columns)
    top = [stretched(heading, table, span(heading, widths)) for heading in table.headings]
    bottom = [clean(column.bottom) for column in table.columns]
    return {
        "heads": [*([top] if any(text.strip() for text in top) else []), padded(bottom, widths, table)],
        "rule": ["-" * width for width in widths],
        "cells": [padded(texts, widths, table) for texts in zip(*columns, strict=True)],
        "is_grouped": is_grouped(table),
        "legend": legend_of(table),
    }


def over(heading: Heading) -> str:
    """Return a heading as it stands over its columns; one over several has room for a dash at each side."""
    return clean(heading.text) if heading.first == heading.last else f"- {clean(heading.text)} -"


def width_over(heading: Heading) -> int:
    """Return how wide a heading is in one line."""
    return widest([over(heading)])


def widths_of(table: Table, columns: Iterable[Iterable[str]], room: Callable[[Heading], int] = width_over) -> list[int]:
    """Return how wide each column is; the last one below a heading makes the `room` that this asks for."""
    heads = (clean(column.bottom) for column in table.columns)
    widths = [max(1, widest([head, *texts])) for head, texts in zip(heads, columns, strict=True)]
    for heading in table.headings:
        widths[heading.last - 1] += max(0, room(heading) - span(heading, widths))
    return widths


def span(heading: Heading, widths: Sequence[int]) -> int:
    """Return how wide the columns below a heading are together."""
    return sum(widths[heading.first - 1 : heading.last]) + len(GAP) * (heading.last - heading.first)


def stretched(heading: Heading, table: Table, width: int) -> str:
    """Return a heading as wide as its columns."""
    if heading.first == heading.last:
        return fill(over(heading), width, table.columns[heading.first - 1].numeric)
    dashes = width - width_over(heading)
    return "-" * (dashes // 2) + over(heading) + "-" * (dashes - dashes // 2)


def is_grouped(table: Table) -> bool:
    """Return whether there are groups of several rows, which an empty line separates."""
    return any(row.rule != 0 for row in table.rows[1:])


def legend_of(table: Table) -> str:
    """Return what the signs at the best numbers mean, empty without any."""
    return legend(table, SIGNS["best"], SIGNS["second"])


FORMAT = Format("text", ".txt", clean, _context, {"entry": _entry, "line": _line})
