"""From the frame of cells to a table of strings; the only place where a number becomes text."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from statistics import fmean
from typing import Any

import pandas as pd

from fscost.errors import TableError
from fscost.record import Status
from fscost.tables.lines import Line, deviation, lines_of, numbers_of, varies
from fscost.tables.spec import Column, Entry, Row, Table, TableSpec
from fscost.tables.words import UNKNOWN, counted, each, metric_name, notes, provenance, reading

_HEADS = {"model": "Model", "params": "Params", "data": "Data", "clients": "Clients", "method": "Method"}


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
    cells = cells.assign(**{name: cells["cell"].str.split("-").str[0].map(values) for name, values in extra.items()})
    cells = cells.astype(object).copy()  # one block of memory: rows are taken from it one line at a time
    lines = list(lines_of(cells, [*extra]))
    _refuse_twins(lines)
    shown = numbers_of(lines, spec)
    data = ["data"] if cells["data"].nunique() > 1 else []
    keys = ["model", "params", *data, "clients", *extra, "method"]
    columns = _columns(spec, keys, shown)
    rows = tuple(_rows(lines, keys, [*extra], shown, spec))
    return Table(
        layout=spec.template or spec.name,
        label=label,
        title=spec.title,
        counted=counted(spec),
        reading=tuple(reading(lines, spec)),
        columns=tuple(columns),
        rows=rows,
        notes=tuple(notes(rows)),
        to_do=tuple(to_do),
        provenance=tuple(provenance(cells)),
    )


def _refuse_twins(lines: Sequence[Line]) -> None:
    for line in lines:
        if not line.cells["seed"].is_unique:
            again = line.cells[line.cells["seed"].duplicated(keep=False)]
            raise TableError(
                f"{again['cell'].iloc[0]} and {again['cell'].iloc[1]} are runs of the same cell; select one"
            )


def _refuse_mixture(cells: pd.DataFrame) -> None:
    for key in ("engine", "protocol", "fs_commit"):
        if key in cells and len(values := cells[key].dropna().unique()) > 1:
            raise TableError(f"the selected cells differ in {key}: {values[0]} and {values[1]}; make one table of each")


def _columns(spec: TableSpec, keys: list[str], shown: Mapping[str, list[list[float] | None]]) -> Iterator[Column]:
    for key in keys:
        numeric = key in ("params", "clients")
        yield Column(key, _HEADS.get(key, spec.label(key)), numeric=numeric, tex="r" if numeric else "l")
    share = f"{spec.unit}/{each(spec)}"
    heads = {
        "uplink": Column("uplink", "Uplink", share, spec.unit),
        "downlink": Column("downlink", "Downlink", share, spec.unit),
        "peer": Column("peer", "Peer", share, spec.unit),
        "total": Column("total", "Total", "", spec.unit),
        "ratio": Column("ratio", "Ratio"),
        "round_time": Column("round_time", "Time/round", "", "s"),
        "total_time": Column("total_time", "Total time", "", "s"),
        "rounds": Column("rounds", "Rounds"),
        "metric": Column("metric", metric_name(spec), "", "%" if spec.metric.endswith("_acc") else ""),
    }
    for key in shown:
        yield replace(heads[key], tex=_tex_column(shown[key], _decimals(key, shown[key], spec)))


def _decimals(key: str, column: list[list[float] | None], spec: TableSpec) -> int:
    """Return one number of decimals for a whole column: enough for the smallest value's significant digits."""
    if key == "metric":
        return 1 if varies(column) else 2  # a deviation of whole percents makes more decimals noise
    if key == "ratio":
        return 2
    values = [abs(value) for part in column if part for value in part if value]
    if key == "rounds" or not values or all(value.is_integer() and spec.unit == "B" for value in values):
        return 0
    return max(0, min(9, spec.digits - 1 - math.floor(math.log10(min(values)))))


def _tex_column(column: list[list[float] | None], decimals: int) -> str:
    """Return siunitx's column aligned at the decimal point; means with deviations, all equally long, stand right."""
    if varies(column):
        return "r"
    whole = max((len(f"{abs(fmean(part)):.0f}") for part in column if part), default=1)
    return f"S[table-format={whole}.{decimals}]"


def _rows(
    lines: list[Line], keys: list[str], extra: list[str], shown: Mapping[str, Any], spec: TableSpec
) -> Iterator[Row]:
    names = ["model", "data", "clients", "rounds", *extra, "method"]
    labels = [_labels(line, dict(zip(names, line.axes, strict=True)), keys) for line in lines]
    _fill_params(lines, labels, keys.index("params"))
    decimals = {key: _decimals(key, column, spec) for key, column in shown.items()}
    varying = {key: varies(column) for key, column in shown.items()}
    for number, line in enumerate(lines):
        depth = _first_change(labels, number, len(keys) - 1)
        entries = [
            Entry(_text(value, spec), value, _span(labels, number, k) if k < len(keys) - 1 else 1)
            for k, value in enumerate(labels[number])
        ]
        entries += [
            _entry(column[number], decimals[key], line.status, with_deviation=varying[key])
            for key, column in shown.items()
        ]
        yield Row(tuple(entries), rule=depth if number and depth < len(keys) - 1 else None)


def _labels(line: Line, axes: Mapping[str, Any], keys: list[str]) -> list[Any]:
    known = line.cells["params"].dropna() if "params" in line.cells else pd.Series(dtype=float)
    params = int(known.iloc[0]) if len(known) else None
    return [params if key == "params" else axes[key] for key in keys]


def _fill_params(lines: Sequence[Line], labels: list[list[Any]], params: int) -> None:
    """Give lines without a run the model size that another line of the same model, data and options tells."""
    models = [(*line.axes[:2], *line.axes[4:-1]) for line in lines]
    known = {model: label[params] for model, label in zip(models, labels, strict=True) if label[params] is not None}
    for model, label in zip(models, labels, strict=True):
        label[params] = known.get(model)


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
        return UNKNOWN
    return f"{value:,}" if isinstance(value, Integral) and int(value) >= 1000 else spec.label(value)


def _entry(values: list[float] | None, decimals: int, status: Status, *, with_deviation: bool) -> Entry:
    if status is not Status.DONE:
        return Entry(str(status), None, mark=True)
    if values is None or any(math.isnan(value) for value in values):
        return Entry(UNKNOWN, None, mark=True)
    text = f"{fmean(values):.{decimals}f}"
    if with_deviation and len(values) > 1:
        text += f" ± {deviation(values):.{decimals}f}"
    return Entry(text, fmean(values))
