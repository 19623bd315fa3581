"""The numbers of each figure, from the lines of tables; nothing here draws."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, linear_regression
from typing import Any

from fscost.cells.engine_kinds import engine_kind
from fscost.cells.measure import NETWORK, Link, Traffic
from fscost.cells.metric import metric_title
from fscost.cells.outcome import Status
from fscost.errors import TableError
from fscost.plots.figure_view import ROUND, FigureKind, Panel, Point, Series, Sketch, View, around, recorded, title
from fscost.plots.overlays import overlays_said, with_overlays
from fscost.tables.audit import WorkerNumbers, grouped, worker_columns, workers_of
from fscost.tables.captions import messages_of
from fscost.tables.column import ALL, ColumnSpec
from fscost.tables.lines import Line, Record, bytes_columns, course_of, is_missing, is_unknown
from fscost.tables.marks import PARTLY, UNKNOWN, Mark
from fscost.tables.quantities import QUANTITIES
from fscost.tables.shown_columns import logged_as, metrics_of, refuse_unlogged
from fscost.tables.words import joined

LOGGED = "logged_bytes"
_MEAN = "mean of server and clients"


def audit(view: View) -> Sketch:
    """Return what was logged beside what travelled: of each worker for one cell, for several the mean over workers.

    Where nothing was trained it is the closed form of asizeof. Raises TableError for a measure that no worker has.
    """
    measure = view.column.measure
    if measure not in ("payload", "content", "wire"):
        raise TableError(f"table.measure={measure}: is not known of workers; set payload, content or wire")
    panels = view.panels(lambda line: _audited(view, line))
    records = recorded(panels, "audit")
    if all(record[LOGGED] is None for record in records):
        raise TableError("plot audit: nothing but messages was counted in these runs; plot traffic draws their bytes")
    unit = view.unit([size for r in records for size in (r[LOGGED], r[f"{measure}_bytes"]) if size])
    whose = "per worker" if len(view.lines) == 1 else f"per worker, {_MEAN}"
    counted = engine_kind(view.engine).counted
    first = f"{title(counted)} beside the {messages_of(measure, [ALL])}, {whose}"
    caption = [*view.caption(first, unit, [ALL]), *_reading(view, records, measure)]
    x = f"{'Bytes' if unit == 'B' else unit} per worker" + (f", {_MEAN}" if len(view.lines) > 1 else "")
    return Sketch(panels, unit, x, counted, caption, view.names(panels), view.over(), view.column)


def _reading(view: View, records: Sequence[Point], measure: str) -> Iterator[str]:
    if any(record["direction"] in _ARROWS for record in records):
        yield "↑ sent, ↓ received."
    if any(record[LOGGED] and record[f"{measure}_bytes"] for record in records):
        yield f"×: {measure} divided by what was counted."
    if any(record[LOGGED] == 0 for record in records):
        yield "0: no byte was logged."
    if any(record["partly"] for record in records):
        yield f"{PARTLY}: {PARTLY.meaning}."
    if any(line.is_estimate for line in view.lines):
        yield "Nothing was logged: asizeof of all messages, and each is sent by one worker and received by another."


_ARROWS = {"sent": "↑", "received": "↓"}


def row_name(series: str, record: Point) -> str:
    """Return what the row of a record is called beside others of its panel."""
    name = series if record["worker"] == _MEAN else record["worker"]
    return joined(filter(None, (name, _ARROWS.get(record["direction"]))), " ")


def _audited(view: View, line: Line) -> tuple[list[Point], str]:
    if line.is_estimate:
        return _in_closed_form(view, line), ""
    measure, workers = view.column.measure, _workers_over_seeds(view, line)
    alone = len(view.lines) == 1
    found = [*grouped(workers, measure)] if alone else _mean([next(grouped([w], measure)) for w in workers])
    records = [record for figures in found for record in _records(figures, measure)]
    numbers = [(record[LOGGED], record[f"{measure}_bytes"]) for record in records]
    some = [record for record, pair in zip(records, numbers, strict=True) if pair != (None, None)]
    return some, "" if all(None not in pair for pair in numbers) else f"{measure} or log {UNKNOWN}"


def _workers_over_seeds(view: View, line: Line) -> list[dict[str, Any]]:
    """Return the rows of a line's workers, each number over all seeds; empty where a seed does not know it."""
    runs = [
        {int(row["worker"]): row for row in workers_of(run_id, view.workers, view.column.measure)}
        for run_id in line.ids
    ]
    found = []
    for worker in sorted(set.intersection(*map(set, runs))):
        rows = [run[worker] for run in runs]
        sizes = {name: [row.get(name) for row in rows] for name in rows[0] if name.endswith("_bytes")}
        middles = {name: view.middle(values) for name, values in sizes.items() if not any(map(is_unknown, values))}
        found.append({"worker": worker, **middles})
    return found


