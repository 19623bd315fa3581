"""Figures of lines and points: accuracy over bytes, the best for its bytes, and bytes over the size of the model."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fscost.cells.measure import UNITS
from fscost.plots.figure_view import ROUND, Panel, Part, Point, Series, Sketch, around
from fscost.plots.panels import arranged, grid, label_outer, legend, named_at_ends, room_in, said, shared
from fscost.plots.sketches import FRONT, THOUSANDS, bytes_name, slope
from fscost.plots.style import GREY, Page, linear, logarithmic, styled, weight, width_em
from fscost.tables.numbers import printed

_PointsOf = Callable[[Sequence[Point]], tuple[float, float]]

_FAINT = {"color": "#cccccc", "linewidth": 0.7, "zorder": 1}
_WIDE = 10
"""Bytes are on a logarithmic scale where a line of a panel ends at so many times another's."""
_SQUEEZED = 2.5
_SLOPES = 3
"""So many lines of slopes can stand in a panel; of more it is from where to where they are."""


def accuracy(sketch: Sketch, page: Page) -> Figure:
    """Return lines of a metric over bytes or rounds, with bands over seeds around them."""
    made, scale, name = _panels(sketch, page), sketch.x_scale, sketch.along
    ends = [[s.records[-1][name] / scale for s in panel.faint or panel.series if s.records] for panel in made.panels]
    are_sent = name != ROUND and all(map(all, ends))  # 0 has no place on a logarithmic axis
    is_log = are_sent and any(max(own) > _WIDE * min(own) for own in ends if own)
    limits = shared(made.panels, [max(own, default=0) for own in ends], _SQUEEZED)
    for panel, own, limit in zip(made.panels, made.axes, limits, strict=True):
        for line in _styled(panel, sketch):
            _course(own, line, sketch)
        if is_log:
            own.set_xscale("log")
            logarithmic(own.xaxis, made.room_in)
        else:
            own.set_xlim(0, limit * 1.04)
            linear(own.xaxis, 4, length_in=made.room_in, is_whole=name == ROUND)
        said(own, _marks(panel, page, made.room_in))
    _same_y([own for own, drawn in zip(made.axes, ends, strict=True) if drawn], made, sketch, page)
    for panel, own in zip(made.panels, made.axes, strict=True):
        _name_ends(own, panel, sketch, page, made, lambda records: _last(*_points(records, sketch)))
    label_outer(made.axes, made.columns, y_is_shared=True)
    return _around(made, sketch, page)


