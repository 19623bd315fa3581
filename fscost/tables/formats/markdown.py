"""Markdown as GitHub renders it: pipe tables, aligned in the source too."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fscost.tables.formats.format import Format, Raw, clean, comment, legend
from fscost.tables.formats.text import Parts, columns_of, padded, widest
from fscost.tables.table import Column, Entry, Table

_INLINE = re.compile(
    r"""[\\`*\[|~]               # code, emphasis, links, the ends of cells
    | <(?=[A-Za-z/!?]|$)         # HTML
    | (?<!\w)_++ | _++(?![^\W_]) # emphasis, unless it is between letters or digits
    | &(?=\#?\w+;)               # entities
    | (?<=www)\. | :(?=//)       # bare addresses""",
    re.VERBOSE,
)
# GitHub looks for maths and emoji in what it has rendered, where a backslash is gone: only an element parts them
_RENDERED = re.compile(r"\$|:(?=[\w+-]+:)")
_BLOCK = re.compile(  # up to where a line begins a heading, a quotation, a list, a rule or the second line of a table
    r" {0,3}(?:\d{1,9}(?=[.)](?: |$))|(?=>|\#{1,6}(?: |$)|[-+](?: |$)|:?-[-: ]*$|=+ *$))"
)
_EMPHASIS = {"best": ("**", "**"), "second": ("<ins>", "</ins>"), "ours": ("**", "**"), "": ("", "")}


def escape(text: str) -> str:
    """Return `text` such that Markdown prints it as it is: it ends no cell and begins no block."""
    text = _inline(text)
    if text.startswith("    "):
        return f"&#32;{text[1:]}"
    start = _BLOCK.match(text)
    return f"{start[0]}\\{text[start.end() :]}" if start else text


def _inline(text: str) -> str:
    """Return `text` for a place that is not the start of a line, as a cell: more can stand there as it is."""
    text = _INLINE.sub(lambda found: "".join(f"\\{c}" for c in found[0]), clean(text))
    return _RENDERED.sub(r"<span>\g<0></span>", text)


def _parts(entry: Entry) -> Parts:
    start, end = _EMPHASIS[entry.emphasis]
    return Parts(start + _inline(entry.text), _inline(entry.spread), _inline(entry.note) + end)


def _entry(entry: Entry) -> Raw:
    """Return an entry without blanks around it."""
    part = _parts(entry)
    return Raw(part.text + (f" ± {part.spread}" if part.spread else "") + part.end)


def _line(cells: Iterable[str]) -> Raw:
    """Return a row of padded cells as a line of the table."""
    return Raw(f"| {' | '.join(cells)} |")


def _code(text: str) -> Raw:
    """Return `text` as inline code, between more backticks than it has in a row."""
    text = clean(text).strip()
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    gap = " " * (text[:1] == "`" or text[-1:] == "`" or not text)
    return Raw(f"{fence}{gap}{text}{gap}{fence}")


def _context(table: Table) -> Mapping[str, Any]:
    """Return the head, the line below it and the rows as lists of padded cells."""
    heads, columns = [_inline(column.full_head) for column in table.columns], columns_of(table, _parts)
    widths = [max(3, widest([head, *column])) for head, column in zip(heads, columns, strict=True)]
    return {
        "head": padded(heads, widths, table),
        "rule": [_dashes(width, column) for width, column in zip(widths, table.columns, strict=True)],
        "cells": [padded(texts, widths, table) for texts in zip(*columns, strict=True)],
        "legend": legend(table, "Bold", "underlined"),
    }


def _dashes(width: int, column: Column) -> str:
    return "-" * (width - 1) + ":" if column.numeric else ":" + "-" * (width - 1)


FORMAT = Format(
    "markdown",
    ".md",
    escape,
    _context,
    {"entry": _entry, "line": _line, "code": _code, "comment": comment, "inline": lambda text: Raw(_inline(text))},
)
