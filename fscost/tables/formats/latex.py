"""LaTeX: numbers aligned at their decimal points by siunitx, the best bold, the second underlined."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fscost.tables.formats.format import Format, Raw, legend
from fscost.tables.formats.tex_escape import breakable, comment, escape, lines_of, width_em
from fscost.tables.formats.tex_layout import Layout, layout_of, packages
from fscost.tables.table import Column, Entry, Heading, Table

_RULE_PT = 2.4
"""Half of what a rule within a group adds to its height."""
_KEPT_LINES = 12
"""A group of as many lines is not broken over pages."""


_PLUS_MINUS = r"${}\pm{}$"
_COMMANDS = {"best": r"\best", "second": r"\secondbest", "": ""}


# --- numbers: as siunitx reads them, and just as wide where it cannot: underlined, or over several rows ----


@dataclass(frozen=True)
class _Digits:
    """A number as printed, ``-1,234.50``: its sign, what stands before the decimal point and behind it, and a ±.

    `suffix` is what stands behind all of it, in LaTeX.
    """

    sign: str
    whole: str
    decimals: str
    spread: "_Digits | None" = None
    suffix: str = ""

    @classmethod
    def of(cls, digits: str, sign: str = "", spread: "_Digits | None" = None) -> "_Digits":
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
        return self.text.replace(",", "") + spread + (f"{{{self.suffix}}}" if self.suffix else "")


def _digits_of(entry: Entry, column: Column) -> _Digits | None:
    """Return the digits of an entry, None for a label, a mark, and what siunitx might print otherwise than it is."""
    number = entry.number
    if number is None or entry.mark or not column.numeric or not number.is_exact or number.bounds:
        return None
    spread = _Digits.of(number.spread_text) if number.spread_text else None
    return replace(_Digits.of(number.digits, number.sign, spread), suffix=escape(number.suffix))


def _widest_of(numbers: Iterable[_Digits]) -> _Digits | None:
    """Return a number of zeros in which each of `numbers` has room, None if there are none."""
    found = list(numbers)
    if not found:
        return None
    sign = next((sign for sign in "+-" if any(number.sign == sign for number in found)), "")
    whole = re.sub(r"\d", "0", max((number.whole for number in found), key=len))
    decimals = max((number.decimals for number in found), key=len)
    spread = _widest_of(number.spread for number in found if number.spread)
    return _Digits(sign, whole, "0" * len(decimals), spread, next((number.suffix for number in found), ""))


def _options(widest: _Digits) -> str:
    """Return siunitx's options for the room that a column needs, ``3.1(2)`` for ``123.4 ± 5.6``, and for a plus."""
    spread = f"({_count(widest.spread.whole + widest.spread.decimals)})" if widest.spread else ""
    point = f".{len(widest.decimals)}" if widest.decimals else ""
    kept = ",retain-explicit-plus=true" if widest.sign == "+" else ""
    behind = f",table-space-text-post={{{widest.suffix}}}" if widest.suffix else ""
    return f"table-format={widest.sign}{_count(widest.whole)}{point}{spread}{kept}{behind}"


def _padded(number: _Digits, widest: _Digits, command: str = "") -> str:
    r"""Return a number as text of the width of `widest`: wherever both are centred, their decimal points are aligned.

    `command` is one that gets the number as its argument, as ``\underline``.
    """
    shown, behind = number.text + number.suffix, _phantom(widest.decimals[len(number.decimals) :])
    if number.spread and widest.spread:
        shown += _PLUS_MINUS + _padded(number.spread, widest.spread)
    elif widest.spread:
        behind += _phantom(_PLUS_MINUS + widest.spread.text)
    shown = f"{command}{{{shown}}}" if command else shown
    before = _phantom(widest.left[: len(widest.left) - len(number.left)])
    return (before + shown + behind).replace("-", "$-$").replace("+", "$+$")


def _count(text: str) -> int:
    return len(text.replace(",", ""))


def _phantom(text: str) -> str:
    return rf"\phantom{{{text}}}" if text else ""


# --- lines ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A line of a table: the rule above it, its cells and what ends it."""

    rule: Raw
    cells: tuple[Raw, ...]
    end: Raw = Raw(r"\\")