def _mean(workers: Sequence[WorkerNumbers]) -> list[WorkerNumbers]:
    """Return FederatedScope's sys_avg: the mean over the server and all clients, each with the same weight."""
    if not workers:
        return []
    columns = zip(*(worker.values for worker in workers), strict=True)
    means = [None if None in some else fmean(value for value in some if value is not None) for some in columns]
    partly = tuple(any(some) for some in zip(*(worker.partly for worker in workers), strict=True))
    return [WorkerNumbers(_MEAN, tuple(means), partly)]


def _records(figures: WorkerNumbers, measure: str) -> Iterator[Point]:
    columns = [column for column, _, _ in worker_columns(measure)]
    of = dict(zip(columns, zip(figures.values, figures.partly, strict=True), strict=True))
    for direction, logged in (("sent", "total_upload_bytes"), ("received", "total_download_bytes")):
        size, partly = of[f"{direction}_{measure}_bytes"]
        sizes = {LOGGED: of[logged][0], f"{measure}_bytes": size}
        yield {"worker": figures.name, "direction": direction, **sizes, "partly": partly}


def _in_closed_form(view: View, line: Line) -> list[Point]:
    """Return asizeof beside the true bytes of all messages; both directions have the same mean over workers."""
    measure, every = view.column.measure, replace(view.column, traffic=ALL)
    counted = (replace(every, measure=name) for name in ("reported", measure))
    reported, true = (line.sums([name for link in Link for name in bytes_columns(c, link)]) for c in counted)
    clients = line.runs[0]["clients"]
    if isinstance(reported, Mark) or isinstance(true, Mark) or is_missing(clients):
        return []
    workers = int(clients) + 1
    record = {LOGGED: view.middle(reported) / workers, f"{measure}_bytes": view.middle(true) / workers}
    return [{"worker": _MEAN, "direction": "sent and received", **record, "partly": False}]


def bytes_name(column: ColumnSpec) -> str:
    """Return the column of the CSV that holds bytes."""
    return f"{column.traffic}_{column.measure}_bytes"


def what(view: View, column: ColumnSpec) -> str:
    """Return what is counted, as a caption says it."""
    text = messages_of(column.measure, [column.traffic])
    return f"{text}, estimated" if view.is_estimate and not text.startswith("estimated") else text


def _total(line: Line, column: ColumnSpec) -> list[float] | Mark:
    of = QUANTITIES["total"].of
    assert of is not None
    return of(line, column)


# --- accuracy against bytes -----------------------------------------------------------------------


BYTES, UPLINK, ROUNDS = "bytes", "uplink", "rounds"
"""What accuracies can be drawn over."""


