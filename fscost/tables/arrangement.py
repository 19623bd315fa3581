"""How a finished table is laid out: transposed, in sections, or with quantities above the values of an axis."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fscost.tables.headings import of_axis
from fscost.tables.table import Column, Entry, Row, Table


def transposed(table: Table) -> Table:
    """Return a table with a row for each column of numbers; its raw numbers stay as they were."""
    labels = [n for n, column in enumerate(table.columns) if not column.is_number]
    numbers = [n for n, column in enumerate(table.columns) if column.is_number]
    columns = [Column("quantity", "", numeric=False), *_heads(table, labels)]
    rows = [Row((_label(table.columns[n]), *table.column(n))) for n in numbers]
    return replace(table, columns=tuple(columns), rows=tuple(rows), whole=table.whole or table)


def _label(column: Column) -> Entry:
    text = column.full_head.removesuffix(column.note)
    return Entry(text, text, notes=(column.mark,) if column.mark else ())


def _heads(table: Table, labels: Sequence[int]) -> Iterator[Column]:
    """Yield a column for each row: its last label is the head, the others are what it shares with its neighbours."""
    for number, row in enumerate(table.rows):
        *outer, inner = (_said(row.entries[n], table.columns[n]) for n in labels)
        notes = row.entries[labels[-1]].notes
        yield Column(f"row_{number}", inner, ", ".join(outer), raw=f"row_{number}", mark=notes[0] if notes else None)


def _said(entry: Entry, column: Column) -> str:
    """Return a label as it stands where no heading names its key: ``3 clients``."""
    if not column.numeric or entry.mark:
        return entry.text
    return f"{entry.text} parameters" if column.key == "params" else of_axis(column.key, entry.value, entry.text)


def by_quantity(table: Table, values: int) -> Table:
    """Return a table whose columns of numbers stand in groups of a quantity each, not of a value of the axis across.

    `values` is how many values of the axis there are; their columns come first behind the labels.
    """
    first = next(n for n, column in enumerate(table.columns) if column.is_number)
    shared = [n for n in range(first, len(table.columns)) if table.columns[n].key != "seeds"]
    parts = len(shared) // values
    order = [shared[value * parts + part] for part in range(parts) for value in range(values)]
    order = [*range(first), *order, *range(first + len(shared), len(table.columns))]
    swapped = [_swapped(column) if n in shared else column for n, column in enumerate(table.columns)]
    rows = (replace(row, entries=tuple(row.entries[n] for n in order)) for row in table.rows)
    whole = table.whole or table
    return replace(table, columns=tuple(swapped[n] for n in order), rows=tuple(rows), whole=whole)


def _swapped(column: Column) -> Column:
    head = f"{column.head} {column.better}" if column.better else column.head
    return replace(column, head=column.group, group=head, better="")


def in_sections(table: Table) -> Table:
    """Return a table whose first column has become headings over the rows that share its label."""
    rows = []
    for row in table.rows:
        label, *entries = row.entries
        section = _said(label, table.columns[0]) + label.note if label.span else ""
        rule = 0 if section and row.rule is not None else row.rule and row.rule - 1
        rows.append(replace(row, entries=tuple(entries), rule=rule, section=section))
    return replace(table, columns=table.columns[1:], rows=tuple(rows), whole=table.whole or table)
