"""Figures of lines: accuracy over bytes, and bytes over the size of the model."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fscost.cells.measure import UNITS
from fscost.plots.figure_view import Panel, Point, Sketch
from fscost.plots.panels import arranged, grid, label_outer, legend, said, shared
from fscost.plots.sketches import THOUSANDS, bytes_name, slope
from fscost.plots.style import Page, linear, logarithmic, look
from fscost.tables.numbers import printed

_FAINT = {"color": "#cccccc", "linewidth": 0.7, "zorder": 1}
_WIDE = 10
"""Bytes are on a logarithmic scale where a line of a panel ends at so many times another's."""
_SQUEEZED = 2.5
_SLOPES = 3
"""So many lines of slopes can stand in a panel; of more it is from where to where they are."""


def accuracy(sketch: Sketch, page: Page) -> Figure:
    """Return lines of a metric over bytes, with bands of a standard deviation around them."""
    figure, panels, axes, columns = _panels(sketch, page)
    scale, name = UNITS[sketch.unit], bytes_name(sketch.column)
    ends = [[s.records[-1][name] / scale for s in panel.faint or panel.series if s.records] for panel in panels]
    is_log = any(max(own) > _WIDE * min(own) > 0 for own in ends if own)
    limits = shared(panels, [max(own, default=0) for own in ends], _SQUEEZED)
    for panel, own, limit in zip(panels, axes, limits, strict=True):
        for label, style, records in _styled(panel, sketch):
            _course(own, records, sketch, style, label)
        if is_log:
            own.set_xscale("log")
            logarithmic(own.xaxis, page.width_in / columns - 0.5)
        else:
            own.set_xlim(0, limit * 1.04)
            linear(own.xaxis, 4)
        said(own, _marks(panel, page, page.width_in / columns - 0.5))
    _same_y(axes, [own for own, drawn in zip(axes, ends, strict=True) if drawn], sketch)
    label_outer(axes, columns, y_is_shared=True)
    return _around(figure, sketch, page)


def _course(own: Axes, records: Sequence[Point], sketch: Sketch, style: dict[str, Any], label: str) -> None:
    """Draw one line, with a band of a standard deviation unless it is faint."""
    metric, factor = sketch.column.metric, sketch.column.factor
    x = [record[bytes_name(sketch.column)] / UNITS[sketch.unit] for record in records]
    y = [record[metric] * factor for record in records]
    off = [(record[f"{metric}_std"] or 0) * factor for record in records]
    own.plot(x, y, **style, label=label, markevery=max(1, len(x) // 8))
    if style is not _FAINT and any(off):
        low, high = ([a + sign * b for a, b in zip(y, off, strict=True)] for sign in (-1, 1))
        own.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _panels(sketch: Sketch, page: Page) -> tuple[Figure, list[Panel], list[Axes], int]:
    panels, columns = arranged(sketch.panels, page.width_in)
    heights = [_height_in(page, columns)] * -(-len(panels) // columns)
    figure, axes = grid(panels, columns, heights, page, _legend_names(sketch), 0.45)
    return figure, panels, axes, columns


def _height_in(page: Page, columns: int) -> float:
    return min(2.0, 0.72 * page.width_in / columns)


def _styled(panel: Panel, sketch: Sketch) -> list[tuple[str, dict[str, Any], list[Point]]]:
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
    return [] if any(panel.faint for panel in sketch.panels) else sketch.legend


def size(sketch: Sketch, page: Page) -> Figure:
    """Return bytes over the size of the model, both logarithmic, with slopes."""
    figure, panels, axes, columns = _panels(sketch, page)
    room_in = page.width_in / columns - 0.5
    x, y = _points(sketch.records, sketch)
    for panel, own in zip(panels, axes, strict=True):
        for label, style, records in _styled(panel, sketch):
            own.plot(*_points(sorted(records, key=lambda record: record["params"]), sketch), **style, label=label)
        own.loglog()
        own.set(xlim=(min(x) / 1.6, max(x) * 1.6), ylim=(min(y) / 4, max(y) * 1.6))  # below stand slopes
        logarithmic(own.xaxis, room_in)
        logarithmic(own.yaxis, _height_in(page, columns))
        own.grid()
        said(own, [*_slopes(panel, sketch, page, room_in), *_marks(panel, page, room_in)], "lower right")
    label_outer(axes, columns, y_is_shared=True)
    return _around(figure, sketch, page)


def _points(records: Sequence[Point], sketch: Sketch) -> tuple[list[float], list[float]]:
    x = [record["params"] / THOUSANDS[sketch.x_unit] for record in records]
    return x, [record[bytes_name(sketch.column)] / UNITS[sketch.unit] for record in records]


def _slopes(panel: Panel, sketch: Sketch, page: Page, room_in: float) -> list[str]:
    """Return the slope of each line, of all where they are printed alike, or from where to where there are many.

    A line without one is not taken for one with that of the others.
    """
    found = [(s.name, slope(s, sketch.column)) for s in panel.series]
    texts = {name: printed(value, 2) for name, value in found if value is not None}
    ordered = [printed(value, 2) for value in sorted(value for _, value in found if value is not None)]
    if len(set(ordered)) == 1 and len(texts) == sum(bool(series.records) for series in panel.series):
        return [f"slope {ordered[0]}"]
    lines = [page.lines(f"{name}: slope {text}", room_in, 6) for name, text in texts.items()]
    if sum(line.count("\n") + 1 for line in lines) <= _SLOPES:
        return lines
    return [page.text(f"slopes {ordered[0]}–{ordered[-1]}")]


DRAWN = {"accuracy": accuracy, "size": size}
"""The figures that are drawn here."""
