"""Where panels stand, which of them share a scale, and what stands around them."""

import math
from collections.abc import Callable, Hashable, Sequence
from itertools import product

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fscost.errors import TableError
from fscost.plots.style import GREY, HIGHEST_IN, Page, width_em
from fscost.plots.view import Panel

_NARROWEST_IN = 1.45
_LINE_IN = 0.135
_ENTRY_IN = 0.46
"""What an entry of a legend takes beside its text."""


def arranged(panels: Sequence[Panel], width_in: float) -> tuple[list[Panel], int]:
    """Return the panels row by row, and how many columns there are.

    A full grid of two keys keeps its rows and columns where they fit; anything else is broken into even rows.
    """
    most = max(1, int(width_in / _NARROWEST_IN))
    first = list(dict.fromkeys(panel.place[:1] for panel in panels))
    rest = list(dict.fromkeys(panel.place[1:] for panel in panels))
    if len(panels) == len(first) * len(rest) and min(len(first), len(rest)) > 1:
        found = {panel.place: panel for panel in panels}
        if len(rest) <= len(first) <= most or len(first) <= most < len(rest):
            return [found[a + b] for b, a in product(rest, first)], len(first)
        if len(rest) <= most:
            return [found[a + b] for a, b in product(first, rest)], len(rest)
    rows = math.ceil(len(panels) / most)
    return [*panels], math.ceil(len(panels) / rows)


def shared(panels: Sequence[Panel], largest: Sequence[float], squeezed: float) -> list[float]:
    """Return the largest number on each panel's axis: of all panels, else of those of its model, else its own.

    They do not share a scale where the largest number of one is more than `squeezed` times another's.
    """
    ways: list[Callable[[int], Hashable]] = [
        lambda number: 0,
        lambda number: panels[number].model,
        lambda number: number,
    ]
    for way in ways:
        groups: dict[Hashable, list[float]] = {}
        for number, value in enumerate(largest):
            groups.setdefault(way(number), []).append(value)
        sized = [[value for value in values if value > 0] for values in groups.values()]
        if all(not values or max(values) / min(values) <= squeezed for values in sized):
            break
    return [max(groups[way(number)]) or 1.0 for number in range(len(panels))]


def grid(
    panels: Sequence[Panel], columns: int, heights_in: Sequence[float], page: Page, names: Sequence[str], left_in: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure with axes for each panel, titled, with room for a legend of these names.

    `heights_in` are those of the rows, without titles; `left_in` is what stands at the left of all panels. Raises
    TableError for what does not fit on a page.
    """
    titles = [page.lines(panel.title, (page.width_in - left_in) / columns - 0.1) for panel in panels]
    lines = max(title.count("\n") + 1 for title in titles)
    above = _legend_lines(names, page, _legend_columns(names, page))
    height = sum(heights_in) + len(heights_in) * (_LINE_IN * lines + 0.22) + _LINE_IN * above + 0.42
    if height > HIGHEST_IN:
        raise TableError(
            f"{len(panels)} panels are {height:.0f} in high, a page has {HIGHEST_IN:.0f}; select fewer cells, "
            "or make the figure wider with --width page"
        )
    figure = Figure(figsize=(page.width_in, height))
    axes = figure.subplots(len(heights_in), columns, squeeze=False, height_ratios=heights_in).flatten().tolist()
    for title, own in zip(titles, axes, strict=False):
        own.set_title(title)
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    return figure, axes[: len(panels)]


def label_outer(
    axes: Sequence[Axes], columns: int, *, x_is_shared: Callable[[int, int], bool], y_is_shared: bool = False
) -> None:
    """Leave out numbers that the panel below, or the one at the left, has too."""
    for number, own in enumerate(axes):
        below = number + columns
        if below < len(axes) and x_is_shared(number, below):
            own.tick_params(labelbottom=False)
        if y_is_shared and number % columns:
            own.tick_params(labelleft=False)


def legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str], page: Page, title: str) -> None:
    """Put a legend above the panels, in as many columns as fit."""
    if names or title:
        figure.legend(
            handles, _entries(names, page), title=page.text(title), title_fontsize=6.5, loc="outside upper center",
            ncols=_legend_columns(names, page), frameon=False, handlelength=2.2, columnspacing=1.2, borderpad=0.1,
            borderaxespad=0.2, labelspacing=0.3,
        )  # fmt: skip


def _entries(names: Sequence[str], page: Page) -> list[str]:
    return [page.lines(name, page.width_in - _ENTRY_IN) for name in names]


def _legend_columns(names: Sequence[str], page: Page) -> int:
    longest_in = min(page.width_in - _ENTRY_IN, max(map(width_em, names), default=0) * 7 / 72)
    return max(1, min(len(names), int(page.width_in / (_ENTRY_IN + longest_in))))


def _legend_lines(names: Sequence[str], page: Page, columns: int) -> int:
    lines = sum(entry.count("\n") + 1 for entry in _entries(names, page))
    return lines if columns == 1 else math.ceil(len(names) / columns)


def said(axes: Axes, lines: Sequence[str]) -> None:
    """Say in a panel what has no number there, as ``FedPer: missing``."""
    text = axes.text(0.97, 0.04, "\n".join(lines), transform=axes.transAxes, ha="right", va="bottom", color=GREY,
                     fontsize=6)  # fmt: skip
    text.set_in_layout(False)
