"""The values of an axis in Hydra's grammar: a,b and choice(a,b), range(0,10), glob(fed*) over a group's options."""

import math
from decimal import Decimal
from itertools import product
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, RangeSweep, Sweep

from fscost.errors import ConfigError
from fscost.plan.hydra_config import GROUPS, HOW, group_options

MOST_CELLS = 1_000_000
"""What a grid, and each of its axes, may come to: beyond it nobody waits for the plan."""


def combinations(overrides: list[Override]) -> list[list[str]]:
    """Return the product of all axes, each combination as overrides that have one value each."""
    lines = {override.get_key_element(): _lines(override) for override in overrides}
    if (cells := math.prod(map(len, lines.values()))) > MOST_CELLS:
        axes = " × ".join(f"{len(values)} of {key}" for key, values in lines.items() if len(values) > 1)
        raise ConfigError(f"{axes}: are {cells:,} cells; a grid has at most {MOST_CELLS:,}")
    return [list(words) for words in product(*lines.values())]


def _lines(override: Override) -> list[str]:
    key = override.get_key_element()
    values = values_of(override) if override.is_sweep_override() else [override.get_value_element_as_str()]
    return [f"{key}={value}" for value in values]


def values_of(axis: Override) -> list[str]:
    """Return the values of an axis as they stand in overrides; raises ConfigError where it has none."""
    line, given = axis.input_line, axis.value()
    if axis.is_interval_sweep():
        raise ConfigError(f"{line}: has no single values to try; {HOW}")
    if isinstance(given, Glob):
        values = _matching(axis, given)
    elif isinstance(given, RangeSweep):
        values = _range(axis, given)
    else:
        values = [str(value) for value in axis.sweep_string_iterator()]
    if not values:
        raise ConfigError(f"{line}: has no values; {HOW}")
    return values


def check_within(override: Override) -> None:
    """Refuse an axis within an axis or within a value, as in ``3,range(5,8)`` and ``[choice(1,2)]``."""
    given: Any = override.value()
    parts = given.list if isinstance(given, ChoiceSweep) else [] if _is_axis(given) else [given]
    if any(map(_holds_axis, parts)):
        raise ConfigError(f"{override.input_line}: no axis can stand within a value or another axis; {HOW}")


def _holds_axis(value: Any) -> bool:
    if isinstance(value, list | dict):
        return any(map(_holds_axis, value.values() if isinstance(value, dict) else value))
    return _is_axis(value)


def _is_axis(value: Any) -> bool:
    return isinstance(value, Sweep | Glob)


def _matching(axis: Override, pattern: Glob) -> list[str]:
    group = axis.key_or_group
    if group not in GROUPS:
        raise ConfigError(f"{axis.input_line}: {group} has no list of options to choose from; {HOW}")
    options = group_options(group)
    if not (matching := list(pattern.filter([*options]))):
        raise ConfigError(f"{axis.input_line}: no {group} matches; there are {', '.join(sorted(options))}")
    return matching


def _range(axis: Override, given: RangeSweep) -> list[str]:
    """Return the numbers of a range, fractions as they are written: 0.1, 0.2, 0.3 and no 0.30000000000000004."""
    bounds: list[Any] = [given.start, given.stop, given.step]
    if not all(map(math.isfinite, bounds)) or given.step == 0:
        raise ConfigError(f"{axis.input_line}: needs finite bounds and a step that is not 0")
    if (values := (given.stop - given.start) / given.step) > MOST_CELLS:  # type: ignore[operator]
        raise ConfigError(f"{axis.input_line}: has {values:,.0f} values; an axis has at most {MOST_CELLS:,}")
    if all(isinstance(bound, int) for bound in bounds) or given.shuffle:
        return list(axis.sweep_string_iterator())
    start, stop, step = (Decimal(str(bound)) for bound in bounds)
    return [str(float(start + step * index)) for index in range(math.ceil((stop - start) / step))]
