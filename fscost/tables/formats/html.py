"""HTML: a table element for a page, or a page that stands alone."""

from collections.abc import Iterator, Mapping
from html import escape as escaped
from typing import Any

from fscost.tables.formats.format import Format, Raw, clean, comment, legend
from fscost.tables.table import Entry, Row, Table

_TAGS = {"best": "strong", "second": "u", "ours": "strong"}
_FIGURE_SPACE = "\u2007"  # as wide as a digit


def escape(text: str) -> str:
    """Return `text` such that a browser prints it as it is, in attributes too."""
    return escaped(clean(text))


def _entry(entry: Entry, spread: str = "") -> Raw:
    """Return an entry: a mark or a note is a span with that class.

    `spread` is the widest of its column: shorter ones get as many places, and a number without any is ``bare``, for
    whose ``data-spread`` a style sheet can leave room.
    """
    if entry.mark:
        return Raw(f'<span class="mark">{escape(entry.full)}</span>')
    behind = f" ± {escape(entry.spread).rjust(len(spread), _FIGURE_SPACE)}" if entry.spread else ""
    tag = _TAGS.get(entry.emphasis)
    number = f"<{tag}>{escape(entry.text)}{behind}</{tag}>" if tag else escape(entry.text) + behind
    text = number + (f'<span class="note">{escape(entry.note)}</span>' if entry.note else "")
    is_bare = spread and not entry.spread
    return Raw(f'<span class="bare" data-spread=" ± {escape(spread)}">{text}</span>' if is_bare else text)


def _context(table: Table) -> Mapping[str, Any]:
    """Return whether the head has two lines, the rows in groups, and the widest number behind ± of each column."""
    count = len(table.columns)
    return {
        "is_stacked": any(column.group for column in table.columns),
        "groups": list(_groups(table)),
        "spreads": [max((entry.spread for entry in table.column(i)), key=len, default="") for i in range(count)],
        "legend": legend(table, "Bold", "underlined"),
    }


def _groups(table: Table) -> Iterator[list[Row]]:
    """Yield the rows between lines over the whole width."""
    starts = [0, *(i for i, row in enumerate(table.rows) if row.rule == 0 and i), len(table.rows)]
    return (list(table.rows[start:end]) for start, end in zip(starts, starts[1:], strict=False))


FORMAT = Format("html", ".html", escape, _context, {"entry": _entry, "comment": comment}, has_document=True)