@dataclass(frozen=True)
class _Writer:
    """Writes what stands in one column, the `number`-th from 0; `widest` is None where no number of siunitx stands."""

    column: Column
    number: int
    layout: Layout
    widest: _Digits | None
    has_notes: bool

    @property
    def type(self) -> str:
        """The column's type in the argument of tabular."""
        if self.number in self.layout.wrapped:
            return rf">{{\raggedright\arraybackslash}}p{{{self.layout.pt(self.layout.wrapped[self.number])}}}"
        if self.widest:
            room = r"!{\kern4pt}" if self.has_notes else ""  # notes take none of their own
            return f"S[{_options(self.widest)}]{room}"
        return "c" if self.column.numeric else "l"

    def cell(self, entry: Entry, rules_within: int) -> Raw:
        """Return a cell; `rules_within` is how many rules there are between the rows that the entry spans."""
        digits = _digits_of(entry, self.column)
        note = rf"{{\smash{{\tnote{{{escape(entry.note)}}}}}}}" if entry.note else ""  # does not push its row down
        spans = entry.span > 1 and self.layout.has_multirows
        is_zero = entry.number is not None and entry.number.has_zero_spread  # siunitx leaves out a ± of 0
        if digits and self.widest and not (is_zero or spans or entry.emphasis == "second"):
            return Raw((r"\best " if entry.emphasis == "best" else "") + digits.source + note)
        text = self._text(entry, digits) + note
        if spans:
            lower = f"[{-_RULE_PT * rules_within:g}pt]" if rules_within else ""
            text = rf"\multirow{{{entry.span}}}{{*}}{lower}{{{text}}}"
        return self._braced(text)

    def head(self, text: str, note: str = "", *, may_rise: bool = False) -> Raw:
        """Return a heading with the note behind it; one that is wider than the column is broken into lines.

        Two lines rise into the line above where they may.
        """
        room = self.layout.widths_em[self.number]
        mark = rf"\tnote{{{escape(note)}}}" if note else ""
        if self.number in self.layout.wrapped:
            return Raw(breakable(text, 6) + mark)
        if width_em(text) > room:
            side = r"\centering" if self.column.numeric else r"\raggedright"
            box = _broken(text, room, side, self.layout)
            return self._braced((rf"\smash{{{box}}}" if may_rise and lines_of(text, room) <= 2 else box) + mark)
        if text and self.number in self.layout.widened:
            return self._braced(rf"\makebox[{self.layout.pt(room)}]{{{escape(text)}{mark}}}")
        return self._braced(escape(text) + mark) if text or mark else Raw("")

    def _text(self, entry: Entry, digits: _Digits | None) -> str:
        command = _COMMANDS[entry.emphasis]
        if digits and self.widest:
            return _padded(digits, self.widest, command)
        shown = entry.without_notes
        text = breakable(shown, 6) if self.number in self.layout.wrapped else escape(shown)
        return f"{{{command}{{{text}}}}}" if command else text

    def _braced(self, text: str) -> Raw:
        """Return text for a cell: siunitx takes what stands in braces as it is."""
        return Raw(f"{{{text}}}" if self.widest else text)


def _broken(text: str, room_em: float, side: str, layout: Layout) -> str:
    return rf"\parbox[b]{{{layout.pt(room_em)}}}{{{side} {breakable(text, room_em)}}}"


def _writers(table: Table, layout: Layout) -> list[_Writer]:
    return [
        _Writer(
            column,
            i,
            layout,
            _widest_of(digits for entry in table.column(i) if (digits := _digits_of(entry, column))),
            any(entry.note for entry in table.column(i)),
        )
        for i, column in enumerate(table.columns)
    ]


def _heads(table: Table, writers: list[_Writer], layout: Layout) -> Iterator[_Line]:
    """Yield the lines of the head: one, or two where columns share a heading or have their unit below."""
    is_double = any(column.top for column in table.columns)
    if is_double:
        yield _Line(Raw(""), tuple(_shared(heading, writers, layout) for heading in table.headings))
    shared = (heading for heading in table.headings if heading.last > heading.first)
    rule = "".join(rf"\cmidrule(lr){{{heading.first}-{heading.last}}}" for heading in shared)
    yield _Line(Raw(rule), tuple(_bottom(writer, may_rise=is_double) for writer in writers))


