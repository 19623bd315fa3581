"""How rows of others stand in a table: beside those they share labels with, with a mark that cites their source."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fscost.cells.measure import UNITS
from fscost.errors import TableError
from fscost.tables.cited import CitedRow, Quoted
from fscost.tables.column import ColumnSpec
from fscost.tables.column_style import Style
from fscost.tables.headings import Heads, label_of
from fscost.tables.marks import OUTSIDE, Mark, cited, unknown
from fscost.tables.numbers import Number
from fscost.tables.own_formula import quantity_of
from fscost.tables.quantity import Kind
from fscost.tables.table import Entry, Note, Row

_SILENT = Entry(mark=unknown("what is cited does not say it"))

Shown = Sequence[tuple[ColumnSpec, Style]]
"""The columns of numbers, and how each is printed."""


def with_cited(rows: Sequence[Row], across: Sequence[Any], shown: Shown, heads: Heads) -> list[Row]:
    """Return the rows with those that are cited, each behind the last one that has the most labels in common with it.

    `across` are the values that stand side by side. Raises TableError for one that would stand in a column that there
    is not, and for a number that its column cannot show.
    """
    found, keys = [*rows], heads.keys
    for row in _made(across, shown, heads):
        common = [_common(row, other, len(keys.rows)) for other in found]
        place = len(found) - common[::-1].index(max(common)) if max(common, default=0) else len(found)
        found.insert(place, row)
    numbers = {source: n for n, source in enumerate(dict.fromkeys(s for row in found for s in row.cited), start=1)}
    return [_marked(row, [cited(numbers[source], source) for source in row.cited], keys.inner) for row in found]


def _marked(row: Row, marks: Sequence[Mark], place: int) -> Row:
    label = replace(row.entries[place], notes=(*row.entries[place].notes, *marks))
    return replace(row, entries=(*row.entries[:place], label, *row.entries[place + 1 :])) if marks else row


def cited_notes(rows: Sequence[Row]) -> Iterator[Note]:
    """Yield where cited rows are from."""
    marks = (mark for row in rows if row.cited for entry in row.entries for mark in entry.notes)
    yield from (Note(mark.sign, mark.meaning) for mark in dict.fromkeys(marks) if mark.is_citation)


def _common(row: Row, other: Row, keys: int) -> int:
    """Return how many labels from the left two rows have in common; what the first one leaves open is no difference."""
    pairs = zip(row.entries[:keys], other.entries[:keys], strict=True)
    return next((n for n, (a, b) in enumerate(pairs) if not a.mark and a.text != b.text), keys)


def _made(across: Sequence[Any], shown: Shown, heads: Heads) -> Iterator[Row]:
    """Yield a row for each combination of labels."""
    keys, spec = heads.keys, heads.spec
    groups: dict[tuple[Any, ...], list[CitedRow]] = {}
    for one in spec.cited:
        groups.setdefault(tuple(str(one.labels.get(key)) for key in keys.rows), []).append(one)
    for own in groups.values():
        labels = [label_of(key, own[0].labels.get(key), spec) for key in keys.rows]
        numbers = [entry for value in across for entry in _numbers(own, value, across, shown, heads)]
        sources = tuple(dict.fromkeys(one.source for one in own))
        yield Row((*labels, *numbers), seeds=own[0].seeds, cited=sources)


def _numbers(own: Sequence[CitedRow], value: Any, across: Sequence[Any], shown: Shown, heads: Heads) -> list[Entry]:
    """Return the entries below one of the values that stand side by side."""
    axis, there = heads.keys.across, [*map(str, across)]
    for row in own:
        if axis and str(row.labels.get(axis)) not in there:
            raise TableError(f"{row.place}: {axis}={row.labels.get(axis)}: is no column; there are {', '.join(there)}")
    fitting = [row for row in own if not axis or str(row.labels[axis]) == str(value)]
    if len(fitting) > 1:
        raise TableError(f"{fitting[1].place}: has the labels of {fitting[0].place}; tell them apart by another key")
    if not fitting:
        return [Entry(mark=OUTSIDE)] * len(shown)
    columns = [column for column, _ in shown]
    return [_entry(fitting[0], column, style, _names(column, style, columns, heads)) for column, style in shown]


def _names(column: ColumnSpec, style: Style, columns: Sequence[ColumnSpec], heads: Heads) -> list[str]:
    """Return the names that a column's numbers can have, that of raw numbers first; its quantity where no other has it.

    Of metrics only accuracies are meant by their quantity alone.
    """
    is_only = sum(other.quantity == column.quantity for other in columns) == 1
    is_metric = quantity_of(column).kind is Kind.METRIC
    bare = [column.quantity] if is_only and (column.is_rate or not is_metric) else []
    return [heads.raw(column, style), heads.name(column), *bare]


def _entry(row: CitedRow, column: ColumnSpec, style: Style, names: Sequence[str]) -> Entry:
    name = next((name for name in names if name in row.numbers), None)
    if name is None:
        return _SILENT
    number = row.numbers[name]
    base = _base(number, column, style, is_raw=name == names[0], place=f"{row.place}: {name}")
    last_digit = 10.0**-number.decimals * base / style.scale
    decimals = max(0, min(9, -math.floor(math.log10(last_digit) + 1e-9)))
    spread = None if number.spread is None else number.spread * base
    behind = None if spread is None else spread / style.scale
    shown = Number(number.value * base / style.scale, decimals, behind, style.unit)
    return Entry("", number.value * base, shown, deviation=spread)


def _base(number: Quoted, column: ColumnSpec, style: Style, *, is_raw: bool, place: str) -> float:
    """Return how many base units one of a cited number is; raises TableError for a unit that its column has not."""
    kind, unit = quantity_of(column).kind, number.unit
    if kind is Kind.BYTES and (unit in UNITS or (is_raw and not unit)):
        return UNITS[unit] if unit else 1
    if kind is Kind.METRIC and unit == "%" and column.is_rate:
        return 1 / column.factor
    if kind is Kind.METRIC and not unit:
        if column.factor == 1 or abs(number.value) <= 1:
            return 1
        raise TableError(f"{place}={number.value:g}: an accuracy is logged as 0 to 1 here; write {number.value:g} %")
    if kind is Kind.OWN and not unit:
        return style.scale
    if kind not in (Kind.BYTES, Kind.METRIC) and unit in _PLAIN.get(kind, ("",)):
        return 1
    needed = {Kind.BYTES: "a unit, as 40.7 MB", Kind.SECONDS: "seconds, as 3.5 s"}.get(kind, "a number without unit")
    raise TableError(f"{place}={number.value:g} {unit}".rstrip() + f": needs {needed}")


_PLAIN: Mapping[Kind, Sequence[str]] = {
    Kind.SECONDS: ("", "s"), Kind.PERCENT: ("", "%"), Kind.FACTOR: ("", "×", "x"), Kind.COUNT: ("",),
}  # fmt: skip
