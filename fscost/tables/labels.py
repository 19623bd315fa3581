"""What tells rows apart, in print."""

from numbers import Integral
from typing import Any

from fscost.tables.marks import Mark
from fscost.tables.spec import TableSpec
from fscost.tables.table import Entry


def label_of(key: str, value: Any, spec: TableSpec) -> Entry:
    """Return the label of a row: an axis or an option with its value, None where it is not known.

    Counts have commas between thousands; a seed is a name.
    """
    if value is None:
        return Entry(Mark.UNKNOWN, mark=True)
    is_count = isinstance(value, Integral) and key != "seed" and not spec.has_label(value)
    return Entry(f"{value:,}" if is_count else spec.label(value), value)
