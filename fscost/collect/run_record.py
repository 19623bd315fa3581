"""What is collected of one run: a row of the frame of cells, and the rows of its messages, workers and rounds."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import FEDERATEDSCOPE, engine_kind
from fscost.cells.measure import SERVER
from fscost.cells.metric import Direction, direction_of
from fscost.cells.outcome import Status
from fscost.collect.foreign import is_distributed
from fscost.collect.fs_logs import (
    Evaluations,
    Row,
    Warn,
    are_counts,
    averages,
    counters,
    is_count,
    read_evaluations,
    read_system_metrics,
)
from fscost.collect.ledgers import CLIENT_ROUNDS, Derive, derived, messages_of, totals, with_bytes
from fscost.collect.plausible import Log, doubts_of, no_counts
from fscost.collect.rounds import UNKNOWN_PROTOCOL, Ending, Schedule, ending_of, schedule_of
from fscost.protocol.no_effect import no_effect_of
from fscost.store.ledger_file import LedgerFile
from fscost.store.run import Reading, Run, warnings_in


@dataclass
class RunRecord:
    """What was collected of one run; only `cell` has its name.

    `counted` are further parts of the rows of `workers`, by what was counted: ``sent`` and ``received``. `log` is what
    FederatedScope logged of a run that fscost did not launch.
    """

    cell: Row
    messages: Iterable[Row] = ()
    workers: Sequence[Row] = ()
    counted: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    rounds: Iterable[Row] = ()
    log: Log | None = None


def record_of(run: Run, planned: Cell | None, derive: Derive | None, warn: Warn) -> RunRecord:
    """Read a run; `planned` is its cell as far as that is known without it.

    What is wrong is a warning, and numbers that are not known stay empty. `derive` makes the ledger of a run that has
    none.
    """
    reading = run.read()
    for note in reading.notes:
        warn(note)
    if run.can_be_rerun:
        return _metered(run, reading if reading.cell else replace(reading, cell=planned), warn)
    return _logged(run, reading, derive, warn)


def _metered(run: Run, reading: Reading, warn: Warn) -> RunRecord:
    """Return the record of a run that fscost launched."""
    cell, ledger, outcome = reading.cell, reading.ledger, reading.outcome
    row = _identity(reading) | _ending(reading)
    if cell:
        row["no_effect"] = no_effect_of(cell, warnings_in(outcome))
    if outcome:
        row["fs_commit"] = (outcome.get("provenance") or {}).get("fs_commit")
    if cell is None or ledger is None:
        return RunRecord(row)
    logs = _logs(run, reading, warn)
    if wrong := "; ".join(no_counts(logs.workers)):
        row["implausible"] = wrong
    messages = messages_of(ledger, cell)
    row |= {"ledger_format": ledger.header["format"], "asizeof": _asizeof(outcome)} | totals(ledger, messages)
    row |= averages(logs.workers) | counters(logs.workers) | _metrics(logs, run, warn)
    row["wall_s"] = outcome.get("wall_s")
    return _with_bytes(row, cell, ledger, messages, logs)


def _logged(run: Run, reading: Reading, derive: Derive | None, warn: Warn) -> RunRecord:
    """Return the record of a run that fscost did not launch.

    Without a ledger no bytes are known but those that FederatedScope reports, and those that can be derived.
    """
    cell, is_done = reading.cell, reading.status is Status.DONE
    row = _identity(reading) | _ending(reading) | {"path": str(run.path)}
    row["no_effect"] = no_effect_of(cell) if cell else None
    logs = _logs(run, reading, warn)
    if logs.are_appended:
        warn(f"{run.path}: more than one run was appended to these logs; none of their numbers is taken as the result")
        logs, is_done = replace(logs, evaluations=Evaluations()), False
    record = RunRecord(row, workers=_countable(logs.workers), rounds=logs.evaluations.rows)
    if cell and is_done and derive:
        ledger, cell, beside = derived(derive, cell, reading.releases, record.workers, logs.evaluations.rows)
        row |= beside
        if ledger:
            messages = messages_of(ledger, cell)
            row |= totals(ledger, messages)
            record = _with_bytes(row, cell, ledger, messages, logs)
    record.log = Log(logs.workers, reading.options, is_distributed(reading.options))
    row["implausible"] = "; ".join(doubts_of(record.log)) or None
    row |= averages([] if record.log.is_distributed else logs.workers) | counters(logs.workers)
    row["last_evaluated_round"] = logs.evaluations.last
    if is_done:
        row.setdefault("rounds_trained", logs.ending.rounds_trained)  # a derived course has them itself
        row |= _metrics(logs, run, warn)
    return record


def _identity(reading: Reading) -> Row:
    """Return what a row of cells begins with: which cell it is."""
    if reading.cell:
        cell = reading.cell
        return {"cell": cell.id, "engine": cell.engine, "protocol": cell.protocol} | cell.axes
    return {"cell": reading.id} | ({"engine": FEDERATEDSCOPE} if reading.releases else {})


def _ending(reading: Reading) -> Row:
    return {"status": str(reading.status), "reason": reading.reason}


def _asizeof(outcome: Mapping[str, Any]) -> str | None:
    """Return what the size of a Python object depends on."""
    versions = (outcome.get("provenance") or {}).get("versions") or {}
    if "python" not in versions:
        return None
    python = ".".join(str(versions["python"]).split(".")[:2])
    return ", ".join([f"Python {python}", *(f"{name} {versions[name]}" for name in _SIZED if name in versions)])


_SIZED = ("torch", "numpy", "pympler")


def _with_bytes(row: Row, cell: Cell, ledger: LedgerFile, messages: Sequence[Row], logs: "_Logs") -> RunRecord:
    """Return a record with a run's messages, its workers as logged and as counted, and the bytes of each evaluation."""
    logged, counted = _side_by_side(logs.workers, ledger.workers)
    return RunRecord(
        row,
        messages=({name: value for name, value in sent.items() if name != CLIENT_ROUNDS} for sent in messages),
        workers=_countable(logged),
        counted={way: [row.get(way, {}) for row in counted] for way in ("sent", "received")},
        rounds=with_bytes(logs.evaluations.rows, messages, cell),
    )


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


