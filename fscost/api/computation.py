"""Cells into the store: computing what is missing, or again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fscost.api.cell_states import Cells, CellState, older_results_of, state_of
from fscost.api.selection import Selection, remember, settings_of
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.engine import Engines, EngineSettings, described
from fscost.errors import ConfigError, StoreError, for_each_cell
from fscost.launch import Ended, Sweep, Task, launcher, progress_of
from fscost.plan import Plan, Planned
from fscost.printable import plural
from fscost.store.run import Run
from fscost.store.rundir import RunDir
from fscost.store.store import Store, is_named_after

Say = Callable[[str], None]
"""Tells the user a line of what happens."""


def compute_missing(selection: Selection, say: Say | None) -> Cells:
    """Compute the cells of a grid that are not done; return all of them as they are then.

    Without `say` nothing is told. An interrupt ends what runs, and is raised again; what is done stays.
    """
    made, store = selection.plan, selection.store
    seen = _stamps(made.cells, store)
    before = [state_of(cell, run, keep=number < _MOST_KEPT) for number, (cell, run) in enumerate(selection.runs)]
    pending = [one for one, state in zip(made.cells, before, strict=True) if state.status is not Status.DONE]
    _begin(store, selection, is_idle=not pending)
    if say:
        _say_engine(made, say)
        done = len(made.cells) - len(pending)
        say(f"{plural(len(made.cells), 'cell')}: {done} done, {len(pending)} to run, store {store.path}")
        for line in older_results_of(before):
            say(line)
    ended = _compute(pending, seen, store, made, say)
    again = selection.renewed()
    states = [
        state if state.status is Status.DONE else _after(state_of(cell, run, keep=number < _MOST_KEPT), ended)
        for number, (state, (cell, run)) in enumerate(zip(before, again.runs, strict=True))
    ]
    return Cells(states, again)


_MOST_KEPT = 5_000
"""Of how many runs is kept what was read of them, some 30 kB of each; of others it is read again for the table."""


def compute_again(selection: Selection, say: Say | None, *, failed: bool, missing: bool) -> Cells:
    """Compute selected cells again, all or only those in the given states; return these as they are then."""
    runs, states = [*_own_runs(selection, say or _nothing)], list[CellState]()
    for folder in dict.fromkeys(run.path.parent for _, run in runs):
        store, here = Store(folder), [(cell, run) for cell, run in runs if run.path.parent == folder]
        planned = [selection.planned.get(cell.id) or selection.plan.as_planned(cell) for cell, _ in here]
        seen = _stamps(planned, store)
        if failed or missing:
            here = [(cell, run) for cell, run in here if _is_wanted(state_of(cell, run).status, failed, missing)]
        if wanted := {cell.id for cell, _ in here}:
            _open(store)
            ended = _compute([one for one in planned if one.cell.id in wanted], seen, store, selection.plan, say)
            now = [(cell, RunDir(folder / cell.name)) for cell, _ in here]
            states += [_after(state_of(cell, run), ended) for cell, run in now]
    return Cells(states, selection.renewed())


def _stamps(cells: Sequence[Planned], store: Store) -> dict[str, str]:
    """Return the stamps of cells by id, taken before their states: what somebody computes meanwhile has another."""
    return {one.cell.id: store.stamp(one.cell) for one in cells}


def _nothing(line: str) -> None:
    """Tell nothing."""


def _own_runs(selection: Selection, say: Say) -> list[tuple[Cell, Run]]:
    """Return the runs that fscost launched and can compute again."""
    found = []
    for cell, run in selection.runs:
        if cell is None:
            say(f"{run.path}: its cell cannot be read; name it by overrides to compute it again")
        elif run.can_be_rerun:
            if not is_named_after(run.path, cell):
                raise ConfigError(f"{run.path}: was renamed; rename it back to {cell.name} to compute it again")
            found.append((cell, run))
    return found


def _is_wanted(status: Status, failed: bool, missing: bool) -> bool:
    if failed and status in (Status.FAILED, Status.TIMEOUT, Status.CORRUPT):
        return True
    return missing and status in (Status.MISSING, Status.INTERRUPTED)


def _after(state: CellState, ended: Mapping[str, Ended]) -> CellState:
    """Return the state of a cell, how it ended here if it did; a rerun that failed has left the old result in place."""
    if state.id not in ended:
        return state
    end = ended[state.id]
    outcome = end.outcome or Outcome(status=Status.FAILED, reason=end.reason)
    if outcome.status is Status.DONE:
        return replace(state, is_new=True)
    log = Path(end.log) if end.log else None
    return replace(state, status=outcome.status, reason=outcome.reason, log=log, wall_s=outcome.wall_s, is_new=True)


def _compute(
    cells: Sequence[Planned], seen: Mapping[str, str], store: Store, made: Plan, say: Say | None
) -> Mapping[str, Ended]:
    """Compute cells into the store and return how those ended that did; one that fails does not stop the others."""
    if not cells:
        return {}
    tasks = [Task(one.cell, settings_of(one), one.launcher, seen[one.cell.id]) for one in cells]
    progress = progress_of([task.cell for task in tasks], store, say)
    sweep = Sweep(store, launcher(tasks, store), progress, retries=made.retries, fail_fast=made.fail_fast)
    try:
        sweep.run(tasks)
    finally:
        if sweep.has_begun:
            progress.summary()
    return sweep.results


def check_here(cells: Cells) -> None:
    """Raise ConfigError for packages that this machine lacks to compute what is not done; others may have them."""
    left = [one.id for one in cells if one.status not in (Status.DONE, Status.RUNNING)]
    planned = [cells.selection.planned[name] for name in left if name in cells.selection.planned]
    with Engines() as engines:
        for_each_cell(
            lambda one: engines.of(one.cell, settings_of(one)).check_here(one.cell),
            [one for one in planned if one.launcher["name"] == "local"],
        )


def _begin(store: Store, selection: Selection, *, is_idle: bool) -> None:
    """Make ready to compute a sweep, from now on the last one; with nothing to compute a store may be read only."""
    try:
        _open(store)
        remember(store, selection.overrides)
    except StoreError:
        if not is_idle:
            raise


def _open(store: Store) -> None:
    """Make the store ready to be written to."""
    store.check_writable()
    store.tidy()


def _say_engine(made: Plan, say: Say) -> None:
    if made.engine["name"] == "auto":
        say(f"engine=auto: {described(made.cells[0].cell.engine, EngineSettings.from_config(made.engine))}")
