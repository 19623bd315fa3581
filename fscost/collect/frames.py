"""Run directories into four tidy frames; every number in a table comes from these."""

import gc
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property, partial
from itertools import chain, groupby, islice, repeat
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fscost.cells.cell import Cell
from fscost.cells.measure import COLUMNS
from fscost.collect.course_logs import is_count_column
from fscost.collect.frame_cache import Kept, kept_or_made
from fscost.collect.fs_logs import Row
from fscost.collect.ledgers import AT_ONCE, CLIENT_ROUNDS, Derive
from fscost.collect.plausible import Log, implausible
from fscost.collect.run_record import RunRecord, record_of
from fscost.errors import StoreError
from fscost.outputs import output
from fscost.printable import in_one_line
from fscost.privacy import private
from fscost.store.ledger_file import LongMessages, Messages
from fscost.store.run import Run

_MESSAGE_COLUMNS = ["cell", "round", "type", "link", "traffic", "messages", *COLUMNS]
_CELL_COLUMNS = ["cell", "status", "engine", "protocol"]
_REPEATS = ["id", "repeat"]
"""The cell's id, and which of its runs it is, from 1: ``cell`` is both in one word."""


@dataclass(repr=False)
class Frames:
    """What was collected; `warnings` are one line each, with file and line.

    messages: per cell, round, type and link, as `made` when first asked for. workers: FederatedScope's own counters.
    rounds: metrics after each evaluated round beside cumulative bytes. cells: one row per cell with its axes, totals
    and metrics.
    """

    made: "pd.DataFrame | Callable[[], pd.DataFrame]"
    workers: pd.DataFrame
    rounds: pd.DataFrame
    cells: pd.DataFrame
    warnings: list[str] = field(default_factory=list)

    @cached_property
    def messages(self) -> pd.DataFrame:
        """The messages; those of ledgers of many rounds are read anew for it, as tables do without."""
        return self.made() if callable(self.made) else self.made

    def of(self, cell: str) -> "Frames":
        """Return the part of the frames that is about one cell."""
        workers, rounds, cells = (frame[frame["cell"] == cell] for frame in (self.workers, self.rounds, self.cells))
        return Frames(lambda: self.messages[self.messages["cell"] == cell], workers, rounds, cells)

    def save(self, folder: str | PathLike[str]) -> list[Path]:
        """Write each frame as CSV and Parquet and return the paths; raises StoreError where that cannot be."""
        return write_frames(self, Path(folder))

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {len(getattr(self, name)):,}" for name in _FRAMES)
        return "\n".join([f"rows: {rows}", *(f"warning: {warning}" for warning in self.warnings)])


