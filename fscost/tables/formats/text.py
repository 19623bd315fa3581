"""Plain text for the terminal: columns aligned with spaces."""

from collections.abc import Mapping, Sequence
from typing import Any

from fscost.tables.formats.format import Format
from fscost.tables.table import Entry, Heading, Table


def _entry(entry: Entry) -> str:
    return entry.full


def widths_of(table: Table, heads: Sequence[str]) -> list[int]:
    """Return the width of each column in characters, with `heads` above."""
    return [max(len(head), *(len(entry.full) for entry in table.column(i))) for i, head in enumerate(heads)]


def padded(text: str, width: int, numeric: bool) -> str:
    """Return text filled up to a width; numbers stand at the right."""
    return text.rjust(width) if numeric else text.ljust(width)


def _context(table: Table) -> Mapping[str, Any]:
    widths = widths_of(table, [column.bottom for column in table.columns])
    for heading in table.headings:
        widths[heading.last - 1] += max(0, len(heading.text) - _span_width(heading, widths))
    return {"widths": widths, "headings": [_heading(heading, widths) for heading in table.headings]}


def _span_width(heading: Heading, widths: list[int]) -> int:
    return sum(widths[heading.first - 1 : heading.last]) + 2 * (heading.last - heading.first)


def _heading(heading: Heading, widths: list[int]) -> str:
    """Return a heading of the upper line: shared ones centred, others to the right."""
    width = _span_width(heading, widths)
    return heading.text.rjust(width) if heading.first == heading.last else heading.text.center(width)


FORMAT = Format("text", ".txt", str, _context, {"entry": _entry, "padded": padded})
