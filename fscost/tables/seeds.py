"""The seeds of a line: how many there are is said, and lines of other seeds are not compared."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from fscost.tables.comparison import Keys, has_same_seeds
from fscost.tables.headings import of_axis
from fscost.tables.lines import Line
from fscost.tables.marks import UNKNOWN
from fscost.tables.numbers import Number
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column, Entry, Table

_COLUMN = Column("seeds", "n", raw="seeds")
_MOST = 3
"""How many lines a sentence names."""


def counts_of(lines: Sequence[Line]) -> list[int]:
    """Return over how many seeds numbers are, each count once, the smallest first."""
    return sorted({len(line.runs) for line in lines})


def number_of(counts: Sequence[int]) -> str:
    """Return over how many seeds numbers are: ``n = 3 seeds``, ``n = 1 to 3 seeds``."""
    if len(counts) == 1:
        return f"n = {counts[0]} seeds"
    return f"n = {counts[0]} {'or' if len(counts) == 2 else 'to'} {counts[-1]} seeds"


def groups_of(lines: Sequence[Line], keys: Keys) -> list[Hashable]:
    """Return for each line what those share that it is compared with; one of a group of unequal seeds is alone."""
    unequal = _unequal(lines, keys)
    return [
        (group, number) if group in unequal else group
        for number, group in enumerate(keys.group(line) for line in lines)
    ]


def with_counts(table: Table, lines: Sequence[Line]) -> Table:
    """Return the table with a column of how many seeds each row has, where that is not the same and one number each."""
    if len(counts_of(lines)) < 2 or None in [row.seeds for row in table.rows if not row.cited]:
        return table
    rows = (replace(row, entries=(*row.entries, _count(row.seeds))) for row in table.rows)
    return replace(table, columns=(*table.columns, _COLUMN), rows=tuple(rows), whole=table.whole or table)


def _count(seeds: int | None) -> Entry:
    return Entry(mark=UNKNOWN) if seeds is None else Entry(value=seeds, number=Number(seeds))


def sentences(table: Table, lines: Sequence[Line], keys: Keys, spec: TableSpec) -> Iterator[str]:
    """Yield over how many seeds numbers are where that differs, and which lines are not compared for it."""
    fewest, *others = counts_of(lines)
    if others and _COLUMN in table.columns:
        yield "n: the number of seeds."
    elif others:
        yield from counts_said(lines, keys, spec)
    if pair := next(_pairs(lines, keys), None):
        first, other = (f"{_named(line, lines, keys, spec)} has {_seeds(line)}" for line in pair)
        more = len(_unequal(lines, keys)) - 1
        groups = f"; so in {more} more {'group' if more == 1 else 'groups'} of rows" if more else ""
        yield f"Rows of unequal seeds are not compared, by ratio or for the best: {first} and {other}{groups}."


def counts_said(lines: Sequence[Line], keys: Keys, spec: TableSpec) -> Iterator[str]:
    """Yield over how many seeds the numbers of which lines are, the most common count of those not named last."""
    counts = [len(line.runs) for line in lines]
    usual = max(set(counts), key=lambda count: (counts.count(count), count))
    for count in sorted({*counts} - {usual}):
        names = [_named(line, lines, keys, spec) for line in lines if len(line.runs) == count]
        rest = [f"{len(names) - _MOST} more"] * (len(names) > _MOST)
        yield f"n = {count}: {'; '.join([*names[:_MOST], *rest])}."
    yield f"n = {usual}: all others."


def _unequal(lines: Sequence[Line], keys: Keys) -> set[tuple[Any, ...]]:
    """Return the groups whose lines are not all of the same seeds."""
    return {keys.group(line) for line, _ in _pairs(lines, keys)}


def _pairs(lines: Sequence[Line], keys: Keys) -> Iterator[tuple[Line, Line]]:
    """Yield the first line of a group with each that has other seeds."""
    first: dict[tuple[Any, ...], Line] = {}
    for line in lines:
        base = first.setdefault(keys.group(line), line)
        if not has_same_seeds(base, line, keys):
            yield base, line


def _named(line: Line, lines: Sequence[Line], keys: Keys, spec: TableSpec) -> str:
    """Return what only this line is called: a name alone for methods and models, else the key and its value."""
    varying = [key for key in keys.of_lines if len({other.axes[key] for other in lines}) > 1]
    bare = ("method", "model")
    values = (
        (key, line.axes[key], spec.label(line.axes[key])) for key in varying or [keys.compare] if key in line.axes
    )
    named = [text if key in bare else of_axis(spec.label(key), value, text) for key, value, text in values]
    return ", ".join(named) or str(line.runs[0][keys.compare])


def _seeds(line: Line) -> str:
    word = "seed" if len(line.seeds) == 1 else "seeds"
    return f"{word} {', '.join(map(str, line.seeds))}"
