"""The numbers of the figure audit: what FederatedScope logged of workers, beside what they sent and received."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from fscost.errors import TableError
from fscost.measure import Link
from fscost.plots.view import Record, Sketch, View, recorded, title
from fscost.tables.audit import Figures, figures_of, grouped, workers_of
from fscost.tables.column import ALL
from fscost.tables.lines import Line, bytes_columns, is_unknown
from fscost.tables.marks import PARTLY, Mark
from fscost.tables.words import messages_of

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
    unit = view.unit([size for r in records for size in (r[LOGGED], r[f"{measure}_bytes"]) if size])
    whose = "per worker" if len(view.lines) == 1 else f"per worker, {_MEAN}"
    counted = _COUNTED.get(view.engine, "log")
    first = f"{title(counted)} beside the {messages_of(measure, [ALL])}, {whose}"
    caption = [*view.caption(first, unit, [ALL]), *_reading(view, records, measure)]
    x = f"{'Bytes' if unit == 'B' else unit} per worker" + (f", {_MEAN}" if len(view.lines) > 1 else "")
    return Sketch(panels, unit, x, counted, caption, view.names(panels), view.over(), view.column)


_COUNTED = {
    "federatedscope": "FederatedScope's log",
    "builtin": "log of the builtin engine",
    "estimate": "asizeof, closed form",
}
"""Engine → what counted the bytes that are no payload."""


def _reading(view: View, records: Sequence[Record], measure: str) -> Iterator[str]:
    if any(record["direction"] in _ARROWS for record in records):
        yield "↑ sent, ↓ received."
    if any(record[LOGGED] and record[f"{measure}_bytes"] for record in records):
        yield f"×: {measure} divided by what was counted."
    if any(record[LOGGED] == 0 for record in records):
        yield "0: no byte was logged."
    if any(record["partly"] for record in records):
        yield f"{PARTLY}: without messages that FederatedScope cannot encode."
    if any(line.is_estimate for line in view.lines):
        yield "Nothing was logged: asizeof of all messages, and each is sent by one worker and received by another."


_ARROWS = {"sent": "↑", "received": "↓"}


def row_name(series: str, record: Record) -> str:
    """Return what the row of a record is called beside others of its panel."""
    name = series if record["worker"] == _MEAN else record["worker"]
    return " ".join(filter(None, (name, _ARROWS.get(record["direction"]))))


def _audited(view: View, line: Line) -> tuple[list[Record], str]:
    if line.is_estimate:
        return _in_closed_form(view, line), ""
    measure, workers = view.column.measure, _over_seeds(view, line)
    alone = len(view.lines) == 1
    found = [*grouped(workers, measure)] if alone else _mean([next(grouped([w], measure)) for w in workers])
    records = [record for figures in found for record in _records(figures, measure)]
    numbers = [(record[LOGGED], record[f"{measure}_bytes"]) for record in records]
    some = [record for record, pair in zip(records, numbers, strict=True) if pair != (None, None)]
    return some, "" if all(None not in pair for pair in numbers) else f"{measure} or log {Mark.UNKNOWN}"


def _over_seeds(view: View, line: Line) -> list[dict[str, Any]]:
    """Return the rows of a line's workers, each number over all seeds; empty where a seed does not know it."""
    runs = [{int(row["worker"]): row for row in workers_of(run_id, view.workers)} for run_id in line.ids]
    found = []
    for worker in sorted(set.intersection(*map(set, runs))):
        rows = [run[worker] for run in runs]
        sizes = {name: [row.get(name) for row in rows] for name in rows[0] if name.endswith("_bytes")}
        middles = {name: view.middle(values) for name, values in sizes.items() if not any(map(is_unknown, values))}
        found.append({"worker": worker, **middles})
    return found


def _mean(workers: Sequence[Figures]) -> list[Figures]:
    """Return FederatedScope's sys_avg: the mean over the server and all clients, each with the same weight."""
    if not workers:
        return []
    columns = zip(*(worker.values for worker in workers), strict=True)
    means = [None if None in some else fmean(value for value in some if value is not None) for some in columns]
    partly = tuple(any(some) for some in zip(*(worker.partly for worker in workers), strict=True))
    return [Figures(_MEAN, tuple(means), partly)]


def _records(figures: Figures, measure: str) -> Iterator[Record]:
    columns = [column for column, _, _ in figures_of(measure)]
    of = dict(zip(columns, zip(figures.values, figures.partly, strict=True), strict=True))
    for direction, logged in (("sent", "total_upload_bytes"), ("received", "total_download_bytes")):
        size, partly = of[f"{direction}_{measure}_bytes"]
        sizes = {LOGGED: of[logged][0], f"{measure}_bytes": size}
        yield {"worker": figures.name, "direction": direction, **sizes, "partly": partly}


def _in_closed_form(view: View, line: Line) -> list[Record]:
    """Return asizeof beside the true bytes of all messages; both directions have the same mean over workers."""
    measure, every = view.column.measure, replace(view.column, traffic=ALL)
    counted = (replace(every, measure=name) for name in ("reported", measure))
    reported, true = (line.sums([name for link in Link for name in bytes_columns(c, link)]) for c in counted)
    if isinstance(reported, str) or isinstance(true, str):
        return []
    workers = int(line.runs[0]["clients"]) + 1
    record = {LOGGED: view.middle(reported) / workers, f"{measure}_bytes": view.middle(true) / workers}
    return [{"worker": _MEAN, "direction": "sent and received", **record, "partly": False}]
