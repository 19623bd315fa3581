"""Cells with how far each is: what a plan and a sweep come to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from fscost.api.older_results import older_results
from fscost.api.selection import Selection
from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.files import is_there
from fscost.printable import clean, plural
from fscost.protocol import fs_options
from fscost.protocol.no_effect import in_words
from fscost.store.run import Run, warnings_in
from fscost.store.store import Store, is_named_after

if TYPE_CHECKING:
    import pandas as pd

_FAILED = (Status.FAILED, Status.TIMEOUT, Status.CORRUPT)


@dataclass(frozen=True)
class CellState:
    """A cell, None where its run does not tell it, and how far it is; failures have a `reason` and a `log`.

    name: that of its run directory, or where its run lies. path: its run directory, whether or not it is there.
    wall_s: seconds that it took to compute. warnings: what was said when it ended. is_new: whether it ended in the call
    that returned it. What takes folders takes it for its run directory: ``fscost.explain(cells[0])``.
    """

    name: str
    cell: Cell | None = field(repr=False)
    status: Status
    reason: str = ""
    log: Path | None = None
    wall_s: float = 0.0
    warnings: Sequence[str] = ()
    path: Path = Path()
    is_new: bool = False

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def id(self) -> str:
        """The hash of what is to be computed, 12 characters; empty where the cell is not known."""
        return self.cell.id if self.cell else ""

    @property
    def axes(self) -> Mapping[str, Any]:
        """What tells it from other cells: method, model, data, clients, rounds, seed."""
        return self.cell.axes if self.cell else {}

    @property
    def options(self) -> Mapping[str, Any]:
        """FederatedScope's options of the cell by dotted name, those that are not its defaults."""
        return dict(fs_options.leaves(self.cell.fs)) if self.cell else {}

    @property
    def has_failed(self) -> bool:
        """Whether it ended without a result that can be believed."""
        return self.status in _FAILED

    @property
    def no_effect(self) -> list[str]:
        """What of its method changes nothing, in words; of models that are known, before it ran."""
        return in_words(self.cell, self.warnings) if self.cell else []


class Cells(Sequence[CellState]):
    """The cells of a selection in its order, each with how far it is.

    They can be indexed, iterated and counted as a list, and are shown as a table in notebooks. What shows results takes
    them for a selection: ``fscost.table(cells)``.
    """

    def __init__(self, states: Sequence[CellState], selection: Selection) -> None:
        self._states, self.selection = tuple(states), selection

    @overload
    def __getitem__(self, place: int) -> CellState: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[CellState, ...]: ...
    def __getitem__(self, place: int | slice) -> CellState | tuple[CellState, ...]:
        return self._states[place]

    def __len__(self) -> int:
        return len(self._states)

    @property
    def done(self) -> list[CellState]:
        """The cells that have a result."""
        return [state for state in self if state.status is Status.DONE]

    @property
    def failed(self) -> list[CellState]:
        """The cells that ended without one: failed, timeout or corrupt; `reason` and `log` of each say more."""
        return [state for state in self if state.has_failed]

    @property
    def missing(self) -> list[CellState]:
        """The cells that nobody has computed to their end yet."""
        return [state for state in self if state.status in (Status.MISSING, Status.INTERRUPTED)]

    @property
    def counts(self) -> str:
        """How many cells are in which state, as ``4 cells, 3 done, 1 failed``."""
        states = [state.status for state in self]
        return ", ".join([plural(len(self), "cell"), *(f"{states.count(s)} {s}" for s in Status if s in states)])

    @property
    def older_results(self) -> list[str]:
        """Of which older code there are results of those that are missing, in words."""
        return older_results_of(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return a row per cell: id, status, engine, protocol, its axes, reason, wall time (s), log and path.

        What is not known is NA.
        """
        import pandas as pd

        return pd.DataFrame([*map(_row, self)], columns=None if len(self) else [*_ENDS]).convert_dtypes()

    def __repr__(self) -> str:
        return "\n".join([*map(line_of, self), *self.older_results, self.counts])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr>{''.join(f'<td>{escape(clean(text))}</td>' for text in row)}</tr>" for row in _shown(self))
        head = "".join(f"<th>{name}</th>" for name in _SHOWN)
        return f"<table><caption>{self.counts}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


_ENDS = ("id", "status", "engine", "protocol", "reason", "wall_s", "log", "path")
_SHOWN = ("status", "cell", "without effect", "reason", "log")
_MOST_ROWS = 100


def line_of(state: CellState) -> str:
    """Return a cell in a line of text: its status, its name, and what of its method does nothing."""
    name, useless = state.cell.name if state.cell else state.path, state.no_effect
    return clean(f"{state.status:12} {name}{'  without effect: ' * bool(useless)}{'; '.join(useless)}")


def older_results_of(states: Iterable[CellState]) -> list[str]:
    """Return of which older code there are results of the cells that are missing, a line each."""
    missing: dict[Path, list[Cell]] = {}
    for one in states:
        if one.cell and one.status is Status.MISSING:
            missing.setdefault(one.path.parent, []).append(one.cell)
    return [line for store, cells in missing.items() for line in older_results(cells, store)]


def _row(state: CellState) -> dict[str, Any]:
    cell = state.cell
    told: dict[str, Any] = {"id": state.id or None, "status": str(state.status)}
    told |= {"engine": cell and cell.engine, "protocol": cell and cell.protocol, **state.axes}
    ending = {"reason": state.reason or None, "wall_s": state.wall_s or None}
    return told | ending | {"log": state.log and str(state.log), "path": str(state.path)}


def _shown(cells: Sequence[CellState]) -> Iterator[list[str]]:
    """Yield the rows of the table in a notebook; of very many cells the first."""
    for state in cells[:_MOST_ROWS]:
        ending = [state.reason, str(state.log or "")] if state.has_failed else ["", ""]
        yield [str(state.status), state.name, "; ".join(state.no_effect), *ending]
    if len(cells) > _MOST_ROWS:
        yield ["", f"and {len(cells) - _MOST_ROWS} more", "", "", ""]


def cells_of(selection: Selection) -> Cells:
    """Return the selected cells as they are now."""
    return Cells([state_of(cell, run) for cell, run in selection.runs], selection)


def state_of(cell: Cell | None, run: Run, *, keep: bool = False) -> CellState:
    """Return how far a cell is, here or anywhere; with `keep`, what was read of the run need not be read again."""
    if cell is None or not run.can_be_rerun or not is_named_after(run.path, cell):
        return _read(run, cell, run.status(keep=keep))
    store = Store(run.path.parent)
    current = store.of(cell)
    if current.path != run.path:  # a swap is under way
        return _read(current, cell, store.status(cell))
    return _read(run, cell, store.status(cell, run if keep else None))


def _read(run: Run, cell: Cell | None, status: Status) -> CellState:
    """Return what the files of a run say."""
    name = cell.name if cell and run.can_be_rerun else str(run.path)
    if status is Status.CORRUPT:
        return CellState(name, cell, status, "its files cannot be believed; rerun the cell", path=run.path)
    if status in (Status.MISSING, Status.RUNNING):
        return CellState(name, cell, status, path=run.path)
    outcome = run.outcome()  # nothing where it was removed meanwhile
    log = run.engine_log if run.engine_log and is_there(run.engine_log) else None
    ending = outcome.get("reason", ""), log, outcome.get("wall_s", 0.0)
    return CellState(name, cell, status, *ending, warnings_in(outcome), run.path)
