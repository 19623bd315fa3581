"""A printed figure and the one cell it may be of: estimated on the fly, or as it is in the store."""

from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

from fscost.api.computation import compute_missing
from fscost.api.overrides import store_override
from fscost.api.results import Results
from fscost.api.selection import Selection
from fscost.cells.engine_kinds import engine_kind
from fscost.cells.outcome import Status
from fscost.errors import ConfigError
from fscost.tables.conventions import conventions_of
from fscost.tables.lines import records_of
from fscost.tables.printed_figure import PrintedFigure
from fscost.tables.reconciliation import Reconciliation


def reconcile(text: str, selection: Selection, steps: int | None = None) -> Reconciliation:
    """Return which conventions reproduce a figure for the one cell of a selection; writes nothing into its store.

    `steps` are the rounds of an epoch. Raises ConfigError for what is no figure, for several cells, and for a cell that
    is to be trained and is not done.
    """
    figure = PrintedFigure.from_text(text)
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ConfigError(f"steps={steps}: must be the rounds of an epoch, a whole number of at least 1")
    if len(selection.runs) != 1:
        raise ConfigError(f"{len(selection.runs)} cells: a figure is of one; name its axes, as clients=3 rounds=1")
    row = _row_of(selection)
    found, left_out = conventions_of(row, steps)
    if not found:
        raise ConfigError(f"{row['cell']}: no bytes of training are known; python -m fscost explain says what was sent")
    return Reconciliation.of(figure, found, _name(selection) or str(row["cell"]), left_out)


def _name(selection: Selection) -> str:
    """Return what a cell of a grid is called, nothing where a folder names its own."""
    cell = None if selection.folders else selection.runs[0][0]
    return cell.name if cell else ""


def _row_of(selection: Selection) -> Mapping[str, Any]:
    """Return the row of the cell in the frames; raises ConfigError with what to do where it is not done."""
    cell = selection.runs[0][0]
    if not selection.folders and cell and not engine_kind(cell.engine).trains:
        return _estimated(selection)
    results = Results(selection)
    (row,) = records_of(results.frames.cells)
    if row["status"] != Status.DONE:
        commands = " ".join(results.to_do) or "rerun what made it"
        raise ConfigError(f"{row['cell']}: is {row['status']}; first run: {commands}")
    return row


def _estimated(selection: Selection) -> Mapping[str, Any]:
    """Return the row of an estimate that is made in a store of its own, here and whatever launcher is configured."""
    own = [word for word in selection.overrides if not word.startswith(("store=", "hydra"))]
    with TemporaryDirectory(prefix="fscost-") as folder:
        states = compute_missing(Selection([*own, *store_override(folder)]), None)
        (row,) = records_of(Results(states.selection).frames.cells)
    if row["status"] != Status.DONE:
        raise ConfigError(f"{states[0].name}: cannot be estimated: {states[0].reason}")
    return row
