"""What runs log of the metrics that columns show: which there are, and whether accuracies are shares or in percent."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from fscost.cells.metric import ROUNDING, is_accuracy
from fscost.errors import TableError, nearest
from fscost.tables.column import AT_TARGET, TELL, ColumnSpec, Logged
from fscost.tables.lines import Line, Run
from fscost.tables.quantities import QUANTITIES, Kind

_DEFAULT = ColumnSpec.metric
_NO_METRICS = ("_bytes", "_messages")


def as_logged(columns: Sequence[ColumnSpec], lines: Sequence[Line]) -> tuple[list[ColumnSpec], list[str]]:
    """Return the columns that have something to show, knowing how their metric is logged, and what to say of others.

    Where no run logs the metric that layouts have unless told otherwise, what shows it is left out. Raises TableError
    for any other metric that no run logs, for a target of a metric of which nobody knows which way is better, and for
    a target that no accuracy has.
    """
    names = metrics_of(lines)
    left_out = [column for column in columns if names and column.metric not in names and _is_left_out(column)]
    found = [_known(column, lines, names) for column in columns if column not in left_out]
    if left_out and not found:
        refuse_unlogged(_DEFAULT, names)
    said = [f"{_DEFAULT} is not logged by these runs; table.metric= can be {', '.join(sorted(names))}."]
    return found, [*(said if left_out else []), *_undecided(found)]


def _shows_metric(column: ColumnSpec) -> bool:
    return QUANTITIES[column.quantity].kind is Kind.METRIC or column.quantity in AT_TARGET


def _is_left_out(column: ColumnSpec) -> bool:
    return column.metric == _DEFAULT and QUANTITIES[column.quantity].kind is Kind.METRIC


def _known(column: ColumnSpec, lines: Sequence[Line], names: set[str]) -> ColumnSpec:
    """Return a column that knows how its metric is logged."""
    if not _shows_metric(column):
        return column
    refuse_unlogged(column.metric, names)
    column.check_direction()
    known = replace(column, logged=logged_as(column.metric, lines))
    known.check_target()
    return known


def _undecided(columns: Iterable[ColumnSpec]) -> Iterator[str]:
    for metric in dict.fromkeys(c.metric for c in columns if _shows_metric(c) and not c.direction):
        yield f"{metric}: nobody knows which way is better; {TELL}."


def metrics_of(lines: Iterable[Line]) -> set[str]:
    """Return the metrics that any of the runs logs."""
    names = set[str]()
    for run, course in _courses(lines):
        names |= {name.removeprefix("final_") for name in run if name.startswith("final_")}
        names |= {name for row in course[:1] for name in row if not name.endswith(_NO_METRICS)} - {"cell", "round"}
    return names


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


def _values(metric: str, lines: Iterable[Line]) -> Iterator[tuple[Run, list[float]]]:
    for run, course in _courses(lines):
        told = [run.get(f"final_{metric}"), *(row.get(metric) for row in course)]
        yield run, [float(value) for value in told if isinstance(value, int | float) and math.isfinite(value)]


def _courses(lines: Iterable[Line]) -> Iterator[tuple[Run, Sequence[Run]]]:
    return ((run, line.rounds.get(str(run["cell"]), ())) for line in lines for run in line.runs)
