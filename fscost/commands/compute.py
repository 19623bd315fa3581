"""The verbs that compute, or list what there is to compute."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType

from fscost.api.cell_states import Cells, cells_of
from fscost.api.computation import check_here, compute_again, compute_missing
from fscost.api.plan_summary import summary
from fscost.api.selection import Selection, select
from fscost.printable import say


def run_sweep(overrides: Sequence[str]) -> int:
    """Run the cells that are not done, then print the table and where it was written; return the exit code."""
    selection = Selection(overrides)
    with ended_by_signals():
        cells = compute_missing(selection, say)
    from fscost.commands.show import show_and_write  # here: pandas takes longer to import than most plans to make

    show_and_write(cells.selection)
    return _exit_code(cells)


def rerun(words: Sequence[str], *, failed: bool, missing: bool) -> int:
    """Compute the selected cells again, all of them or only those in the given states; return the exit code."""
    with ended_by_signals():
        cells = compute_again(select(words), say, failed=failed, missing=missing)
    if not cells:
        say("no such cell; nothing was computed")
    return _exit_code(cells)


def show_plan(words: Sequence[str], *, listed: bool = False) -> int:
    """List the cells with how far each is, many as a summary unless they are to be `listed`; runs nothing.

    Raises ConfigError after that for packages that this machine lacks to compute what is not done.
    """
    cells = cells_of(select(words))
    print(cells if listed or len(cells) <= _MOST_LISTED else "\n".join(summary(cells)))
    check_here(cells)
    return 0


_MOST_LISTED = 40
"""How many cells are listed without being asked for: about a screen."""


def _exit_code(cells: Cells) -> int:
    return 0 if len(cells.done) == len(cells) else 1


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the end of a batch job, and a terminal that was closed."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Take whatever ends a command as an interrupt, which ends what runs, and a second one at once.

    What is ignored stays so, as SIGHUP under nohup.
    """
    if current_thread() is not main_thread():  # which alone may say what signals do
        yield
        return
    before = {number: answer for number in _ENDS if (answer := signal.getsignal(number)) is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, _interrupt)
        yield
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, _end_now)
    raise KeyboardInterrupt


def _end_now(_number: int, _frame: FrameType | None) -> None:
    """End this process: its workers and locks end with it, jobs of a cluster may not."""
    with suppress(OSError):
        os.write(2, b"fscost: ended at once; jobs of a cluster may go on\n")
    os._exit(130)
