"""What stands above the columns and at the left of the rows; units are named there, once."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from fscost.cells.measure import Traffic
from fscost.cells.metric import metric_text, metric_title
from fscost.printable import plural
from fscost.protocol.fs_options import SIZES
from fscost.tables.column import ColumnSpec
from fscost.tables.column_style import Style
from fscost.tables.comparison import Keys
from fscost.tables.lines import Line
from fscost.tables.marks import ESTIMATED, UNKNOWN
from fscost.tables.numbers import Number
from fscost.tables.option_values import Given
from fscost.tables.own_formula import quantity_of, sources_of
from fscost.tables.quantity import Kind, Wording
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column, Entry

_KEYS = {
    "model": "Model", "params": "Params", "data": "Data", "clients": "Clients", "rounds": "Rounds", "method": "Method",
    "seed": "Seed", "sweep": "Sweep", "engine": "Engine", "framework": "Framework", "protocol": "Protocol",
    "fs_commit": "FS commit", "configuration": "Configuration",
}  # fmt: skip
_NUMERIC = ("params", "clients", "rounds", "seed")


class Heads:
    """Names columns; `baseline` is what relative columns are relative to, empty where that name is of several lines."""

    def __init__(self, spec: TableSpec, keys: Keys, lines: Sequence[Line], baselines: Sequence[Line | None]) -> None:
        self.spec, self.keys, self._columns = spec, keys, spec.column_specs()
        values = {base.runs[0][keys.compare] for base in baselines if base}
        pairs = [(line, base) for line, base in zip(lines, baselines, strict=True) if base and line is not base]
        is_one = len(values) == 1 and all(line.runs[0][keys.compare] not in values for line, _ in pairs)
        self.baseline = _value(keys.compare, values.pop(), spec) if is_one else ""

    def key(self, key: str) -> Column:
        """Return the column of a row key; an option is called by its label, or by its name, as a size is."""
        own = self.spec.has_label(key)
        name = _KEYS.get(key, key.removeprefix(f"{SIZES}."))
        return Column(key, self.spec.label(key) if own else name, numeric=key in _NUMERIC)

    def number(
        self, column: ColumnSpec, style: Style, value: Any, parts: int, *, is_estimate: bool, is_bolded: bool
    ) -> Column:
        """Return the column of a quantity; `value` is that of the axis across, and `parts` how many share it."""
        mark = ESTIMATED if is_estimate else None
        note = mark.sign if mark else ""
        name, raw, named = self.name(column), self.raw(column, style), column.quantity
        unit = _unit(column, style)
        group, head, unit = self._in_group(column, name, unit)
        arrow = self._arrow(column, is_bolded)
        line = self._long(column, name, unit)
        long = line + f" {arrow}" if arrow else line
        if self.keys.across is None:
            own = "" if group else unit
            return Column(raw, head, group, own, raw=raw, mark=mark, better=arrow, long=long + note, quantity=named)
        axis = self.keys.across
        where = _value(axis, value, self.spec)
        raw = f"{raw}_{axis}_{value}"
        if parts > 1:
            return Column(
                raw, line, where, raw=raw, mark=mark, better=arrow, long=where + ": " + long + note, quantity=named
            )
        return Column(raw, where, long, raw=raw, mark=mark, long=long + ", " + where + note, quantity=named)

    def _arrow(self, column: ColumnSpec, is_bolded: bool) -> str:
        """Return which way is better, of metrics always, and of whatever else has its best in bold."""
        quantity = quantity_of(column)
        if not self.spec.best or not (is_bolded or quantity.kind is Kind.METRIC):
            return ""
        return {"higher": "↑", "lower": "↓"}.get(quantity.better_of(column), "")

    def raw(self, column: ColumnSpec, style: Style) -> str:
        """Return the name of the raw numbers, which no other column has."""
        if column.quantity == "rounds" and self._has_rounds:
            return "rounds_trained"
        settings = [] if style.quantity.kind in (Kind.BYTES, Kind.METRIC, Kind.COUNT) else ["measure"]  # bytes name it
        settings += ["metric", "target"] if quantity_of(column).waits else []
        settings += ["better"] if column.better else []
        settings += ["of"] if quantity_of(column).relative else []
        apart = [str(getattr(column, key)) for key in settings if self._differs(column, key)]
        return "_".join(filter(None, [_raw(column, style), *apart]))

    @property
    def _has_rounds(self) -> bool:
        """Whether the rounds that were asked for stand in the table too."""
        return "rounds" in (*self.keys.rows, self.keys.across)

    def _differs(self, column: ColumnSpec, setting: str) -> bool:
        """Return whether columns of the same quantity differ in a setting."""
        alike = [other for other in self._columns if other.quantity == column.quantity]
        return len({getattr(other, setting) for other in alike}) > 1

    def name(self, column: ColumnSpec) -> str:
        """Return what a column is called; with what it counts where another of its quantity counts others."""
        if column.head:
            return column.head
        if quantity_of(column).kind in (Kind.METRIC, Kind.COUNT):
            return self._name(column)
        settings = () if quantity_of(column).is_logged else ("of", "measure", "traffic")
        apart = [getattr(column, key).replace("_", " ") for key in settings if self._differs(column, key)]
        return self._name(column) + "".join(f", {what}" for what in apart if what)

    def wording(self, column: ColumnSpec) -> Wording:
        """Return what a sentence about a column names."""
        alike = (self.name(other) for other in self._columns if other.quantity == column.quantity)
        source = sources_of(column)[0].key.replace("_", " ")
        return Wording(column, self.name(column), ", ".join(dict.fromkeys(alike)), self.baseline, source)

    def _name(self, column: ColumnSpec) -> str:
        """Return the label of a quantity, or of what it is usually called."""
        if self.spec.has_label(column.quantity):
            return self.spec.label(column.quantity)
        return self.spec.worded(self._usual_name(column))

    def _usual_name(self, column: ColumnSpec) -> str:
        quantity = quantity_of(column)
        if quantity.key == "rounds" and self._has_rounds:
            return "Rounds trained"
        if quantity.relative and quantity.against and quantity.kind is Kind.FACTOR and quantity.better == "lower":
            return "vs " + self.baseline if self.baseline else quantity.head
        if quantity.kind is Kind.METRIC:
            text = metric_text if quantity.head else metric_title
            metric = self.spec.worded(column.metric, text(column.metric))
            return quantity.head + " " + metric if quantity.head else metric
        return quantity.head

    def _long(self, column: ColumnSpec, name: str, unit: str) -> str:
        """Return a heading that says in one line what a shared one and its own say together."""
        quantity = quantity_of(column)
        if quantity.family == "share":
            unit = f"{unit}/{column.per.replace(' and ', '/')}"
        if quantity.group:
            return self.spec.worded(quantity.group) + ": " + name + f" ({unit})"
        until = f" until {column.target_name}" if quantity.waits else ""
        return name + until + f" ({unit})" if unit else name + until

    def _in_group(self, column: ColumnSpec, name: str, unit: str) -> tuple[str, str, str]:
        """Return the heading that a column shares with its neighbours, its own, and its unit."""
        quantity = quantity_of(column)
        if quantity.waits:
            return self.spec.worded(f"Until {column.target_name}"), name + f" ({unit})" if unit else name, unit
        if quantity.group:
            return self.spec.worded(quantity.group) + f" ({unit})", name, unit
        if quantity.family == "share":
            return self.spec.worded(f"Per {column.per}") + f" ({unit})", name, unit
        return "", name, unit


def of_axis(axis: str, value: Any, label: str) -> str:
    """Return an axis with its value in words: ``3 clients``, ``seed 0``, ``model MLP-16``."""
    if axis in ("clients", "rounds") and value is not None:
        return plural(value, axis.removesuffix("s"))
    return f"{axis} {label}"


def _value(axis: str, value: Any, spec: TableSpec) -> str:
    """Return what a value of an axis is called where no heading names the axis."""
    label = UNKNOWN.sign if value is None else spec.label(value)
    if axis in _NUMERIC or value is None:
        return of_axis(axis, value, label)
    return spec.label(axis) + "=" + label if isinstance(value, Given) else label


def _unit(column: ColumnSpec, style: Style) -> str:
    match style.quantity.kind:
        case Kind.BYTES:
            return style.unit
        case Kind.SECONDS:
            return "s"
        case Kind.OWN:
            return style.quantity.unit
        case Kind.PERCENT:
            return "%"
        case Kind.METRIC:
            return "%" if column.is_rate else ""
        case _:
            return ""


def _raw(column: ColumnSpec, style: Style) -> str:
    """Return the name of the raw numbers, with what makes them differ from the column of that name elsewhere."""
    kind = style.quantity.kind
    if style.quantity.is_logged:
        return f"{column.quantity}_bytes"
    if kind is Kind.METRIC:
        return f"{column.quantity}_{column.metric}"
    traffic = f"{column.traffic}_" if column.traffic != Traffic.TRAINING else ""
    measure = f"_{column.measure}" if kind is Kind.BYTES else ""
    unit = f"_{kind.value}" if kind in (Kind.BYTES, Kind.SECONDS, Kind.PERCENT) else ""
    return f"{traffic}{style.quantity.key}{measure}{unit}"


def label_of(key: str, value: Any, spec: TableSpec) -> Entry:
    """Return the label of a row: an axis or an option with its value, None where it is not known.

    Counts have commas between thousands; a seed is a name.
    """
    if value is None:
        return Entry(mark=UNKNOWN)
    if not isinstance(value, Integral) or spec.has_label(value):
        return Entry(spec.label(value), value)
    is_name = key == "seed" and abs(int(value)) >= 1000
    return Entry(str(value), value) if is_name else Entry(value=value, number=Number(value))
