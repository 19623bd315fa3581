"""From the frame of cells to a table of strings; the only place where a number becomes text."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from fscost.errors import TableError
from fscost.measure import MEASURES, UNITS, Traffic, total_column
from fscost.record import Status
from fscost.tables.spec import Column, Entry, Row, Table, TableSpec

_HEADS = {"model": "Model", "params": "Params", "data": "Data", "clients": "Clients", "method": "Method"}
_MARKS = {
    Status.MISSING: "not computed yet",
    Status.FAILED: "the run failed",
    Status.TIMEOUT: "the run took too long",
    Status.INTERRUPTED: "the run was cut off",
    Status.CORRUPT: "the run's files cannot be believed",
}
_UNKNOWN = "n/a"


@dataclass(frozen=True)
class _Line:
    """The runs behind one row: same axes but for the seed."""

    axes: tuple[Any, ...]
    cells: pd.DataFrame

    @property
    def status(self) -> Status:
        """DONE if all seeds are, else the first other status."""
        others = [status for status in self.cells["status"] if status != Status.DONE]
        return Status(others[0]) if others else Status.DONE


def build(
    cells: pd.DataFrame,
    spec: TableSpec,
    *,
    label: str,
    extra: Mapping[str, Mapping[str, Any]] | None = None,
    to_do: Sequence[str] = (),
) -> Table:
    """Return the table of `cells`, the frame of `fscost.collect`.

    `extra` maps options that vary beyond the axes to their value per cell id; each becomes a column. `to_do` are the
    commands that would compute what is missing. Raises TableError for cells that must not stand in one table.
    """
    if cells.empty:
        raise TableError("no cells are selected; name a grid, a sweep or a folder with runs")
    cells = cells[cells["model"].notna()] if "model" in cells else cells.iloc[:0]
    if cells.empty:
        raise TableError("none of the selected runs can be read; see the warnings")
    _refuse_mixture(cells)
    extra = extra or {}
    cells = cells.assign(**{name: cells["cell"].map(values) for name, values in extra.items()})
    lines = list(_lines(cells, [*extra]))
    shown = _numbers(lines, spec)
    data = ["data"] if cells["data"].nunique() > 1 else []
    keys = ["model", "params", *data, "clients", *extra, "method"]
    columns = _columns(spec, keys, shown)
    return Table(
        layout=spec.name,
        label=label,
        title=spec.title,
        counted=_counted(spec),
        reading=tuple(_reading(cells, spec)),
        columns=tuple(columns),
        rows=tuple(_rows(lines, keys, [*extra], shown, spec)),
        notes=tuple(_notes(lines)),
        to_do=tuple(to_do),
        provenance=tuple(_provenance(cells)),
    )


def _refuse_mixture(cells: pd.DataFrame) -> None:
    for key in ("engine", "protocol"):
        if len(values := cells[key].dropna().unique()) > 1:
            raise TableError(f"the selected cells differ in {key}: {values[0]} and {values[1]}; make one table of each")


# --- lines and their numbers ----------------------------------------------------------------------


def _lines(cells: pd.DataFrame, extra: list[str]) -> Iterator[_Line]:
    """Yield the rows in the order in which their models, data, clients, options and methods were first named."""
    keys = ["model", "data", "clients", "rounds", *extra, "method"]
    rank = {key: {value: i for i, value in enumerate(_distinct(cells[key]))} for key in keys}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, axes in enumerate(cells[keys].itertuples(index=False, name=None)):
        groups.setdefault(tuple(_hashable(a) for a in axes), []).append(position)
    ordered = sorted(groups, key=lambda axes: [rank[key][a] for key, a in zip(keys, axes, strict=True)])
    for axes in ordered:
        yield _Line(axes, cells.iloc[groups[axes]])


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(_hashable(value) for value in values))


def _hashable(value: Any) -> Any:
    if isinstance(value, list | dict):
        return str(value)
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _numbers(lines: list[_Line], spec: TableSpec) -> dict[str, list[list[float] | None]]:
    """Return per column one list of values over seeds for each line, None where there is no number."""
    return {
        "uplink": [_per_message(line, "uplink", spec) for line in lines],
        "downlink": [_per_message(line, "downlink", spec) for line in lines],
        "total": [_total(line, spec) for line in lines],
        "ratio": _ratios(lines, spec),
        "rounds": [_values(line, "rounds_trained") for line in lines],
        "metric": [_percent(_values(line, f"final_{spec.metric}"), spec) for line in lines],
    }


def _values(line: _Line, column: str) -> list[float] | None:
    if line.status is not Status.DONE or column not in line.cells or line.cells[column].isna().any():
        return None
    return [float(value) for value in line.cells[column]]


def _per_message(line: _Line, link: str, spec: TableSpec) -> list[float] | None:
    """Return the mean size of a message: what one participating client sends or receives in one round."""
    size = _values(line, total_column(spec.traffic, link, spec.measure))
    count = _values(line, f"{spec.traffic}_{link}_messages")
    if size is None or count is None or 0 in count:
        return None
    return [total / messages / UNITS[spec.unit] for total, messages in zip(size, count, strict=True)]


def _total(line: _Line, spec: TableSpec) -> list[float] | None:
    """Return uplink, downlink and peer bytes of all clients and rounds."""
    parts = [_values(line, total_column(spec.traffic, link, spec.measure)) for link in ("uplink", "downlink", "peer")]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return [sum(values) / UNITS[spec.unit] for values in zip(*known, strict=True)]


def _ratios(lines: list[_Line], spec: TableSpec) -> list[list[float] | None]:
    """Return each line's total relative to the first method of its model, data, clients and rounds."""
    ratios: list[list[float] | None] = []
    baseline: dict[tuple[Any, ...], float | None] = {}
    for line in lines:
        total = _total(line, spec)
        first = baseline.setdefault(line.axes[:4], _mean(total) if total else None)
        ratios.append([value / first for value in total] if total and first else None)
    return ratios