def accuracy(view: View) -> Sketch:
    """Return a metric after each evaluated round against all bytes until then, those of uplink alone, or rounds.

    Raises TableError where nothing was trained, and for traffic that belongs to no round.
    """
    _refuse_unmeasured(view, "accuracy")
    if view.column.traffic in (Traffic.CONTROL, ALL):
        raise TableError(
            f"table.traffic={view.column.traffic}: control messages belong to no round; set training or evaluation"
        )
    column, along = replace(view.column, logged=logged_as(view.column.metric, view.lines)), _along(view)
    panels = with_overlays(view.panels(lambda line: _course(view, line)), along, column.metric)
    recorded(panels, "accuracy")
    unit = "" if along == ROUND else view.unit([s.records[-1][along] for p in panels for s in p.series if s.records])
    x = "" if along == ROUND else f"cumulative {_sent(view, column)}"
    caption = view.caption(f"{metric_title(column.metric)} against {x or 'rounds'}{_of_whom(view)}", unit)
    over = view.over(with_band=True)
    caption[1:1] = view.band_said("Bands")
    caption += overlays_said(panels, " at half of their points or more")
    overs = _axes(view, column, unit)
    y, names = _metric(column), view.names(panels)
    return Sketch(
        view.apart(panels), unit, overs[view.over_what], y, caption, names, over, column, along=along, overs=overs
    )


def _axes(view: View, column: ColumnSpec, unit: str) -> dict[str, str]:
    """Return what an axis says of each that accuracies can be drawn over, with bytes in `unit`."""
    sent = {over: _sent(replace(view, over_what=over), column) for over in (BYTES, UPLINK)}
    named = {over: f"Cumulative {text} ({unit})" for over, text in sent.items()}
    return {**named, ROUNDS: "Rounds"} if column.measure != NETWORK else {BYTES: named[BYTES], ROUNDS: "Rounds"}


def _along(view: View) -> str:
    """Return the column of records that runs along the x axis; raises TableError where it cannot be known."""
    if view.over_what == UPLINK and view.column.measure == NETWORK:
        raise TableError(
            "--over uplink: of network bytes each direction also carries what answers the other; "
            "set table.measure=wire or leave --over out"
        )
    return {ROUNDS: ROUND, UPLINK: _uplink_name(view.column)}.get(view.over_what, bytes_name(view.column))


def _uplink_name(column: ColumnSpec) -> str:
    """Return the column of the CSV that holds the bytes of uplink alone."""
    return f"{column.traffic}_uplink_{column.measure}_bytes"


def _sent(view: View, column: ColumnSpec) -> str:
    """Return what is counted along the x axis, as a caption says it."""
    return f"{'uplink ' if view.over_what == UPLINK else ''}{what(view, column)}"


def _of_whom(view: View) -> str:
    """Return whose messages are counted."""
    return {ROUNDS: "", UPLINK: ", all clients"}.get(view.over_what, ", all clients and both directions")


def _metric(column: ColumnSpec) -> str:
    """Return what the axis of a metric says."""
    name = metric_title(column.metric)
    return f"{name} (%)" if column.is_rate else name


def _refuse_unmeasured(view: View, figure: str) -> None:
    column = view.column
    if all(line.is_estimate for line in view.lines):
        raise TableError(
            f"plot {figure}: engine=estimate trains nothing, so there is no {column.metric}; "
            "select runs of another engine, or plot size, traffic or audit"
        )
    refuse_unlogged(column.metric, metrics_of(view.lines))


def _course(view: View, line: Line) -> tuple[list[Point], str]:
    runs = [{int(row["round"]): row for row in line.rounds.get(str(run["cell"]), ())} for run in line.runs]
    common = sorted(set.intersection(*map(set, runs)))
    found = [_after(view, number, [run[number] for run in runs], view.column) for number in common]
    records = [record for record in found if record is not None]
    last = max((number for run in runs for number in run), default=0)
    end = records[-1]["round"] if records else last
    return records, f"drawn to round {end} of {last}, which not all seeds have" * (end < last)


def _after(view: View, number: int, rows: Sequence[Record], column: ColumnSpec) -> Point | None:
    """Return what is drawn for one evaluated round, None where a seed does not know it."""
    courses = [course_of(row, number, column) for row in rows]
    sizes = [course.total_bytes for course in courses if course is not None]
    values = [float(row[column.metric]) for row in rows if not is_unknown(row.get(column.metric))]
    if not len(sizes) == len(values) == len(rows):
        return None
    uplink = [course.uplink.size_bytes for course in courses if course is not None]
    found = {ROUND: number} | view.over_seeds(bytes_name(column), sizes)
    if column.measure != NETWORK:
        found |= view.over_seeds(_uplink_name(column), uplink)
    return found | view.over_seeds(column.metric, values)


