"""How a table stands in LaTeX: in which environment, in which size, and which of its columns and heads are broken."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from fscost.tables.formats.tex_escape import escape, needs_textcomp, width_em
from fscost.tables.table import Column, Entry, Heading, Page, Table


@dataclass(frozen=True)
class Venue:
    """How wide a column and a page are, and how high a page, in pt; on slides nothing is turned or goes on overleaf."""

    column_pt: float
    page_pt: float
    height_pt: float
    has_pages: bool = True

    @property
    def has_columns(self) -> bool:
        """Whether a table can stand over two columns."""
        return self.column_pt < self.page_pt


_VENUES: Mapping[str, Venue] = {
    "any": Venue(229, 345, 550),  # what fits wherever it is put: columns of article in two, its page in one
    "article": Venue(345, 345, 550),
    "twocolumn": Venue(229, 469, 550),
    "ieee": Venue(252, 516, 672),
    "acm": Venue(241, 506, 626),
    "acmsmall": Venue(395, 395, 574),
    "llncs": Venue(347, 347, 549),
    "neurips": Venue(397, 397, 648),
    "icml": Venue(234, 487, 648),
    "elsevier": Venue(252, 522, 682),
    "beamer": Venue(307, 307, 240, has_pages=False),
}
"""Name → measures, of the class or style that it is printed with."""

_EM_PT = {"small": 9.25, "footnotesize": 8.5, "scriptsize": 8.0, "tiny": 6.8}
"""Sizes of type; the em of Computer Modern."""
_STEPS = (("small", 12.0), ("small", 8.0), ("small", 6.0), ("small", 4.5), ("footnotesize", 4.5), ("footnotesize", 3.0))
"""Size and space beside columns, in pt, from the most generous to the tightest."""
_TIGHTER = (("scriptsize", 3.0), ("tiny", 2.0))
"""For a table over several pages, which cannot be scaled."""
_NOTES = {"small": "footnotesize", "footnotesize": "scriptsize", "scriptsize": "scriptsize", "tiny": "tiny"}
_SHARES = (0.55, 0.8)
"""How much of the width the first two of these may fill: more space is for narrow tables only."""

_LONG_LABEL = 30
"""Characters from which on labels are broken into lines."""
_NARROWEST_EM, _SHARED_EM = 11.0, 14.0
"""What a column of such labels, and a heading over several columns, have at least before they are broken."""
_ALONE_EM = 8.0
"""The same for such a heading over one column."""
_WORD_EM = 9.0
"""Up to this a word of a heading is not broken."""
_HEADS_EM = (6.0, 4.5)
"""The same for the heading of one column; less where the table is too wide."""


@dataclass(frozen=True)
class Layout:
    """How a table stands: `page` is never auto.

    `wrapped` maps columns of long labels, counted from 0, to their width in em; `widened` are those that are wider than
    what stands in them, for the sake of the heading that they share. `row_lines` is about how many lines each row has.
    """

    page: Page
    venue: Venue
    is_turned: bool
    size: str
    tabcolsep_pt: float
    widths_em: Sequence[float]
    wrapped: Mapping[int, float]
    widened: frozenset[int]
    is_narrow: bool
    row_lines: Sequence[int]

    @property
    def environment(self) -> str:
        """The environment around the table."""
        star = "*" if self.venue.has_columns else ""
        return {"column": "table", "page": f"table{star}", "landscape": f"sidewaystable{star}", "long": "longtable"}[
            self.page
        ]

    @property
    def height(self) -> str:
        """How high it may be beside its caption, as a share of the page."""
        share = 0.8 if self.venue.has_pages else 0.62
        return rf"{share:g}\{'textwidth' if self.is_turned else 'textheight'}"

    @property
    def notes_size(self) -> str:
        """The size of the notes below."""
        return _NOTES[self.size]

    @property
    def has_multirows(self) -> bool:
        """Whether a label stands in the middle of its rows; where rows differ in height or pages end, at their top."""
        return not self.wrapped and self.page != "long"

    def pt(self, em: float) -> str:
        """Return a width as LaTeX takes it; an em itself is another one in each font, by a quarter in small sizes."""
        return f"{em * _EM_PT[self.size]:.1f}pt"

    def span_em(self, first: int, last: int) -> float:
        """Return how wide the columns from `first` until before `last` are together, counted from 0."""
        return sum(self.widths_em[first:last]) + _between_em(last - first, self.size, self.tabcolsep_pt)


def layout_of(table: Table) -> Layout:
    """Return how `table` stands; by itself one that is too wide is turned, and one that is too high broken."""
    longest = [max((len(entry.text) for entry in table.column(i)), default=0) for i in range(len(table.columns))]
    wrapped = [i for i, column in enumerate(table.columns) if not column.numeric and longest[i] > _LONG_LABEL]
    venue = _VENUES[table.venue]
    full, widths, widened = _measured(table, wrapped, _HEADS_EM[0])
    if _pt(widths, *_STEPS[-1]) > venue.page_pt:
        full, widths, widened = _measured(table, wrapped, _HEADS_EM[1])
    page = _page(table, venue, _pt(widths, *_STEPS[-1]), _pt(widths, *_TIGHTER[-1]), _height_pt(table, widths))
    turned = page == "landscape" or (page == "long" and _pt(widths, *_STEPS[-1]) > venue.page_pt)
    room = venue.height_pt if turned else venue.column_pt if page == "column" else venue.page_pt
    size, sep = _step(widths, room, (*_STEPS, *_TIGHTER) if page == "long" else _STEPS)
    spare_em = max(0.0, (room - _pt(widths, size, sep)) / _EM_PT[size] - 1)
    given = {i: round(min(1.1 * full[i], _NARROWEST_EM + spare_em / len(wrapped)), 1) for i in wrapped}
    widths = [given.get(i, width) for i, width in enumerate(widths)]
    return Layout(page, venue, turned, size, sep, widths, given, widened, _pt(widths, size, sep) < 0.6 * room,
                  _row_lines(table, widths))  # fmt: skip


def packages(table: Table, layout: Layout) -> list[str]:
    """Return the packages that the table needs, in the order of the alphabet."""
    entries = [entry for row in table.rows for entry in row.entries]
    uses = {
        "booktabs": True,
        "adjustbox": layout.page != "long",
        "threeparttable": layout.page != "long",
        "threeparttablex": layout.page == "long",
        "longtable": layout.page == "long",
        "pdflscape": layout.page == "long" and layout.is_turned,
        "rotating": layout.page == "landscape",
        "multirow": layout.has_multirows and any(entry.span > 1 for entry in entries),
        "siunitx": any(column.numeric for column in table.columns),
        "array": bool(layout.wrapped),  # siunitx loads it too
        "textcomp": any(needs_textcomp(escape(text)) for text in _texts(table, entries)),
    }
    return sorted(name for name, is_used in uses.items() if is_used)


def _texts(table: Table, entries: Sequence[Entry]) -> chain[str]:
    heads = (text for column in table.columns for text in (column.top, column.bottom))
    notes = (text for note in table.notes for text in (note.mark, note.meaning))
    return chain([table.caption], table.reading, heads, notes, (entry.full for entry in entries))


def _measured(table: Table, wrapped: Sequence[int], head_em: float) -> tuple[list[float], list[float], frozenset[int]]:
    """Return how wide the columns would be, how wide they are at least, and which of them a shared heading widens."""
    full = [_width_em(column, list(table.column(i)), head_em) for i, column in enumerate(table.columns)]
    for heading in table.headings:
        if heading.first == heading.last and table.columns[heading.first - 1].group:
            full[heading.first - 1] = max(full[heading.first - 1], _head_em(heading.text, _ALONE_EM))
    widths = [_NARROWEST_EM if i in wrapped else width for i, width in enumerate(full)]
    return full, widths, _widen(widths, table.headings)


def _width_em(column: Column, entries: Sequence[Entry], head_em: float) -> float:
    heads = [column.bottom] if column.group else [column.top, column.bottom]
    texts = (entry.without_notes for entry in entries)
    return max([1.0, *map(width_em, texts), *(_head_em(head, head_em) for head in heads)])


def _head_em(head: str, at_least_em: float) -> float:
    """Return how wide a heading's column is: it may be broken into lines, but words of the usual length may not."""
    words = max((width_em(word) for word in re.split(r"(?<=[.,:;/_-])| ", head)), default=0.0)
    return max(min(at_least_em, width_em(head)), words if words <= _WORD_EM else 0.0)


