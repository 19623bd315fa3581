"""Figures of the runs that tables show: `sketch` decides what is drawn, `fscost.plots.draw` draws it.

Only what draws imports matplotlib, which takes longer than a table to make.
"""

from fscost.errors import TableError, nearest
from fscost.plots.figure_view import MOST, Sketch, View
from fscost.plots.sketches import FIGURES
from fscost.tables import TableSpec
from fscost.tables.comparison import Comparison

__all__ = ["FIGURES", "Sketch", "View", "sketch"]


def sketch(figure: str, compared: Comparison, spec: TableSpec, *, most: int | None = MOST) -> Sketch:
    """Return what one of `FIGURES` shows of what is compared, counted as `spec` says.

    Where a panel would have more than `most` lines, each has one of its
    own. Raises TableError for another figure, for runs that must not be compared, and where there is nothing to draw.
    """
    if figure not in FIGURES:
        known = ", ".join(FIGURES)
        raise TableError(f"plot {figure}: there is no such figure{nearest(str(figure), FIGURES)}; there are {known}")
    kind = FIGURES[figure]
    most = None if kind.has_rows else most
    return kind.sketch(View.of(compared, spec, of_workers=kind.of_workers, along=kind.along, most=most))
