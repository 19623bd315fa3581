"""Figures of the runs that tables show: `sketch` decides what is drawn, `fscost.plots.draw` draws it.

Only what draws imports matplotlib, which takes longer than a table to make.
"""

from collections.abc import Callable, Mapping

from fscost.collect import Frames
from fscost.plots.figure_view import MOST, Sketch, View
from fscost.plots.sketches import accuracy, audit, size, traffic
from fscost.tables import TableSpec
from fscost.tables.comparison import OptionValues

__all__ = ["FIGURES", "Sketch", "View", "sketch"]

FIGURES: Mapping[str, Callable[[View], Sketch]] = {
    "accuracy": accuracy,
    "size": size,
    "traffic": traffic,
    "audit": audit,
}
"""Figure → what computes its numbers."""


_OF_ROWS = ("traffic", "audit")
"""Figures in whose panels any number of series have rows of their own."""


def sketch(figure: str, frames: Frames, spec: TableSpec, extra: OptionValues, *, most: int | None = MOST) -> Sketch:
    """Return what one of `FIGURES` shows of the runs in `frames`, counted as `spec` says.

    `extra` are options that vary beyond the axes. Where a panel would have more than `most` lines, each has one of its
    own. Raises TableError for runs that must not be compared, and where there is nothing to draw.
    """
    along = "model" if figure == "size" else ""
    most = None if figure in _OF_ROWS else most
    return FIGURES[figure](View.of(frames, spec, extra, of_workers=figure == "audit", along=along, most=most))