# --- what FederatedScope logged -------------------------------------------------------------------


@dataclass(frozen=True)
class _Logs:
    """What FederatedScope logged of a course: the lines of its workers, its evaluations, and when these were to be."""

    schedule: Schedule = Schedule()
    workers: list[Row] = field(default_factory=list)
    evaluations: Evaluations = Evaluations()

    @property
    def are_appended(self) -> bool:
        """Whether more than one run was written to the same files."""
        return self.evaluations.is_appended or any(row["run"] > 1 for row in self.workers if row["worker"] != SERVER)

    @property
    def ending(self) -> Ending:
        """How the course ended."""
        lines = self.evaluations
        return ending_of(self.schedule, _stopped(self.workers), lines.last, has_final=lines.has_final, told=lines.told)


def _logs(run: Run, reading: Reading, warn: Warn) -> _Logs:
    """Read the logs of all processes of a run; a run that fscost launched and that is done has both, or a warning."""
    cell, is_ours = reading.cell, run.can_be_rerun
    if is_ours and cell and (not engine_kind(cell.engine).writes_logs or cell.get("vertical.use")):
        return _Logs(schedule_of(cell.get, cell.protocol))  # FederatedScope writes none of vertical runs
    schedule, workers = _schedule(reading), list[Row]()
    for log in (process.system_metrics for process in run.processes):
        if is_ours or log.exists():
            workers += read_system_metrics(log, warn, server_twice=is_distributed(reading.options))
    if len(run.processes) > 1:
        workers.sort(key=lambda row: int(row["worker"]))
    evaluations = Evaluations()
    if is_ours or run.eval_results.exists():
        evaluations = read_evaluations(run.eval_results, warn, schedule, _stopped(workers))
    return _Logs(schedule, workers, evaluations)


def _schedule(reading: Reading) -> Schedule:
    """Return when a course was to be evaluated, as far as its configuration says."""
    if reading.options:
        release, *others = reading.releases
        return schedule_of(reading.options.get, UNKNOWN_PROTOCOL if others else release)
    return schedule_of(reading.cell.get, reading.cell.protocol) if reading.cell else Schedule()


def _stopped(workers: Sequence[Row]) -> Any:
    """Return after which round the server says that the course stopped early, 0 for never, None where it does not."""
    return next((row.get("global_convergence_round") for row in workers if row["worker"] == SERVER), None)


def _countable(workers: list[Row]) -> list[Row]:
    """Return workers' lines with what is no count of bytes as unknown."""
    if are_counts(worker[name] for worker in workers for name in _counts_in(tuple(worker))):
        return workers
    wrong = ([name for name in _counts_in(tuple(worker)) if not is_count(worker[name])] for worker in workers)
    return [worker | dict.fromkeys(names) for worker, names in zip(workers, wrong, strict=True)]


@lru_cache(maxsize=1024)  # there are many workers, and most have the same counters
def _counts_in(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if is_count_column(name)]


def is_count_column(name: str) -> bool:
    """Return whether a column of the frames holds counts, which are whole numbers."""
    return (name.endswith(_OF_COUNTS) or name in _WHOLE) and not name.startswith("sys_avg")


_OF_COUNTS = ("_bytes", "messages", CLIENT_ROUNDS)
_WHOLE = ("params", "clients", "rounds", "rounds_trained", "last_evaluated_round", "seed", "round", "worker", "run",
          "repeat")  # fmt: skip


def _metrics(logs: _Logs, run: Run, warn: Warn) -> Row:
    """Return the metrics of a course; its final ones are unknown where the model that it ended with was not evaluated.

    The best are then ``best_of`` the evaluated rounds alone.
    """
    rows, last = logs.evaluations.rows, logs.evaluations.last
    metrics = _final_and_best(rows) | {"last_evaluated_round": last}
    if not rows or last == logs.ending.final_round:
        return metrics
    rounds = f"{last} of {logs.schedule.rounds}" if logs.schedule.rounds else f"{last}"
    warn(f"{run.eval_results}: ends with round {rounds}; its final metrics are unknown, the best are those until then")
    unknown = {name: math.nan for name in metrics if name.startswith("final_")}
    return metrics | unknown | {"best_of": f"the evaluated rounds up to {rounds}"}


def _final_and_best(evaluations: Sequence[Row]) -> Row:
    """Return each metric after the last round and the best of all rounds, nan where nobody knows which that is."""
    found: Row = {}
    for name in dict.fromkeys(name for row in evaluations for name in row if name != "round"):
        values = [row.get(name, math.nan) for row in evaluations]
        best = _BEST[direction_of(name)]
        found[f"final_{name}"] = values[-1]
        found[f"best_{name}"] = best([value for value in values if not math.isnan(value)] or [math.nan])
    return found


_BEST: Mapping[Direction, Callable[[list[float]], float]] = {"higher": max, "lower": min, "": lambda values: math.nan}
