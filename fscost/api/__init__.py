"""The door for Python: what the verbs of the command line do, as functions for notebooks and scripts.

They take the words of the command line: overrides that name a grid (``"clients=3,10"``), or folders with runs, as text
or as paths; or the `Cells` that a plan or a sweep returned, or some of them. Without any, the last sweep is meant, as
on the command line. ``store`` is the folder of run directories, else FSCOST_STORE, else ``runs`` in the current folder.

A mistake of the user's raises FscostError, in one line that says what to do; a cell that failed is a value. What is
odd about results is a FscostWarning. The caller's process stays as it was: signal handlers, logging, filters of
warnings, the current folder, the environment, random states, Hydra's and matplotlib's settings.
"""

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from fscost.errors import ConfigError, FscostWarning

if TYPE_CHECKING:
    from fscost.api.cell_states import Cells, CellState
    from fscost.api.overrides import TableSettings
    from fscost.api.results import Explanation, Results
    from fscost.api.selection import Selection
    from fscost.collect import Frames
    from fscost.plots.draw import Plot
    from fscost.tables import Table
    from fscost.tables.reconciliation import Reconciliation

__all__ = ["collect", "explain", "plan", "plot", "reconcile", "report", "rerun", "run", "table"]


def plan(*selection: "str | PathLike[str] | Sequence[CellState]", store: str | PathLike[str] | None = None) -> "Cells":
    """Return the cells of a grid, or of the runs in folders, with how far each is; computes nothing.

    ``python -m fscost plan`` is the same on the command line. Raises FscostError for a cell that cannot be.
    """
    from fscost.api.cell_states import cells_of

    return cells_of(_selected(selection, store))


def run(*overrides: "str | Cells", store: str | PathLike[str] | None = None, quiet: bool = False) -> "Cells":
    """Compute the cells of a grid that are not done; return all of its cells as they are then.

    The grid is named by overrides, or alone by the cells that `plan` returned; without any it is the default cell.
    Tells its progress on standard error, unless `quiet`. A cell that fails does not stop the others: it is in
    ``.failed`` of what is returned, with its reason and its log. An interrupt stops the sweep and is raised again; what
    is done stays, and the same call goes on from there. Raises FscostError for a grid that cannot be, and where the
    store cannot be written. The grid is then the last sweep.
    """
    from fscost.api.computation import compute_missing
    from fscost.printable import say

    return compute_missing(_grid(overrides, store), None if quiet else say)


def rerun(
    *selection: "str | PathLike[str] | Sequence[CellState]",
    store: str | PathLike[str] | None = None,
    failed: bool = False,
    missing: bool = False,
    quiet: bool = False,
) -> "Cells":
    """Compute cells again, whether or not they are done; return these as they are then.

    With `failed` only those that failed or cannot be believed, with `missing` only those that were never finished. An
    old result stays until the new one is done. Otherwise as `run`.
    """
    from fscost.api.computation import compute_again
    from fscost.printable import say

    return compute_again(_selected(selection, store), None if quiet else say, failed=failed, missing=missing)


def collect(
    *selection: "str | PathLike[str] | Sequence[CellState]", store: str | PathLike[str] | None = None
) -> "Frames":
    """Return the results of runs as four DataFrames, and what is odd about them as ``warnings``.

    messages: a row per cell, round, type of message and link, with how many there were and their bytes by measure.
    workers: per cell and worker, the server's is 0: what FederatedScope's log has, and what was sent and received.
    rounds: per cell and evaluated round, the metrics as logged and all bytes until then. cells: per cell its status,
    axes, totals in bytes, final and best metrics and wall time in seconds. What is not known is NA, never 0.
    Raises FscostError for a folder that is not there.
    """
    return _results(selection, store).frames


def table(
    *selection: "str | PathLike[str] | Sequence[CellState]",
    store: str | PathLike[str] | None = None,
    layout: str | PathLike[str] | None = None,
    network: Mapping[str, float] | None = None,
    **settings: "Unpack[TableSettings]",
) -> "Table":
    """Return the table of runs; `settings` are those of ``table.*`` on the command line, values as Python has them.

    layout: one of conf/table, as ``"accuracy_cost"``, or a YAML file. network: the clients' link, for times:
    ``{"uplink_mbps": 10, "downlink_mbps": 50, "latency_ms": 20}``. The table is shown as HTML in notebooks and as text
    elsewhere, and has ``to_latex``, ``to_markdown``, ``to_html``, ``to_text``, ``to_csv``, ``to_frame`` and ``save``.
    Raises FscostError for a setting that there is not, with the nearest ones, and for runs that must not be compared.
    """
    return _results(selection, store, layout, network, settings).table()


def plot(
    figure: str,
    *selection: "str | PathLike[str] | Sequence[CellState]",
    store: str | PathLike[str] | None = None,
    layout: str | PathLike[str] | None = None,
    network: Mapping[str, float] | None = None,
    width: str | float = "column",
    over: str | None = None,
    from_zero: bool = False,
    at_ends: bool = False,
    **settings: "Unpack[TableSettings]",
) -> "Plot":
    """Return a figure of runs: accuracy, pareto, size, traffic or audit, as ``python -m fscost plot`` draws it.

    width: ``column`` (3.25 in), ``page`` (6.75 in) or a number of inches. over: what accuracies are drawn over, bytes,
    uplink or rounds. from_zero: whether the axis of accuracies starts at 0, instead of where the data do. at_ends:
    whether lines are named where they end. It is shown in notebooks, and has ``save``,
    ``to_frame`` (its numbers in base units), ``to_csv``, ``caption`` and matplotlib's ``figure``. Otherwise as `table`.
    """
    results = _results(selection, store, layout, network, settings)
    return results.plot(figure, width, over=over, from_zero=from_zero, at_ends=at_ends)


