"""Columns that compute a formula over quantities, as ``total_uplink / params``, and what every column is made of."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from statistics import fmean, median

from fscost.cells.measure import UNITS
from fscost.errors import ConfigError, TableError, nearest
from fscost.formula import Formula
from fscost.tables.column import ColumnFormula, ColumnSpec
from fscost.tables.lines import Line, Values
from fscost.tables.marks import UNKNOWN, Mark, unknown
from fscost.tables.physical_unit import FUNCTIONS, Dimension, Unit, is_conversion
from fscost.tables.quantities import QUANTITIES
from fscost.tables.quantity import Kind, Quantity, Wording

_BASE = "baseline."
"""Before the name of a quantity: that of the row that others are compared with."""

_OF_CELLS = ("params", "clients")
"""Columns of the frame of cells that formulas can name beside quantities."""

_DIMENSIONS = {Kind.BYTES: Dimension(bytes=1), Kind.SECONDS: Dimension(seconds=1)}


def _of_cells(name: str) -> Quantity:
    return Quantity(name, name, Kind.COUNT, lambda line, column: line.values(name))


_PARTS = {
    **{key: own for key, own in QUANTITIES.items() if own.of and own.kind is not Kind.PERCENT},
    **{name: _of_cells(name) for name in _OF_CELLS},
}
"""What formulas can name: quantities that are not relative to others already, and columns of cells."""


def quantity_of(column: ColumnSpec) -> Quantity:
    """Return what a column shows; raises TableError for a formula that is none, or whose unit is another."""
    return QUANTITIES[column.quantity] if column.formula is None else _own(column.formula)


def sources_of(column: ColumnSpec) -> tuple[Quantity, ...]:
    """Return what the numbers of a column are made of: of relative ones, the quantity that they compare."""
    if column.formula is None:
        return (QUANTITIES[column.of or QUANTITIES[column.quantity].against or column.quantity],)
    return tuple(_PARTS[name.removeprefix(_BASE)] for name in Formula(column.formula.text).names)


def has_baseline(column: ColumnSpec) -> bool:
    """Return whether a formula compares with the baseline."""
    return column.formula is not None and any(n.startswith(_BASE) for n in Formula(column.formula.text).names)


@cache
def _own(given: ColumnFormula) -> Quantity:
    """Return the quantity that a formula is."""
    what = f"table.columns.formula={given.text}"
    formula = _parsed(given.text, what)
    kind, unit = _kind(given, formula, what)
    parts = [_PARTS[name.removeprefix(_BASE)] for name in formula.names]
    return Quantity(
        re.sub(r"\W+", "_", given.text).strip("_"), given.text, kind, better=given.better, family=given.text,  # type: ignore[arg-type]
        sentences=[_said], waits=any(part.waits for part in parts), unit=unit.text, scale=unit.scale,
    )  # fmt: skip


def _said(said: Wording) -> str:
    text = said.column.quantity.replace("_", " ")
    if said.baseline:
        text = text.replace(_BASE, f"{said.baseline}'s ")
    return f"{said.name}: {text}." if said.name != said.column.quantity else ""


def _parsed(text: str, what: str) -> Formula:
    try:
        formula = Formula(text)
    except ConfigError as error:
        raise TableError(f"table.columns.formula={error}") from None
    known = [*_PARTS, *(f"{_BASE}{key}" for key in _PARTS)]
    for name in formula.names:
        if name not in known:
            choices = ", ".join(_PARTS)
            raise TableError(f"{what}: {name} is nothing to compute with{nearest(name, known)}; there are {choices}")
    if not formula.names:
        raise TableError(f"{what}: names no quantity; there are {', '.join(_PARTS)}")
    return formula


def _kind(given: ColumnFormula, formula: Formula, what: str) -> tuple[Kind, Unit]:
    """Return how its numbers are printed, and in which unit."""
    dimension = _dimension(formula, what)
    unit = _unit(given, formula, dimension, what)
    if unit.dimension == Dimension(bytes=1) and unit.text in ("", *UNITS):
        return Kind.BYTES, unit
    return (Kind.SECONDS, unit) if unit.text == "s" else (Kind.OWN, unit)


def _dimension(formula: Formula, what: str) -> Dimension:
    dimensions = {name: _DIMENSIONS.get(_PARTS[name.removeprefix(_BASE)].kind, Dimension()) for name in formula.names}
    try:
        found = formula.value(dimensions, FUNCTIONS)
    except ConfigError as error:
        raise TableError(f"table.columns.formula={error}") from None
    return found if isinstance(found, Dimension) else Dimension()


def _unit(given: ColumnFormula, formula: Formula, dimension: Dimension, what: str) -> Unit:
    """Return the unit; it must be of the dimension that the formula has, or one of one's own that a number makes."""
    if not given.unit:
        return _unit_of(dimension, what)
    try:
        unit = Unit.of(given.unit)
    except ValueError as error:
        raise TableError(f"{what}: unit: {given.unit}: {error} the formula and leave the known unit out") from None
    if unit.dimension is None:
        if not formula.numbers:
            raise TableError(f"{what}: is {dimension}, not {given.unit}; multiply it by how many {given.unit} one is")
        return unit
    if unit.dimension != dimension:
        raise TableError(f"{what}: is {dimension}, which cannot be printed in {given.unit}")
    if twice := [number for number in formula.numbers if is_conversion(number, unit)]:
        raise TableError(f"{what}: {given.unit} converts already; leave out {twice[0]:g}")
    return unit


