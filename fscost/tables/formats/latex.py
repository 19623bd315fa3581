"""LaTeX: numbers aligned at their decimal points by siunitx, the best bold, the second underlined."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from typing import Any

from fscost.tables.formats.format import Format, Raw, legend
from fscost.tables.formats.tex_escape import breakable, broken, comment, escape
from fscost.tables.formats.tex_layout import Layout, layout_of, packages
from fscost.tables.marks import Mark
from fscost.tables.table import Column, Entry, Heading, Table

_RULE_PT = 2.4
"""Half of what a rule within a group adds to its height."""
_KEPT_LINES = 12
"""A group of as many lines is not broken over pages."""


_PLUS_MINUS = r"${}\pm{}$"
_COMMANDS = {"best": r"\best", "second": r"\secondbest", "ours": r"\ours", "": ""}


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
    return _Digits(sign, whole, "0" * len(decimals), spread, next((n.suffix for n in found if n.suffix), ""))


def _options(widest: _Digits) -> str:
    """Return siunitx's options for the room that a column needs, ``3.1(2)`` for ``123.4 ± 5.6``, and for a plus."""
    spread = f"({_count(widest.spread.whole + widest.decimals)})" if widest.spread else ""  # of the same decimals
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
    shown = _with(command, shown)
    before = _phantom(widest.left[: len(widest.left) - len(number.left)])
    return (before + shown + behind).replace("-", "$-$").replace("+", "$+$")


def _with(command: str, text: str) -> str:
    """Return text as the argument of a command; a line below it pushes no row down."""
    if not command:
        return text
    return rf"\smash{{{command}{{{text}}}}}" if command == _COMMANDS["second"] else f"{command}{{{text}}}"


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
            wider = f",table-column-width={self.layout.pt(width)}" if (width := self._wider) else ""
            return f"S[{_options(self.widest)}{wider}]{room}"
        side = "c" if self.column.numeric else "l"
        return rf"w{{{side}}}{{{self.layout.pt(width)}}}" if (width := self._wider) else side

    @property
    def _wider(self) -> float | None:
        """Its width in em, where the heading that it shares needs more than what stands in it."""
        return self.layout.widths_em[self.number] if self.number in self.layout.widened else None

    def cell(self, entry: Entry, rules_within: int) -> Raw:
        """Return a cell; `rules_within` is how many rules there are between the rows that the entry spans."""
        digits = _digits_of(entry, self.column)
        note = rf"{{\smash{{\tnote{{{_sign(entry.note)}}}}}}}" if entry.note else ""  # does not push its row down
        spans = entry.span > 1 and self.layout.has_multirows
        is_zero = entry.number is not None and entry.number.has_zero_spread  # siunitx leaves out a ± of 0
        if digits and self.widest and not (is_zero or spans or entry.emphasis == "second"):
            return Raw((r"\best " if entry.emphasis == "best" else "") + digits.source + note)
        text = self._text(entry, digits) + note
        if spans:
            lower = f"[{-_RULE_PT * rules_within:g}pt]" if rules_within else ""
            text = rf"\multirow{{{entry.span}}}{{*}}{lower}{{{text}}}"
        return self._braced(text)

    def head(self, lines: Sequence[str], note: str = "") -> Raw:
        """Return the lines of a heading with the note behind it."""
        mark = rf"\tnote{{{_sign(note)}}}" if note else ""
        text = _stacked(lines, "" if self.column.numeric else "l", mark)
        return self._braced(text) if text else Raw("")

    def lines(self, text: str) -> list[str]:
        """Return a heading in lines as wide as the column; where text is wrapped anyway it is one."""
        return [text] if self.number in self.layout.wrapped else broken(text, self.layout.widths_em[self.number])

    def _text(self, entry: Entry, digits: _Digits | None) -> str:
        command = _COMMANDS[entry.emphasis]
        if digits and self.widest:
            return _padded(digits, self.widest, command)
        shown = entry.without_notes
        text = breakable(shown, 6) if self.number in self.layout.wrapped else escape(shown)
        return f"{{{_with(command, text)}}}" if command else text

    def _braced(self, text: str) -> Raw:
        """Return text for a cell: siunitx takes what stands in braces as it is."""
        return Raw(f"{{{text}}}" if self.widest else text)


def _stacked(lines: Sequence[str], side: str = "", mark: str = "") -> str:
    text = r" \\ ".join(escape(line) for line in lines) + mark
    return rf"\makecell[b{side}]{{{text}}}" if len(lines) > 1 else text


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
    """Yield the lines of the head: one, or two where columns share a heading or have their unit below.

    Of two, a name that has to be broken has its last line below and the others above.
    """
    names = [writer.lines(writer.column.without_note) for writer in writers]
    is_double = any(column.top for column in table.columns)
    if is_double:
        yield _Line(Raw(""), tuple(_upper(heading, writers, names, layout) for heading in table.headings))
        names = [lines if writer.column.top else lines[-1:] for lines, writer in zip(names, writers, strict=True)]
    shared = (heading for heading in table.headings if heading.last > heading.first)
    rule = "".join(rf"\cmidrule(lr){{{heading.first}-{heading.last}}}" for heading in shared)
    below = (writer.head(lines, writer.column.note) for writer, lines in zip(writers, names, strict=True))
    yield _Line(Raw(rule), tuple(below))


