"""CSV: the raw numbers, unrounded, in base units; a mark stands where there is no number."""

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from fscost.tables.table import Entry, Table


def render(table: Table) -> str:
    """Return the table as CSV; a column whose numbers deviate has another behind it, ``<name>_std``."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    deviates = [any(entry.deviation is not None for entry in table.column(i)) for i in range(len(table.columns))]
    heads = (
        name
        for column, is_wide in zip(table.columns, deviates, strict=True)
        for name in ([column.raw or column.key] + [f"{column.raw or column.key}_std"] * is_wide)
    )
    writer.writerow([*heads, "seeds"])
    for row in table.rows:
        cells = (_cells(entry, is_wide) for entry, is_wide in zip(row.entries, deviates, strict=True))
        writer.writerow([*(cell for some in cells for cell in some), row.seeds])
    return file.getvalue()


def _cells(entry: Entry, with_deviation: bool) -> Iterator[Any]:
    yield entry.text if entry.value is None else _number(entry.value)
    if with_deviation:
        yield "" if entry.deviation is None else _number(entry.deviation)


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) and value.is_integer() else value
