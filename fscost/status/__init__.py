"""The verb status: how far the cells of a selection are, whoever computes them, once or until they are done."""

import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from fscost.status.look import Look, Selection
from fscost.status.view import view

_IDLE_LOOKS = 3
"""After how many looks at which nothing runs or has changed no more is waited for."""

_MOST_LINES = 10
"""How many running and failed cells are shown while they are watched."""

_ENDLESS = 100_000
"""The width of what is no terminal: nothing is ever wrapped or cut."""


def status(words: Sequence[str], watch_s: float | None) -> int:
    """Show how far the selected cells are; with `watch_s` again and again, until nothing of them runs any more.

    What is no terminal gets the totals alone while it watches, whenever they are others.
    """
    selection = Selection(words)
    if watch_s is None:
        _show(selection.look())
    elif sys.stdout.isatty():
        _show(_watched(selection, watch_s))
    else:
        _tell(selection, watch_s)
    return 0


def _show(look: Look) -> None:
    if sys.stdout.isatty():
        console = Console(highlight=False)
        for part in view(look, console):
            console.print(part, soft_wrap=isinstance(part, Text))  # so that a long path can be copied
        return
    console = Console(file=io.StringIO(), width=_ENDLESS, color_system=None)
    with console.capture() as plain:
        for part in view(look, console):
            console.print(part, soft_wrap=True)
    print("\n".join(line.rstrip() for line in plain.get().splitlines()))  # a table fills its lines up


def _watched(selection: Selection, every_s: float) -> Look:
    """Draw each look over the one before; returns the last."""
    look, console = selection.look(), Console(highlight=False)
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False, transient=True) as live:
        for look in _looks(selection, every_s):
            live.update(_Fitting(Group(*view(look, console, most=_MOST_LINES))), refresh=True)
    return look


class _Fitting:
    """As much of a view as fits on the screen: its end, where the totals are."""

    def __init__(self, whole: Group) -> None:
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._whole, options.update(height=None), pad=False)
        for line in lines[-(console.height - 1) :]:
            yield from line
            yield Segment.line()


def _tell(selection: Selection, every_s: float) -> None:
    before = ""
    with suppress(KeyboardInterrupt):
        for look in _looks(selection, every_s):
            if look.counts != before:
                print(look.totals, flush=True)
            before = look.counts


def _looks(selection: Selection, every_s: float) -> Iterator[Look]:
    """Yield looks until all cells ended or, for some time, none is computed."""
    idle, before = 0, ""
    while True:
        yield (look := selection.look())
        idle = 0 if look.is_running or look.counts != before else idle + 1
        if look.is_over or idle >= _IDLE_LOOKS:
            return
        before = look.counts
        time.sleep(every_s)
