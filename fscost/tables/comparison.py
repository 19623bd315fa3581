"""The keys of rows, which lines are compared with each other, and what must not stand in one table."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fscost.cells.cell import AXES
from fscost.cells.engine_kinds import engine_kind
from fscost.errors import TableError, nearest
from fscost.tables.column import one_of
from fscost.tables.lines import SWEEP, Line, OfCells, Record, by_cell, is_missing, lines_of, plain, records_of, sizes_of
from fscost.tables.option_values import given, makes_a_method
from fscost.tables.spec import TableSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Keys:
    """The keys of a table.

    rows: those that are shown as columns, from the left. across: the one whose values stand side by side. extra: the
    options that vary, a part of `rows`. settings: those options that stay the same
    among lines that are compared.
    constant: axes that are the same everywhere and not shown, with their value. if_varying: those of `rows` that are to
    stand only where they vary, which is not known of `params` before there are lines. any_seeds: lines of unequal seeds
    are compared.
    """

    rows: tuple[str, ...]
    across: str | None
    compare: str
    extra: tuple[str, ...]
    settings: tuple[str, ...]
    constant: Mapping[str, Any]
    if_varying: tuple[str, ...] = ()
    any_seeds: bool = False

    @property
    def of_lines(self) -> list[str]:
        """The keys in which lines differ; `params` follows from the model."""
        return [key for key in self.shown if key != "params"]

    @property
    def shown(self) -> list[str]:
        """The keys whose values stand in the table, below each other and side by side."""
        return [*self.rows, *([self.across] if self.across else [])]

    @property
    def inner(self) -> int:
        """The number of the last key of `rows`, from which on nothing spans rows: that of `params` does not count."""
        return max((i for i, key in enumerate(self.rows) if key != "params"), default=0)

    def group(self, line: Line) -> tuple[Any, ...]:
        """Return what lines that are compared with each other have in common."""
        along = {self.compare, *self.extra} - {*self.settings}
        return tuple(value for key, value in line.axes.items() if key not in along)


def keys_of(
    cells: Sequence[Record], spec: TableSpec, extra: Sequence[str], shared: Mapping[str, Any] | None = None
) -> Keys:
    """Return the keys: those of the layout, those with ``?`` only where they vary, and whatever else varies.

    `shared` are options that all have, and that are told unless they have a column.
    Nothing that differs is averaged unseen: axes that vary and are not named, and options, stand before the last key.
    """
    others = [row.labels for row in spec.cited]
    varying = [
        key
        for key in (*_known(cells), *extra)
        if len({plain(cell[key]) for cell in cells} | {row[key] for row in others if key in row}) > 1
    ]
    named = [key.removeprefix("fs.") for key in spec.rows]
    if spec.sections:  # from the left, only where there are several
        section = spec.sections.removeprefix("fs.")
        named = [f"{section}?", *(key for key in named if key.removesuffix("?") != section)]
    named = _with_hidden(named, varying, [*extra], spec)
    shown = {f"{key}?" for key in (*varying, "params")}
    rows = [key.removesuffix("?") for key in named if not key.endswith("?") or key in shown]
    across = [spec.across.removeprefix("fs.")] if spec.across else []
    twins = [SWEEP] * _has_twins(cells)
    lost = [key for key in (*twins, *AXES) if key in varying and key not in (*rows, *across, "seed")]
    options = [key for key in extra if key not in (*rows, *across)]
    place = max((i for i, key in enumerate(rows) if key != "params"), default=0)
    rows[place:place] = [*lost, *options]
    constant = {k: plain(cells[0][k]) for k in AXES if k not in (*rows, *across, "seed") and k in cells[0]}
    constant |= {k: value for k, value in (shared or {}).items() if k not in (*rows, *across)}
    settings = [key for key in extra if spec.compare in varying and _is_setting(key, cells, spec.compare)]
    if_varying = ("params",) if "params?" in named else ()
    side_by_side = across[0] if across else None
    any_seeds = spec.seeds == "done"
    return Keys(tuple(rows), side_by_side, spec.compare, tuple(extra), tuple(settings), constant, if_varying, any_seeds)


def _with_hidden(named: Sequence[str], varying: Sequence[str], extra: Sequence[str], spec: TableSpec) -> list[str]:
    """Return the keys of rows, those that are not to be shown only where they vary.

    Raises TableError for one that does vary, as rows would then be alike, and for what is no column.
    """
    keys = [key.removesuffix("?") for key in named]
    for name in spec.hidden:
        columns = (text for column in spec.column_specs() for text in (column.quantity, column.head) if text)
        one_of("hide", name, dict.fromkeys([*keys, *extra, *columns]))
        if name in varying:
            some = f"show some of its values, as table.only.{name}=[…], or all beside each other, table.across={name}"
            raise TableError(f"table.hide={name}: tells rows apart; {some}")
    if spec.hidden >= {*keys}:
        raise TableError(f"table.hide=[{','.join(spec.hide)}]: a table has at least one label; leave one of them out")
    return [f"{key}?" if key in spec.hidden else name for key, name in zip(keys, named, strict=True)]


def _has_twins(cells: Sequence[Record]) -> bool:
    """Return whether a cell is there in several sweeps, which then tell its lines apart."""
    places = {(cell.get("id", cell["cell"]), cell.get(SWEEP)) for cell in cells}
    return len({id for id, _ in places}) < len(places)


def _is_setting(option: str, cells: Sequence[Record], compare: str) -> bool:
    """Return whether an option varies within cells of the same axes, and not as it makes what is compared.

    FedAvg with all clients is compared with FedProx with all clients, and not with either of them with half of them.
    """
    if makes_a_method(option) if compare == "method" else option.startswith(f"{compare}."):
        return False
    axes = [key for key in AXES if key in cells[0] and key != "seed"]
    values: dict[tuple[Any, ...], set[Any]] = {}
    for cell in cells:
        values.setdefault(tuple(plain(cell[key]) for key in axes), set()).add(plain(cell[option]))
    return any(len(found) > 1 for found in values.values())


def _known(cells: Sequence[Record]) -> list[str]:
    return [key for key in cells[0] if key in (*AXES, SWEEP, "engine", "framework", "protocol", "fs_commit")]


def refuse_mixture(cells: Sequence[Record], keys: Iterable[str], measures: Iterable[str]) -> None:
    """Raise TableError for cells whose numbers do not mean the same, unless rows are named by what differs."""
    sources = {"engine": "engine", "protocol": "protocol", "fs_commit": "fs_commit"}
    if all(engine_kind(str(cell.get("engine"))).encodes_itself for cell in cells):  # else the engine says it
        sources["framework"] = "framework"
    if "reported" in measures:  # asizeof depends on what it runs in
        sources["asizeof"] = "what asizeof ran in"
    if apart := next((key for key in ("framework", SWEEP) if key in keys), ""):
        # a row is of one, and none is compared as if it were another
        for one in dict.fromkeys(cell.get(apart) for cell in cells):
            own = [cell for cell in cells if cell.get(apart) == one]
            refuse_mixture(own, [key for key in keys if key != apart], measures)
        return
    for key, name in sources.items():
        values = [] if key in keys else [*dict.fromkeys(v for cell in cells if not is_missing(v := cell.get(key)))]
        if len(values) > 1:
            apart = f", or add {key} to table.rows" if key != "asizeof" else ""
            raise TableError(
                f"the selected cells differ in {name}: {values[0]} and {values[1]}; select those of one{apart}"
            )


def has_same_seeds(line: Line, other: Line, keys: Keys) -> bool:
    """Return whether the numbers of two lines are over the same seeds, so that they can be compared.

    Where only those that are done make a number, lines are compared all the same.
    """
    return "seed" in keys.of_lines or keys.any_seeds or line.seeds == other.seeds


def _by_size(lines: Sequence[Line], *, reverse: bool) -> list[Line]:
    """Return the lines in the order in which rows that are ordered by params will stand: unknown sizes last."""
    sizes, sign = sizes_of(lines), -1 if reverse else 1
    return sorted(lines, key=lambda line: sign * sizes[line.model] if line.model in sizes else math.inf)


def _as_compared(lines: Sequence[Line], keys: Keys, spec: TableSpec) -> Sequence[Line]:
    """Return the lines such that the first of a group is what the others are compared with."""
    if spec.order.endswith("params"):
        return _by_size(lines, reverse=spec.order[0] == "-")
    if spec.order == "sorted" and keys.compare == "method":
        return sorted(lines, key=lambda line: line.runs[0]["method"] != "fedavg")
    return lines


def baseline_of(lines: Sequence[Line], keys: Keys, spec: TableSpec) -> list[Line | None]:
    """Return for each line the one that it is compared with: the named one of its group, else the first.

    There is none for a line of other seeds.
    Where no order was named, FedAvg comes first as it is what the field compares with.
    Raises TableError for a baseline that no line has.
    """
    known = {str(line.runs[0][keys.compare]) for line in lines}
    if spec.baseline is not None and str(spec.baseline) not in known:
        raise TableError(
            f"table.baseline={spec.baseline}: is no {keys.compare} here; there are {', '.join(sorted(known))}"
            f"{nearest(str(spec.baseline), known)}"
        )
    found: dict[tuple[Any, ...], Line] = {}
    for line in _as_compared(lines, keys, spec):
        if spec.baseline is None or str(line.runs[0][keys.compare]) == str(spec.baseline):
            found.setdefault(keys.group(line), line)
    bases = [found.get(keys.group(line)) for line in lines]
    return [
        base if base and has_same_seeds(line, base, keys) else None for line, base in zip(lines, bases, strict=True)
    ]


OptionValues = Mapping[str, Mapping[str, Any]]
"""Options that vary beyond the axes, each with its value per cell id."""


class Comparison:
    """What tables and figures of the same runs compare; each part is made once, when it is first asked for."""

    def __init__(
        self,
        cells: "pd.DataFrame",
        rounds: "pd.DataFrame | None" = None,
        workers: "pd.DataFrame | None" = None,
        messages: "Callable[[], pd.DataFrame | None]" = lambda: None,
        extra: OptionValues | None = None,
        sweeps: Mapping[str, Sequence[str]] | None = None,
        shared: Mapping[str, Any] | None = None,
    ) -> None:
        """Compare the cells of frames of `fscost.collect`; `messages` returns theirs where it is asked for.

        `extra` holds options that vary beyond the axes, their values by the id of the cell; each becomes a column.
        `sweeps` are the names of the sweeps that each cell is in: one of several stands there once for each.
        `shared` are options that are told where all cells have the same value.
        """
        self._shared = shared
        self._sweeps = sweeps or {}
        self._cells, self.rounds, self._workers, self._messages = cells, rounds, workers, messages
        self.extra = extra or {}
        self._keys: dict[tuple[Any, ...], Keys] = {}
        self._lines: dict[tuple[Any, ...], Sequence[Line]] = {}
        self.data: dict[tuple[Any, ...], tuple[list[Any], Any]] = {}  # of tables, and the lines that it is of

    @cached_property
    def cells(self) -> Sequence[Record]:
        """The cells of which it is known what they are, with options as columns.

        Raises TableError where no cell is left.
        """
        if self._cells.empty:
            raise TableError("no cells are selected; name a grid, a sweep or a folder with runs")
        known = [cell for cell in records_of(self._cells) if not is_missing(cell.get("model"))]
        if not known:
            raise TableError("none of the selected runs can be read; see the warnings")
        options = {name: given(values) for name, values in self.extra.items() if name != "framework"}
        beside = ({name: values.get(cell["id"]) for name, values in options.items()} for cell in known)
        found = [
            {**cell, "framework": _framework(cell), SWEEP: sweep, **own}
            for cell, own in zip(known, beside, strict=True)
            for sweep in self._sweeps.get(cell["cell"], [""])
        ]
        order = [*dict.fromkeys(name for names in self._sweeps.values() for name in names), ""]
        return sorted(found, key=lambda cell: order.index(cell[SWEEP]))

    @cached_property
    def workers(self) -> OfCells:
        """The workers of each cell."""
        return by_cell(self._workers)

    @cached_property
    def messages(self) -> OfCells:
        """What was sent in each cell."""
        return by_cell(self._messages())

    def keys(self, spec: TableSpec) -> Keys:
        """Return the keys of a layout."""
        lists = (*spec.rows,), (*spec.hide,), tuple(row.place for row in spec.cited)
        asked = (*lists, spec.seeds, spec.sections, spec.across, spec.compare)
        if asked not in self._keys:
            self._keys[asked] = keys_of(self.cells, spec, [*self.extra], self._shared)
        return self._keys[asked]

    def lines(self, spec: TableSpec, measures: Iterable[str]) -> Sequence[Line]:
        """Return the lines in the order of `spec`.

        Raises TableError for cells that must not be compared in `measures`, and for two runs of one cell.
        """
        keys, named = self.keys(spec), spec.order != "sorted"
        refuse_mixture(self.cells, [key for key in keys.shown if key != keys.compare], measures)
        asked = (*keys.of_lines, named, keys.any_seeds)
        if asked not in self._lines:
            lines = lines_of(self.cells, records_of(self.rounds), keys.of_lines, named=named)
            self._lines[asked] = [line.of_done() for line in lines] if keys.any_seeds else lines
        return self._lines[asked]


def _framework(cell: Record) -> str:
    """Return what trained: as the run itself says, or its engine."""
    said = cell.get("framework")
    return engine_kind(str(cell.get("engine"))).framework if is_missing(said) else str(said)