def _bottom(writer: _Writer, *, may_rise: bool) -> Raw:
    column = writer.column
    return writer.head(column.bottom.removesuffix(column.note), column.note, may_rise=may_rise and not column.top)


def _shared(heading: Heading, writers: list[_Writer], layout: Layout) -> Raw:
    columns = heading.last - heading.first + 1
    if columns == 1:
        return writers[heading.first - 1].head(heading.text)
    room = layout.span_em(heading.first - 1, heading.last)
    text = (
        escape(heading.text) if width_em(heading.text) <= room else _broken(heading.text, room, r"\centering", layout)
    )
    return Raw(rf"\multicolumn{{{columns}}}{{c}}{{{text}}}")


def _lines(table: Table, writers: list[_Writer], layout: Layout) -> Iterator[_Line]:
    rules = [row.rule if number else None for number, row in enumerate(table.rows)]
    for number, row in enumerate(table.rows):
        cells = (
            Raw("") if _is_covered(entry, rules[number], layout) else writer.cell(entry, _within(rules, number, entry))
            for entry, writer in zip(row.entries, writers, strict=True)
        )
        end = _page_end(rules, number, layout) if layout.page == "long" else r"\\"
        rule = _rule(rules[number], len(writers), layout)
        if row.section:
            yield _Line(rule, (_over_all(row.section, len(writers)),), Raw(r"\\*" if layout.page == "long" else r"\\"))
            rule = Raw("")
        yield _Line(rule, tuple(cells), Raw(end))


def _over_all(section: str, columns: int) -> Raw:
    return Raw(rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\emph{{{escape(section)}}}}}")


def _rule(column: int | None, columns: int, layout: Layout) -> Raw:
    if column == 0:
        return Raw(r"\midrule")
    if column is None or layout.page == "long":
        return Raw("")  # where a page ends, a rule would stand at its foot, or doubly at the next one's head
    return Raw(rf"\cmidrule(l){{{column + 1}-{columns}}}")


def _page_end(rules: list[int | None], number: int, layout: Layout) -> str:
    """Return the end of a row: no page ends before a rule, nor within a group, unless that has many lines."""
    if number + 1 == len(rules):
        return r"\\"
    starts = [i for i, rule in enumerate(rules) if rule is not None]
    end = next((i for i in starts if i > number), len(rules))
    if number + 1 == end:
        return r"\\*" if rules[end] == 0 else r"\\[3pt]"
    first = max((i for i in starts if i <= number), default=0)
    return r"\\*" if sum(layout.row_lines[first:end]) <= _KEPT_LINES else r"\\"


def _is_covered(entry: Entry, rule: int | None, layout: Layout) -> bool:
    """Return whether an entry is one with that above; over several pages a part of a group begins with its labels."""
    return entry.span == 0 and (layout.page != "long" or rule is None or not entry.text)


def _within(rules: list[int | None], number: int, entry: Entry) -> int:
    return sum(rule is not None for rule in rules[number + 1 : number + entry.span])


def _label(text: str) -> Raw:
    """Return text as the name of a LaTeX label, which takes no special characters."""
    return Raw(re.sub(r"[^A-Za-z0-9:._-]", "-", text))


def _context(table: Table) -> Mapping[str, Any]:
    layout = layout_of(table)
    writers = _writers(table, layout)
    return {
        "packages": packages(table, layout),
        "layout": layout,
        "types": [Raw(writer.type) for writer in writers],
        "heads": list(_heads(table, writers, layout)),
        "lines": list(_lines(table, writers, layout)),
        "legend": legend(table, "Bold", "underlined"),
        "marks": {m.sign for row in table.rows for e in row.entries for m in e.notes} | {c.note for c in table.columns},
    }


FORMAT = Format(
    "latex",
    ".tex",
    escape,
    _context,
    {"label": _label, "comment": lambda text: Raw(comment(text))},
    # braces and % are LaTeX's own
    {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<", "variable_end_string": ">>",
     "comment_start_string": "<#", "comment_end_string": "#>"},
    has_document=True,
)  # fmt: skip
