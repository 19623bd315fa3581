"""The lines of a table: which runs stand behind each, same settings but for the seed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from fscost.cells.engine_kinds import engine_kind
from fscost.cells.measure import MEASURES, NETWORK, Link, Traffic, total_column
from fscost.cells.outcome import Status
from fscost.errors import TableError
from fscost.printable import plural
from fscost.protocol.no_effect import options_in
from fscost.tables.column import ColumnSpec
from fscost.tables.marks import UNKNOWN, Mark, mark_of, unknown
from fscost.tables.network_model import Course, Sent
from fscost.tables.option_values import number_of

if TYPE_CHECKING:
    import pandas as pd  # which takes longer to import than a plan, that only checks what a table is to show

Record = Mapping[str, Any]
"""One row of a frame of `fscost.collect`, as of cells or of rounds."""

SWEEP = "sweep"
"""The key that tells the selections of one table apart: each is a sweep by its name, in the order of these names."""

OfCells = Mapping[str, Sequence[Record]]
"""The rows of a frame by the names of their cells."""

Values = list[float] | Mark
"""A number for each seed, in base units, or the mark that stands for them."""


@dataclass(frozen=True)
class Line:
    """The runs of one setting, one per seed; `axes` are the keys of a table, `rounds` the evaluations of each run.

    `left_out` is how many others are not done, where only those that are make its numbers.
    """

    axes: Mapping[str, Any]
    runs: Sequence[Record]
    rounds: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    left_out: int = 0
    _courses: dict[tuple[str, str], list[Course] | Mark] = field(default_factory=dict, repr=False, compare=False)
    _sums: dict[tuple[str, ...], Values] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def status(self) -> Status:
        """DONE if all seeds are, else the first other status."""
        others = [run["status"] for run in self.runs if run["status"] != Status.DONE]
        return Status(others[0]) if others else Status.DONE

    def of_done(self) -> "Line":
        """Return the line of those runs alone that are done, the whole one where none is."""
        done = [run for run in self.runs if run["status"] == Status.DONE]
        return Line(self.axes, done, self.rounds, len(self.runs) - len(done)) if done else self

    @cached_property
    def seeds(self) -> list[Any]:
        """The seeds in order."""
        return sorted((run["seed"] for run in self.runs), key=str)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The cells' ids."""
        return tuple(str(run["cell"]) for run in self.runs)

    @property
    def model(self) -> tuple[Any, ...]:
        """What the size of the model depends on: its name, the data, and options that vary."""
        options = (value for key, value in self.axes.items() if "." in key)
        return self.runs[0]["model"], self.runs[0]["data"], *options

    @cached_property
    def is_estimate(self) -> bool:
        """Whether nothing was trained: the bytes come from a closed form."""
        return not all(engine_kind(str(run.get("engine"))).trains for run in self.runs)

    @cached_property
    def is_derived(self) -> bool:
        """Whether it ran unmetered: the bytes come from a closed form that its logs agree with."""
        return any(map(is_derived, self.runs))

    @cached_property
    def no_effect(self) -> tuple[str, ...]:
        """The options of its method that changed nothing."""
        return tuple(dict.fromkeys(option for run in self.runs for option in options_in(run.get("no_effect"))))

    @cached_property
    def metrics(self) -> set[str]:
        """The metrics that any of the runs logs."""
        in_cells = {name for names in {tuple(run) for run in self.runs} for name in names}
        first = {tuple(rows[0]) for run in self.runs if (rows := self.rounds.get(str(run["cell"])))}
        in_rounds = {name for names in first for name in names if not name.endswith(("_bytes", "_messages"))}
        named = in_rounds - {"cell", "round"}
        return named | {name.removeprefix("final_") for name in in_cells if name.startswith("final_")}

    @property
    def is_synchronous(self) -> bool:
        """Whether a round is a message to, and one from, each client in it, and ends with the last of them."""
        return not {"asyn", "vertical"} & set(str(self.runs[0]["method"]).split("+"))

    def values(self, column: str) -> Values:
        """Return a column of the frame of cells as numbers, or the mark that stands for them."""
        if self.status is not Status.DONE:
            return mark_of(self.status)
        values = [run.get(column) for run in self.runs]
        if any(map(is_unknown, values)):
            return self._unmetered if column.endswith("_bytes") else UNKNOWN
        return [float(value) for value in values if value is not None]

    @property
    def _unmetered(self) -> Mark:
        """What stands for bytes that are not known, with the reason where a run was not metered."""
        if (underived := self.known("underived")) is None:
            return UNKNOWN
        return unknown(f"no message was metered, and {underived}; table.measure=reported shows what was logged")

    def known(self, column: str) -> Any:
        """Return the first known value of a column, None without one."""
        return next((run[column] for run in self.runs if not is_unknown(run.get(column))), None)

    def sums(self, columns: Sequence[str]) -> Values:
        """Return the sum of several columns for each run, or the first mark among them."""
        asked = tuple(columns)  # again and again, as those of `courses`
        if asked not in self._sums:
            self._sums[asked] = self._sums_of(asked)
        return self._sums[asked]

    def _sums_of(self, columns: Sequence[str]) -> Values:
        parts = [self.values(column) for column in columns]
        numbers = [values for values in parts if not isinstance(values, Mark)]
        marks = [values for values in parts if isinstance(values, Mark)]
        return marks[0] if marks else [sum(of_run) for of_run in zip(*numbers, strict=True)]

    @property
    def encodes_itself(self) -> bool:
        """Whether a run's messages are serialised as its own training code does it."""
        return any(engine_kind(str(run.get("engine"))).encodes_itself for run in self.runs)

    def courses(self, column: ColumnSpec) -> list[Course] | Mark:
        """Return what each run sent, or the mark that stands for it where a part of it is not known."""
        counted = (column.measure, column.traffic)  # several columns, and tables in several units, ask for the same
        if counted not in self._courses:
            self._courses[counted] = self._courses_of(column)
        return self._courses[counted]

    def _courses_of(self, column: ColumnSpec) -> list[Course] | Mark:
        if self.status is not Status.DONE:
            return mark_of(self.status)
        if column.measure == NETWORK and self.encodes_itself:
            return _NO_TRANSPORT
        courses = [course_of(run, run.get("rounds_trained"), column) for run in self.runs]
        known = [course for course in courses if course is not None]
        return known if len(known) == len(courses) else self._unmetered


