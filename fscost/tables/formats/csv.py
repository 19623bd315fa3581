"""CSV: the raw numbers, unrounded, in base units; a mark stands where there is no number.

Columns that tables leave out as they are the same in all rows stand here: who reads it looks for them by their name.
What a table shows in two units stands once.

Names are data and stand as they are, quoted where they need it, but a row is a line for every reader: what ends a line
somewhere is a blank. A spreadsheet takes one that begins with ``=``, ``+``,
``-`` or ``@`` for a formula: import its column as text. A sign put before it would be part of the name everywhere else.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from fscost.printable import in_one_line
from fscost.tables.formats.format import Format
from fscost.tables.table import Table

_EXACT = 2**53  # beyond it not every float is a whole number's own


def _write(table: Table) -> str:
    """Return the table as CSV; a column whose numbers deviate has another behind it, ``<name>_std``."""
    table = table.whole or table
    more = [name for name in ("seeds", "no_effect", "cited") if any(getattr(row, name) for row in table.rows)]
    columns = {name: own for number in range(len(table.columns)) for name, own in _columns(table, number)}
    columns |= {name: [_told(getattr(row, name)) for row in table.rows] for name in more}
    lines = [[*columns], *zip(*columns.values(), strict=True)]
    return "".join(map(_line, lines if table.rows else lines[:1]))


def _columns(table: Table, number: int) -> Iterator[tuple[str, list[Any]]]:
    """Yield a column by its name, and those of what its numbers have beside them."""
    name = table.columns[number].raw or table.columns[number].key
    yield name, [entry.text if entry.value is None else _number(entry.value) for entry in table.column(number)]
    for end, values in table.beside(number).items():
        yield f"{name}_{end}", ["" if value is None else _number(value) for value in values]


def _told(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, tuple) else value


def _line(fields: Iterable[Any]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerow(in_one_line(f) if isinstance(f, str) else f for f in fields)
    return file.getvalue()


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and abs(value) <= _EXACT and value.is_integer() else value


FORMAT = Format("csv", ".csv", write=_write)
