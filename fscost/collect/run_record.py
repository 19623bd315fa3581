"""What is collected of one run: a row of the frame of cells, and the rows of its messages, workers and rounds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import FEDERATEDSCOPE
from fscost.cells.outcome import Status
from fscost.collect.course_logs import CourseLogs, countable, course_logs
from fscost.collect.fs_logs import Evaluations, Row, Warn
from fscost.collect.ledgers import Derive, derived, messages_of, totals, unevenness_of, with_bytes
from fscost.collect.plausible import Log, doubts_of, no_counts
from fscost.protocol.no_effect import no_effect_of
from fscost.store.ledger_file import LedgerFile, Messages
from fscost.store.run import Reading, Run, warnings_in


@dataclass
class RunRecord:
    """What was collected of one run; only `cell` has its name.

    `counted` are further parts of the rows of `workers`, by what was counted: ``sent`` and ``received``. `log` is what
    FederatedScope logged of a run that fscost did not launch. `is_sealed` is False for a run with numbers of which no
    digest of all files tells whether they are as they were.
    """

    cell: Row
    messages: Messages = field(default_factory=list)
    workers: Sequence[Row] = ()
    counted: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    rounds: Iterable[Row] = ()
    log: Log | None = None
    is_sealed: bool = True


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
    return _listed(reading) if reading.ledger else _logged(run, reading, derive, warn)


def _metered(run: Run, reading: Reading, warn: Warn) -> RunRecord:
    """Return the record of a run that fscost launched."""
    cell, ledger, outcome = reading.cell, reading.ledger, reading.outcome
    row = _beginning(reading)
    if cell and ledger and "framework" in ledger.header:
        row["framework"] = ledger.header["framework"]
    if cell:
        row["no_effect"] = _without_effect(reading)
    if outcome:
        row["fs_commit"] = (outcome.get("provenance") or {}).get("fs_commit")
    if cell is None or ledger is None:
        return RunRecord(row)
    logs, messages = course_logs(run, reading, warn), messages_of(ledger, cell)
    if wrong := "; ".join(no_counts(logs.workers)):
        row["implausible"] = wrong
    row["clients"] = _clients(cell, ledger.header)
    row |= {"ledger_format": ledger.header["format"], "asizeof": _asizeof(outcome)} | totals(ledger, messages)
    row |= logs.counted(is_distributed=False) | logs.metrics(run, warn) | {"wall_s": outcome.get("wall_s")}
    return replace(_with_bytes(row, cell, ledger, messages, logs), is_sealed="digest" in outcome)


def _listed(reading: Reading) -> RunRecord:
    """Return the record of a run of which there is a list of messages alone."""
    assert reading.cell is not None and reading.ledger is not None
    messages, row = messages_of(reading.ledger, reading.cell), _beginning(reading)
    row |= totals(reading.ledger, messages)
    return _with_bytes(row, reading.cell, reading.ledger, messages, CourseLogs())


def _logged(run: Run, reading: Reading, derive: Derive | None, warn: Warn) -> RunRecord:
    """Return the record of a run that fscost did not launch.

    Without a ledger no bytes are known but those that FederatedScope reports, and those that can be derived.
    """
    logs, is_done = course_logs(run, reading, warn), reading.status is Status.DONE
    if logs.are_appended:
        warn(f"{run.path}: more than one run was appended to these logs; none of their numbers is taken as the result")
        logs, is_done = replace(logs, evaluations=Evaluations()), False
    row: Row = {"cell": reading.id, "engine": FEDERATEDSCOPE} | _beginning(reading)
    row |= {"path": str(run.path), "no_effect": _without_effect(reading)}
    record = RunRecord(row, workers=logs.countable, rounds=logs.evaluations.rows)
    if is_done and derive:
        record = _derived(record, reading, logs, derive)
    record.log = Log(logs.workers, reading.options, reading.is_distributed)
    row["implausible"] = "; ".join(doubts_of(record.log)) or None
    row |= logs.counted(is_distributed=reading.is_distributed) | {"last_evaluated_round": logs.evaluations.last}
    if is_done:
        row.setdefault("rounds_trained", logs.ending.rounds_trained)  # a derived course has them itself
        row |= logs.metrics(run, warn)
    return record


def _derived(record: RunRecord, reading: Reading, logs: CourseLogs, derive: Derive) -> RunRecord:
    """Return the record with the bytes of a ledger that `derive` makes, or with why there is none."""
    if reading.cell is None:
        return record
    evaluations = logs.evaluations.rows
    ledger, cell, columns = derived(derive, reading.cell, reading.releases, record.workers, evaluations)
    record.cell |= columns
    if ledger is None:
        return record
    messages = messages_of(ledger, cell)
    record.cell |= totals(ledger, messages)
    return _with_bytes(record.cell, cell, ledger, messages, logs)


def _beginning(reading: Reading) -> Row:
    """Return what a row of cells begins with: which cell it is, and how it ended."""
    cell, ending = reading.cell, {"status": str(reading.status), "reason": reading.reason}
    if cell is None:
        return {"cell": reading.id} | ending
    return {"cell": cell.id, "engine": cell.engine, "protocol": cell.protocol} | cell.axes | ending


def _clients(cell: Cell, header: Mapping[str, Any]) -> Any:
    """Return how many clients took part: as many as the data have, or fewer, where FederatedScope decided so.

    Centralised training is that of the data of all of them.
    """
    is_centralised = str(cell.get("federate.method")).lower() == "global"
    planned = cell.axes["clients"]
    return planned if is_centralised and planned else header.get("clients") or planned


def _without_effect(reading: Reading) -> str | None:
    """Return what of the cell's method changes nothing."""
    return no_effect_of(reading.cell, warnings_in(reading.outcome)) if reading.cell else None


def _asizeof(outcome: Mapping[str, Any]) -> str | None:
    """Return what the size of a Python object depends on."""
    versions = (outcome.get("provenance") or {}).get("versions") or {}
    if "python" not in versions:
        return None
    python = ".".join(str(versions["python"]).split(".")[:2])
    return ", ".join([f"Python {python}", *(f"{name} {versions[name]}" for name in _SIZED if name in versions)])


_SIZED = ("torch", "numpy", "pympler")


def _with_bytes(row: Row, cell: Cell, ledger: LedgerFile, messages: Messages, logs: CourseLogs) -> RunRecord:
    """Return a record with a run's messages, its workers as logged and as counted, and the bytes of each evaluation."""
    if uneven := unevenness_of(cell, ledger, row):
        row["uneven"] = uneven
    logged, counted = _side_by_side(logs.workers, ledger.workers)
    return RunRecord(
        row,
        messages=messages,
        workers=countable(logged),
        counted={way: [row.get(way, {}) for row in counted] for way in ("sent", "received")},
        rounds=with_bytes(logs.evaluations.rows, messages, cell),
    )


def _side_by_side(logged: list[Row], counted: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return FederatedScope's lines by worker, and as many of the ledger's rows, each about the same worker."""
    if not counted:
        return logged, [{}] * len(logged)
    if (workers := [row["worker"] for row in counted]) == [row["worker"] for row in logged] == sorted({*workers}):
        return logged, counted
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