_NO_TRANSPORT = unknown("how this training code's messages travel is not known; take table.measure=payload")


def bytes_columns(column: ColumnSpec, link: Link) -> list[str]:
    """Return the columns of the frame whose sum are the bytes over a link; those of network are made from wire's."""
    return [total_column(traffic, link, part) for traffic in column.traffics for part in MEASURES[column.measure].parts]


def message_columns(column: ColumnSpec, link: Link) -> list[str]:
    """Return the columns of the frame whose sum are the messages over a link."""
    return [f"{traffic}_{link}_messages" for traffic in column.traffics]


def client_rounds_column(column: ColumnSpec, link: Link) -> str:
    """Return the column of the frame that says in how many rounds how many clients took part on a link."""
    return f"{column.traffic}_{link}_client_rounds"


@cache  # the names take longer to make than the sums
def _names(column: ColumnSpec) -> list[tuple[list[str], list[str], str]]:
    """Return, for each link, the columns of the frame that say what was sent."""
    return [(bytes_columns(column, k), message_columns(column, k), client_rounds_column(column, k)) for k in Link]


def course_of(run: Record, rounds: Any, column: ColumnSpec) -> Course | None:
    """Return what a row of the frame of cells or of rounds says was sent, None where a part is not known."""
    sums = [(_sum(run, sizes), _sum(run, messages)) for sizes, messages, _ in _names(column)]
    known = [(size, number) for size, number in sums if size is not None and number is not None]
    if is_unknown(rounds) or len(known) < len(sums):
        return None
    if column.traffic == Traffic.TRAINING:
        spread = [None if is_unknown(run.get(name)) else float(run[name]) for *_, name in _names(column)]
    else:  # not every round has it: the numbers are of a mean exchange
        spread = [max(number for _, number in known[:2])] * len(known)
    sent = [Sent(*pair, pairs) for pair, pairs in zip(known, spread, strict=True)]
    return Course(column.measure, float(rounds), *sent)


def _sum(run: Record, names: Iterable[str]) -> float | None:
    values = [run.get(name) for name in names]
    return None if any(map(is_unknown, values)) else sum(float(value) for value in values if value is not None)


def is_derived(run: Record) -> bool:
    """Return whether a run's bytes follow from its configuration, as nobody metered its messages."""
    return not is_unknown(run.get("derived"))


