"""The numbers of each figure, from the lines of tables; nothing here draws."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import linear_regression

from fscost.errors import TableError
from fscost.measure import Traffic
from fscost.metric import metric_title
from fscost.plots.view import Record, Series, Sketch, View, recorded, title
from fscost.tables.column import ALL, ColumnSpec
from fscost.tables.lines import Line, Run, course_of, is_unknown
from fscost.tables.logged import logged_as, metrics_of, refuse_unlogged
from fscost.tables.marks import Mark
from fscost.tables.quantities import QUANTITIES
from fscost.tables.words import messages_of


def bytes_name(column: ColumnSpec) -> str:
    """Return the column of the CSV that holds bytes."""
    return f"{column.traffic}_{column.measure}_bytes"


def what(view: View, column: ColumnSpec) -> str:
    """Return what is counted, as a caption says it."""
    text = messages_of(column.measure, [column.traffic])
    return f"{text}, estimated" if view.is_estimate and not text.startswith("estimated") else text


def _total(line: Line, column: ColumnSpec) -> list[float] | str:
    of = QUANTITIES["total"].of
    assert of is not None
    return of(line, column)


# --- accuracy against bytes -----------------------------------------------------------------------


def accuracy(view: View) -> Sketch:
    """Return a metric after each evaluated round against all bytes until then.

    Raises TableError where nothing was trained, and for traffic that belongs to no round.
    """
    _refuse_unmeasured(view)
    column = replace(view.column, logged=logged_as(view.column.metric, view.lines))
    panels = view.panels(lambda line: _course(view, line))
    recorded(panels, "accuracy")
    unit = view.unit([s.records[-1][bytes_name(column)] for p in panels for s in p.series if s.records])
    name = metric_title(column.metric)
    y = f"{name} (%)" if column.is_rate else name
    first = f"{name} against cumulative {what(view, column)}, all clients and both directions"
    caption = view.caption(first, unit)
    over = view.over(with_band=True)
    if "±" in over:
        caption.insert(1, "Bands: ± sample standard deviation.")
    x = f"Cumulative {what(view, column)} ({unit})"
    return Sketch(panels, unit, x, y, caption, view.names(panels), over, column)


def _refuse_unmeasured(view: View) -> None:
    column = view.column
    if all(line.is_estimate for line in view.lines):
        raise TableError(
            f"plot accuracy: engine=estimate trains nothing, so there is no {column.metric}; "
            "select runs of another engine, or plot size, traffic or audit"
        )
    if column.traffic in (Traffic.CONTROL, ALL):
        raise TableError(
            f"table.traffic={column.traffic}: control messages belong to no round; set training or evaluation"
        )
    refuse_unlogged(column.metric, metrics_of(view.lines))


def _course(view: View, line: Line) -> tuple[list[Record], str]:
    runs = [{int(row["round"]): row for row in line.rounds.get(str(run["cell"]), ())} for run in line.runs]
    common = sorted(set.intersection(*map(set, runs)))
    found = [_after(view, number, [run[number] for run in runs], view.column) for number in common]
    records = [record for record in found if record is not None]
    last = max((number for run in runs for number in run), default=0)
    end = records[-1]["round"] if records else last
    return records, f"drawn to round {end} of {last}, which not all seeds have" * (end < last)


def _after(view: View, number: int, rows: Sequence[Run], column: ColumnSpec) -> Record | None:
    """Return what is drawn for one evaluated round, None where a seed does not know it."""
    courses = [course_of(row, number, column) for row in rows]
    sizes = [course.total_bytes for course in courses if course is not None]
    values = [float(row[column.metric]) for row in rows if not is_unknown(row.get(column.metric))]
    if not len(sizes) == len(values) == len(rows):
        return None
    return {"round": number} | view.told(bytes_name(column), sizes) | view.told(column.metric, values)


# --- bytes against the size of the model ----------------------------------------------------------


def size(view: View) -> Sketch:
    """Return the bytes of a whole training against the model's number of parameters.

    Raises TableError for models of one size.
    """
    column = view.column
    panels = view.panels(lambda line: _sized(view, line), along="model")
    records = recorded(panels, "size")
    if len({record["params"] for record in records}) < 2:
        raise TableError("plot size: needs models of two sizes at least; select them, as model=mlp_s,mlp_l")
    unit = view.unit([record[bytes_name(column)] for record in records])
    first = f"{title(what(view, column))}, all clients, rounds and both directions, against the model's parameters"
    caption = view.caption(first, unit)
    if any(slope(series, column) is not None for panel in panels for series in panel.series):
        caption.append(
            f"Slope: of the least-squares line through the logarithms of both, of {_LEAST_SIZES} sizes or more."
        )
    least = min(record["params"] for record in records)
    many = [word for word, number in THOUSANDS.items() if least >= number / 10][-1]
    x = f"Parameters of the model{f' ({many})' if many else ''}"
    y = f"{title(what(view, column))} ({unit})"
    return Sketch(panels, unit, x, y, caption, view.names(panels), view.over(), column, many)


THOUSANDS = {"": 1, "thousands": 10**3, "millions": 10**6, "billions": 10**9}
"""In what numbers of parameters are told."""


def _sized(view: View, line: Line) -> tuple[list[Record], str]:
    params, sizes = line.values("params"), _total(line, view.column)
    if isinstance(params, str) or isinstance(sizes, str):
        return [], ""
    if not all(sizes):
        return [], "nothing sent"  # 0 has no place on a logarithmic axis
    return [{"params": params[0]} | view.told(bytes_name(view.column), sizes)], ""


_LEAST_SIZES = 3
"""Through two points any line goes."""


def slope(series: Series, column: ColumnSpec) -> float | None:
    """Return the slope of log bytes over log parameters, by least squares, None for fewer than three sizes.

    Models in which the method did nothing are no points of its line.
    """
    records = [record for part in series.parts if not part.line.no_effect for record in part.records]
    x, y = ([math.log(record[name]) for record in records] for name in ("params", bytes_name(column)))
    return linear_regression(x, y).slope if len(set(x)) >= _LEAST_SIZES else None


# --- bytes per traffic class ----------------------------------------------------------------------


def traffic(view: View) -> Sketch:
    """Return the bytes of a whole training by traffic class."""
    panels = view.panels(lambda line: _classes(view, line))
    recorded(panels, "traffic")
    column = replace(view.column, traffic=ALL)
    unit = view.unit([sum(r["bytes"] for r in s.records) for p in panels for s in p.series if s.records])
    first = f"{title(what(view, column))}, by traffic class, all clients, rounds and both directions"
    caption = view.caption(first, unit, [*Traffic])
    if any(series.parts[0].note for panel in panels for series in panel.series):
        caption.append("+: without a class of which the bytes are not known.")
    x = f"{title(what(view, column))} ({unit})"
    return Sketch(panels, unit, x, "", caption, view.names(panels), view.over(), column)


def _classes(view: View, line: Line) -> tuple[list[Record], str]:
    records, unknown = [], []
    for traffic in Traffic:
        sizes = _total(line, replace(view.column, traffic=traffic))
        if isinstance(sizes, str):
            unknown.append(f"{traffic} {Mark.UNKNOWN}")
        else:
            records.append({"traffic": str(traffic), "measure": view.column.measure} | view.told("bytes", sizes))
    return records, ", ".join(unknown) if records else ""
