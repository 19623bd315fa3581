"""Plain text for the terminal: columns aligned with blanks, a line per row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fscost.tables.formats.columns import Parts, columns_of, fill, padded, widest
from fscost.tables.formats.format import Format, Raw, clean, legend
from fscost.tables.table import Entry, Heading, Table

GAP = "  "
SIGNS = {"best": "*", "second": "°", "": ""}


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
