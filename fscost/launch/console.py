"""What runs, as a terminal shows it and as a file takes it."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fscost.cells.metric import percent
from fscost.cells.outcome import Status
from fscost.launch.under_way import Running
from fscost.printable import clean


def running_lines(running: Sequence[Running], width: int, *, is_live: bool = False) -> Table:
    """Return a line for each cell that runs; where `width` is too small, what matters least is left out.

    `is_live` leaves out what the one who computes the cells knows: that they move, and where.
    """
    told = [facts(one)[: 3 if is_live else None] for one in running]
    while told and len(told[0]) > 1 and _LEAST_NAME + _width(told) > width:
        told = [row[:-1] for row in told]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="ellipsis")
    for _ in told[0] if told else ():
        table.add_column(no_wrap=True)
    for one, row in zip(running, told, strict=True):
        table.add_row(*map(Text, [one.cell.name, *row]))
    return table


_LEAST_NAME = 25
"""How much of a cell's name, which begins with method, model and data, is to be seen."""


def facts(one: Running) -> list[str]:
    """Return what is told of a running cell, what matters most first."""
    return [
        f"round {'-' if one.round is None else one.round}/{one.rounds}",
        "-" if one.accuracy is None else f"acc {percent(one.accuracy):.1f} %",
        duration(one.run_s),
        f"moved {duration(one.still_s)} ago",
        clean(one.holder),
    ]


def _width(facts: Sequence[Sequence[str]]) -> int:
    return sum(2 + max(map(cell_len, column)) for column in zip(*facts, strict=True))


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
