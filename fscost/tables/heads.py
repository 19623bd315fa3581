"""What stands above the columns; units are named there, once."""

from collections.abc import Sequence
from typing import Any

from fscost.measure import NETWORK, Traffic
from fscost.tables.column import ColumnSpec
from fscost.tables.keys import Keys
from fscost.tables.lines import Line
from fscost.tables.marks import ESTIMATED
from fscost.tables.numbers import Style
from fscost.tables.quantities import QUANTITIES, Kind
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column

_KEYS = {
    "model": "Model", "params": "Params", "data": "Data", "clients": "Clients", "rounds": "Rounds", "method": "Method",
    "seed": "Seed", "engine": "Engine", "protocol": "Protocol", "fs_commit": "FS commit",
}  # fmt: skip
_NUMERIC = ("params", "clients", "rounds", "seed")
_AT_TARGET = ("rounds_to", "bytes_to", "speedup", "bytes_ratio")


class Heads:
    """Names columns; `baseline` is what relative columns are relative to, empty where that differs by group."""

    def __init__(self, spec: TableSpec, keys: Keys, baselines: Sequence[Line | None]) -> None:
        self._spec, self._keys = spec, keys
        names = {spec.label(line.runs[0][keys.compare]) for line in baselines if line}
        self.baseline = names.pop() if len(names) == 1 else ""

    def key(self, key: str) -> Column:
        """Return the column of a row key; an option is called by its label, else by its name."""
        return Column(key, _KEYS.get(key) or self._spec.label(key), numeric=key in _NUMERIC)

    def number(self, column: ColumnSpec, style: Style, value: Any, parts: int, *, is_estimate: bool) -> Column:
        """Return the column of a quantity; `value` is that of the axis across, and `parts` how many share it."""
        note = ESTIMATED if is_estimate else ""
        name, raw = self.name(column), _raw(column, style)
        unit = _unit(column, style)
        group, head, unit = _in_group(column, name, unit)
        arrow = self._arrow(column)
        long = _long(column, name, unit) + (f" {arrow}" if arrow else "")
        if self._keys.across is None:
            own = "" if group else unit
            return Column(raw, head, group, own, raw=raw, note=note, better=arrow, long=long + note)
        axis = self._keys.across
        where = of_axis(axis, value, self._spec.label(value)) if axis in _NUMERIC else self._spec.label(value)
        raw = f"{raw}_{axis}_{value}"
        if parts > 1:
            head = f"{name} ({unit})" if unit else name
            return Column(raw, head, where, raw=raw, note=note, better=arrow, long=f"{where}: {long}{note}")
        top = " ".join(part for part in (name, f"({unit})" if unit else "", arrow) if part)
        return Column(raw, where, top, raw=raw, note=note, long=f"{long}, {where}{note}")

    def _arrow(self, column: ColumnSpec) -> str:
        """Return which way a metric is better; of bytes and times nobody asks."""
        if not self._spec.best or QUANTITIES[column.quantity].kind is not Kind.METRIC:
            return ""
        return "↑" if column.more_is_better else "↓"

    def name(self, column: ColumnSpec) -> str:
        """Return what a column is called."""
        if column.head:
            return column.head
        quantity = QUANTITIES[column.quantity]
        if quantity.relative and quantity.against and quantity.kind is Kind.FACTOR and quantity.better == "lower":
            return f"vs {self.baseline}" if self.baseline else quantity.head
        if quantity.kind is Kind.METRIC:
            name = metric_name(column)
            return f"{quantity.head} {name[0].lower()}{name[1:]}" if quantity.head else name
        return quantity.head


def of_axis(axis: str, value: Any, label: str) -> str:
    """Return an axis with its value in words: ``3 clients``, ``seed 0``, ``model MLP-16``."""
    if axis in ("clients", "rounds"):
        return f"{value:,} {axis.removesuffix('s') if value == 1 else axis}"
    return f"{axis} {label}"


def metric_name(column: ColumnSpec) -> str:
    """Return what a metric is called."""
    name = column.metric.replace("_", " ")
    return "Accuracy" if name == "test acc" else name.replace(" acc", " accuracy").capitalize()


def target_name(column: ColumnSpec) -> str:
    """Return what a target is called, as ``90 % accuracy``."""
    value = f"{100 * column.target:g} %" if column.is_rate else f"{column.target:g}"
    return f"{value} {metric_name(column).lower()}"


def per(column: ColumnSpec) -> str:
    """Return what the figures of uplink and downlink are of, in words."""
    if column.measure == NETWORK:
        occasions = {Traffic.EVALUATION: "evaluation", Traffic.CONTROL: "exchange"}
        return f"client and {occasions.get(Traffic(column.traffic), 'round') if column.traffic != 'all' else 'round'}"
    return "client and round" if column.traffic == Traffic.TRAINING else "message"


def _long(column: ColumnSpec, name: str, unit: str) -> str:
    """Return a heading that says in one line what a shared one and its own say together."""
    if QUANTITIES[column.quantity].family == "share":
        unit = f"{unit}/{per(column).replace(' and ', '/')}"
    until = f" until {target_name(column)}" if column.quantity in _AT_TARGET else ""
    return f"{name}{until} ({unit})" if unit else f"{name}{until}"


def _in_group(column: ColumnSpec, name: str, unit: str) -> tuple[str, str, str]:
    """Return the heading that a column shares with its neighbours, its own, and its unit."""
    if column.quantity in _AT_TARGET:
        return f"Until {target_name(column)}", f"{name} ({unit})" if unit else name, unit
    if QUANTITIES[column.quantity].family == "share":
        return f"Per {per(column)} ({unit})", name, unit
    return "", name, unit


def _unit(column: ColumnSpec, style: Style) -> str:
    match style.quantity.kind:
        case Kind.BYTES:
            return style.unit
        case Kind.SECONDS:
            return "s"
        case Kind.PERCENT:
            return "%"
        case Kind.METRIC:
            return "%" if column.is_rate else ""
        case _:
            return ""


def _raw(column: ColumnSpec, style: Style) -> str:
    """Return the name of the raw numbers, with what makes them differ from the column of that name elsewhere."""
    kind = style.quantity.kind
    if kind is Kind.METRIC:
        return f"{column.quantity}_{column.metric}"
    traffic = f"{column.traffic}_" if column.traffic != Traffic.TRAINING else ""
    measure = f"_{column.measure}" if kind is Kind.BYTES else ""
    unit = f"_{kind.value}" if kind in (Kind.BYTES, Kind.SECONDS, Kind.PERCENT) else ""
    return f"{traffic}{column.quantity}{measure}{unit}"
