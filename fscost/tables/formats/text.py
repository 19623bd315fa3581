"""Plain text for the terminal: columns aligned with blanks, a line per row."""

from collections.abc import Iterable, Mapping
from typing import Any

from fscost.tables.formats.columns import Parts, columns_of, fill, padded, widest
from fscost.tables.formats.format import Format, Raw, clean, legend
from fscost.tables.table import Entry, Heading, Table

_GAP = "  "
_SIGNS = {"best": "*", "second": "°", "": ""}


def _parts(entry: Entry) -> Parts:
    return Parts(clean(entry.text), clean(entry.spread), clean(entry.note) + _SIGNS[entry.emphasis])


def _entry(entry: Entry) -> Raw:
    """Return an entry without blanks around it."""
    return Raw(clean(entry.full) + _SIGNS[entry.emphasis])


def _line(cells: Iterable[str]) -> Raw:
    """Return a row of padded cells as a line."""
    return Raw(_GAP.join(cells).rstrip())


def _context(table: Table) -> Mapping[str, Any]:
    """Return the lines of the head and of the rows as lists of padded cells, and the line below the head."""
    bottom, columns = [clean(column.bottom) for column in table.columns], columns_of(table, _parts)
    widths = [max(1, widest([head, *column])) for head, column in zip(bottom, columns, strict=True)]
    for heading in table.headings:  # the last column of a group makes room for its heading
        widths[heading.last - 1] += max(0, widest([_over(heading)]) - _span(heading, widths))
    top = [_heading(heading, table, _span(heading, widths)) for heading in table.headings]
    return {
        "heads": [*([top] if any(text.strip() for text in top) else []), padded(bottom, widths, table)],
        "rule": ["-" * width for width in widths],
        "cells": [padded(texts, widths, table) for texts in zip(*columns, strict=True)],
        "is_grouped": any(row.rule != 0 for row in table.rows[1:]),
        "legend": legend(table, _SIGNS["best"], _SIGNS["second"]),
    }


def _span(heading: Heading, widths: list[int]) -> int:
    return sum(widths[heading.first - 1 : heading.last]) + len(_GAP) * (heading.last - heading.first)


def _over(heading: Heading) -> str:
    """Return a heading as it stands over its columns; one over several has room for a dash at each side."""
    return clean(heading.text) if heading.first == heading.last else f"- {clean(heading.text)} -"


def _heading(heading: Heading, table: Table, width: int) -> str:
    if heading.first == heading.last:
        return fill(clean(heading.text), width, table.columns[heading.first - 1].numeric)
    dashes = width - widest([_over(heading)])
    return "-" * (dashes // 2) + _over(heading) + "-" * (dashes - dashes // 2)


FORMAT = Format("text", ".txt", clean, _context, {"entry": _entry, "line": _line})
