"""Where panels stand, which of them share a scale, and what stands around them."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fscost.errors import TableError
from fscost.plots.figure_view import Panel
from fscost.plots.style import GREY, HIGHEST_IN, WIDTHS_IN, Page, weight, width_em
from fscost.printable import plural

_NARROWEST_IN = 1.45
_LINE_IN = 0.135
_ENTRY_IN = 0.46
"""What an entry of a legend takes beside its text."""


def arranged(panels: Sequence[Panel], width_in: float) -> tuple[list[Panel], int]:
    """Return the panels row by row, and how many columns there are.

    A full grid of two keys keeps its rows and columns where it fits and is not much higher than it need be; anything
    else is broken into even rows.
    """
    most = max(1, int(width_in / _NARROWEST_IN))
    first = list(dict.fromkeys(panel.place[:1] for panel in panels))
    rest = list(dict.fromkeys(panel.place[1:] for panel in panels))
    is_full = len(panels) == len(first) * len(rest) and min(len(first), len(rest)) > 1
    fitting = [keys for keys in (first, rest) if len(keys) <= most]
    fitting = [keys for keys in fitting if len(keys) >= most - 1 or len(panels) / len(keys) <= 3]  # else too high
    if not is_full or not fitting:
        rows = math.ceil(len(panels) / most)
        return [*panels], math.ceil(len(panels) / rows)
    found = {panel.place: panel for panel in panels}
    if max(fitting, key=len) is first:
        return [found[a + b] for b in rest for a in first], len(first)
    return [found[a + b] for a in first for b in rest], len(rest)


def shared(panels: Sequence[Panel], largest: Sequence[float], squeezed: float) -> list[float]:
    """Return the largest number on each panel's axis: of all panels, else of those of its model, else its own.

    They do not share a scale where the largest number of one is more than `squeezed` times another's.
    """
    ways: list[Callable[[Panel], Any]] = [lambda panel: None, lambda panel: panel.model, lambda panel: panel.place]
    for way in ways:
        groups: dict[Any, list[float]] = {}
        for panel, value in zip(panels, largest, strict=True):
            groups.setdefault(way(panel), []).append(value)
        above_0 = {key: [value for value in values if value > 0] for key, values in groups.items()}
        if not any(max(values) > squeezed * min(values) for values in above_0.values() if values):
            break
    return [max(groups[way(panel)]) or 1.0 for panel in panels]


def grid(
    panels: Sequence[Panel], columns: int, heights_in: Sequence[float], page: Page, names: Sequence[str], left_in: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes for each panel, titled, with room for a legend of these names.

    `heights_in` are those of the rows, without titles; `left_in` is what stands at the left of all panels. Raises
    TableError for what does not fit on a page.
    """
    titles = _titles(panels, columns, page, left_in)
    height_in = sum(heights_in) + _around_in(titles, len(heights_in), page, names)
    if height_in > HIGHEST_IN + _ROUNDING_IN:
        wider = ", or make the figure wider with --width page" if page.width_in < WIDTHS_IN["page"] else ""
        would = f"{plural(len(panels), 'panel')} would be {height_in:.2f} in high, a page has {HIGHEST_IN:.2f}"
        raise TableError(f"{would}; select fewer cells{wider}")
    figure = Figure(figsize=(page.width_in, height_in))
    axes = figure.subplots(len(heights_in), columns, squeeze=False, height_ratios=heights_in).flatten().tolist()
    for panel, title, own in zip(panels, titles, axes, strict=False):
        own.set_title(title, **weight(bool(panel.faint) and panel.series[0].is_ours))
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    return figure, axes[: len(panels)]


_ROUNDING_IN = 1e-6


def room_in(panels: Sequence[Panel], columns: int, page: Page, names: Sequence[str], left_in: float) -> float:
    """Return how high each row of panels can be, without its titles, so that all fit on a page."""
    rows = math.ceil(len(panels) / columns)
    return (HIGHEST_IN - _around_in(_titles(panels, columns, page, left_in), rows, page, names)) / rows


def _titles(panels: Sequence[Panel], columns: int, page: Page, left_in: float) -> list[str]:
    return [page.lines(panel.title, (page.width_in - left_in) / columns - 0.1) for panel in panels]


def _around_in(titles: Sequence[str], rows: int, page: Page, names: Sequence[str]) -> float:
    """Return how high all is that is no panel: titles and numbers of rows, the legend, and the name of the axis."""
    return _LINE_IN * (rows * _height(titles) + _legend_height(names, page)) + 0.22 * rows + 0.42


