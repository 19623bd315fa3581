"""Which series of a panel lie on each other, so that a figure can name them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from fscost.plots.figure_view import Panel, Point, Series

CLOSE = 0.01
"""Points lie on each other where they are closer than this share of both axes."""

_Line = Sequence[tuple[float, float]]


def with_overlays(panels: Sequence[Panel], x: str, y: str, *, is_log: bool = False) -> list[Panel]:
    """Return the panels with the names of what lies on each other in them, by the columns `x` and `y` of records.

    These are lines of which half of the points do, or all where axes are logarithmic. Linear axes of x begin at 0.
    Panels share the axis of y, and where both are logarithmic that of x too.
    """
    scale: Callable[[float], float] = math.log if is_log else float
    lines = [[(series, _line(series, x, y, scale)) for series in panel.series] for panel in panels]
    points = [point for panel in lines for _, line in panel for point in line]
    found = []
    for panel, own in zip(panels, lines, strict=True):
        ends = [a for a, _ in points] if is_log else [0.0, *(a for _, line in own for a, _ in line)]
        spans = (_span(ends), _span([b for _, b in points]))
        found.append(replace(panel, overlaid=[*_groups(own, spans, 1 if is_log else 0.5)]))
    return found


def _line(series: Series, x: str, y: str, scale: Callable[[float], float]) -> _Line:
    records: Sequence[Point] = sorted(series.records, key=lambda record: record[x])
    return [(scale(record[x]), scale(record[y])) for record in records]


def _span(values: Sequence[float]) -> float:
    return max(values) - min(values) if values else 0.0


def _groups(lines: Sequence[tuple[Series, _Line]], spans: tuple[float, float], share: float) -> Iterator[list[str]]:
    """Yield the names of series of which each lies on another of its group, in their order."""
    group = {series.name: {series.name} for series, _ in lines}
    for (one, points), (other, others) in combinations(lines, 2):
        if points and len(points) == len(others) and _is_on(points, others, spans, share):
            joined = group[one.name] | group[other.name]
            group.update(dict.fromkeys(joined, joined))
    for names in dict.fromkeys(map(frozenset, group.values())):
        if len(names) > 1:
            yield [series.name for series, _ in lines if series.name in names]


def _is_on(line: _Line, other: _Line, spans: tuple[float, float], share: float) -> bool:
    close = [
        all(abs(a - b) <= CLOSE * span for a, b, span in zip(*pair, spans, strict=True))
        for pair in zip(line, other, strict=True)
    ]
    return sum(close) >= share * len(close)


def overlays_said(panels: Sequence[Panel], of_points: str = "") -> Iterator[str]:
    """Yield a sentence that names what lies on each other, and in which panels where it is not in all of them.

    `of_points` says at how many points, if not at all of them.
    """
    places: dict[tuple[str, ...], list[str]] = {}
    for panel in panels:
        for group in panel.overlaid:
            places.setdefault(tuple(group), []).append(panel.title)
    told = [
        f"{', '.join(group[:-1])} and {group[-1]}" + (f" ({'; '.join(where)})" if len(where) < len(panels) else "")
        for group, where in places.items()
    ]
    if told:
        yield f"On each other, closer than {100 * CLOSE:.0f} % of the axes{of_points}: {'; '.join(told)}."
