"""What runs, as a terminal shows it and as a file takes it."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from fscost.launch.survey import Running
from fscost.record import Status

STYLES = {
    Status.DONE: "green",
    Status.FAILED: "red",
    Status.TIMEOUT: "red",
    Status.RUNNING: "cyan",
    Status.INTERRUPTED: "yellow",
    Status.CORRUPT: "red",
    Status.MISSING: "dim",
}


def running_lines(running: Sequence[Running], *, is_live: bool = False) -> Table:
    """Return a line for each cell that runs, whose name is cut where the terminal is too narrow.

    `is_live` leaves out what the one who computes the cells knows: where, and that they move.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="ellipsis")
    for _ in range(3 if is_live else 5):
        table.add_column(no_wrap=True)
    for one in running:
        known = [f"round {'-' if one.round is None else one.round}/{one.rounds}"]
        known += ["-" if one.accuracy is None else f"acc {100 * one.accuracy:.1f} %", duration(one.run_s)]
        known += [] if is_live else [f"moved {duration(one.still_s)} ago", one.holder]
        table.add_row(*map(Text, [one.cell.name, *known]))
    return table


def counted(states: Iterable[Status]) -> str:
    """Return how many cells are in which state, as ``3 done, 1 failed``."""
    states = list(states)
    return ", ".join(f"{states.count(status)} {status}" for status in Status if status in states)


def duration(seconds: float) -> str:
    """Return a time in its two largest units, as ``2 h 5 min``."""
    whole = round(seconds)
    for (unit, name), (part, part_name) in zip(_UNITS, _UNITS[1:], strict=False):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{whole} s"


_UNITS = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
