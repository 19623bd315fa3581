"""Options that vary between cells of the same axes: each must become a column, or a mean would mix settings."""

from collections.abc import Iterable
from typing import Any

from fscost import vocabulary
from fscost.cell import AXES, Cell


def varying_options(cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """Return each option that differs between cells that differ in nothing else a table shows but the seed.

    The values are by cell id; where a cell leaves FederatedScope's default, it is that default.
    """
    cells = list(cells)
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.axes[axis] for axis in AXES if axis != "seed"), []).append(cell)
    names = dict.fromkeys(name for group in groups.values() for name in _differing(group))
    return {name: {cell.id: _value(cell, name) for cell in cells} for name in names}


def _differing(group: list[Cell]) -> list[str]:
    names = dict.fromkeys(name for cell in group for name, _ in vocabulary.leaves(cell.fs) if name != "seed")
    return [name for name in names if len({repr(_value(cell, name)) for cell in group}) > 1]


def _value(cell: Cell, name: str) -> Any:
    value = cell.get(name, vocabulary.default(name))
    return value if isinstance(value, int | float | str | None) else str(value)
