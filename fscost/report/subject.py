"""What a report is about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fscost.cell import Cell
from fscost.collect import Frames, Run
from fscost.tables import Table, TableSpec
from fscost.tables.compared import Options


@dataclass(frozen=True)
class Subject:
    """The selected `runs`, the `frames` collected from them, row by row in the same order, and how tables are made.

    `extra` are options that vary beyond the axes. `commands` maps the names of cells that are not done to what would
    compute them, `to_do` are a few commands that would compute all of them; `command` makes the report again.
    """

    name: str
    runs: Sequence[tuple[Cell | None, Run]]
    frames: Frames
    spec: TableSpec
    extra: Options
    table_of: Callable[[TableSpec], Table]
    commands: Mapping[str, str]
    to_do: Sequence[str]
    command: str
