"""CSV: the raw numbers, unrounded, in base units; a mark stands where there is no number.

Columns that tables leave out as they are the same in all rows stand here: who reads it looks for them by their name.

Names are data and stand as they are, quoted where they need it. A spreadsheet takes one that begins with ``=``, ``+``,
``-`` or ``@`` for a formula: import its column as text. A sign put before it would be part of the name everywhere else.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from fscost.tables.formats.format import Format
from fscost.tables.table import Column, Entry, Table

_EXACT = 2**53  # beyond it not every float is a whole number's own


def _write(table: Table) -> str:
    """Return the table as CSV; a column whose numbers deviate has another behind it, ``<name>_std``."""
    table = table.whole or table
    deviates = [any(entry.deviation is not None for entry in table.column(i)) for i in range(len(table.columns))]
    heads = (_heads(column, is_wide) for column, is_wide in zip(table.columns, deviates, strict=True))
    more = [name for name in ("seeds", "no_effect", "cited") if any(getattr(row, name) for row in table.rows)]
    lines = [_line([*(name for some in heads for name in some), *more])]
    for row in table.rows:
        cells = (_cells(entry, is_wide) for entry, is_wide in zip(row.entries, deviates, strict=True))
        lines.append(_line([*(cell for some in cells for cell in some), *(_told(getattr(row, name)) for name in more)]))
    return "".join(lines)


def _told(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, tuple) else value


def _line(fields: Iterable[Any]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerow(fields)  # so that a carriage return in a name is quoted too
    return re.sub("[\ud800-\udfff]", "\ufffd", file.getvalue().removesuffix("\r\n")) + "\n"


def _heads(column: Column, with_deviation: bool) -> Iterator[str]:
    yield column.raw or column.key
    if with_deviation:
        yield f"{column.raw or column.key}_std"


def _cells(entry: Entry, with_deviation: bool) -> Iterator[Any]:
    yield entry.text if entry.value is None else _number(entry.value)
    if with_deviation:
        yield "" if entry.deviation is None else _number(entry.deviation)


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and abs(value) <= _EXACT and value.is_integer() else value


FORMAT = Format("csv", ".csv", write=_write)
