"""How a finished table is laid out: transposed, in sections, by quantity, or with one name for many options."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from fscost.tables.headings import Heads, of_axis
from fscost.tables.option_values import Given
from fscost.tables.table import Column, Entry, Note, Row, Table


def transposed(table: Table) -> Table:
    """Return a table with a row for each column of numbers; its raw numbers stay as they were."""
    labels = [n for n, column in enumerate(table.columns) if not column.is_number]
    numbers = [n for n, column in enumerate(table.columns) if column.is_number]
    columns = [Column("quantity", "", numeric=False), *_heads(table, labels)]
    rows = [Row((_label(table.columns[n]), *table.column(n))) for n in numbers]
    return replace(table, columns=tuple(columns), rows=tuple(rows), whole=table.whole or table)


def _label(column: Column) -> Entry:
    text = column.full_head.removesuffix(column.note)
    return Entry(text, text, notes=(*([column.mark] if column.mark else []), *column.notes))


def _heads(table: Table, labels: Sequence[int]) -> Iterator[Column]:
    """Yield a column for each row: its last label is the head, the others are what it shares with its neighbours."""
    for number, row in enumerate(table.rows):
        *outer, inner = (_said(row.entries[n], table.columns[n]) for n in labels)
        notes = row.entries[labels[-1]].notes
        yield Column(f"row_{number}", inner, ", ".join(outer), raw=f"row_{number}", notes=notes)


def _said(entry: Entry, column: Column) -> str:
    """Return a label as it stands where no heading names its key: ``3 clients``, ``grad.grad_clip=1.5``."""
    if isinstance(entry.value, Given):
        return column.head + "=" + entry.text
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


# --- one name for many options --------------------------------------------------------------------

CONFIGURATION = "configuration"
"""The key of a column that names combinations of options."""

_MOST_TOLD = 40
"""So many values of options, of all combinations together, are told in notes."""

Combination = tuple[str, ...]
"""The values of options in one row, as they are printed."""


def with_configurations(table: Table, options: Collection[str], heads: Heads) -> Table:
    """Return a table with one column of short names, A, B, …, instead of many columns of options.

    A note tells what stands behind each name, as long as that is not too much to read. Raw numbers keep the options.
    """
    places = [n for n, own in enumerate(table.columns) if own.key in options and not own.is_number]
    if len(places) <= heads.spec.most_options:
        return table
    first = places[0]
    found = dict.fromkeys(_combination(row, places) for row in table.rows if not row.cited)
    names = {values: _name(number) for number, values in enumerate(found)}
    kept = [n for n in range(len(table.columns)) if n not in places[1:]]
    rows = []
    for row in table.rows:
        last = row.entries[places[-1]]
        name = names.get(_combination(row, places), "")
        label = replace(last, label=heads.spec.label(name), value=name, number=None, mark=None if name else last.mark)
        entries = tuple(label if n == first else row.entries[n] for n in kept)
        rows.append(replace(row, entries=entries, rule=None if row.rule is None else _moved(row.rule, places)))
    columns = tuple(heads.key(CONFIGURATION) if n == first else table.columns[n] for n in kept)
    called = {values: heads.spec.label(name) for values, name in names.items()}
    said, notes = _told(called, [table.columns[n].head for n in places])
    return replace(
        table, columns=columns, rows=tuple(rows), reading=(*table.reading, *said), notes=(*table.notes, *notes),
        whole=table.whole or table,
    )  # fmt: skip


def _combination(row: Row, places: Sequence[int]) -> Combination:
    return tuple(row.entries[n].text for n in places)


def _name(number: int) -> str:
    """Return A to Z, then AA, AB and so on; `number` counts from 0."""
    letter = chr(ord("A") + number % 26)
    return _name(number // 26 - 1) + letter if number >= 26 else letter


def _moved(rule: int, places: Sequence[int]) -> int:
    """Return from which column a rule goes, where those at `places`, neighbours, have become one."""
    return rule if rule <= places[0] else max(places[0], rule - len(places) + 1)


def _told(names: Mapping[Combination, str], heads: Sequence[str]) -> tuple[list[str], list[Note]]:
    """Return what is said of combinations, sentence or notes: the first in full, of others what differs from it."""
    first, *others = names
    full = [f"{head}={value}" for head, value in zip(heads, first, strict=True)]
    changes = [
        [f"{head}={value}" for head, value, one in zip(heads, values, first, strict=True) if value != one]
        for values in others
    ]
    if len(heads) + sum(map(len, changes)) > _MOST_TOLD:
        return [f"Configurations differ in {len(heads)} options, which --cells names."], []
    return [], [
        Note(names[first], ", ".join(full)),
        *(Note(names[v], f"as {names[first]}, but {', '.join(own)}") for v, own in zip(others, changes, strict=True)),
    ]
