"""A table as a DataFrame: its raw numbers, typed and in base units, NA where there is none."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from fscost.tables.option_values import Given
from fscost.tables.table import Entry, Row, Table

_MOST = 2**63


def frame_of(table: Table) -> pd.DataFrame:
    """Return a row per row of the table; see `Table.to_frame`."""
    table = table.whole or table
    columns: dict[str, pd.Series] = {}
    for number, column in enumerate(table.columns):
        entries, name = [*table.column(number)], column.raw or column.key
        values = [entry.value if column.is_number else _label(entry) for entry in entries]
        columns[name] = _typed([*map(_whole, values)] if "bytes" in name else values)
        columns |= {f"{name}_{end}": _typed(values) for end, values in table.beside(number).items()}
    for name in ("seeds", "no_effect", "cited"):
        if any(values := [getattr(row, name) for row in table.rows]):
            columns[name] = _typed(["; ".join(v) if isinstance(v, tuple) else v for v in values])
    names = [column.raw or column.key for column in table.columns]
    columns["marks"] = pd.Series([_marks(row, names, table) for row in table.rows], dtype="string")
    return pd.DataFrame(columns)


def _whole(value: Any) -> Any:
    """Return bytes that are whole as such; the mean over seeds of others is not."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _label(entry: Entry) -> Any:
    """Return a label as text, or as the number that it is."""
    value = entry.value.value if isinstance(entry.value, Given) else entry.value
    return entry.text if value is None or isinstance(value, bool) else value


def _typed(values: Sequence[Any]) -> pd.Series:
    """Return whole numbers as Int64, others as Float64, text as string; numbers beyond 64 bits stay Python's."""
    known = [value for value in values if value is not None]
    if any(isinstance(value, int) and not -_MOST <= value < _MOST for value in known):
        return pd.Series([pd.NA if value is None else value for value in values], dtype=object)
    if all(isinstance(value, str) for value in known):
        return pd.Series(values, dtype="string")
    if any(isinstance(value, str) for value in known):  # an argument that some runs do not have, among numbers
        return pd.Series([pd.NA if value is None else value for value in values], dtype=object)
    if any(isinstance(value, float) for value in known):
        return pd.Series(values, dtype="Float64")
    return pd.Series(values, dtype=object).convert_dtypes()


def _marks(row: Row, names: Sequence[str], table: Table) -> str:
    """Return what stands for the numbers of a row that are missing: one word where all of them are for one reason."""
    numbers = [entry for entry, column in zip(row.entries, table.columns, strict=True) if column.is_number]
    if len(found := {entry.text if entry.mark else "" for entry in numbers}) == 1:
        return found.pop()
    return "; ".join(_marked(row, names))


def _marked(row: Row, names: Sequence[str]) -> Iterator[str]:
    for name, entry in zip(names, row.entries, strict=True):
        if entry.mark:
            yield f"{name}: {entry.text}"