# --- what is best for its bytes -------------------------------------------------------------------


def pareto(view: View) -> Sketch:
    """Return a metric after the last round against all bytes, a point for each cell, and which points none beats.

    Points of one colour are of one method, with any model, rounds and options. Raises TableError where nothing was
    trained, and for a metric of which nobody knows which way is better.
    """
    _refuse_unmeasured(view, "pareto")
    column = replace(view.column, logged=logged_as(view.column.metric, view.lines), better=view.spec.better)
    if not column.direction:
        raise TableError(
            f"table.metric={column.metric}: nobody knows which way is better; set table.better=higher or lower"
        )
    along = _along(view)
    beside = [key for key in ("model", "rounds", *view.keys.extra) if key != view.compare]
    panels = [_with_front(p, along, column) for p in view.panels(lambda line: _ended(view, line, along), along=beside)]
    unit = view.unit([record[along] for record in recorded(panels, "pareto")])
    y, x = _metric(column), f"{_sent(view, column)}"
    caption = view.caption(f"{y} after the last round against {x}{_of_whom(view)}", unit)
    over = view.over(with_band=True)
    caption += view.band_said("Bars")
    caption.append("Line: the front, whose points no other beats.")
    x = f"{title(x)} ({unit})"
    return Sketch(panels, unit, x, y, caption, view.names(panels), over, column, along=along)


FRONT = "on_front"
"""The column that says whether no other point of the panel is at least as good in both and better in one."""


def _ended(view: View, line: Line, along: str) -> tuple[list[Point], str]:
    of_values, of_sizes = QUANTITIES["final"].of, QUANTITIES["total_uplink" if view.over_what == UPLINK else "total"].of
    assert of_values is not None and of_sizes is not None
    values, sizes = of_values(line, view.column), of_sizes(line, view.column)
    if isinstance(values, Mark) or isinstance(sizes, Mark):
        why = next(mark.why for mark in (values, sizes) if isinstance(mark, Mark))
        return [], f"{UNKNOWN}{f': {why}' if why else ''}"
    return [view.over_seeds(along, sizes) | view.over_seeds(view.column.metric, values)], ""


def _with_front(panel: Panel, along: str, column: ColumnSpec) -> Panel:
    """Return the panel, its points with whether they are on the front."""
    sign = 1 if column.direction == "lower" else -1
    points = {(r[along], sign * r[column.metric]) for series in panel.series for r in series.records}

    def judged(point: Point) -> Point:
        own = (point[along], sign * point[column.metric])
        return point | {FRONT: not any(a <= own[0] and b <= own[1] for a, b in points - {own})}

    series = [
        replace(one, parts=[replace(part, records=[*map(judged, part.records)]) for part in one.parts])
        for one in panel.series
    ]
    return replace(panel, series=series)


# --- bytes against the size of the model ----------------------------------------------------------


def size(view: View) -> Sketch:
    """Return the bytes of a whole training against the model's number of parameters.

    Raises TableError for models of one size.
    """
    column = view.column
    panels = view.panels(lambda line: _sized(view, line), along=["model"])
    _refuse_unsized(view)
    records = recorded(panels, "size")
    panels = with_overlays(panels, "params", bytes_name(column), is_log=True)
    if len({record["params"] for record in records}) < 2:
        raise TableError("plot size: needs models of two sizes at least; select them, as model=mlp_s,mlp_l")
    unit = view.unit([record[bytes_name(column)] for record in records])
    first = f"{title(what(view, column))}, all clients, rounds and both directions, against the model's parameters"
    caption = view.caption(first, unit)
    if any(slope(series, column) is not None for panel in panels for series in panel.series):
        caption.append(
            f"Slope: of the least-squares line through the logarithms of both, of {_LEAST_SIZES} sizes or more."
        )
    caption += overlays_said(panels)
    least = min(record["params"] for record in records)
    many = [word for word, number in THOUSANDS.items() if least >= number / 10][-1]
    x = f"Parameters of the model{f' ({many})' if many else ''}"
    y = f"{title(what(view, column))} ({unit})"
    return Sketch(view.apart(panels), unit, x, y, caption, view.names(panels), view.over(), column, many)


