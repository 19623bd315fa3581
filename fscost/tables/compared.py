"""Which runs stand beside each other, in a table or in a figure: lines whose numbers are counted in the same way."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from fscost.errors import TableError
from fscost.tables.given import given
from fscost.tables.keys import Keys, keys_of, refuse_mixture
from fscost.tables.lines import Line, lines_of
from fscost.tables.spec import TableSpec

Options = Mapping[str, Mapping[str, Any]]
"""Options that vary beyond the axes, each with its value per cell id."""


def readable(cells: pd.DataFrame, extra: Options) -> pd.DataFrame:
    """Return the cells of which it is known what they are, with options as columns.

    Runs of one cell have its id with a number behind it. Raises TableError where none is left.
    """
    if cells.empty:
        raise TableError("no cells are selected; name a grid, a sweep or a folder with runs")
    known = cells[cells["model"].notna()] if "model" in cells else cells.iloc[:0]
    if known.empty:
        raise TableError("none of the selected runs can be read; see the warnings")
    ids = known["cell"].str.split("-").str[0]
    return known.astype(object).assign(**{name: ids.map(given(values)) for name, values in extra.items()})


def compared(
    cells: pd.DataFrame, rounds: pd.DataFrame | None, spec: TableSpec, extra: Options, measures: Iterable[str]
) -> tuple[Keys, list[Line]]:
    """Return the lines of `readable` cells, in the order of `spec`, and the keys that tell them apart.

    Raises TableError for cells that must not be compared in `measures`, and for two runs of one cell.
    """
    keys = keys_of(cells, spec, [*extra])
    refuse_mixture(cells, keys.rows, measures)
    lines = lines_of(cells, pd.DataFrame() if rounds is None else rounds, keys.of_lines, named=spec.order != "sorted")
    return keys, lines
