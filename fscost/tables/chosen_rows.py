"""Which lines of those that were compared are shown: ``table.only.method=[fedavg,fedprox]``."""

from collections.abc import Mapping, Sequence
from typing import Any

from fscost.errors import TableError, nearest
from fscost.tables.lines import Line
from fscost.tables.option_values import as_written
from fscost.tables.spec import TableSpec


def chosen(lines: Sequence[Line], spec: TableSpec) -> list[Line]:
    """Return the lines that have one of the values named for each key; a value may be named by its label.

    Raises TableError for a key that lines do not have, and for a value that none of them has.
    """
    left = [*lines]
    for key, values in spec.only.items():
        name = str(key).removeprefix("fs.")
        asked = values if isinstance(values, list | tuple) else [values]
        _check(name, asked, lines, spec)
        wanted = {as_written(value) for value in asked}
        left = [line for line in left if wanted & _names(_facts(line)[name], spec)]
    if not left:
        raise TableError(f"table.only={as_written(spec.only)}: no row has all of these; leave one of them out")
    return left


def _check(key: str, values: Sequence[Any], lines: Sequence[Line], spec: TableSpec) -> None:
    known = [key for key in _facts(lines[0]) if key != "params"]
    if key not in known:
        raise TableError(
            f"table.only.{key}: is no key of these rows; there are {', '.join(known)}{nearest(key, known)}"
        )
    there = dict.fromkeys(_text(_facts(line)[key]) for line in lines)
    all_names = {name for line in lines for name in _names(_facts(line)[key], spec)}
    for value in map(as_written, values):
        if value not in all_names:
            raise TableError(
                f"table.only.{key}={value}: no row has it; there are {', '.join(there)}{nearest(value, all_names)}"
            )


def _facts(line: Line) -> Mapping[str, Any]:
    """Return what a line is told apart by, and what its runs have in common beyond that."""
    run = line.runs[0]
    return {key: run[key] for key in _COMMON if key in run} | {**line.axes}


_COMMON = ("method", "model", "data", "clients", "rounds", "sweep", "engine", "protocol")


def _text(value: Any) -> str:
    return as_written(value) if isinstance(value, bool | float | list | tuple | None) else str(value)


def _names(value: Any, spec: TableSpec) -> set[str]:
    return {_text(value), spec.label(value)}
