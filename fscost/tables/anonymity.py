"""A table as it may be published: nothing in it tells on what machine, by whom or in which folders it was made."""

from collections.abc import Iterable
from dataclasses import replace

from fscost.privacy import private, without_places
from fscost.tables.table import Entry, Row, Table


def anonymous(table: Table) -> Table:
    """Return the table without places and names of this machine, unless it is to tell all; no number changes.

    A label has no place already, and stands in CSV too where its value has one.
    """
    if table.tells_all:
        return table
    return replace(_anonymous(table), whole=table.whole and _anonymous(table.whole))


def _anonymous(table: Table) -> Table:
    return replace(
        table,
        rows=tuple(map(_row, table.rows)),
        reading=_told(table.reading),
        notes=tuple(replace(note, meaning=_own(note.meaning)) for note in table.notes),
        to_do=_told(table.to_do),
        provenance=_told(table.provenance),
    )


def _told(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(_own, lines))


def _own(text: str) -> str:
    """Return a text without names, but as it is where an author says what LaTeX prints of it."""
    return private(text) if type(text) is str else text


def _row(row: Row) -> Row:
    entries = tuple(replace(own, value=own.label) if _names_place(own) else own for own in row.entries)
    return replace(row, entries=entries)


def _names_place(entry: Entry) -> bool:
    if entry.number or entry.value is None or isinstance(entry.value, int | float):
        return False
    return without_places(text := str(entry.value)) != text