def _refuse_unsized(view: View) -> None:
    """Raise TableError where the size of no model is known."""
    done = [run for line in view.lines if line.status is Status.DONE for run in line.runs]
    if done and all(is_unknown(run.get("params")) for run in done):
        models = ", ".join(dict.fromkeys(view.spec.label(run["model"]) for run in done))
        raise TableError(
            f"plot size: the parameters of {models} are not known: what only counted messages does not tell them; "
            "plot traffic draws their bytes"
        )


THOUSANDS = {"": 1, "thousands": 10**3, "millions": 10**6, "billions": 10**9}
"""The unit of numbers of parameters."""


def _sized(view: View, line: Line) -> tuple[list[Point], str]:
    params, sizes = line.values("params"), _total(line, view.column)
    if isinstance(params, Mark) or isinstance(sizes, Mark):
        return [], f"parameters {UNKNOWN}" if isinstance(params, Mark) and not isinstance(sizes, Mark) else ""
    if not all(sizes):
        return [], "nothing sent"  # 0 has no place on a logarithmic axis
    return [{"params": params[0]} | view.over_seeds(bytes_name(view.column), sizes)], ""


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


def _classes(view: View, line: Line) -> tuple[list[Point], str]:
    records, unknown = [], []
    for traffic in Traffic:
        sizes = _total(line, replace(view.column, traffic=traffic))
        if isinstance(sizes, Mark):
            unknown.append(f"{traffic} {UNKNOWN}")
        else:
            records.append({"traffic": str(traffic), "measure": view.column.measure} | view.over_seeds("bytes", sizes))
    return records, ", ".join(unknown) if records else ""


# --- all figures ----------------------------------------------------------------------------------


def _band(sketch: Sketch, series: Series) -> dict[str, list[float]]:
    """Return how far bands reach below and above a metric, point by point."""
    ends = [around(record, sketch.column.metric) for record in series.records]
    return {"below": [below for below, _ in ends], "above": [above for _, above in ends]}


_KINDS = (
    FigureKind(
        "accuracy",
        "accuracy against the bytes until then",
        accuracy,
        lambda column: {
            "round": "round",
            "bytes": bytes_name(column),
            "y": column.metric,
            "uplink": _uplink_name(column),
        },
        _band,
        over=(BYTES, UPLINK, ROUNDS),
        by_traffic=True,
    ),
    FigureKind(
        "pareto",
        "accuracy against all bytes, a point for each cell, and the front",
        pareto,
        lambda column: {"bytes": bytes_name(column), "y": column.metric, "front": FRONT},
        lambda sketch, series: {
            "point": [part.point for part in series.parts if part.records],
            **_band(sketch, series),
        },
        over=(BYTES, UPLINK),
        by_traffic=True,
        has_rows=True,
    ),
    FigureKind(
        "size",
        "bytes against the size of the model",
        size,
        lambda column: {"params": "params", "bytes": bytes_name(column)},
        lambda sketch, series: {"slope": slope(series, sketch.column)},
        along="model",
        by_traffic=True,
    ),
    FigureKind(
        "traffic",
        "bytes by traffic class",
        traffic,
        lambda column: {"traffic": "traffic", "bytes": "bytes"},
        has_rows=True,
    ),
    FigureKind(
        "audit",
        "what FederatedScope counts beside what travels",
        audit,
        lambda column: {"logged": LOGGED, "bytes": f"{column.measure}_bytes"},
        lambda sketch, series: {"row": [row_name(series.label, record) for record in series.records]},
        of_workers=True,
        has_rows=True,
    ),
)

FIGURES: Mapping[str, FigureKind] = {kind.name: kind for kind in _KINDS}
"""All figures by name, in the order in which they are listed."""