class _Columns:
    """Rows taken apart into columns as they come: dicts of 200,000 rows take several times as much memory."""

    def __init__(self, *names: str, without: Sequence[str] = ()) -> None:
        self._columns = {name: _Column() for name in names}
        self._without = frozenset(without)
        self._count = 0

    def extend(self, cell: str, rows: Iterable[Row], **beside: Sequence[Row]) -> None:
        """Add rows of a cell; what some of them lack is nan.

        `beside` are further parts of the same rows, whose names get the keyword in front (``sent_messages``). Rows
        that have the same names, which are most, are taken apart at once.
        """
        prefixes, left = ["", *(f"{word}_" for word in beside)], zip(rows, *beside.values(), strict=True)
        while some := [*islice(left, AT_ONCE)]:
            are_alike = all({*map(len, own)} == {len({*chain.from_iterable(own)})} for own in zip(*some, strict=True))
            grouped = groupby(some, key=lambda parts: [*map(tuple, parts)])
            for alike in [some] if are_alike else (group for _, group in grouped):
                self._extend(cell, dict(zip(prefixes, zip(*alike, strict=True), strict=True)))

    def _extend(self, cell: str, parts: Mapping[str, Sequence[Row]]) -> None:
        """Add rows that have the same names, by what these get in front."""
        columns: dict[str, Sequence[Any]] = {"cell": [cell] * len(parts[""])}
        for prefix, rows in parts.items():
            for name in (name for name in rows[0] if name not in self._without):
                columns[prefix + name] = [row[name] for row in rows]
        self._add(columns, len(parts[""]))

    def add(self, other: "_Columns") -> None:
        """Add all rows of another one."""
        self._add({name: column.values() for name, column in other._columns.items()}, other._count)

    def _add(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        for name in columns:
            if name not in self._columns:
                self._columns[name] = _Column([math.nan] * self._count)
        for name, column in self._columns.items():
            column.extend(columns.get(name, repeat(math.nan, count)))
        self._count += count

    def frame(self) -> pd.DataFrame:
        """Return all rows, counts as whole numbers; what was taken apart is given away column by column."""
        if not self._count:
            return pd.DataFrame(columns=[*self._columns])
        made = {name: self._columns.pop(name).made(counts=is_count_column(name)) for name in [*self._columns]}
        return pd.DataFrame(made, copy=False)


class _Column:
    """The values of a column, as they come; of whole numbers 8 bytes are kept, a fifth of what Python's own take."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._packed: list[NDArray[np.int64] | list[Any]] = []
        self._last: list[Any] = [*values]

    def extend(self, values: Iterable[Any]) -> None:
        """Add values."""
        self._last.extend(values)
        if len(self._last) >= AT_ONCE:
            self._packed.append(_packed(self._last))
            self._last = []

    def values(self) -> list[Any]:
        """Return all values as they came."""
        return [*chain.from_iterable(part if isinstance(part, list) else part.tolist() for part in self._parts())]

    def made(self, *, counts: bool) -> Any:
        """Return the values for a frame, `counts` whole even where some are unknown."""
        parts = self._parts()
        arrays = [part for part in parts if not isinstance(part, list)]
        if len(arrays) == len(parts):
            whole = np.concatenate(arrays)
            return _whole(pd.Series(whole)) if counts else whole
        return _whole(pd.Series(self.values(), dtype=object)) if counts else self.values()

    def _parts(self) -> "list[NDArray[np.int64] | list[Any]]":
        return [*self._packed, _packed(self._last)] if self._last else self._packed


def _packed(values: list[Any]) -> NDArray[np.int64] | list[Any]:
    """Return whole numbers of up to 64 bits as an array, other values as they are."""
    if {*map(type, values)} != {int}:
        return values
    array = np.array(values)
    return array if array.dtype == np.int64 else values


_of_messages = partial(_Columns, *_MESSAGE_COLUMNS, without=[CLIENT_ROUNDS])


class _Messages:
    """The rows of messages; those of ledgers of many rounds are read when the frame is asked for."""

    def __init__(self) -> None:
        self._parts: list[_Columns | tuple[str, LongMessages]] = [_of_messages()]

    def extend(self, cell: str, rows: Messages) -> None:
        """Add rows of a cell."""
        last = self._parts[-1]
        if isinstance(rows, LongMessages):
            self._parts += [(cell, rows), _of_messages()]
        elif isinstance(last, _Columns):
            last.extend(cell, rows)

    @property
    def are_held(self) -> bool:
        """Whether no ledger has to be read for them."""
        return len(self._parts) == 1

    def frame(self) -> pd.DataFrame:
        """Return all rows; raises CollectError where a file is not as it was."""
        if self.are_held and isinstance(held := self._parts[0], _Columns):
            return held.frame()
        whole = _of_messages()
        for part in self._parts:
            whole.extend(*part) if isinstance(part, tuple) else whole.add(part)
        return whole.frame()


class _Rows:
    """The rows of all frames, as they come."""

    def __init__(self) -> None:
        self.messages = _Messages()
        self.workers = _Columns("cell", "worker")
        self.rounds = _Columns("cell", "round")
        self.cells: list[Row] = []
        self.logs: dict[str, Log] = {}
        self.unsealed = 0
        self._taken: Counter[str] = Counter()

    def add(self, record: RunRecord) -> None:
        """Add what was collected of a run; where another one computed the same cell, a number tells them apart.

        FederatedScope numbers its ``sub_exp_…`` so.
        """
        id = record.cell["cell"]
        self._taken[id] += 1
        number = self._taken[id]
        name = id if number == 1 else f"{id}-{number}"
        self.cells.append(record.cell | {"cell": name, "id": id, "repeat": number})
        self.messages.extend(name, record.messages)
        self.workers.extend(name, record.workers, **record.counted)
        self.rounds.extend(name, record.rounds)
        if record.log:
            self.logs[name] = record.log
        self.unsealed += not record.is_sealed


def gather(runs: Iterable[tuple[Cell | None, Run]], derive: Derive | None = None) -> Frames:
    """Read every run; a cell without a run is ``missing``, a run that cannot be believed is ``corrupt``.

    Neither stops the others: what is wrong becomes a warning, and numbers that are not known stay empty. `derive` makes
    the ledger of runs that have none.
    """
    selected = [*runs]
    messages, (workers, rounds, cells), warnings = kept_or_made(selected, lambda: _made(selected, derive))
    return Frames(messages, workers, rounds, cells, warnings)


def _made(runs: Sequence[tuple[Cell | None, Run]], derive: Derive | None) -> Kept:
    """Return the frames of runs, in the order of those of `Frames`, and the warnings."""
    with no_garbage_collection():
        rows, warnings = _Rows(), list[str]()
        for cell, run in runs:
            rows.add(record_of(run, cell, derive, warnings.append))
        warnings += [*implausible(rows.cells, rows.logs), *_unsealed(rows.unsealed)]
        messages = rows.messages.frame() if rows.messages.are_held else rows.messages.frame
        workers, rounds = rows.workers.frame(), rows.rounds.frame()  # their rows are gone before the cells are laid
        return messages, [workers, rounds, _whole_numbers(_cells_frame(rows.cells))], warnings


def _unsealed(number: int) -> Iterator[str]:
    if number:
        runs = "1 run was" if number == 1 else f"{number} runs were"
        yield f"{runs} written before fscost kept digests of logs: whether these were changed since cannot be told"


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep the collector from looking through millions of new values again and again, few of them cyclic."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# --- files ----------------------------------------------------------------------------------------


def write_frames(frames: Frames, out: Path, *, tells_all: bool = False) -> list[Path]:
    """Write the frames as CSV and Parquet and return their paths; their texts name no folder, machine or user.

    Unless that `tells_all`. Raises StoreError where they cannot be written.
    """
    frames = frames if tells_all else replace(frames, cells=_anonymous(frames.cells))
    try:
        out.mkdir(parents=True, exist_ok=True)
        return [_write(frames, name, out, suffix) for name in _FRAMES for suffix in (".csv", ".parquet")]
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}; choose another folder") from error


def _anonymous(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells with what only tells of them, and tells none apart, as it may be published."""
    told = {name: [private(v) if isinstance(v, str) else v for v in cells[name]] for name in _TOLD if name in cells}
    return cells.assign(**told)


_TOLD = ("reason", "path", "derived", "underived", "implausible", "uneven")

_FRAMES = ("messages", "workers", "rounds", "cells")


def _write(frames: Frames, name: str, out: Path, suffix: str) -> Path:
    path, frame = out / f"{name}{suffix}", getattr(frames, name)
    with output(path) as file:
        _in_lines(frame).to_csv(file, index=False) if suffix == ".csv" else frame.to_parquet(file, index=False)
    return path


def _in_lines(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose texts break no row of CSV."""
    for name in (name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])):
        texts = (value for value in frame[name].unique() if isinstance(value, str))
        if broken := {text: own for text in texts if (own := in_one_line(text)) != text}:
            frame = frame.assign(**{str(name): [broken.get(v, v) if isinstance(v, str) else v for v in frame[name]]})
    return frame.rename(columns=in_one_line)


# --- columns --------------------------------------------------------------------------------------


def _cells_frame(rows: list[Row]) -> pd.DataFrame:
    """Return the cells; the columns that say what each is are there even if there is none, or none can be read."""
    frame = pd.DataFrame(rows)
    found = [name for name in frame.columns if name not in _REPEATS]
    return frame.reindex(columns=[*dict.fromkeys([*found, *_CELL_COLUMNS, *_REPEATS])])


def _whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep counts whole where some are unknown, which pandas would turn into floats, or beyond 64 bits."""
    return frame.assign(**{name: _whole(frame[name]) for name in map(str, frame) if is_count_column(name)})


def _whole(values: pd.Series) -> pd.Series:
    try:
        with np.errstate(invalid="ignore"):  # pandas raises as well
            return values.astype("Int64")
    except (TypeError, ValueError):  # somebody's metric has the name of a count
        return values
    except OverflowError:
        if any(isinstance(value, float) and (abs(value) >= _TOO_LARGE or value % 1 > 0) for value in values):
            return values
        known = [None if pd.isna(value) else Decimal(int(value)) for value in values]
        return pd.Series(known, index=values.index, dtype=_LARGE)


_LARGE = pd.ArrowDtype(pa.decimal128(38))
"""Whole numbers of up to 38 digits, exact in CSV and Parquet."""

_TOO_LARGE = 1e38