def _widen(widths_em: list[float], headings: Sequence[Heading]) -> frozenset[int]:
    """Make columns as wide as the heading that they share, each by as much; return those, counted from 0."""
    widened: set[int] = set()
    for heading in headings:
        under = range(heading.first - 1, heading.last)
        have = sum(widths_em[i] for i in under) + _between_em(len(under), *_STEPS[-1])
        more = min(_SHARED_EM, width_em(heading.text)) - have
        if len(under) > 1 and more > 0:
            widened.update(under)
            for i in under:
                widths_em[i] += more / len(under)
    return frozenset(widened)


def _between_em(columns: int, size: str, sep_pt: float) -> float:
    return 2 * sep_pt / _EM_PT[size] * (columns - 1)


def _pt(widths_em: Sequence[float], size: str, sep_pt: float) -> float:
    return sum(widths_em) * _EM_PT[size] + 2 * sep_pt * (len(widths_em) - 1)


def _page(table: Table, venue: Venue, width_pt: float, least_pt: float, height_pt: float) -> Page:
    """Return where a table of these measures stands; `least_pt` is its width in the smallest size.

    A table that is a quarter too wide for the page is still scaled, and not turned; one over several pages, which
    cannot be, may stand out into the margins by as much. A slide has room for one that is scaled.
    """
    if not venue.has_pages:
        return "column"
    if table.page != "auto":
        return table.page
    is_wide = width_pt > 1.25 * venue.page_pt
    if height_pt > (venue.page_pt if is_wide else venue.height_pt) and least_pt <= 1.25 * venue.height_pt:
        return "long"
    if is_wide:
        return "landscape"
    return "column" if width_pt <= venue.column_pt else "page"


def _step(widths_em: Sequence[float], room_pt: float, steps: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Return size and space: generous ones where the table stays narrow with them, or else the first that fit."""
    for number, (size, sep) in enumerate(steps):
        share = _SHARES[number] if number < len(_SHARES) else 1.0
        if _pt(widths_em, size, sep) <= share * room_pt:
            return size, sep
    return steps[-1]


def _row_lines(table: Table, widths_em: Sequence[float]) -> list[int]:
    columns = [(i, width) for i, width in enumerate(widths_em) if not table.columns[i].numeric]
    return [max([1, *(math.ceil(width_em(row.entries[i].text) / w) for i, w in columns)]) for row in table.rows]


def _height_pt(table: Table, widths_em: Sequence[float]) -> float:
    """Return about how high the table is with its caption and notes."""
    rules = sum(row.rule is not None for row in table.rows)
    notes = [" ".join(table.reading), *(note.meaning for note in table.notes), table.caption]
    lines_below = sum(math.ceil(width_em(text) / 36) for text in notes)
    return 11 * sum(_row_lines(table, widths_em)) + 5 * rules + 10 * lines_below + 60
