"""Figures of lines: accuracy over bytes, and bytes over the size of the model."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fscost.measure import UNITS
from fscost.plots.layout import arranged, grid, label_outer, legend, said, shared
from fscost.plots.numbers import THOUSANDS, bytes_name, slope
from fscost.plots.style import Page, linear, logarithmic, look
from fscost.plots.view import Panel, Record, Sketch

_FAINT = {"color": "#cccccc", "linewidth": 0.7, "zorder": 1}
_WIDE = 30
"""Bytes are on a logarithmic scale where a line of a panel ends at so many times another's."""
_SQUEEZED = 2.5
_SLOPES = 3
"""So many lines of slopes can stand in a panel; of more it is from where to where they are."""


def accuracy(sketch: Sketch, page: Page) -> Figure:
    """Return lines of a metric over bytes, with bands of a standard deviation around them."""
    figure, panels, axes, columns = _panels(sketch, page)
    scale, factor = UNITS[sketch.unit], 100 if sketch.column.is_rate else 1
    name, metric = bytes_name(sketch.column), sketch.column.metric
    ends = [[s.records[-1][name] / scale for s in panel.faint or panel.series if s.records] for panel in panels]
    is_log = any(max(own) > _WIDE * min(own) > 0 for own in ends if own)
    limits = shared(panels, [max(own, default=0) for own in ends], _SQUEEZED)
    for panel, own, limit in zip(panels, axes, limits, strict=True):
        for label, style, records in _styled(panel, sketch):
            x, y = ([record[key] * by for record in records] for key, by in ((name, 1 / scale), (metric, factor)))
            own.plot(x, y, **style, label=label, markevery=max(1, len(x) // 8))
            if style is not _FAINT:
                _band(own, x, y, [record[f"{metric}_std"] for record in records], factor, style["color"])
        if is_log:
            own.set_xscale("log")
            start, end = own.get_xlim()
            logarithmic(own.xaxis, start, end, page.width_in / columns - 0.5)
        else:
            own.set_xlim(0, limit * 1.04)
            linear(own.xaxis, 4)
        said(own, _marks(panel, page, page.width_in / columns - 0.5))
    _same_y(axes, [own for own, drawn in zip(axes, ends, strict=True) if drawn], sketch)
    label_outer(axes, columns, x_is_shared=lambda a, b: not is_log and limits[a] == limits[b], y_is_shared=True)
    return _around(figure, sketch, page)


def _band(own: Axes, x: Sequence[float], y: Sequence[float], off: Sequence[Any], factor: float, colour: Any) -> None:
    if any(off):
        low, high = zip(*((a - b * factor, a + b * factor) for a, b in zip(y, off, strict=True)), strict=True)
        own.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _panels(sketch: Sketch, page: Page) -> tuple[Figure, list[Panel], list[Axes], int]:
    panels, columns = arranged(sketch.panels, page.width_in)
    heights = [_height_in(page, columns)] * -(-len(panels) // columns)
    figure, axes = grid(panels, columns, heights, page, _legend_names(sketch), 0.45)
    return figure, panels, axes, columns


def _height_in(page: Page, columns: int) -> float:
    return min(2.0, 0.72 * page.width_in / columns)


def _styled(panel: Panel, sketch: Sketch) -> list[tuple[str, dict[str, Any], list[Record]]]:
    """Return the lines of a panel with their looks, those that are only to compare with first."""
    faint = [(series.name, _FAINT, series.records) for series in panel.faint if series not in panel.series]
    return [*faint, *((s.name, look(sketch.names.index(s.name)), s.records) for s in panel.series)]


def _marks(panel: Panel, page: Page, room_in: float) -> list[str]:
    return [page.lines(f"{series.name}: {series.mark}", room_in, 6) for series in panel.series if series.mark]


def _same_y(axes: Sequence[Axes], drawn: Sequence[Axes], sketch: Sketch) -> None:
    """Give all panels the scale of those with numbers; a share of samples ends at 100 %."""
    starts, ends = zip(*(own.get_ylim() for own in drawn), strict=True)
    low, high = min(starts), max(ends)
    for own in axes:
        own.set_ylim(*((max(low, -1), min(high, 101)) if sketch.column.is_rate else (low, high)))
        linear(own.yaxis)
        own.grid(axis="y")


def _around(figure: Figure, sketch: Sketch, page: Page) -> Figure:
    """Add what stands around the panels: what the axes are, and which line is which."""
    figure.supxlabel(page.lines(sketch.x, page.width_in - 0.3))
    figure.supylabel(page.lines(sketch.y, figure.get_figheight() - 0.4))
    names = _legend_names(sketch)
    legend(figure, [Line2D([], [], **look(number)) for number in range(len(names))], names, page, sketch.over)
    return figure


def _legend_names(sketch: Sketch) -> Sequence[str]:
    """Return what the legend names: nothing where each panel is titled with the one line it is about."""
    return [] if any(panel.faint for panel in sketch.panels) else sketch.names


def size(sketch: Sketch, page: Page) -> Figure:
    """Return bytes over the size of the model, both logarithmic, with slopes."""
    figure, panels, axes, columns = _panels(sketch, page)
    name, scales = bytes_name(sketch.column), (1 / THOUSANDS[sketch.x_unit], 1 / UNITS[sketch.unit])
    room_in = page.width_in / columns - 0.5
    every = [record for part in sketch.parts for record in part.records]
    spans = [
        (min(values) / room, max(values) * 1.6)  # below, there is room for the slopes
        for room, values in zip((1.6, 4), _points(every, name, scales), strict=True)
    ]
    for panel, own in zip(panels, axes, strict=True):
        for label, style, records in _styled(panel, sketch):
            own.plot(*_points(sorted(records, key=lambda record: record["params"]), name, scales), **style, label=label)
        own.loglog()
        own.set(xlim=spans[0], ylim=spans[1])
        logarithmic(own.xaxis, *spans[0], room_in)
        logarithmic(own.yaxis, *spans[1], _height_in(page, columns))
        own.grid()
        said(own, [*_slopes(panel, sketch, page, room_in), *_marks(panel, page, room_in)])
    label_outer(axes, columns, x_is_shared=lambda a, b: True, y_is_shared=True)
    return _around(figure, sketch, page)


def _points(records: Sequence[Record], name: str, scales: tuple[float, float]) -> list[list[float]]:
    return [[record[key] * by for record in records] for key, by in zip(("params", name), scales, strict=True)]


def _slopes(panel: Panel, sketch: Sketch, page: Page, room_in: float) -> list[str]:
    """Return the slope of each line, of all where they are printed alike, or from where to where there are many."""
    found = [(s.name, slope(s.records, sketch.column)) for s in panel.series]
    texts = {name: f"{value:.2f}" for name, value in found if value is not None}
    ordered = sorted(texts.values(), key=float)
    if len(set(ordered)) == 1:
        return [f"slope {ordered[0]}"]
    lines = [page.lines(f"{name}: slope {text}", room_in, 6) for name, text in texts.items()]
    if sum(line.count("\n") + 1 for line in lines) <= _SLOPES:
        return lines
    return [page.text(f"slopes {ordered[0]}–{ordered[-1]}")]