def _course(own: Axes, line: "_Line", sketch: Sketch) -> None:
    """Draw one line, with a band over seeds unless it is faint; on another line, markers alternate."""
    metric, factor = sketch.column.metric, sketch.column.factor
    x, y = _points(line.records, sketch)
    off = [around(record, metric) for record in line.records]
    every = max(1, len(x) // 8)
    apart = line.of if len(x) >= 2 * every * line.of else 1
    own.plot(x, y, **line.style, label=line.name, markevery=(every * (line.place % apart), every * apart))
    if line.style is not _FAINT and any(map(any, off)):
        low, high = zip(*((a - below * factor, a + above * factor) for a, (below, above) in zip(y, off, strict=True)),
                        strict=True)  # fmt: skip
        own.fill_between(x, low, high, color=line.style["color"], alpha=0.15, linewidth=0)


def _points(records: Sequence[Point], sketch: Sketch) -> tuple[list[float], list[float]]:
    """Return what a figure of a metric draws of records, as its axes have it."""
    metric = [record[sketch.column.metric] * sketch.column.factor for record in records]
    return [record[sketch.along] / sketch.x_scale for record in records], metric


class _Panels(NamedTuple):
    """The panels of a figure with their axes, row by row in so many columns; a panel is so wide and high."""

    figure: Figure
    panels: list[Panel]
    axes: list[Axes]
    columns: int
    room_in: float
    height_in: float


def _panels(sketch: Sketch, page: Page) -> _Panels:
    """Return panels as high as they look well, or lower where only so all fit on a page."""
    panels, columns = _fitting(sketch, page)
    names = _legend_names(sketch, page)
    room = room_in(panels, columns, page, names, _LEFT_IN)
    height_in = min(2.0, 0.72 * page.width_in / columns, max(_LOWEST_IN, room))
    figure, axes = grid(panels, columns, [height_in] * -(-len(panels) // columns), page, names, _LEFT_IN)
    wide_in = page.width_in / columns - 0.5 - _ends_in(page, columns)
    return _Panels(figure, panels, axes, columns, wide_in, height_in)


def _ends_in(page: Page, columns: int) -> float:
    """Return how wide the names at the ends of lines may be beside a panel."""
    return 0.3 * page.width_in / columns if page.at_ends else 0.0


_LEFT_IN = 0.45
_LOWEST_IN = 0.55
"""A panel that is lower shows nothing."""


def _fitting(sketch: Sketch, page: Page) -> tuple[list[Panel], int]:
    """Return the panels that are drawn: where each has one line and the others faint, so many as fit on a page."""
    panels, names = [*sketch.panels], _legend_names(sketch, page)
    while True:
        found, columns = arranged(panels, page.width_in)
        fits = room_in(found, columns, page, names, _LEFT_IN) >= _LOWEST_IN
        if fits or len(panels) == 1 or not all(panel.faint for panel in panels):
            return found, columns
        panels.pop()


def left_out(sketch: Sketch, page: Page) -> list[str]:
    """Return the titles of the panels for which there is no room: their lines are only faint in the others."""
    drawn = [panel.title for panel in _fitting(sketch, page)[0]]
    return [panel.title for panel in sketch.panels if panel.title not in drawn]


class _Line(NamedTuple):
    """One line of a panel: its look, and at which place it is among so `of` many that lie on each other."""

    name: str
    style: dict[str, Any]
    records: Sequence[Point]
    place: int = 0
    of: int = 1


def _styled(panel: Panel, sketch: Sketch) -> list[_Line]:
    """Return the lines of a panel with their looks, those that are only to compare with first.

    Of lines on each other the lower ones are wider, so that each is seen.
    """
    faint = [_Line(series.name, _FAINT, series.records) for series in panel.faint if series not in panel.series]
    lines = []
    for series in panel.series:
        group = next((own for own in panel.overlaid if series.name in own and not panel.faint), [series.name])
        place, of = group.index(series.name), len(group)
        width = {"linewidth": _LINE_PT + _WIDER_PT * min(of - 1 - place, 3)}
        lines.append(_Line(series.name, styled(sketch.looks[series.name]) | width, series.records, place, of))
    return [*faint, *lines]


_LINE_PT, _WIDER_PT = 1.2, 1.1


def _marks(panel: Panel, page: Page, room_in: float) -> list[str]:
    return [page.lines(series.name + ": " + series.mark, room_in, 6) for series in panel.series if series.mark]


_MARKER_IN = 0.04


def _same_y(drawn: Sequence[Axes], made: _Panels, sketch: Sketch, page: Page, beyond: float = 0) -> None:
    """Give all panels the scale of those with numbers, and a share of it `beyond`, above for a share of 1 and below
    for one of -1; shares of samples end at 100 %.
    """
    starts, ends = zip(*(own.get_ylim() for own in drawn), strict=True)
    low, high = min(starts), max(ends)
    if sketch.column.is_rate:
        beside = _MARKER_IN / made.height_in * min(high - low, 100)
        low, high = max(low, -beside), min(high, 100 + beside)
    low = min(low, 0) if page.from_zero else low
    for own in made.axes:
        own.set_ylim(low + min(beyond, 0) * (high - low), high + max(beyond, 0) * (high - low))
        linear(own.yaxis, 5 if made.height_in > 1 else 3)
        own.set_yticks([tick for tick in own.get_yticks() if low <= tick <= high])
        own.grid(axis="y")


def _around(made: _Panels, sketch: Sketch, page: Page, style: dict[str, Any] | None = None) -> Figure:
    """Add what stands around the panels: what the axes are, and which line is which, with `style` for all of them."""
    made.figure.supxlabel(page.lines(sketch.x, page.width_in - 0.3))
    made.figure.supylabel(page.lines(sketch.y, made.figure.get_figheight() - 0.1, _LABEL_PT))
    names = _legend_names(sketch, page)
    lines = [Line2D([], [], **styled(sketch.looks[name]) | (style or {})) for name in sketch.names[: len(names)]]
    legend(made.figure, lines, names, page, sketch.over, [name in sketch.ours for name in sketch.names])
    return made.figure


_LABEL_PT = 7.5


def _legend_names(sketch: Sketch, page: Page) -> Sequence[str]:
    """Return what the legend names: nothing where lines are named at their ends, or each panel is about one."""
    return [] if page.at_ends or any(panel.faint for panel in sketch.panels) else sketch.legend


def _name_ends(own: Axes, panel: Panel, sketch: Sketch, page: Page, made: _Panels, points: _PointsOf) -> None:
    """Write the names of a panel's lines where they end, if that is asked for."""
    if page.at_ends and not panel.faint:
        names = dict(zip(sketch.names, sketch.legend, strict=True))
        ends = [(names[s.name], _named(s, sketch), points(s.records)) for s in panel.series if s.records]
        named_at_ends(own, ends, page, made.height_in, _ends_in(page, made.columns))


def _named(series: Series, sketch: Sketch) -> dict[str, Any]:
    return {"color": styled(sketch.looks[series.name])["color"], **weight(series.is_ours)}


def size(sketch: Sketch, page: Page) -> Figure:
    """Return bytes over the size of the model, both logarithmic, with slopes."""
    made = _panels(sketch, page)
    x, y = _sizes(sketch.records, sketch)
    told = {
        panel.place: [*_slopes(panel, sketch, page, made.room_in), *_marks(panel, page, made.room_in)]
        for panel in made.panels
    }
    bottom = _with_room_below(y, max(sum(text.count("\n") + 1 for text in texts) for texts in told.values()), made)
    for panel, own in zip(made.panels, made.axes, strict=True):
        for line in _styled(panel, sketch):
            own.plot(*_sizes(line.records, sketch), **line.style, label=line.name)
        own.loglog()
        own.set(xlim=(min(x) / 1.6, max(x) * 1.6), ylim=(bottom, max(y) * 1.6))
        logarithmic(own.xaxis, made.room_in)
        logarithmic(own.yaxis, made.height_in)
        own.grid()
        said(own, told[panel.place], "lower right")
        _name_ends(own, panel, sketch, page, made, lambda records: _last(*_sizes(records, sketch)))
    label_outer(made.axes, made.columns, y_is_shared=True)
    return _around(made, sketch, page)


def _with_room_below(y: Sequence[float], lines: int, made: _Panels) -> float:
    """Return where a logarithmic axis begins such that so many lines of text have room below what is drawn."""
    share = min(0.6, 0.1 + lines * _LINE_IN / made.height_in)
    span = math.log(max(y) * 1.6 / min(y))
    return min(y) / math.exp(span * share / (1 - share)) / 1.2


_LINE_IN = 0.115


def _sizes(records: Sequence[Point], sketch: Sketch) -> tuple[list[float], list[float]]:
    """Return parameters and bytes as the axes have them, from the smallest model on."""
    ordered = sorted(records, key=lambda record: record["params"])
    x = [record["params"] / THOUSANDS[sketch.x_unit] for record in ordered]
    return x, [record[bytes_name(sketch.column)] / UNITS[sketch.unit] for record in ordered]


def _last(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    return x[-1], y[-1]


def _slopes(panel: Panel, sketch: Sketch, page: Page, room_in: float) -> list[str]:
    """Return the slope of each line, of all where they are printed alike, or from where to where there are many.

    A line without one is not taken for one with that of the others.
    """
    found = [(s.name, slope(s, sketch.column)) for s in panel.series]
    texts = {name: printed(value, 2) for name, value in found if value is not None}
    ordered = [printed(value, 2) for value in sorted(value for _, value in found if value is not None)]
    if len(set(ordered)) == 1 and len(texts) == sum(bool(series.records) for series in panel.series):
        return [f"slope {ordered[0]}"]
    lines = [page.lines(name + f": slope {text}", room_in, 6) for name, text in texts.items()]
    if sum(line.count("\n") + 1 for line in lines) <= _SLOPES:
        return lines
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    return [page.text(f"slopes {'–'.join(ends)}")]


# --- points and their front -----------------------------------------------------------------------


def pareto(sketch: Sketch, page: Page) -> Figure:
    """Return points of a metric over bytes, those of the front joined by steps."""
    made = _panels(sketch, page)
    sizes = [record[sketch.along] for record in sketch.records]
    is_log = max(sizes) > _WIDE * min(sizes) > 0
    for panel, own in zip(made.panels, made.axes, strict=True):
        own.margins(0.08, 0.12)
        for line in _styled(panel, sketch):
            _cloud(own, line, sketch)
        if is_log:
            own.set_xscale("log")
            logarithmic(own.xaxis, made.room_in)
        else:
            own.set_xlim(0, own.get_xlim()[1] * 1.06)
            linear(own.xaxis, 4, length_in=made.room_in)
        said(own, _marks(panel, page, made.room_in))
    _same_y([own for own, panel in zip(made.axes, made.panels, strict=True) if any(s.records for s in panel.series)],
            made, sketch, page, beyond=_up(sketch) * _room_for_names(made))  # fmt: skip
    for panel, own in zip(made.panels, made.axes, strict=True):
        _front(own, panel, sketch, page, made)
    label_outer(made.axes, made.columns, y_is_shared=True)
    return _around(made, sketch, page, _NO_LINE)


def _cloud(own: Axes, line: _Line, sketch: Sketch) -> None:
    """Draw the points of one series, with bars over seeds both ways."""
    scale, factor = sketch.x_scale, sketch.column.factor
    x, y = _points(line.records, sketch)
    own.plot(x, y, **line.style | _NO_LINE, label=line.name)
    x_off, y_off = (
        [[end * by for end in ends] for ends in zip(*(around(r, name) for r in line.records), strict=True)]
        for name, by in ((sketch.along, 1 / scale), (sketch.column.metric, factor))
    )
    if any(map(any, x_off + y_off)):
        own.errorbar(x, y, y_off, x_off, fmt="none", ecolor=line.style["color"], elinewidth=0.5, zorder=1)


_NO_LINE: dict[str, Any] = {"linestyle": "", "linewidth": 0}


def _front(own: Axes, panel: Panel, sketch: Sketch, page: Page, made: _Panels) -> None:
    """Join the front by steps, and write at its points what tells them from others of their method."""
    parts = _on_front(panel)
    parts.sort(key=lambda part: float(part.records[0][sketch.along]))
    if not parts:
        return
    x, y = _points([part.records[0] for part in parts], sketch)
    right = own.get_xlim()[1]
    own.step([*x, right], [*y, y[-1]], where="post", color=GREY, linewidth=0.8, zorder=1.5)
    own.set_xlim(right=right)
    named = [n for n, part in enumerate(parts) if part.point not in [after.point for after in parts[n + 1 : n + 2]]]
    points = [own.transAxes.inverted().transform(own.transData.transform((x[n], y[n]))) for n in named]
    _named_beyond(own, [parts[n].point for n in named], points, sketch, page, made)


def _on_front(panel: Panel) -> list[Part]:
    return [part for series in panel.series for part in series.parts if part.records and part.records[0][FRONT]]


def _named_beyond(own: Axes, texts: Sequence[str], points: Any, sketch: Sketch, page: Page, made: _Panels) -> None:
    """Write names of points of the front where no point can be: at the left, and on the side that is better."""
    up = _up(sketch)
    taken: list[tuple[float, float, float]] = []  # from where to where names reach, and up to which height
    for text, (x, y) in sorted(zip(texts, points, strict=True), key=lambda one: up * float(one[1][1])):
        name = page.lines(text, made.room_in, 6)
        width = max(map(width_em, name.split("\n"))) * 6 / 72 / made.room_in
        end = max(float(x) - 0.015, width + 0.01)
        height = max([up * float(y) + 0.03, *(top for left, right, top in taken if left < end and end - width < right)])
        if height - up * y < _FAR:
            taken.append((end - width, end, height + _NAME_IN * (name.count("\n") + 1) / made.height_in))
            own.text(end, up * height, name, transform=own.transAxes, fontsize=6, color=GREY,
                     ha="right", va="bottom" if up > 0 else "top")  # fmt: skip


def _room_for_names(made: _Panels) -> float:
    """Return the share of a panel's height in which the names of its front have room, if all were above each other."""
    names = max(len({part.point for part in _on_front(panel)} - {""}) for panel in made.panels)
    return min(max(0.15, names * _NAME_IN / made.height_in + 0.05), 0.4)


def _up(sketch: Sketch) -> int:
    """Return the side of a panel that is better: 1 for above, -1 for below."""
    return 1 if sketch.column.direction == "higher" else -1


_NAME_IN = 0.1


_FAR = 0.2
"""A name that is so far from its point does not tell which it is of."""

DRAWN = {"accuracy": accuracy, "pareto": pareto, "size": size}
"""The figures that are drawn here."""