def explain(
    *selection: "str | PathLike[str] | Sequence[CellState]", store: str | PathLike[str] | None = None
) -> "Explanation":
    """Return for each cell where its numbers come from, factor by factor; printed, it is all of it as text."""
    from fscost.api.results import Explanation

    return Explanation(_results(selection, store, layout="audit").explained())


def reconcile(
    figure: str,
    *selection: "str | PathLike[str] | Sequence[CellState]",
    store: str | PathLike[str] | None = None,
    steps: int | None = None,
) -> "Reconciliation":
    """Return which ways to count the bytes of one cell reproduce a printed figure, as ``"256.48MB"``, to its digits.

    steps: the rounds of an epoch, where figures per epoch are tried too. An estimate is computed for it and kept
    nowhere; any other cell must be done. It has ``hits``, without any the ``nearest``, and ``by_chance``, how many hits
    an unrelated figure would have. Raises FscostError for what is no figure, and for several cells.
    """
    from fscost.api.reconciling import reconcile

    return reconcile(figure, _selected(selection, store), steps)


def report(
    *selection: "str | PathLike[str] | Sequence[CellState]",
    out: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    layout: str | PathLike[str] | None = None,
    network: Mapping[str, float] | None = None,
    figures: Sequence[str] | None = None,
    **settings: "Unpack[TableSettings]",
) -> Path:
    """Write one HTML page about runs, tables and figures to play with, and return its path: `out`, or beside tables.

    figures: those that it shows, as ``["accuracy", "pareto"]``; all without it.
    Raises FscostError where it cannot be written. Otherwise as `table`.
    """
    return _results(selection, store, layout, network, settings).write_report(
        None if out is None else Path(out), figures
    )


def _results(
    words: Sequence["str | PathLike[str] | Sequence[CellState]"],
    store: str | PathLike[str] | None,
    layout: str | PathLike[str] | None = None,
    network: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> "Results":
    """Return the results of a selection, its warnings given as Python's."""
    from fscost.api.overrides import table_overrides
    from fscost.api.results import Results

    results = Results(_selected(words, store, [*table_overrides(layout, network, settings or {})]))
    for line in results.frames.warnings:
        warnings.warn(line, FscostWarning, stacklevel=3)
    return results


def _grid(words: Sequence["str | Cells"], store: str | PathLike[str] | None) -> "Selection":
    """Return the grid that is to be computed: what names no cell is the default one, and not the last sweep."""
    from fscost.api.cell_states import Cells
    from fscost.api.overrides import store_override
    from fscost.api.selection import Selection

    if len(words) == 1 and isinstance(words[0], Cells) and store is None:
        if words[0].selection.folders:
            raise ConfigError("these are runs in folders; fscost.rerun computes them again")
        return words[0].selection.renewed()
    for word in words:
        if isinstance(word, str) and "=" not in word and not word.startswith(("-", "~")):
            raise ConfigError(f"{word}: is no override, as clients=3,10; fscost.rerun computes runs in a folder again")
    return Selection([*_overrides(words), *store_override(store)])


def _selected(
    words: Sequence["str | PathLike[str] | Sequence[CellState]"],
    store: str | PathLike[str] | None,
    settings: Sequence[str] = (),
) -> "Selection":
    from fscost.api.cell_states import Cells
    from fscost.api.overrides import store_override
    from fscost.api.selection import select

    if len(words) == 1 and isinstance(words[0], Cells) and store is None:
        return words[0].selection.renewed().shown(settings)
    return select([*_words(words), *store_override(store), *settings])


def _words(words: Sequence[Any]) -> list[str | PathLike[str]]:
    """Return words that name cells, overrides without the + that Hydra would take; raises ConfigError for others.

    Some of the cells of a plan are their run directories.
    """
    for word in words:
        if isinstance(word, Sequence) and len(words) > 1 and not isinstance(word, str | bytes):
            raise ConfigError(
                "cells of a plan are a selection alone; leave the other words out, or name them one by one"
            )
    named = words[0] if len(words) == 1 and isinstance(words[0], list | tuple) and _are_cells(words[0]) else words
    for word in named:
        if not isinstance(word, str | PathLike):
            raise ConfigError(f"{word!r}: must be text as clients=3,10, a folder, or cells of a plan")
    texts = [word for word in named if isinstance(word, str)]
    return [*_overrides(texts), *(word for word in named if not isinstance(word, str))]


def _are_cells(words: Sequence[Any]) -> bool:
    """Return whether these are cells, one at least: no cell is not the last sweep."""
    from fscost.api.cell_states import CellState

    return bool(words) and all(isinstance(word, CellState) for word in words)


def _overrides(words: Sequence[Any]) -> list[str]:
    """Return overrides as they are composed; raises ConfigError for what is none."""
    for word in words:
        if not isinstance(word, str):
            raise ConfigError(f"{word!r}: must be text, as clients=3,10, or all cells of a plan")
        if word.startswith("-"):
            raise ConfigError(f"{word}: is of the command line; leave it out")
    return [word.lstrip("+") if "=" in word else word for word in words]