def _upper(heading: Heading, writers: list[_Writer], names: list[list[str]], layout: Layout) -> Raw:
    columns, writer = heading.last - heading.first + 1, writers[heading.first - 1]
    if columns > 1:
        room = layout.span_em(heading.first - 1, heading.last)
        return Raw(rf"\multicolumn{{{columns}}}{{c}}{{{_stacked(broken(heading.text, room))}}}")
    return writer.head(writer.lines(heading.text) if writer.column.top else names[heading.first - 1][:-1])


def _lines(table: Table, writers: list[_Writer], layout: Layout) -> Iterator[_Line]:
    rules = [row.rule if number else None for number, row in enumerate(table.rows)]
    ends = _page_ends(rules, layout) if layout.page == "long" else repeat(r"\\")
    for number, (row, end) in enumerate(zip(table.rows, ends, strict=False)):
        cells = (
            Raw("") if _is_covered(entry, rules[number], layout) else writer.cell(entry, _within(rules, number, entry))
            for entry, writer in zip(row.entries, writers, strict=True)
        )
        rule = _rule(rules[number], len(writers), layout)
        if row.section:
            over_all = Raw(rf"\multicolumn{{{len(writers)}}}{{@{{}}l}}{{\emph{{{escape(row.section)}}}}}")
            yield _Line(rule, (over_all,), Raw(r"\\*" if layout.page == "long" else r"\\"))
            rule = Raw("")
        yield _Line(rule, tuple(cells), Raw(end))


def _rule(column: int | None, columns: int, layout: Layout) -> Raw:
    if column == 0:
        return Raw(r"\midrule")
    if column is None or layout.page == "long":
        return Raw("")  # where a page ends, a rule would stand at its foot, or doubly at the next one's head
    return Raw(rf"\cmidrule(l){{{column + 1}-{columns}}}")


def _page_ends(rules: list[int | None], layout: Layout) -> Iterator[str]:
    """Yield the end of each row: no page ends before a rule, nor within a group, unless that has many lines."""
    starts = [number for number, rule in enumerate(rules) if rule is not None]
    for first, end in pairwise([0, *starts, len(rules)]):
        yield from [r"\\*" if sum(layout.row_lines[first:end]) <= _KEPT_LINES else r"\\"] * (end - first - 1)
        if end == len(rules):
            yield r"\\"
        else:
            yield r"\\*" if rules[end] == 0 else r"\\[3pt]"


def _is_covered(entry: Entry, rule: int | None, layout: Layout) -> bool:
    """Return whether an entry is one with that above; over several pages a part of a group begins with its labels."""
    return entry.span == 0 and (layout.page != "long" or rule is None or not entry.text)


def _within(rules: list[int | None], number: int, entry: Entry) -> int:
    return sum(rule is not None for rule in rules[number + 1 : number + entry.span])


def _label(text: str) -> Raw:
    """Return text as the name of a LaTeX label, which takes no special characters."""
    return Raw(re.sub(r"[^A-Za-z0-9:._-]", "-", text))


def _sign(text: str) -> Raw:
    r"""Return the signs of notes for ``\tnote``, which raises them: numbers of footnotes are raised already."""
    return Raw(escape(text.translate(_PLAIN)))


_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _marks_behind(table: Table) -> Iterator[Mark]:
    for column in table.columns:
        yield from (*([column.mark] if column.mark else []), *column.notes)
    yield from (mark for row in table.rows for entry in row.entries for mark in entry.notes)


def _context(table: Table) -> Mapping[str, Any]:
    layout = layout_of(table)
    writers = _writers(table, layout)
    heads = list(_heads(table, writers, layout))
    is_stacked = any("makecell" in cell for line in heads for cell in line.cells)
    return {
        "packages": sorted([*packages(table, layout), *(["makecell"] if is_stacked else [])]),
        "layout": layout,
        "types": [Raw(writer.type) for writer in writers],
        "heads": heads,
        "lines": list(_lines(table, writers, layout)),
        "legend": (said := legend(table, "Bold", "underlined")),
        "has_notes": bool(table.reading or table.notes or said),
        "marks": {mark.sign for mark in _marks_behind(table)},
    }


FORMAT = Format(
    "latex",
    ".tex",
    escape,
    _context,
    {"label": _label, "sign": _sign, "comment": lambda text: Raw(comment(text))},
    # braces and % are LaTeX's own
    {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<", "variable_end_string": ">>",
     "comment_start_string": "<#", "comment_end_string": "#>"},
    has_document=True,
)  # fmt: skip
