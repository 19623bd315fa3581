"""Figures of the runs that tables show: `sketch` decides what is drawn, `fscost.plots.draw` draws it.

Only what draws imports matplotlib, which takes longer than a table to make.
"""

from typing import TYPE_CHECKING

from fscost.errors import TableError, nearest
from fscost.plots.figure_view import MOST, Sketch, View
from fscost.plots.sketches import FIGURES
from fscost.tables import TableSpec
from fscost.tables.comparison import OptionValues

if TYPE_CHECKING:
    from fscost.collect import Frames

__all__ = ["FIGURES", "Sketch", "View", "sketch"]


def sketch(figure: str, frames: "Frames", spec: TableSpec, extra: OptionValues, *, most: int | None = MOST) -> Sketch:
    """Return what one of `FIGURES` shows of the runs in `frames`, counted as `spec` says.

    `extra` are options that vary beyond the axes. Where a panel would have more than `most` lines, each has one of its
    own. Raises TableError for another figure, for runs that must not be compared, and where there is nothing to draw.
    """
    if figure not in FIGURES:
        known = ", ".join(FIGURES)
        raise TableError(f"plot {figure}: there is no such figure{nearest(str(figure), FIGURES)}; there are {known}")
    kind = FIGURES[figure]
    most = None if kind.has_rows else most
    return kind.sketch(View.of(frames, spec, extra, of_workers=kind.of_workers, along=kind.along, most=most))
