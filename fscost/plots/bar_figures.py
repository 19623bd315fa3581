"""Figures of rows: stacked bars of traffic classes, and what was logged beside what travelled."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fscost.cells.measure import UNITS
from fscost.plots.figure_view import Panel, Point, Series, Sketch
from fscost.plots.looks import CLASSES, LOG, TRUE
from fscost.plots.panels import arranged, grid, label_outer, legend, room_in, shared
from fscost.plots.sketches import LOGGED, row_name
from fscost.plots.style import GREY, Page, linear, logarithmic, weight, width_em
from fscost.tables.marks import PARTLY, UNKNOWN
from fscost.tables.numbers import significant

_SQUEEZED = 5
_SMALL: dict[str, Any] = {"fontsize": 6, "va": "center_baseline"}
_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}


class _Bar(NamedTuple):
    """One row of a panel: `records` are drawn in it, or the mark of its series is written."""

    name: str
    series: Series
    records: Sequence[Point]


class _Panels(NamedTuple):
    """The panels of a figure with their rows, row by row in so many columns; a panel is so wide without its names."""

    figure: Figure
    axes: list[Axes]
    panels: list[Panel]
    rows: list[list[_Bar]]
    columns: int
    room_in: float


def _panels(sketch: Sketch, page: Page, rows_of: Callable[[Panel], list[_Bar]]) -> _Panels:
    """Return a figure whose panels have named rows, number 0 at the top."""
    panels, columns = arranged(sketch.panels, page.width_in)
    rows = [rows_of(panel) for panel in panels]
    named = columns if any(_names(rows[n]) != _names(rows[n - 1]) for n in range(len(rows)) if n % columns) else 1
    most_in = page.width_in * 0.4 / named  # columns of other names have them all
    names = [[page.lines(name, most_in) for name in _names(some)] for some in rows]
    left_in = named * min(most_in, max(width_em(name) for some in rows for name in _names(some)) * 0.09)
    heights = _heights(panels, names, columns, page, left_in)
    figure, axes = grid(panels, columns, heights, page, _LEGEND, left_in)
    for number, own in enumerate(axes):
        own.set_ylim(len(rows[number]) - 0.5, -0.5)
        own.set_yticks(range(len(rows[number])), names[number])
        for text, row in zip(own.get_yticklabels(), rows[number], strict=True):
            text.set(**weight(row.series.is_ours))
        has_names = number % columns == 0 or names[number] != names[number - 1]
        own.tick_params(axis="y", length=0, labelleft=has_names)
        own.grid(axis="x")
        for place, row in enumerate(rows[number]):
            if not row.records:
                _at_left(own, place, page.text(row.series.mark), GREY)
    figure.supxlabel(page.lines(sketch.x, page.width_in - 0.3))
    return _Panels(figure, axes, panels, rows, columns, (page.width_in - left_in) / columns - 0.15)


_LEGEND = ["legend"]


def _names(rows: Sequence[_Bar]) -> list[str]:
    return [row.name for row in rows]


def _heights(
    panels: Sequence[Panel], names: Sequence[Sequence[str]], columns: int, page: Page, left_in: float
) -> list[float]:
    """Return how high each row of panels is; rows stand closer where only so all fit on a page."""
    row_in = 0.155 + 0.115 * max(name.count("\n") for some in names for name in some)
    heights = [row_in * max(map(len, names[n : n + columns])) for n in range(0, len(names), columns)]
    closer = room_in(panels, columns, page, _LEGEND, left_in) * len(heights) / sum(heights)
    return [height * closer for height in heights] if _CLOSEST <= closer < 1 else heights


_CLOSEST = 0.75


def _at_left(own: Axes, place: int, text: str, colour: str) -> None:
    """Write what has no place on the scale."""
    own.text(0.02, place, text, transform=own.get_yaxis_transform(), color=colour, **_SMALL)


def _beside(own: Axes, place: int, x: float, text: str, off_pt: float) -> None:
    own.annotate(text, (x, place), (off_pt, 0), textcoords="offset points", bbox=_ON_WHITE, **_SMALL)


def traffic(sketch: Sketch, page: Page) -> Figure:
    """Return a bar for each series, stacked from its traffic classes, its sum behind it."""
    made = _panels(sketch, page, lambda panel: [_Bar(s.label, s, s.records) for s in panel.series])
    scale = UNITS[sketch.unit]
    sums = [max(sum(r["bytes"] for r in row.records) / scale for row in rows) for rows in made.rows]
    limits = shared(made.panels, sums, _SQUEEZED)
    for own, rows, limit, largest in zip(made.axes, made.rows, limits, sums, strict=True):
        for place, row in enumerate(rows):
            _bar(own, place, row, scale)
        text_in = 0.08 + width_em(significant(largest) + PARTLY.sign) * 6 / 72
        own.set_xlim(0, max(limit * 1.05, largest / max(1 - text_in / made.room_in, 0.3)))
        linear(own.xaxis, 4, length_in=made.room_in)
    label_outer(made.axes, made.columns)
    shown = [name for name in CLASSES if any(r["traffic"] == name for r in sketch.records)]
    legend(made.figure, [Patch(**_class(name)) for name in shown], shown, page, sketch.over)
    return made.figure


def _bar(own: Axes, place: int, row: _Bar, scale: float) -> None:
    end = 0.0
    for record in row.records:
        size = record["bytes"] / scale
        own.barh(place, size, left=end, height=0.66, label=record["traffic"], **_class(record["traffic"]))
        end += size
    if row.records:
        _beside(own, place, end, significant(end) + PARTLY.sign * bool(row.series.parts[0].note), 2)


def _class(traffic: str) -> dict[str, Any]:
    colour, hatch = CLASSES[traffic]
    return {"facecolor": colour, "hatch": 4 * hatch, "edgecolor": "white", "linewidth": 0.3}


# --- the log beside what travels ------------------------------------------------------------------

_LOG: dict[str, Any] = {
    "color": LOG.colour, "marker": "o", "markersize": 5.2, "markerfacecolor": "white", "linestyle": "",
}  # fmt: skip
_TRUE: dict[str, Any] = {"color": TRUE.colour, "marker": "s", "markersize": 2.8, "linestyle": ""}
"""Smaller, so that the ring is seen around it."""


def audit(sketch: Sketch, page: Page) -> Figure:
    """Return what was logged and what travelled as two dots on one logarithmic line, with the factor between them."""
    measure, scale = sketch.column.measure, UNITS[sketch.unit]
    true = f"{measure}_bytes"
    made = _panels(sketch, page, _audited)
    sizes = [r[key] / scale for r in sketch.records for key in (LOGGED, true) if r[key]]
    for own, rows in zip(made.axes, made.rows, strict=True):
        own.set(xscale="log", xlim=(min(sizes) / 4, max(sizes) * 8))  # at the left stand zeros, at the right factors
        for place, row in enumerate(rows):
            for record in row.records:
                _dots(own, place, record, true, scale)
        logarithmic(own.xaxis, page.width_in / made.columns - 0.5)
    label_outer(made.axes, made.columns)
    names = [sketch.y, measure if measure == "payload" else f"{measure} bytes"]
    legend(made.figure, [Line2D([], [], **_LOG), Line2D([], [], **_TRUE)], names, page, sketch.over)
    return made.figure


def _audited(panel: Panel) -> list[_Bar]:
    """Return a row for each record, and one for a series without any."""
    rows = []
    for series in panel.series:
        rows += [_Bar(row_name(series.label, record), series, [record]) for record in series.records]
        if not series.records:
            rows.append(_Bar(series.label, series, []))
    return rows


def _dots(own: Axes, place: int, record: Point, true: str, scale: float) -> None:
    """Draw one row; a 0, which has no place on a logarithmic scale, is written at the left."""
    logged, size = record[LOGGED], record[true]
    if logged and size:
        own.plot([logged / scale, size / scale], [place] * 2, color=GREY, linewidth=0.7, zorder=1)
        factor = f"×{significant(size / logged)}{PARTLY.sign * record['partly']}"
        _beside(own, place, max(size, logged) / scale, factor, 4)
    for value, style, name in ((logged, _LOG, LOGGED), (size, _TRUE, true)):
        if value:
            own.plot([value / scale], [place], label=name, **style)
        elif value == 0:
            _at_left(own, place, "0", style["color"])
        else:
            unknown = f"{'log' if name == LOGGED else name.removesuffix('_bytes')} {UNKNOWN}"
            own.text(0.98, place, unknown, transform=own.get_yaxis_transform(), color=GREY, ha="right", **_SMALL)


DRAWN = {"traffic": traffic, "audit": audit}
"""The figures that are drawn here."""
