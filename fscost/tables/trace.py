"""Which runs each number of a table comes from."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fscost.tables.table import Row, Table


def trace(table: Table, paths: Mapping[str, Path]) -> Iterator[str]:
    """Yield for each row its labels, then for each number its column and the run directories it comes from.

    `paths` are those of the cells, by id. Columns that come from the same runs share them.
    """
    for row in table.rows:
        yield ", ".join(f"{name} {text}" for name, text in _labels(table, row))
        for runs, numbers in _by_runs(table, row).items():
            width = max(len(name) for name, _ in numbers)
            yield from (f"  {name:{width}}  {text}" for name, text in numbers)
            yield from (f"    {paths.get(run, run)}" for run in runs)


def _labels(table: Table, row: Row) -> Iterator[tuple[str, str]]:
    for column, entry in zip(table.columns, row.entries, strict=True):
        if not column.is_number:
            yield column.full_head, entry.full


def _by_runs(table: Table, row: Row) -> Mapping[tuple[str, ...], Sequence[tuple[str, str]]]:
    found: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for column, entry in zip(table.columns, row.entries, strict=True):
        if column.is_number:
            found.setdefault(entry.runs, []).append((column.full_head, entry.full))
    return found
