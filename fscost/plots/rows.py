"""Figures of rows: stacked bars of traffic classes, and what was logged beside what travelled."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fscost.measure import UNITS
from fscost.plots.audit import LOGGED, row_name
from fscost.plots.layout import arranged, grid, label_outer, legend, shared
from fscost.plots.style import CLASSES, GREY, Page, linear, logarithmic, short, width_em
from fscost.plots.view import Panel, Record, Series, Sketch
from fscost.tables.marks import PARTLY, Mark

_LINE_IN = 0.115
_BETWEEN = 0.35
"""Between two rows, in lines."""
_SQUEEZED = 5
_SMALL: dict[str, Any] = {"fontsize": 6, "va": "center_baseline"}


@dataclass(frozen=True)
class _Rows:
    """A panel with a row for each name: `drawn` is what stands in each, nothing where the mark of its series does.

    Rows are as high as their names; `places` are their middles, in lines from the top.
    """

    panel: Panel
    names: list[str]
    series: list[Series]
    drawn: list[Any]

    @property
    def _ends(self) -> list[float]:
        return [*accumulate(name.count("\n") + 1 + _BETWEEN for name in self.names)]

    @property
    def places(self) -> list[float]:
        return [(start + end) / 2 for start, end in pairwise([0.0, *self._ends])]

    @property
    def lines(self) -> float:
        """How high the panel is."""
        return self._ends[-1]


def _panels(
    sketch: Sketch, page: Page, rows_of: Callable[[Panel], list[tuple[str, Series, Any]]]
) -> tuple[Figure, list[tuple[_Rows, Axes]], int]:
    """Return a figure whose panels have named rows, the first at the top."""
    panels, columns = arranged(sketch.panels, page.width_in)
    made = []
    for panel in panels:
        found = rows_of(panel)
        names = [page.lines(name, page.width_in * 0.4) for name, *_ in found]
        made.append(_Rows(panel, names, [series for _, series, _ in found], [drawn for *_, drawn in found]))
    heights = [_LINE_IN * max(own.lines for own in made[n : n + columns]) for n in range(0, len(made), columns)]
    left_in = min(page.width_in * 0.4, max(width_em(name) for panel in panels for name, *_ in rows_of(panel)) * 0.09)
    figure, axes = grid(panels, columns, heights, page, ["legend"], left_in)
    for number, (rows, own) in enumerate(zip(made, axes, strict=True)):
        own.set_ylim(rows.lines, 0)
        own.set_yticks(rows.places, rows.names)
        own.tick_params(axis="y", length=0, labelleft=not (number % columns and rows.names == made[number - 1].names))
        own.grid(axis="x")
        for place, series, drawn in zip(rows.places, rows.series, rows.drawn, strict=True):
            if not drawn:
                _at_left(own, place, page.text(series.mark), GREY)
    figure.supxlabel(page.lines(sketch.x, page.width_in - 0.3))
    return figure, [*zip(made, axes, strict=True)], columns


def _at_left(own: Axes, place: float, text: str, colour: str) -> None:
    """Write what has no place on the scale."""
    own.text(0.02, place, text, transform=own.get_yaxis_transform(), color=colour, **_SMALL)


def _beside(own: Axes, place: float, x: float, text: str, off_pt: float) -> None:
    own.annotate(text, (x, place), (off_pt, 0), textcoords="offset points", **_SMALL)


def traffic(sketch: Sketch, page: Page) -> Figure:
    """Return a bar for each series, stacked from its traffic classes, its sum behind it."""
    figure, panels, columns = _panels(sketch, page, lambda panel: [(s.name, s, s.records) for s in panel.series])
    scale = UNITS[sketch.unit]
    sums = [max(sum(r["bytes"] for r in s.records) / scale for s in rows.series) for rows, _ in panels]
    limits = shared([rows.panel for rows, _ in panels], sums, _SQUEEZED)
    for (rows, own), limit in zip(panels, limits, strict=True):
        for place, series in zip(rows.places, rows.series, strict=True):
            _bar(own, place, series, scale)
        own.set_xlim(0, limit * 1.22)
        linear(own.xaxis, 4)
    label_outer([own for _, own in panels], columns, x_is_shared=lambda a, b: limits[a] == limits[b])
    shown = [name for name in CLASSES if any(r["traffic"] == name for part in sketch.parts for r in part.records)]
    legend(figure, [Patch(**_class(name)) for name in shown], shown, page, sketch.over)
    return figure


def _bar(own: Axes, place: float, series: Series, scale: float) -> None:
    end = 0.0
    for record in series.records:
        size = record["bytes"] / scale
        own.barh(place, size, left=end, height=0.85, label=record["traffic"], **_class(record["traffic"]))
        end += size
    if series.records:
        _beside(own, place, end, short(end) + PARTLY * bool(series.parts[0].note), 2)


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
    for rows, own in panels:
        own.set(xscale="log", xlim=span)
        for place, record in zip(rows.places, rows.drawn, strict=True):
            if record:
                _dots(own, place, record, true, scale)
        logarithmic(own.xaxis, *span, page.width_in / columns - 0.5)
    label_outer([own for _, own in panels], columns, x_is_shared=lambda a, b: True)
    names = [sketch.y, sketch.column.measure]
    legend(figure, [Line2D([], [], **_LOG), Line2D([], [], **_TRUE)], names, page, sketch.over)
    return figure


def _audited(panel: Panel) -> list[tuple[str, Series, Any]]:
    return [(row_name(s.name, r) if r else s.name, s, r) for s in panel.series for r in s.records or [{}]]


def _dots(own: Axes, place: float, record: Record, true: str, scale: float) -> None:
    """Draw one row; a 0, which has no place on a logarithmic scale, is written at the left."""
    logged, size = record[LOGGED], record[true]
    if logged and size:
        own.plot([logged / scale, size / scale], [place] * 2, color=GREY, linewidth=0.7, zorder=1)
        partly = PARTLY * record["partly"]
        _beside(own, place, max(size, logged) / scale, f"×{short(size / logged)}{partly}", 4)
    for value, style, name in ((logged, _LOG, LOGGED), (size, _TRUE, true)):
        if value is None:
            what = "log" if name == LOGGED else name.removesuffix("_bytes")
            own.text(0.98, place, f"{what} {Mark.UNKNOWN}", transform=own.get_yaxis_transform(), color=GREY, ha="right",
                     **_SMALL)  # fmt: skip
        elif value:
            own.plot([value / scale], [place], label=name, **style)
        elif value == 0:
            _at_left(own, place, "0", style["color"])
