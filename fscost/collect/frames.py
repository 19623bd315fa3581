"""Merge run directories into four tidy frames; every number in a table comes from these."""

import gc
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import FEDERATEDSCOPE, engine_kind
from fscost.cells.measure import COLUMNS, SERVER, Link, Traffic, traffic_of
from fscost.cells.metric import Direction, direction_of
from fscost.cells.outcome import Status
from fscost.collect.foreign import ForeignRun
from fscost.collect.fs_counters import counters
from fscost.collect.fs_logs import Evaluations, are_counts, is_count, merged, read_evaluations, read_system_metrics
from fscost.collect.ledgers import Derive, derived, with_client_rounds
from fscost.collect.plausible import Log, doubts_of, no_counts, same_bytes_of_other_models
from fscost.collect.rounds import Schedule, ending_of, schedule_of
from fscost.errors import CollectError, StoreError
from fscost.protocol.no_effect import no_effect_of
from fscost.protocol.release import release_of
from fscost.store.ledger_file import LedgerFile, read_ledger
from fscost.store.run import Run, warnings_in
from fscost.store.rundir import RunDir

_MESSAGE_COLUMNS = ["cell", "round", "type", "link", "traffic", "messages", *COLUMNS]
_CELL_COLUMNS = ["cell", "status", "engine", "protocol"]
_COUNTS = ["messages", *COLUMNS]
_CLIENT_ROUNDS = "client_rounds"
_IN_ROUNDS = (Traffic.TRAINING, Traffic.EVALUATION)

Row = dict[str, Any]


@dataclass
class Frames:
    """What was collected; `warnings` are one line each, with file and line.

    messages: per cell, round, type and link. workers: FederatedScope's own counters. rounds: metrics after each
    evaluated round beside cumulative bytes. cells: one row per cell with its axes, totals and metrics.
    """

    messages: pd.DataFrame
    workers: pd.DataFrame
    rounds: pd.DataFrame
    cells: pd.DataFrame
    warnings: list[str] = field(default_factory=list)

    def of(self, cell: str) -> "Frames":
        """Return the part of the frames that is about one cell."""
        messages, workers, rounds, cells = (
            frame[frame["cell"] == cell] for frame in (self.messages, self.workers, self.rounds, self.cells)
        )
        return Frames(messages, workers, rounds, cells)