def _percent(values: list[float] | None, spec: TableSpec) -> list[float] | None:
    return [100 * value for value in values] if values and spec.metric.endswith("_acc") else values


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: list[float]) -> float:
    """Return the sample standard deviation, 0 for one value."""
    if len(values) < 2:
        return 0.0
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


# --- columns --------------------------------------------------------------------------------------


def _columns(spec: TableSpec, keys: list[str], shown: Mapping[str, list[list[float] | None]]) -> Iterator[Column]:
    for key in keys:
        numeric = key in ("params", "clients")
        yield Column(key, _HEADS.get(key, spec.label(key)), numeric=numeric, tex="r" if numeric else "l")
    share = f"{spec.unit}/client/round"
    heads = {
        "uplink": Column("uplink", "Uplink", share, spec.unit),
        "downlink": Column("downlink", "Downlink", share, spec.unit),
        "total": Column("total", "Total", "", spec.unit),
        "ratio": Column("ratio", "Ratio"),
        "rounds": Column("rounds", "Rounds"),
        "metric": Column("metric", _metric_name(spec), "", "%" if spec.metric.endswith("_acc") else ""),
    }
    for key, column in heads.items():
        yield replace(column, tex=_tex_column(shown[key], _decimals(key, shown[key], spec)))


def _decimals(key: str, column: list[list[float] | None], spec: TableSpec) -> int:
    """Return one number of decimals for a whole column: enough for the smallest value's significant digits."""
    if key == "metric":
        return 1 if _varies(column) else 2  # a deviation of whole percents makes more decimals noise
    if key == "ratio":
        return 2
    values = [abs(value) for part in column if part for value in part if value]
    if key == "rounds" or not values or all(value.is_integer() and spec.unit == "B" for value in values):
        return 0
    return max(0, min(9, spec.digits - 1 - math.floor(math.log10(min(values)))))


def _varies(column: list[list[float] | None]) -> bool:
    """Return whether any line's values differ between seeds; rounding in a sum is no difference."""
    return any(part and _deviation(part) > 1e-9 * abs(_mean(part)) for part in column)


def _tex_column(column: list[list[float] | None], decimals: int) -> str:
    """Return siunitx's column aligned at the decimal point; means with deviations, all equally long, stand right."""
    if _varies(column):
        return "r"
    whole = max((len(f"{abs(_mean(part)):.0f}") for part in column if part), default=1)
    return f"S[table-format={whole}.{decimals}]"


# --- rows -----------------------------------------------------------------------------------------


