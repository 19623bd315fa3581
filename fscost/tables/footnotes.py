"""What an author says about a table: its caption, how much its notes tell, and footnotes of one's own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fscost.errors import TableError, nearest
from fscost.tables.arrangement import transposed
from fscost.tables.marks import FOOTNOTE, Mark
from fscost.tables.spec import TableSpec
from fscost.tables.table import Entry, Note, Row, Table
from fscost.tables.words import as_words

_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Footnote:
    """A text behind a row's label, a heading or, where both are given, a number; with neither it is a sentence.

    `row` is what one of the row's labels is, or several by their columns; `column` a quantity, a key or a heading.
    """

    text: str
    row: Any = None
    column: str | None = None

    @classmethod
    def from_config(cls, given: Any) -> "Footnote":
        """Return one of ``table.footnotes``; raises TableError for what is none."""
        known = ("row", "column", "text")
        if not isinstance(given, Mapping) or "text" not in given:
            raise TableError(f"table.footnotes: {given}: needs a text, as {{row: fedprox, text: …}}")
        for key in given.keys() - {*known}:
            raise TableError(f"table.footnotes.{key}: a footnote has no such setting{nearest(str(key), known)}")
        return cls(**{**given, "text": as_words(given["text"], "footnotes.text")})


def with_own_words(table: Table, spec: TableSpec) -> Table:
    """Return a table with the caption, the footnotes and as many notes as `spec` asks for, and its own rows set apart.

    It is transposed last, as all of these are about rows and columns as they were.

    Raises TableError for a footnote about nothing, and for an own row that is not there.
    """
    placed = replace(table, venue=spec.venue, floats_to=spec.float, tells_all=spec.tells_all)
    table = _with_labelled_marks(_with_ours(placed, spec), spec)
    shown = table if spec.notes == "full" else replace(table, reading=())
    if spec.notes == "none":
        shown = replace(shown, notes=(), has_legend=False)
    if spec.caption:
        counted = [f"{table.counted[:1].upper()}{table.counted[1:]}."] if table.counted and spec.notes == "full" else []
        shown = replace(shown, own_caption=as_words(spec.caption, "caption"), reading=(*counted, *shown.reading))
    noted = _with_footnotes(shown, [Footnote.from_config(given) for given in spec.footnotes], spec)
    return transposed(noted) if spec.transpose else noted


def _with_labelled_marks(table: Table, spec: TableSpec) -> Table:
    """Return the table with the signs of marks, and what they mean, as the labels have them."""

    def entry(own: Entry) -> Entry:
        is_labelled = own.mark is not None and spec.has_label(own.mark.sign)
        return replace(own, mark=replace(own.mark, sign=spec.label(own.mark.sign))) if is_labelled else own  # type: ignore[union-attr, type-var]

    rows = tuple(replace(row, entries=tuple(map(entry, row.entries))) for row in table.rows)
    notes = tuple(replace(n, mark=spec.worded(n.mark), meaning=spec.worded(n.meaning)) for n in table.notes)
    return replace(table, rows=rows, notes=notes)


# --- the author's own rows ------------------------------------------------------------------------


def _with_ours(table: Table, spec: TableSpec) -> Table:
    """Return the table with the rows of ``table.ours`` set apart: names in bold, a rule where they end a group."""
    if not spec.ours:
        return table
    place = next((n for n, column in enumerate(table.columns) if column.key == spec.compare), None)
    if place is None:
        raise TableError(f"table.ours: rows are not told apart by {spec.compare}; add it to table.rows")
    values = {str(row.entries[place].value) for row in table.rows}
    refuse_unknown_ours(values, spec)
    own = [str(row.entries[place].value) in map(str, spec.ours) for row in table.rows]
    rows = [_named_ours(row, place, spec) if is_own else row for row, is_own in zip(table.rows, own, strict=True)]
    return replace(table, rows=tuple(replace(row, rule=_rule(table.rows, n, own, place)) for n, row in enumerate(rows)))


def refuse_unknown_ours(values: set[str], spec: TableSpec) -> None:
    """Raise TableError where one of ``table.ours`` is none of the values that are compared."""
    for name in map(str, spec.ours):
        if name not in values:
            there = f"there are {', '.join(sorted(values))}"
            raise TableError(f"table.ours={name}: is no {spec.compare} here; {there}{nearest(name, values)}")


def _named_ours(row: Row, place: int, spec: TableSpec) -> Row:
    entry, said = row.entries[place], spec.worded("ours")
    label = entry.text if not said or said.casefold() in entry.text.casefold() else entry.text + f" ({said})"
    entries = (*row.entries[:place], replace(entry, label=label, emphasis="ours"), *row.entries[place + 1 :])
    return replace(row, entries=entries, is_ours=True)


def _rule(rows: Sequence[Row], number: int, own: Sequence[bool], place: int) -> int | None:
    """Return the rule above a row: a new one before own rows that end their group, and after those that begin it."""
    rule = rows[number].rule
    if rule is not None or not number or own[number] == own[number - 1]:
        return rule
    starts = [0, *(n for n, row in enumerate(rows) if row.rule is not None and n), len(rows)]
    start, end = max(n for n in starts if n <= number), min(n for n in starts if n > number)
    part = own[number:end] if own[number] else own[start:number]
    return place if all(part) else None


# --- footnotes ------------------------------------------------------------------------------------


def _with_footnotes(table: Table, footnotes: Sequence[Footnote], spec: TableSpec) -> Table:
    """Return the table with footnotes, numbered in the order in which they are met: in the head, then row by row."""
    sentences = tuple(footnote.text for footnote in footnotes if footnote.row is None and footnote.column is None)
    places = [(place, n) for n, own in enumerate(footnotes) for place in _places(table, own)]
    met = sorted((_turned(place, table) if spec.transpose else place, n) for place, n in places)
    numbers = {n: number for number, n in enumerate(dict.fromkeys(n for _, n in met), start=1)}
    marks = {n: replace(FOOTNOTE, sign=str(number).translate(_DIGITS)) for n, number in numbers.items()}
    behind: dict[tuple[int, int], list[Mark]] = {}
    for place, n in sorted(places, key=lambda found: numbers[found[1]]):
        behind.setdefault(place, []).append(marks[n])
    return replace(
        table,
        columns=tuple(replace(c, notes=(*c.notes, *behind.get((-1, i), ()))) for i, c in enumerate(table.columns)),
        rows=tuple(_noted_row(row, r, behind) if behind else row for r, row in enumerate(table.rows)),
        reading=(*table.reading, *sentences),
        notes=(*table.notes, *(Note(marks[n].sign, footnotes[n].text) for n in numbers)),
    )


def _turned(place: tuple[int, int], table: Table) -> tuple[int, int]:
    """Return where a place is met once rows are columns: labels are the head, heads are labels."""
    row, column = place
    return (column, row) if table.columns[column].is_number else (-1, row)


def _noted_row(row: Row, number: int, behind: Mapping[tuple[int, int], Sequence[Mark]]) -> Row:
    entries = (
        replace(entry, notes=(*entry.notes, *behind.get((number, i), ()))) for i, entry in enumerate(row.entries)
    )
    return replace(row, entries=tuple(entries))


# --- where they stand -----------------------------------------------------------------------------


def _places(table: Table, footnote: Footnote) -> list[tuple[int, int]]:
    """Return the rows and columns of the places that a footnote is about; the head is row -1."""
    if footnote.row is None and footnote.column is None:
        return []
    columns = [*_columns(table, footnote.column)] if footnote.column is not None else []
    if footnote.row is None:
        return [(-1, column) for column in columns]
    rows = [*_rows(table, footnote.row)]
    if not columns:
        return [place for place in rows if table.rows[place[0]].entries[place[1]].span]
    return [(row, column) for row, _ in rows for column in columns]


def _columns(table: Table, asked: str) -> Iterator[int]:
    found = [n for n, column in enumerate(table.columns) if asked in (column.quantity, column.key, column.head)]
    if not found:
        known = [*dict.fromkeys(column.quantity or column.key for column in table.columns)]
        there = f"there are {', '.join(known)}"
        raise TableError(f"table.footnotes.column={asked}: no column is called so; {there}{nearest(asked, known)}")
    return iter(found)


def _rows(table: Table, asked: Any) -> Iterator[tuple[int, int]]:
    """Yield the rows that are meant, each with the last of its labels that was named."""
    labels = [n for n, column in enumerate(table.columns) if not column.is_number]
    found = [(r, place) for r, row in enumerate(table.rows) if (place := _label(row, table, labels, asked)) is not None]
    if not found:
        known = [*dict.fromkeys(str(row.entries[n].value) for n in labels for row in table.rows)]
        told = nearest(str(asked), known) if not isinstance(asked, Mapping) else ""
        raise TableError(f"table.footnotes.row={asked}: no row has these labels{told}")
    return iter(found)


def _label(row: Row, table: Table, labels: Sequence[int], asked: Any) -> int | None:
    """Return the number of the label that a footnote stands behind, None where the row is not meant."""
    if not isinstance(asked, Mapping):
        return next((n for n in reversed(labels) if _is(row.entries[n], asked)), None)
    places = {table.columns[n].key: n for n in labels}
    for key in asked:
        if key not in places:
            there = f"there are {', '.join(places)}"
            raise TableError(f"table.footnotes.row.{key}: rows have no such label; {there}{nearest(str(key), places)}")
    if not asked or not all(_is(row.entries[places[key]], value) for key, value in asked.items()):
        return None
    return max(places[key] for key in asked)


def _is(entry: Entry, asked: Any) -> bool:
    return str(asked) in (str(entry.value), entry.text)