def is_unknown(value: Any) -> bool:
    """Return whether there is no number, as of the loss of a run that diverged."""
    return not math.isfinite(value) if isinstance(value, float) else is_missing(value)


def is_missing(value: Any) -> bool:
    """Return whether nothing is there: None, nan, or what pandas has in the place of whole numbers."""
    if type(value) is int:  # most are
        return False
    return math.isnan(value) if isinstance(value, float) else value is None or type(value).__name__ == "NAType"


def lines_of(
    runs: Sequence[Record], rounds: Iterable[Record], keys: Sequence[str], *, named: bool = True
) -> list[Line]:
    """Return the lines in the order in which the values of `keys` were first named, or else in that of the values.

    Models are then in the order of their sizes.

    Raises TableError for two runs of one cell.
    """
    evaluated: dict[str, list[Record]] = {}
    for row in rounds:
        evaluated.setdefault(row["cell"], []).append(row)
    axes_of = [{key: plain(run.get(key)) for key in keys} for run in runs]
    found = {key: list(dict.fromkeys(axes[key] for axes in axes_of)) for key in keys}
    if not named:
        sizes = {run["model"]: run["params"] for run in runs if not is_unknown(run.get("params"))}
        found = {
            key: values if key == SWEEP else _sorted(values, sizes if key == "model" else {})
            for key, values in found.items()
        }
    rank = {key: {value: i for i, value in enumerate(values)} for key, values in found.items()}
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, axes in enumerate(axes_of):
        groups.setdefault(tuple(rank[key][axes[key]] for key in keys), []).append(number)
    lines = [Line(axes_of[own[0]], [runs[n] for n in own], evaluated) for _, own in sorted(groups.items())]
    for line in lines:
        _refuse_twins(line)
    return lines


def records_of(frame: "pd.DataFrame | None") -> list[Record]:
    """Return the rows of a frame by the columns' names; ``to_dict`` looks at each value, and takes longer."""
    if frame is None:
        return []
    names = [str(name) for name in frame]
    return [dict(zip(names, row, strict=True)) for row in zip(*(frame[name].tolist() for name in frame), strict=True)]


def by_cell(frame: "pd.DataFrame | None") -> dict[str, list[Record]]:
    """Return the rows of a frame by the names of their cells; filtering for each cell looks at all rows each time."""
    return {cell: rows for (cell,), rows in by_columns(records_of(frame), "cell").items()}


def by_columns(rows: Iterable[Record], *columns: str) -> dict[tuple[Any, ...], list[Record]]:
    """Return rows by the values of some columns, in the order in which these first appear."""
    found: dict[tuple[Any, ...], list[Record]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in columns), []).append(row)
    return found


def _sorted(values: Iterable[Any], sizes: Mapping[Any, float]) -> list[Any]:
    """Return numbers by size, then text by `sizes` where it has one, then by its letters."""

    def rank(value: Any) -> tuple[float, float, str]:
        if (number := number_of(value)) is not None:
            return 0, number, ""
        return 1, sizes.get(value, math.inf), str(value)

    return sorted(values, key=rank)


def sizes_of(lines: Iterable[Line]) -> dict[tuple[Any, ...], int]:
    """Return the number of parameters of each model, known from any of its runs that is done."""
    return {line.model: int(size) for line in lines if (size := line.known("params")) is not None}


def _refuse_twins(line: Line) -> None:
    first = dict[Any, Record]()
    for run in line.runs:
        other = first.setdefault(run["seed"], run)
        if other is not run and run["seed"] == other["seed"]:  # nan is none
            clients = plural(as_planned(run["clients"]), "client")
            same = f"{run['method']}, {run['model']}, {clients}, seed {run['seed']}"
            ids = dict.fromkeys(str(one["cell"]) for one in (other, run))
            twice = f"{' and '.join(ids)} are runs" if len(ids) > 1 else f"there are two runs, both {run['cell']},"
            raise TableError(f"{same}: {twice} of the same cell; select one folder, or name each as a + b")


def as_planned(clients: Any) -> Any:
    """Return a number of clients, or ``all`` where only the data say how many there are."""
    return "all" if is_missing(clients) else clients


def plain(value: Any) -> Any:
    """Return a value as the cell has it: pandas turns whole numbers into floats where some are missing."""
    if is_unknown(value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value