def _height(texts: Sequence[str]) -> int:
    """Return how many lines the highest of some texts has."""
    return max(text.count("\n") + 1 for text in texts)


def label_outer(axes: Sequence[Axes], columns: int, *, y_is_shared: bool = False) -> None:
    """Leave out numbers that the panel below, or the one at the left, has too."""
    for number, own in enumerate(axes):
        below = axes[number + columns :][:1]
        if below and own.get_xlim() == below[0].get_xlim():
            own.tick_params(labelbottom=False)
        if y_is_shared and number % columns:
            own.tick_params(labelleft=False)


def legend(
    figure: Figure, handles: Sequence[Artist], names: Sequence[str], page: Page, title: str, ours: Sequence[bool] = ()
) -> None:
    """Put a legend above the panels, in as many columns as fit; `ours` says which names are in bold."""
    if names or title:
        columns, title = _legend_columns(names, page), page.lines(title, page.width_in - 0.1, _TITLE_PT)
        made = figure.legend(handles, _entries(names, page), title=title, loc="outside upper center", ncols=columns)
        made.get_title().set_multialignment("center")
        for text, is_ours in zip(made.get_texts(), ours, strict=False):
            text.set(**weight(is_ours))


_TITLE_PT = 6.5


def _entries(names: Sequence[str], page: Page) -> list[str]:
    return [page.lines(name, page.width_in - _ENTRY_IN) for name in names]


def _legend_columns(names: Sequence[str], page: Page) -> int:
    longest_in = max((width_em(name) * 7 / 72 for name in names), default=0)
    return max(1, min(len(names), int(page.width_in / (_ENTRY_IN + longest_in))))


def _legend_height(names: Sequence[str], page: Page) -> int:
    """Return how many lines the entries of a legend have: where one is broken, there is one column."""
    columns = _legend_columns(names, page)
    return sum(_height(_entries(names[n : n + columns], page)) for n in range(0, len(names), columns))


def said(axes: Axes, lines: Sequence[str], where: Literal["best", "lower right"] = "best") -> None:
    """Say in a panel, where it covers least, what has no number there, as ``FedPer: missing``."""
    if lines:
        empty = [Line2D([], [], linestyle="")] * len(lines)
        text = axes.legend(empty, lines, loc=where, handlelength=0, handletextpad=0, fontsize=6, labelcolor=GREY,
                           frameon=True, edgecolor="none", fancybox=False)  # fmt: skip
        text.set_in_layout(False)


def spread(places: Sequence[float], sizes: Sequence[float], highest: float = 1.0) -> list[float]:
    """Return the middles of texts of these sizes along an axis: moved up where they would lie on each other.

    They are moved down again where they would end above `highest`.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    moved, below, above = [*places], -math.inf, highest
    for number in order:
        moved[number] = max(places[number], below + sizes[number] / 2)
        below = moved[number] + sizes[number] / 2
    for number in reversed(order):
        moved[number] = min(moved[number], above - sizes[number] / 2)
        above = moved[number] - sizes[number] / 2
    return moved


Ends = Sequence[tuple[str, dict[str, Any], tuple[float, float]]]
"""The names of lines, how they are written, and where they end."""


def named_at_ends(own: Axes, ends: Ends, page: Page, height_in: float, room_in: float) -> None:
    """Write the names of lines at the right of a panel, each led to by its colour from where its line ends.

    The limits of the axes are set, names are as wide as `room_in` and no higher than the panel, if they can be.
    """
    texts = [page.lines(name, room_in, _SMALL_PT) for name, _, _ in ends]
    points = [own.transAxes.inverted().transform(own.transData.transform(point)) for _, _, point in ends]
    sizes = [_SMALL_LINE_IN * (text.count("\n") + 1) / height_in for text in texts]
    places = spread([float(y) for _, y in points], sizes)
    for text, (_, style, _), (x, y), place in zip(texts, ends, points, places, strict=True):
        line = {"arrowstyle": "-", "color": style["color"], "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2}
        own.annotate(text, (x, y), (1.04, place), xycoords="axes fraction", textcoords="axes fraction",
                     arrowprops=line, fontsize=_SMALL_PT, va="center", annotation_clip=False,
                     **{name: value for name, value in style.items() if name != "color"})  # fmt: skip


_SMALL_PT = 6
_SMALL_LINE_IN = 0.11
