"""The verbs that compute, or list what there is to compute."""

from collections.abc import Sequence

from fscost.api.cell_states import Cells, cells_of
from fscost.api.computation import check_here, compute_again, compute_missing
from fscost.api.plan_summary import summary
from fscost.api.selection import Selection, select
from fscost.printable import say


def run_sweep(overrides: Sequence[str]) -> int:
    """Run the cells that are not done, then print the table and where it was written; return the exit code."""
    selection = Selection(overrides)
    _warn(selection)
    cells = compute_missing(selection, say)
    from fscost.commands.show import show_and_write  # here: pandas takes longer to import than most plans to make

    show_and_write(cells.selection)
    return _exit_code(cells)


def rerun(words: Sequence[str], *, failed: bool, missing: bool) -> int:
    """Compute the selected cells again, all of them or only those in the given states; return the exit code."""
    cells = compute_again(select(words), say, failed=failed, missing=missing)
    if not cells:
        say("no such cell; nothing was computed")
    return _exit_code(cells)


def show_plan(words: Sequence[str], *, listed: bool = False) -> int:
    """List the cells with how far each is, many as a summary unless they are to be `listed`; runs nothing.

    Raises ConfigError after that for packages that this machine lacks to compute what is not done.
    """
    selection = select(words)
    _warn(selection)
    cells = cells_of(selection)
    print(cells if listed or len(cells) <= _MOST_LISTED else "\n".join(summary(cells)))
    check_here(cells)
    return 0


def _warn(selection: Selection) -> None:
    for line in selection.plan.warnings:
        say(f"warning: {line}")


_MOST_LISTED = 40
"""How many cells are listed without being asked for: about a screen."""


def _exit_code(cells: Cells) -> int:
    return 0 if len(cells.done) == len(cells) else 1