def _rows(
    lines: list[_Line], keys: list[str], extra: list[str], shown: Mapping[str, Any], spec: TableSpec
) -> Iterator[Row]:
    names = ["model", "data", "clients", "rounds", *extra, "method"]
    labels = [_labels(line, dict(zip(names, line.axes, strict=True)), keys) for line in lines]
    _fill_params(labels, keys)
    decimals = {key: _decimals(key, column, spec) for key, column in shown.items()}
    for number, line in enumerate(lines):
        depth = _first_change(labels, number, len(keys) - 1)
        entries = [
            Entry(_text(value, spec), value, _span(labels, number, k) if k < len(keys) - 1 else 1)
            for k, value in enumerate(labels[number])
        ]
        entries += [
            _entry(column[number], decimals[key], line.status, with_deviation=_varies(column))
            for key, column in shown.items()
        ]
        yield Row(tuple(entries), rule=depth if number and depth < len(keys) - 1 else None)


def _labels(line: _Line, axes: Mapping[str, Any], keys: list[str]) -> list[Any]:
    known = line.cells["params"].dropna() if "params" in line.cells else pd.Series(dtype=float)
    params = int(known.iloc[0]) if len(known) else None
    return [params if key == "params" else axes[key] for key in keys]


def _fill_params(labels: list[list[Any]], keys: list[str]) -> None:
    """Give lines without a run the model size that another line of the same model tells."""
    model, params = keys.index("model"), keys.index("params")
    known = {label[model]: label[params] for label in labels if label[params] is not None}
    for label in labels:
        label[params] = label[params] if label[params] is not None else known.get(label[model])


def _first_change(labels: list[list[Any]], number: int, keys: int) -> int:
    """Return the first key in which this line differs from the one above."""
    if number == 0:
        return 0
    return next((k for k in range(keys) if labels[number][k] != labels[number - 1][k]), keys)


def _span(labels: list[list[Any]], number: int, key: int) -> int:
    """Return over how many lines this key's value stands, 0 if it stands there already."""
    prefix = labels[number][: key + 1]
    if number and labels[number - 1][: key + 1] == prefix:
        return 0
    span = 1
    while number + span < len(labels) and labels[number + span][: key + 1] == prefix:
        span += 1
    return span


def _text(value: Any, spec: TableSpec) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:,}" if isinstance(value, int) and value >= 1000 else spec.label(value)


def _entry(values: list[float] | None, decimals: int, status: Status, *, with_deviation: bool) -> Entry:
    if status is not Status.DONE:
        return Entry(str(status), None, mark=True)
    if values is None or any(math.isnan(value) for value in values):
        return Entry(_UNKNOWN, None, mark=True)
    text = f"{_mean(values):.{decimals}f}"
    if with_deviation and len(values) > 1:
        text += f" ± {_deviation(values):.{decimals}f}"
    return Entry(text, _mean(values))


# --- words ----------------------------------------------------------------------------------------


def _counted(spec: TableSpec) -> str:
    """Return what the numbers count, for the caption."""
    return f"{spec.measure} of {spec.traffic} messages"


def _reading(cells: pd.DataFrame, spec: TableSpec) -> Iterator[str]:
    """Yield the sentences that say how to read the columns."""
    others = " and ".join(str(t) for t in Traffic if t != spec.traffic)
    yield f"{spec.measure.capitalize()}: {MEASURES[spec.measure].meaning}; {others} messages are not counted."
    yield "Uplink, downlink: per participating client and round."
    yield f"Total: all clients and rounds, both directions{_unit(spec)}."
    yield "Ratio: total relative to the first method of the group."
    seeds = cells.groupby(["model", "data", "clients", "rounds", "method"])["seed"].nunique().max()
    across = f"mean ± sample standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    yield f"{_metric_name(spec)}: after the last round, weighted by samples; {across}."


def _unit(spec: TableSpec) -> str:
    powers = {"kB": "10³", "MB": "10⁶", "GB": "10⁹", "KiB": "2¹⁰", "MiB": "2²⁰", "GiB": "2³⁰"}
    return f"; {spec.unit} = {powers[spec.unit]} bytes" if spec.unit in powers else ""


def _metric_name(spec: TableSpec) -> str:
    name = spec.metric.replace("_", " ")
    return "Accuracy" if name == "test acc" else name.replace(" acc", " accuracy").capitalize()


def _notes(lines: list[_Line]) -> Iterator[str]:
    for status in dict.fromkeys(line.status for line in lines if line.status is not Status.DONE):
        yield f"{status}: {_MARKS[status]}"


def _provenance(cells: pd.DataFrame) -> Iterator[str]:
    first = cells.iloc[0]
    yield f"engine {first['engine']}, message protocol of FederatedScope {first['protocol']}"
    yield f"{(cells['status'] == Status.DONE).sum()} of {len(cells)} cells done: {' '.join(cells['cell'])}"
