"""The rows of a table as numbers: which runs stand behind each, and what is computed from them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from fscost.measure import NETWORK, UNITS, Link, total_column
from fscost.record import Status
from fscost.tables.links import Connection, Course
from fscost.tables.spec import TableSpec

Numbers = dict[str, list[list[float] | None]]
"""Per column, one list of values over seeds for each line; None where there is no number."""


@dataclass(frozen=True)
class Line:
    """The runs behind one row: same axes but for the seed."""

    axes: tuple[Any, ...]
    cells: pd.DataFrame

    @cached_property
    def status(self) -> Status:
        """DONE if all seeds are, else the first other status."""
        others = [status for status in self.cells["status"] if status != Status.DONE]
        return Status(others[0]) if others else Status.DONE

    @property
    def is_synchronous(self) -> bool:
        """Whether a round is a message to, and one from, each client in it, and ends with the last of them."""
        return not {"asyn", "vertical"} & set(str(self.axes[-1]).split("+"))


def lines_of(cells: pd.DataFrame, extra: list[str]) -> Iterator[Line]:
    """Yield the rows in the order in which their models, data, clients, options and methods were first named."""
    keys = ["model", "data", "clients", "rounds", *extra, "method"]
    rank = {key: {value: i for i, value in enumerate(_distinct(cells[key]))} for key in keys}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, axes in enumerate(cells[keys].itertuples(index=False, name=None)):
        groups.setdefault(tuple(_hashable(a) for a in axes), []).append(position)
    ordered = sorted(groups, key=lambda axes: [rank[key][a] for key, a in zip(keys, axes, strict=True)])
    for axes in ordered:
        yield Line(axes, cells.iloc[groups[axes]])


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(_hashable(value) for value in values))


def _hashable(value: Any) -> Any:
    if isinstance(value, list | dict):
        return str(value)
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value


def numbers_of(lines: list[Line], spec: TableSpec) -> Numbers:
    """Return per column one list of values over seeds for each line, None where there is no number."""
    courses, unit = [_courses(line, spec) for line in lines], UNITS[spec.unit]
    totals = [_told(each, lambda course: course.total_bytes / unit) for each in courses]
    return {
        "uplink": [_share(line, each, Link.UPLINK, spec) for line, each in zip(lines, courses, strict=True)],
        "downlink": [_share(line, each, Link.DOWNLINK, spec) for line, each in zip(lines, courses, strict=True)],
        **_peers(courses, spec),
        "total": totals,
        "ratio": _ratios(lines, totals),
        **_times(lines, courses, spec.connection),
        "rounds": [_values(line, "rounds_trained") for line in lines],
        **_metric(lines, spec),
    }


def _values(line: Line, column: str) -> list[float] | None:
    if line.status is not Status.DONE or column not in line.cells:
        return None
    values = line.cells[column].tolist()
    return None if any(map(pd.isna, values)) else [float(value) for value in values]


def _courses(line: Line, spec: TableSpec) -> list[Course]:
    """Return what each run sent, nothing where a part of it is not known."""
    counted = "wire" if spec.measure == NETWORK else spec.measure
    columns = [_values(line, "rounds_trained")]
    for link in Link:  # in the order of Course's fields
        columns += [_values(line, total_column(spec.traffic, link, counted)), _messages(line, link, spec)]
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return []
    return [Course(spec.measure, *numbers) for numbers in zip(*known, strict=True)]


def _messages(line: Line, link: Link, spec: TableSpec) -> list[float] | None:
    return _values(line, f"{spec.traffic}_{link}_messages")


def _told(courses: list[Course], value: Callable[[Course], float | None]) -> list[float] | None:
    """Return a value of each course, None where not all tell it."""
    known = [number for course in courses if (number := value(course)) is not None]
    return known if known and len(known) == len(courses) else None


def _share(line: Line, courses: list[Course], link: Link, spec: TableSpec) -> list[float] | None:
    """Return what one participating client sends or receives in one round; of network, what this direction carries."""
    if spec.measure == NETWORK:
        return _told(courses, lambda course: course.share_bytes(link, UNITS[spec.unit]))
    size = _values(line, total_column(spec.traffic, link, spec.measure))
    count = _messages(line, link, spec)
    if size is None or count is None or 0 in count:
        return None
    return [total / messages / UNITS[spec.unit] for total, messages in zip(size, count, strict=True)]


def _peers(courses: list[list[Course]], spec: TableSpec) -> Numbers:
    """Return the column of what a client sends to other clients in one round, if any does; network's links have it."""
    if spec.measure == NETWORK or not any(course.peer_messages for each in courses for course in each):
        return {}
    return {"peer": [_told(each, lambda course: course.peer_share_bytes / UNITS[spec.unit]) for each in courses]}


def _metric(lines: list[Line], spec: TableSpec) -> Numbers:
    """Return the metric's column; where nothing was trained there is none."""
    if all(line.cells["engine"].eq("estimate").all() for line in lines):
        return {}
    return {"metric": [_percent(_values(line, f"final_{spec.metric}"), spec) for line in lines]}


def _times(lines: list[Line], courses: list[list[Course]], connection: Connection | None) -> Numbers:
    """Return the columns of communication times in seconds; those of asynchronous courses are not told."""
    if connection is None:
        return {}
    waiting = [each if line.is_synchronous else [] for line, each in zip(lines, courses, strict=True)]
    return {
        "round_time": [_told(each, connection.round_s) for each in waiting],
        "total_time": [_told(each, connection.total_s) for each in waiting],
    }


def _ratios(lines: list[Line], totals: list[list[float] | None]) -> list[list[float] | None]:
    """Return each line's total relative to the first method of its model, data, clients and rounds."""
    ratios: list[list[float] | None] = []
    baseline: dict[tuple[Any, ...], float | None] = {}
    for line, total in zip(lines, totals, strict=True):
        first = baseline.setdefault(line.axes[:4], fmean(total) if total else None)
        ratios.append([value / first for value in total] if total and first else None)
    return ratios


def _percent(values: list[float] | None, spec: TableSpec) -> list[float] | None:
    return [100 * value for value in values] if values and spec.metric.endswith("_acc") else values


def deviation(values: list[float]) -> float:
    """Return the sample standard deviation, 0 for one value."""
    return stdev(values) if len(values) > 1 else 0.0


def varies(column: list[list[float] | None]) -> bool:
    """Return whether any line's values differ between seeds; rounding in a sum is no difference."""
    return any(part and len(part) > 1 and deviation(part) > 1e-9 * abs(fmean(part)) for part in column)