class _Columns:
    """Rows taken apart into columns as they come: dicts of 200,000 rows take several times as much memory."""

    def __init__(self, *names: str) -> None:
        self._values: dict[str, list[Any]] = {name: [] for name in names}
        self._count = 0

    def extend(self, cell: str, rows: Iterable[Row], **beside: Iterable[Row]) -> None:
        """Add rows of a cell; what some of them lack is nan.

        `beside` are further parts of the same rows, whose names get the keyword in front (``sent_messages``). Rows
        after each other that have the same names, which are most, are taken apart at once.
        """
        prefixes = ["", *(f"{word}_" for word in beside)]
        for names, alike in groupby(zip(rows, *beside.values(), strict=True), key=_names_of):
            columns: dict[str, Sequence[Any]] = {}
            for prefix, own, part in zip(prefixes, names, zip(*alike, strict=True), strict=True):
                columns |= zip((prefix + name for name in own), zip(*map(dict.values, part), strict=True), strict=True)
            self._add({"cell": [cell] * len(part)} | columns, len(part))

    def _add(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        for name in columns:
            if name not in self._values:
                self._values[name] = [math.nan] * self._count
        for name, values in self._values.items():
            values.extend(columns.get(name, repeat(math.nan, count)))
        self._count += count

    def frame(self) -> pd.DataFrame:
        """Return all rows, counts as whole numbers."""
        if not self._count:
            return pd.DataFrame(columns=[*self._values])
        return pd.DataFrame({n: _counts(v) if _is_count(n) else v for n, v in self._values.items()})


def _names_of(parts: Iterable[Row]) -> list[tuple[str, ...]]:
    return [*map(tuple, parts)]


@dataclass
class _Rows:
    messages: _Columns = field(default_factory=lambda: _Columns(*_MESSAGE_COLUMNS))
    workers: _Columns = field(default_factory=lambda: _Columns("cell", "worker"))
    rounds: _Columns = field(default_factory=lambda: _Columns("cell", "round"))
    cells: list[Row] = field(default_factory=list)


def gather(runs: Iterable[tuple[Cell | None, Run]], derive: Derive | None = None) -> Frames:
    """Read every run; a cell without a run is ``missing``, a run that cannot be believed is ``corrupt``.

    Neither stops the others: what is wrong becomes a warning, and numbers that are not known stay empty. `derive` makes
    the ledger of runs that have none.
    """
    with _no_garbage_collection():
        return _gathered(runs, derive)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from looking through millions of new values again and again, none of them cyclic."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _gathered(runs: Iterable[tuple[Cell | None, Run]], derive: Derive | None) -> Frames:
    rows = _Rows()
    warnings: list[str] = []
    logs: dict[str, Log] = {}
    for cell, run in runs:
        if not run.can_be_rerun:
            row, log = _gather_foreign(cast(ForeignRun, run), rows, warnings.append, derive)
            logs[row["cell"]] = log
            rows.cells.append(row)
            continue
        try:
            rows.cells.append(_gather_run(cell, cast(RunDir, run), rows, warnings.append))
        except CollectError as error:
            warnings.append(str(error))
            rows.cells.append(_identity(cell, cast(RunDir, run), Status.CORRUPT, str(error)))
    _doubt(rows.cells, logs, warnings)
    return Frames(
        messages=rows.messages.frame(),
        workers=rows.workers.frame(),
        rounds=rows.rounds.frame(),
        cells=_whole_numbers(_cells_frame(rows.cells)),
        warnings=warnings,
    )


def write_frames(frames: Frames, out: Path) -> list[Path]:
    """Write the frames as CSV and Parquet and return their paths."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        return [_write(frames, name, out, suffix) for name in _FRAMES for suffix in (".csv", ".parquet")]
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}; choose another folder") from error


_FRAMES = ("messages", "workers", "rounds", "cells")


def _write(frames: Frames, name: str, out: Path, suffix: str) -> Path:
    part, path = out / f".{name}{suffix}.part", out / f"{name}{suffix}"
    (_write_csv if suffix == ".csv" else _write_parquet)(getattr(frames, name), part)
    return part.replace(path)


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False)


def _gather_run(cell: Cell | None, run: RunDir, rows: _Rows, warn: Callable[[str], None]) -> Row:
    """Add one run's messages, workers and rounds to `rows` and return its row of cells."""
    if not run.path.exists():
        return _identity(cell, run, Status.MISSING, "not computed yet")
    cell = run.read_cell()
    outcome = run.read_outcome()
    row = _identity(cell, run, outcome["status"], outcome.get("reason") or None)
    row["fs_commit"] = (outcome.get("provenance") or {}).get("fs_commit")
    row["no_effect"] = no_effect_of(cell, warnings_in(outcome))
    if row["status"] != Status.DONE:
        return row
    ledger = read_ledger(run.ledger)
    messages = _messages(ledger, cell)
    is_vertical = cell.get("vertical.use")  # FederatedScope writes no logs then
    logs = engine_kind(cell.engine).writes_logs and not is_vertical
    workers = read_system_metrics(run.system_metrics, warn) if logs else []
    schedule, stopped = schedule_of(cell.get, cell.protocol), _stopped(workers)
    told = Evaluations()
    if logs:
        told = read_evaluations(run.eval_results, warn, schedule, stopped)
    _add_run(rows, cell.id, cell, messages, (workers, ledger.workers), told.rows)
    counting = {"ledger_format": ledger.header["format"], "asizeof": _asizeof(outcome)}
    if wrong := "; ".join(no_counts(workers)):
        row["implausible"] = wrong
    ending = ending_of(schedule, stopped, told.last, has_final=told.has_final, told=told.told)
    evaluated = _evaluated(told, ending.final_round, schedule, run, warn)
    logged_of = _fs_view(workers) | counters(workers) | evaluated | {"wall_s": outcome.get("wall_s")}
    return row | counting | _sizes(ledger) | _totals(messages) | logged_of


def _asizeof(outcome: Row) -> str | None:
    """Return what the size of a Python object depends on."""
    versions = (outcome.get("provenance") or {}).get("versions") or {}
    if "python" not in versions:
        return None
    python = ".".join(str(versions["python"]).split(".")[:2])
    return ", ".join([f"Python {python}", *(f"{name} {versions[name]}" for name in _SIZED if name in versions)])


_SIZED = ("torch", "numpy", "pympler")


def _gather_foreign(
    run: ForeignRun, rows: _Rows, warn: Callable[[str], None], derive: Derive | None
) -> tuple[Row, Log]:
    """Add what FederatedScope logged of a run and return its row of cells and what its workers logged.

    Without a ledger no bytes are known but those it reports, and those that can be derived.
    """
    cell = run.cell(warn)
    status, reason = run.ending()
    taken = {row["cell"] for row in rows.cells}
    name = _unique(cell.id if cell else run.id_without_config(), taken)
    identity = {"cell": name, "engine": FEDERATEDSCOPE} | ({"protocol": cell.protocol} | cell.axes if cell else {})
    row: Row = identity | {"status": str(status), "reason": reason, "path": str(run.path)}
    row["no_effect"] = no_effect_of(cell) if cell else None
    for told_of_run in (reason, run.note, run.absent()):
        if told_of_run:
            warn(f"{run.path}: {told_of_run}")
    workers = run.workers(warn)
    schedule, stopped, is_done = run.schedule(), _stopped(workers), status is Status.DONE
    told = Evaluations()
    if run.eval_results.exists():
        told = read_evaluations(run.eval_results, warn, schedule, stopped)
    if told.is_appended or any(worker["run"] > 1 for worker in workers if worker["worker"]):
        warn(f"{run.path}: more than one run was appended to these logs; none of their numbers is taken as the result")
        told, is_done = Evaluations(), False
    ledger, row_of_bytes = None, Row()
    if cell and is_done and derive:
        ledger, cell, row_of_bytes = derived(derive, cell, run.releases(), _countable(workers), told.rows)
    row |= row_of_bytes | _add_foreign(rows, name, cell, ledger, workers, told.rows)
    log = Log(workers, run.options, run.is_distributed)
    row["implausible"] = "; ".join(doubts_of(log)) or None
    row |= _fs_view([] if run.is_distributed else workers) | counters(workers) | {"last_evaluated_round": told.last}
    if is_done:
        ending = ending_of(schedule, stopped, told.last, has_final=told.has_final, told=told.told)
        row.setdefault("rounds_trained", ending.rounds_trained)  # a derived course tells them itself
        row |= _evaluated(told, ending.final_round, schedule, run, warn)
    return row, log


def _add_foreign(
    rows: _Rows, name: str, cell: Cell | None, ledger: LedgerFile | None, workers: list[Row], evaluations: list[Row]
) -> Row:
    """Add the rows of a run that fscost did not launch, with the bytes of its ledger if there is one; return totals."""
    if cell is None or ledger is None:
        rows.workers.extend(name, _countable(workers))
        rows.rounds.extend(name, evaluations)
        return {}
    messages = _messages(ledger, cell)
    _add_run(rows, name, cell, messages, (workers, ledger.workers), evaluations)
    return _sizes(ledger) | _totals(messages)


def _add_run(
    rows: _Rows,
    name: str,
    cell: Cell,
    messages: list[Row],
    workers: tuple[list[Row], list[Row]],
    evaluations: list[Row],
) -> None:
    """Add a run's messages, its workers as logged and as counted, and its evaluations with the bytes until then."""
    logged, counted = _side_by_side(*workers)
    rows.messages.extend(name, map(_in_frame, messages))
    parts = {way: [row.get(way, {}) for row in counted] for way in ("sent", "received")}
    rows.workers.extend(name, _countable(logged), **parts)
    rows.rounds.extend(name, _rounds(cell, messages, evaluations))


def _sizes(ledger: LedgerFile) -> Row:
    return {key: ledger.header.get(key) for key in ("params", "trainable_bytes", "state_dict_bytes")}


def _doubt(cells: list[Row], logs: dict[str, Log], warnings: list[str]) -> None:
    """Note which figures cannot be what travelled, and warn once of each kind of them."""
    same = same_bytes_of_other_models(logs)
    for row in cells:
        if row["cell"] in logs:
            found = [text for text in (row["implausible"], same.get(row["cell"])) if text]
            row["implausible"] = "; ".join(found) or None
    doubted = [row for row in cells if row.get("implausible")]
    if doubted:
        first = doubted[0]
        warnings.append(
            f"{first.get('path', first['cell'])}: implausible: {first['implausible']}"
            + (f" (and {len(doubted) - 1} more logs with doubtful counts; table=audit tells all)" * (len(doubted) > 1))
        )


def _countable(workers: list[Row]) -> list[Row]:
    """Return workers' lines with what is no count of bytes as unknown."""
    if are_counts(worker[name] for worker in workers for name in _counts_in(tuple(worker))):
        return workers
    wrong = ([name for name in _counts_in(tuple(worker)) if not is_count(worker[name])] for worker in workers)
    return [worker | dict.fromkeys(names) for worker, names in zip(workers, wrong, strict=True)]


@lru_cache(maxsize=1024)  # there are many workers, and most have the same counters
def _counts_in(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if _is_count(name)]


def _stopped(workers: list[Row]) -> Any:
    """Return after which round the server says that the course stopped early, 0 for never, None where it does not."""
    return next((row.get("global_convergence_round") for row in workers if row["worker"] == SERVER), None)


def _evaluated(
    told: Evaluations, final_round: int | None, schedule: Schedule, run: Run, warn: Callable[[str], None]
) -> Row:
    """Return the metrics of a course; its final ones are unknown where the model that it ended with was not evaluated.

    The best are then ``best_of`` the evaluated rounds alone.
    """
    metrics: Row = _metrics(told.rows) | {"last_evaluated_round": told.last}
    if not told.rows or told.last == final_round:
        return metrics
    rounds = f"{told.last} of {schedule.rounds}" if schedule.rounds else f"{told.last}"
    warn(f"{run.eval_results}: ends with round {rounds}; its final metrics are unknown, the best are those until then")
    unknown = {name: math.nan for name in metrics if name.startswith("final_")}
    return metrics | unknown | {"best_of": f"the evaluated rounds up to {rounds}"}


def _unique(name: str, taken: set[str]) -> str:
    """Return the name, numbered where another run computed the same cell, as FederatedScope's ``sub_exp_…`` do."""
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    return unique


def _side_by_side(logged: list[Row], counted: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return FederatedScope's lines by worker, and as many of the ledger's rows, each about the same worker."""
    if not counted:
        return logged, [{}] * len(logged)
    logs: dict[int, list[Row]] = {}
    for row in logged:
        logs.setdefault(row["worker"], []).append(row)
    ledger = {row["worker"]: row for row in counted}
    pairs = [
        (row, ledger.get(worker, {}))
        for worker in sorted(logs.keys() | ledger.keys())
        for row in logs.get(worker) or [{"worker": worker, "run": math.nan if logs else 1}]
    ]
    return [row for row, _ in pairs], [row for _, row in pairs]


def _fs_view(workers: list[Row]) -> Row:
    """Return FederatedScope's own averages over server and clients, as it prints them."""
    keys = ("total_upload_bytes", "total_download_bytes")
    return {f"sys_avg_{key}": merged(workers, key) for key in keys}


def _identity(cell: Cell | None, run: RunDir, status: str, reason: str | None) -> Row:
    """Return what a row of cells begins with: which cell it is, and how it ended."""
    ending = {"status": str(status), "reason": reason}
    if cell is None:
        return {"cell": run.path.name.rsplit("-", 1)[-1]} | ending
    axes = {"cell": cell.id, "engine": cell.engine, "protocol": cell.protocol} | cell.axes
    return axes | ending | {"no_effect": no_effect_of(cell)}


def _messages(ledger: LedgerFile, cell: Cell) -> list[Row]:
    return [{"traffic": str(traffic_of(row["type"])), **row} for row in with_client_rounds(ledger, cell)]


def _in_frame(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != _CLIENT_ROUNDS}


_NOTHING = {f"{traffic}_{link}_{count}": 0 for traffic in Traffic for link in Link for count in _COUNTS}


def _add(sums: Row, messages: Iterable[Row], counts: Sequence[str] = _COUNTS) -> None:
    """Add messages and bytes to sums per traffic class and link; a sum with an unknown part is unknown.

    Sums are Python's: those of large models over many clients do not fit into 64 bits.
    """
    for row in messages:
        for count in counts:
            name, value = f"{row['traffic']}_{row['link']}_{count}", row[count]
            sums[name] = pd.NA if value is None or sums[name] is pd.NA else sums[name] + value


def _totals(messages: list[Row]) -> Row:
    sums: Row = dict(_NOTHING)
    _add(sums, messages)
    spread = {f"{traffic}_{link}_{_CLIENT_ROUNDS}": 0 for traffic in _IN_ROUNDS for link in Link}
    _add(spread, (row for row in messages if row["traffic"] in _IN_ROUNDS), [_CLIENT_ROUNDS])
    rounds = {row["round"] for row in messages if row["traffic"] == Traffic.TRAINING}
    return {"rounds_trained": len([r for r in rounds if r >= 0])} | sums | spread  # vertical clients stay at -1


def _rounds(cell: Cell, messages: list[Row], evaluations: list[Row]) -> Iterator[Row]:
    """Yield one row per evaluated round: metrics, and all bytes sent up to and including that round."""
    after = _sums_after(cell, messages, {row["round"] for row in evaluations})
    metrics = dict.fromkeys(name for row in evaluations for name in row)
    for row in evaluations:
        yield {name: row.get(name, math.nan) for name in metrics} | after[row["round"]]


def _sums_after(cell: Cell, messages: list[Row], rounds: set[int]) -> dict[int, Row]:
    """Return the sums after each of these rounds; control messages belong to none."""

    def rounds_before(row: Row) -> int:
        return int(row["round"]) - (row["traffic"] != Traffic.TRAINING and _named_from_1(cell))

    counted = sorted((row for row in messages if row["traffic"] != Traffic.CONTROL), key=rounds_before)
    sums = {name: 0 for name in _NOTHING if not name.startswith(Traffic.CONTROL)}
    after, done = {}, 0
    for trained in sorted(rounds):
        until = bisect_left(counted, trained, key=rounds_before)
        _add(sums, counted[done:until])
        after[trained], done = dict(sums), until
    return after


def _named_from_1(cell: Cell) -> int:
    return not release_of(cell.protocol).first_evaluation_is_round_0


def _metrics(evaluations: list[Row]) -> Row:
    """Return each metric after the last round and the best of all rounds, nan where nobody knows which that is."""
    found: Row = {}
    for name in dict.fromkeys(name for row in evaluations for name in row if name != "round"):
        values = [row.get(name, math.nan) for row in evaluations]
        best = _BEST[direction_of(name)]
        found[f"final_{name}"] = values[-1]
        found[f"best_{name}"] = best([value for value in values if not math.isnan(value)] or [math.nan])
    return found


_BEST: Mapping[Direction, Callable[[list[float]], float]] = {"higher": max, "lower": min, "": lambda values: math.nan}


def _cells_frame(rows: list[Row]) -> pd.DataFrame:
    """Return the cells; the columns that say what each is are there even if there is none, or none can be read."""
    frame = pd.DataFrame(rows)
    return frame.reindex(columns=[*dict.fromkeys([*frame.columns, *_CELL_COLUMNS])])


def _whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep counts whole where some are unknown, which pandas would turn into floats, or beyond 64 bits."""
    return frame.assign(**{name: _whole(frame[name]) for name in map(str, frame) if _is_count(name)})


def _is_count(name: str) -> bool:
    return (name.endswith(("_bytes", "messages", _CLIENT_ROUNDS)) or name in _WHOLE) and not name.startswith("sys_avg")


def _counts(values: list[Any]) -> pd.Series:
    """Return counts whole; where all are known and fit into 64 bits, numpy finds that out faster than pandas."""
    array = np.array(values)
    return _whole(pd.Series(array) if array.dtype == np.int64 else pd.Series(values, dtype=object))


def _whole(values: pd.Series) -> pd.Series:
    try:
        return values.astype("Int64")
    except TypeError:  # somebody's metric has the name of a count
        return values
    except OverflowError:
        known = [None if pd.isna(value) else Decimal(int(value)) for value in values]
        return pd.Series(known, index=values.index, dtype=_LARGE)


_LARGE = pd.ArrowDtype(pa.decimal128(38))
"""Whole numbers of up to 38 digits, exact in CSV and Parquet."""

_WHOLE = ("params", "clients", "rounds", "rounds_trained", "last_evaluated_round", "seed", "round", "worker", "run")
