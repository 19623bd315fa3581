"""Figures of the runs that tables show: `sketch` decides what is drawn, `fscost.plots.draw` draws it.

Only what draws imports matplotlib, which takes longer than a table to make.
"""

from fscost.errors import TableError, nearest
from fscost.plots.figure_view import MOST, FigureKind, Sketch, View
from fscost.plots.sketches import FIGURES
from fscost.tables import TableSpec
from fscost.tables.comparison import Comparison

__all__ = ["FIGURES", "Sketch", "View", "sketch"]


def sketch(
    figure: str, compared: Comparison, spec: TableSpec, *, over: str | None = None, most: int | None = MOST
) -> Sketch:
    """Return what one of `FIGURES` shows of what is compared, counted as `spec` says.

    `over` is one of what the figure's x axis can be. Where a panel would have more than `most` lines, each has one of
    its own. Raises TableError for another figure, for runs that must not be compared, and where there is nothing to
    draw.
    """
    if figure not in FIGURES:
        known = ", ".join(FIGURES)
        raise TableError(f"plot {figure}: there is no such figure{nearest(str(figure), FIGURES)}; there are {known}")
    kind = FIGURES[figure]
    most = None if kind.has_rows else most
    over = _over(kind, over)
    return kind.sketch(View.of(compared, spec, of_workers=kind.of_workers, along=kind.along, over=over, most=most))


def _over(kind: FigureKind, over: str | None) -> str:
    """Return what a figure's x axis is; raises TableError for what it cannot be."""
    if over is None:
        return kind.over[0] if kind.over else ""
    if over not in kind.over:
        can = f"must be {' or '.join(kind.over)}" if kind.over else "is of the figures accuracy and pareto"
        raise TableError(f"plot {kind.name}: --over {over}: {can}{nearest(over, kind.over)}")
    return over
