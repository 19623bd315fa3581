"""Cells into engines into the store: what the verbs do that compute, or list what there is to compute."""

import signal
from collections.abc import Sequence

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.commands.selection import planned, remember, select, selection_of, settings_of
from fscost.engine import EngineSettings, described
from fscost.errors import ConfigError
from fscost.launch import Sweep, Task, launcher, report_for
from fscost.plan import Plan, Planned
from fscost.printable import clean, say
from fscost.protocol.no_effect import in_words
from fscost.store.run import Run
from fscost.store.store import Store, is_named_after


def run_sweep(overrides: Sequence[str]) -> int:
    """Run the cells that are not done, then print the table and where it was written; return the exit code."""
    made = planned(overrides)
    store = Store(made.store)
    _open(store)
    _say_engine(made)
    states = [store.status(p.cell) for p in made.cells]
    pending = [p for p, status in zip(made.cells, states, strict=True) if status is not Status.DONE]
    say(f"{len(made.cells)} cells: {len(made.cells) - len(pending)} done, {len(pending)} to run, store {store.path}")
    remember(store, overrides)
    is_well = run_cells(pending, store, made)
    from fscost.commands.show import show_and_write  # here: pandas takes longer to import than most plans to make

    show_and_write(selection_of(made, overrides))
    return 0 if is_well else 1


def run_cells(cells: Sequence[Planned], store: Store, made: Plan) -> bool:
    """Compute each cell into the store; return whether all of them ended well."""
    if not cells:
        return True
    tasks = [Task(one.cell, settings_of(one), one.launcher, store.stamp(one.cell)) for one in cells]
    told = report_for([task.cell for task in tasks], store, say)
    sweep = Sweep(store, launcher(tasks, store), told, retries=made.retries, fail_fast=made.fail_fast)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's end is like Ctrl-C
    try:
        sweep.run(tasks)
    finally:
        signal.signal(signal.SIGTERM, before)
        if sweep.has_begun:
            told.summary()
    return len(sweep.results) == len(tasks) and not sweep.failures()


def _open(store: Store) -> None:
    """Make the store ready to be written to."""
    store.check_writable()
    store.tidy()


def rerun(words: Sequence[str], *, failed: bool, missing: bool) -> int:
    """Compute the selected cells again, all of them or only those in the given states; return the exit code."""
    selection = select(words)
    runs = [(cell, run) for cell, run in selection.runs if cell is not None and run.can_be_rerun]
    for cell, run in selection.runs:
        if cell is None:
            say(f"{run.path}: its cell cannot be read; name it by overrides to compute it again")
        elif run.can_be_rerun and not is_named_after(run.path, cell):
            raise ConfigError(f"{run.path}: was renamed; rename it back to {cell.name} to compute it again")
    if failed or missing:
        runs = [(cell, run) for cell, run in runs if _is_wanted(_status(cell, run), failed, missing)]
    if not runs:
        say("no such cell; nothing was computed")
        return 0
    is_well = True
    for folder in dict.fromkeys(run.path.parent for _, run in runs):
        _open(store := Store(folder))
        cells = [cell for cell, run in runs if run.path.parent == folder]
        here = [selection.planned.get(cell.id) or selection.plan.as_planned(cell) for cell in cells]
        is_well = run_cells(here, store, selection.plan) and is_well
    return 0 if is_well else 1


def _status(cell: Cell | None, run: Run) -> Status:
    """Return how far a cell is, here or anywhere."""
    return run.status() if cell is None or not run.can_be_rerun else Store(run.path.parent).status(cell)


def _is_wanted(status: Status, failed: bool, missing: bool) -> bool:
    if failed and status in (Status.FAILED, Status.TIMEOUT, Status.CORRUPT):
        return True
    return missing and status in (Status.MISSING, Status.INTERRUPTED)


def show_plan(words: Sequence[str]) -> int:
    """List the cells with their ids and how far each is; runs nothing."""
    selection = select(words)
    states = [_status(cell, run) for cell, run in selection.runs]
    for status, (cell, run) in zip(states, selection.runs, strict=True):
        useless = in_words(cell, run.warnings()) if cell else []
        line = (
            f"{status:12} {cell.name if cell else run.path}{'  without effect: ' * bool(useless)}{'; '.join(useless)}"
        )
        print(clean(line))
    print(", ".join([f"{len(states)} cells", *(f"{states.count(s)} {s}" for s in Status if s in states)]))
    return 0


def _say_engine(made: Plan) -> None:
    if made.engine["name"] == "auto":
        say(f"engine=auto: {described(made.cells[0].cell.engine, EngineSettings.from_config(made.engine))}")