def _unit_of(dimension: Dimension, what: str) -> Unit:
    if dimension == Dimension(bytes=1):
        return Unit("", 1, dimension)
    if dimension == Dimension(seconds=1):
        return Unit("s", 1, dimension)
    if dimension != Dimension():
        raise TableError(f"{what}: is {dimension}; say in which unit, as unit: {dimension}")
    return Unit("", 1, dimension)


# --- its numbers ----------------------------------------------------------------------------------


def formula_values(column: ColumnSpec, line: Line, baseline: Line | None, aggregate: str) -> Values:
    """Return the value for each run of a line; one of means where the baseline is in it, as seeds are no pairs.

    Where a part is not known it is the mark of that part, and not known where the formula has no value.
    """
    assert column.formula is not None
    formula = Formula(column.formula.text)
    parts = {name: _part(name, column, line, baseline) for name in formula.names}
    if (mark := next((part for part in parts.values() if isinstance(part, Mark)), None)) is not None:
        return mark
    known = {name: part for name, part in parts.items() if not isinstance(part, Mark)}
    if any(name.startswith(_BASE) for name in known):
        middle: Callable[[list[float]], float] = median if aggregate == "median" else fmean
        known = {name: [middle(part)] for name, part in known.items()}
    runs = zip(*known.values(), strict=True)
    return _computed(formula, [dict(zip(known, run, strict=True)) for run in runs])


def _part(name: str, column: ColumnSpec, line: Line, baseline: Line | None) -> Values:
    key = name.removeprefix(_BASE)
    of = _PARTS[key].of
    assert of is not None
    if name == key:
        return _as_shares(key, column, of(line, replace(column, quantity=key, formula=None)))
    if baseline is None:
        return unknown("no row of the same seeds is the baseline")
    found = _as_shares(key, column, of(baseline, replace(column, quantity=key, formula=None)))
    return unknown(f"the baseline is {found}") if isinstance(found, Mark) else found


def _as_shares(key: str, column: ColumnSpec, values: Values) -> Values:
    """Return accuracies as shares, however they are logged."""
    if isinstance(values, Mark) or _PARTS[key].kind is not Kind.METRIC or not column.is_rate:
        return values
    return [value * column.factor / 100 for value in values]


def _computed(formula: Formula, runs: list[Mapping[str, float]]) -> Values:
    try:
        found = [formula.value(run) for run in runs]
    except ConfigError as error:
        reason = re.sub(r".*\((.*)\)$", r"\1", str(error))
        return unknown(f"{formula.text} has no value: {reason}")
    return UNKNOWN if None in found else [float(value) for value in found]
