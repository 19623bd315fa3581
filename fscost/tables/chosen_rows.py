"""Which rows of those that could be are shown: ``table.only.method=[fedavg,fedprox]``."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fscost.errors import TableError, nearest
from fscost.tables.lines import Line, Record
from fscost.tables.option_values import as_written
from fscost.tables.spec import TableSpec

Facts = Mapping[str, Any]
"""What is told of a row, by the keys it can be named by."""

T = TypeVar("T")


def chosen(lines: Sequence[Line], spec: TableSpec) -> list[Line]:
    """Return the lines that have one of the values named for each key; a value may be named by its label.

    Raises TableError for a key that lines do not have, and for a value that none of them has.
    """
    return _chosen([(line, _facts(line.runs[0], line.axes)) for line in lines], spec) if spec.only else [*lines]


def chosen_runs(runs: Sequence[Record], options: Sequence[str], spec: TableSpec) -> list[Record]:
    """Return the runs that are named in the same way, by the columns that all have and by these options."""
    told = [(run, _facts(run, {key: run[key] for key in options})) for run in runs]
    return _chosen(told, spec) if spec.only else [*runs]


def _chosen(rows: Sequence[tuple[T, Facts]], spec: TableSpec) -> list[T]:
    left = [*rows]
    for key, values in spec.only.items():
        name = str(key).removeprefix("fs.")
        asked = values if isinstance(values, list | tuple) else [values]
        _check(name, asked, [facts for _, facts in rows], spec)
        wanted = {as_written(value) for value in asked}
        left = [(row, facts) for row, facts in left if wanted & _names(facts[name], spec)]
    if not left:
        raise TableError(f"table.only={as_written(spec.only)}: no row has all of these; leave one of them out")
    return [row for row, _ in left]


def _check(key: str, values: Sequence[Any], rows: Sequence[Facts], spec: TableSpec) -> None:
    known = [key for key in rows[0] if key != "params"]
    if key not in known:
        raise TableError(
            f"table.only.{key}: is no key of these rows; there are {', '.join(known)}{nearest(key, known)}"
        )
    there = dict.fromkeys(_text(facts[key]) for facts in rows)
    all_names = {name for facts in rows for name in _names(facts[key], spec)}
    for value in map(as_written, values):
        if value not in all_names:
            raise TableError(
                f"table.only.{key}={value}: no row has it; there are {', '.join(there)}{nearest(value, all_names)}"
            )


def _facts(run: Record, own: Facts) -> Facts:
    """Return what a run has in common with others, and what it is told apart by."""
    return {key: run[key] for key in _COMMON if key in run} | {**own}


_COMMON = ("method", "model", "data", "clients", "rounds", "sweep", "engine", "protocol")


def _text(value: Any) -> str:
    return as_written(value) if isinstance(value, bool | float | list | tuple | None) else str(value)


def _names(value: Any, spec: TableSpec) -> set[str]:
    return {_text(value), spec.label(value)}
