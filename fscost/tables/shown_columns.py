"""Which columns of a layout a table shows: those of which its runs have something, as they have it."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from fscost.cells.engine_kinds import untrained
from fscost.cells.measure import NETWORK
from fscost.cells.metric import ROUNDING, is_accuracy
from fscost.cells.outcome import Status
from fscost.errors import TableError, nearest
from fscost.tables.column import ALL, ColumnSpec, Logged
from fscost.tables.lines import Line, Record, is_missing, is_unknown
from fscost.tables.own_formula import quantity_of, sources_of
from fscost.tables.quantity import Kind
from fscost.tables.spec import TableSpec

_DEFAULT = ColumnSpec.metric
_SAY = "table.better=higher or table.better=lower tells"
"""How to say which way of a metric is better that nobody knows."""


def columns_of(spec: TableSpec, cells: Sequence[Record]) -> list[ColumnSpec]:
    """Return the columns; reported bytes of runs without a ledger are what their workers logged.

    Logs do not count messages one by one, so what is made from their bytes is then left out. So are optional columns
    of which no run has anything.
    """
    columns: Iterable[ColumnSpec] = spec.column_specs()
    if _are_logs_alone(cells):
        columns = [own for column in columns for own in (_in_logs(column) if _is_reported(column) else [column])]
    return [column for column in columns if _has_any(column, cells, spec)]


def _are_logs_alone(cells: Sequence[Record]) -> bool:
    has_logs = "logged_clients" in cells[0]
    return has_logs and any(is_missing(c.get("ledger_format")) for c in cells if c["status"] == Status.DONE)


def _is_reported(column: ColumnSpec) -> bool:
    quantity = quantity_of(column)
    of_bytes = (
        any(part.kind in (Kind.BYTES, Kind.SECONDS) for part in sources_of(column)) or quantity.kind is Kind.SECONDS
    )
    return column.measure == "reported" and of_bytes and not quantity.is_logged


def _in_logs(column: ColumnSpec) -> Iterator[ColumnSpec]:
    for quantity in quantity_of(column).in_logs:
        yield replace(column, quantity=quantity, traffic=ALL)


def _has_any(column: ColumnSpec, cells: Sequence[Record], spec: TableSpec) -> bool:
    """Return whether a column stands in the table: an optional one only where runs have numbers of it."""
    quantity = quantity_of(column)
    if not quantity.optional:
        return True
    if quantity.needs_network:
        return spec.connection is not None
    if quantity.kind is Kind.METRIC:
        return not {cell["engine"] for cell in cells} <= {*untrained()}
    sent = (cell.get(f"{traffic}_peer_messages", 0) for traffic in column.traffics for cell in cells)
    return column.measure != NETWORK and any(number > 0 for number in sent if not is_missing(number))


def leaving(
    columns: Sequence[ColumnSpec], lines: Sequence[Line], baselines: Sequence[Line | None], hidden: Collection[str] = ()
) -> list[ColumnSpec]:
    """Return the columns that are hidden, and those with ``?`` that say nothing new: rounds as asked for, and ratios
    where none is compared.

    A table of one line keeps its rounds: nothing is the same there as anywhere else. Raises TableError where no column
    would be left.
    """
    is_compared = any(base is not None and base is not line for line, base in zip(lines, baselines, strict=True))
    is_as_asked = len(lines) > 1 and all(map(_is_as_asked, (run for line in lines for run in line.runs)))
    if all(_is_hidden(column, hidden) for column in columns):
        raise TableError(
            f"table.hide=[{','.join(sorted(hidden))}]: a table has at least one column; leave one of them out"
        )
    return [
        column
        for column in columns
        if _is_hidden(column, hidden)
        or column.if_varying
        and (not is_compared if quantity_of(column).relative else is_as_asked)
    ]


def _is_hidden(column: ColumnSpec, hidden: Collection[str]) -> bool:
    return column.quantity in hidden or column.head in hidden


def _is_as_asked(run: Record) -> bool:
    """Return whether a run, if it is done, was trained for the rounds that its row or the note names."""
    asked, trained = run.get("rounds"), run.get("rounds_trained")
    return run["status"] != Status.DONE or (not is_unknown(trained) and trained == asked)


# --- metrics --------------------------------------------------------------------------------------


def as_logged(columns: Sequence[ColumnSpec], lines: Sequence[Line]) -> tuple[list[ColumnSpec], list[str]]:
    """Return the columns that have something to show, knowing how their metric is logged, and what to say of others.

    Where no run logs the default metric, its columns show what stands for it, and are left out where nothing does.
    Raises TableError for any other metric that no run logs, for a target of a metric of which nobody knows which way is
    better, and for a target that no accuracy has.
    """
    names = metrics_of(lines)
    instead = metric_shown(_DEFAULT, names)
    is_told = bool(names) or all(line.status is Status.DONE for line in lines)
    of_default = [c for c in columns if c.metric == _DEFAULT and quantity_of(c).kind is Kind.METRIC]
    without = of_default if is_told and _DEFAULT not in names else []
    shown = [replace(column, metric=instead) if column in without else column for column in columns]
    found = [_known(column, lines, names) for column in shown if not (column in without and instead == _DEFAULT)]
    if without and not found:
        refuse_unlogged(_DEFAULT, names)
        return [*columns], []
    return found, [*(_said_of_default(instead, names) if without else []), *_undecided(found)]


def _said_of_default(instead: str, names: Collection[str]) -> Iterator[str]:
    if not names:
        yield f"No metric is logged by these runs, neither {_DEFAULT} nor another."
        return
    stands = "" if instead == _DEFAULT else f", {instead} stands for it"
    yield f"{_DEFAULT} is not logged by these runs{stands}; table.metric= can be {', '.join(sorted(names))}."


def _shows_metric(column: ColumnSpec) -> bool:
    return quantity_of(column).waits or any(part.kind is Kind.METRIC for part in sources_of(column))


_LOSSES = ("test_avg_loss", "val_avg_loss", "test_loss", "val_loss")


def metric_shown(metric: str, names: Collection[str]) -> str:
    """Return a metric, or what stands for the default one where no run logs it: the only accuracy, else a loss.

    `names` are those that runs log. Where they log neither, it is the metric that was given.
    """
    if metric != _DEFAULT or metric in names:
        return metric
    accuracies = [name for name in names if is_accuracy(name)]
    return accuracies[0] if len(accuracies) == 1 else next((name for name in _LOSSES if name in names), metric)


def _known(column: ColumnSpec, lines: Sequence[Line], names: set[str]) -> ColumnSpec:
    """Return a column that knows how its metric is logged."""
    if not _shows_metric(column):
        return column
    refuse_unlogged(column.metric, names)
    check_direction(column)
    known = replace(column, logged=logged_as(column.metric, lines))
    check_target(known)
    return known


def check_direction(column: ColumnSpec) -> None:
    """Raise TableError for a target of a metric of which nobody knows which way is better."""
    if quantity_of(column).waits and not column.direction:
        raise TableError(f"table.metric={column.metric}: nobody knows when it reaches a target; {_SAY}")


def check_target(column: ColumnSpec) -> None:
    """Raise TableError for a target that no accuracy has, as these are logged."""
    if not column.is_rate:
        return
    if column.logged == "share" and not 0 <= column.target <= 1:
        raise TableError(f"table.target={column.target}: an accuracy is logged as 0 to 1; write 0.9 for 90 %")
    if column.logged == "percent" and quantity_of(column).waits and not 1 < column.target <= 100:
        raise TableError(f"table.target={column.target}: these runs log {column.metric} in percent; write 90 for 90 %")


def _undecided(columns: Iterable[ColumnSpec]) -> Iterator[str]:
    for metric in dict.fromkeys(c.metric for c in columns if _shows_metric(c) and not c.direction):
        yield f"{metric}: nobody knows which way is better; {_SAY}."


def metrics_of(lines: Iterable[Line]) -> set[str]:
    """Return the metrics that any of the runs logs."""
    return {name for line in lines for name in line.metrics}


def refuse_unlogged(metric: str, names: set[str]) -> None:
    """Raise TableError for a metric that is none of those that runs log, if they log any."""
    if names and metric not in names:
        raise TableError(
            f"table.metric={metric}: is not logged by these runs; there are {', '.join(sorted(names))}"
            f"{nearest(metric, names)}"
        )


def logged_as(metric: str, lines: Iterable[Line]) -> Logged:
    """Return whether an accuracy is logged as a share, in percent where a value is above 1, or as neither.

    Raises TableError for runs that differ in that: an accuracy of 0.7 is another one beside one of 70.
    """
    if not is_accuracy(metric):
        return "share"
    ends = [(min(values), max(values), run["cell"]) for run, values in _values(metric, lines) if values]
    if any(low < 0 or high > 100 * _ONE for low, high, _ in ends):
        return "neither"
    percent = [(high, cell) for _, high, cell in ends if high > _ONE]
    share = [(high, cell) for _, high, cell in ends if 0 < high <= _ONE]
    if percent and share:
        (most, cell), (least, other) = percent[0], share[0]
        raise TableError(
            f"table.metric={metric}: {other} logs it as a share, at most {least:g}, and {cell} in percent, {most:g}; "
            "select runs of one kind, or set table.columns without it"
        )
    return "percent" if percent else "share"


_ONE = 1 + ROUNDING


def _values(metric: str, lines: Iterable[Line]) -> Iterator[tuple[Record, list[float]]]:
    for run, course in _courses(lines):
        logged = [run.get(f"final_{metric}"), *(row.get(metric) for row in course)]
        yield run, [float(value) for value in logged if isinstance(value, int | float) and math.isfinite(value)]


def _courses(lines: Iterable[Line]) -> Iterator[tuple[Record, Sequence[Record]]]:
    return ((run, line.rounds.get(str(run["cell"]), ())) for line in lines for run in line.runs)
