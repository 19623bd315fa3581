"""Figures of rows: stacked bars of traffic classes, and what was logged beside what travelled."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fscost.measure import UNITS
from fscost.plots.audit import LOGGED, row_name
from fscost.plots.layout import arranged, grid, label_outer, legend, shared
from fscost.plots.style import CLASSES, GREY, Page, linear, logarithmic, short
from fscost.plots.view import Panel, Record, Series, Sketch
from fscost.tables.marks import PARTLY

_LINE_IN, _BETWEEN_IN = 0.115, 0.04
_SQUEEZED = 5
_SMALL: dict[str, Any] = {"fontsize": 6, "va": "center_baseline"}

Row = tuple[str, Series, Any]
"""A row of a panel: its name, its series, and what is drawn in it, nothing where there is a mark."""


def _panels(
    sketch: Sketch, page: Page, rows_of: Callable[[Panel], list[Row]]
) -> tuple[Figure, list[tuple[Panel, Axes]], int]:
    """Return a figure whose panels have named rows, the first at the top."""
    panels, columns = arranged(sketch.panels, page.width_in)
    room_in = page.width_in * (0.4 if columns == 1 else 0.3)
    names = [[page.lines(name, room_in) for name, *_ in rows_of(panel)] for panel in panels]
    heights = [_height_in(names[start : start + columns]) for start in range(0, len(names), columns)]
    figure, axes = grid(panels, columns, heights, page)
    for number, (panel, own) in enumerate(zip(panels, axes, strict=True)):
        own.set_ylim(len(names[number]) - 0.4, -0.6)
        own.set_yticks(range(len(names[number])), names[number])
        own.tick_params(axis="y", length=0, labelleft=not (number % columns and names[number] == names[number - 1]))
        own.grid(axis="x")
        for position, (_, series, drawn) in enumerate(rows_of(panel)):
            if not drawn:
                _at_left(own, position, page.text(series.mark), GREY)
    figure.supxlabel(page.lines(sketch.x, page.width_in - 0.3))
    return figure, [*zip(panels, axes, strict=True)], columns


def _height_in(names: Sequence[Sequence[str]]) -> float:
    """Return how high panels beside each other are, with rows for names of so many lines."""
    lines = max(name.count("\n") + 1 for some in names for name in some)
    return (max(map(len, names)) + 0.4) * (lines * _LINE_IN + _BETWEEN_IN)


def _at_left(own: Axes, position: int, text: str, colour: str) -> None:
    """Write what has no place on the scale."""
    own.text(0.02, position, text, transform=own.get_yaxis_transform(), color=colour, **_SMALL)


def _beside(own: Axes, position: int, x: float, text: str, off_pt: float) -> None:
    own.annotate(text, (x, position), (off_pt, 0), textcoords="offset points", **_SMALL)


def traffic(sketch: Sketch, page: Page) -> Figure:
    """Return a bar for each series, stacked from its traffic classes, its sum behind it."""
    figure, panels, columns = _panels(sketch, page, lambda panel: [(s.name, s, s.records) for s in panel.series])
    scale = UNITS[sketch.unit]
    sums = [max((sum(r["bytes"] for r in s.records) / scale for s in panel.series), default=0) for panel, _ in panels]
    limits = shared([panel for panel, _ in panels], sums, _SQUEEZED)
    for (panel, own), limit in zip(panels, limits, strict=True):
        for position, series in enumerate(panel.series):
            _bar(own, position, series, scale)
        own.set_xlim(0, limit * 1.22)
        linear(own.xaxis, 4)
    label_outer([own for _, own in panels], columns, x_is_shared=lambda a, b: limits[a] == limits[b])
    shown = [name for name in CLASSES if any(r["traffic"] == name for part in sketch.parts for r in part.records)]
    legend(figure, [Patch(**_class(name)) for name in shown], shown, page, sketch.over)
    return figure


def _bar(own: Axes, position: int, series: Series, scale: float) -> None:
    end = 0.0
    for record in series.records:
        size = record["bytes"] / scale
        own.barh(position, size, left=end, height=0.62, label=record["traffic"], **_class(record["traffic"]))
        end += size
    if series.records:
        _beside(own, position, end, short(end) + PARTLY * bool(series.parts[0].note), 2)


def _class(traffic: str) -> dict[str, Any]:
    colour, hatch = CLASSES[traffic]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.3}


# --- the log beside what travels ------------------------------------------------------------------

_LOG: dict[str, Any] = {
    "color": "#D55E00", "marker": "o", "markersize": 4, "markerfacecolor": "white", "linestyle": "",
}  # fmt: skip
_TRUE: dict[str, Any] = {"color": "#0072B2", "marker": "s", "markersize": 3.6, "linestyle": ""}


def audit(sketch: Sketch, page: Page) -> Figure:
    """Return what was logged and what travelled as two dots on one logarithmic line, with the factor between them."""
    true, scale = f"{sketch.column.measure}_bytes", UNITS[sketch.unit]
    figure, panels, columns = _panels(sketch, page, _audited)
    sizes = [r[key] / scale for part in sketch.parts for r in part.records for key in (LOGGED, true) if r[key]]
    span = min(sizes) / 4, max(sizes) * 8  # at the left stand zeros, at the right factors
    for panel, own in panels:
        own.set(xscale="log", xlim=span)
        for position, (_, _, record) in enumerate(_audited(panel)):
            if record:
                _dots(own, position, record, true, scale)
        logarithmic(own.xaxis, *span, page.width_in / columns - 0.5)
    label_outer([own for _, own in panels], columns, x_is_shared=lambda a, b: True)
    is_estimate = any(part.line.is_estimate for part in sketch.parts)
    names = ["asizeof, closed form" if is_estimate else "FederatedScope's log", sketch.column.measure]
    legend(figure, [Line2D([], [], **_LOG), Line2D([], [], **_TRUE)], names, page, sketch.over)
    return figure


def _audited(panel: Panel) -> list[Row]:
    return [(row_name(s.name, r) if r else s.name, s, r) for s in panel.series for r in s.records or [{}]]


def _dots(own: Axes, position: int, record: Record, true: str, scale: float) -> None:
    """Draw one row; a 0, which has no place on a logarithmic scale, is written at the left."""
    logged, size = record[LOGGED], record[true]
    if logged and size:
        own.plot([logged / scale, size / scale], [position] * 2, color=GREY, linewidth=0.7, zorder=1)
        partly = PARTLY * record["partly"]
        _beside(own, position, max(size, logged) / scale, f"×{short(size / logged)}{partly}", 4)
    for value, style, name in ((logged, _LOG, LOGGED), (size, _TRUE, true)):
        if value:
            own.plot([value / scale], [position], label=name, **style)
        elif value == 0:
            _at_left(own, position, "0", style["color"])
