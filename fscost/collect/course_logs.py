"""What FederatedScope logged of a course, by all its processes together, and the columns that come of it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from fscost.cells.engine_kinds import engine_kind
from fscost.cells.measure import SERVER, binary_text
from fscost.cells.metric import Direction, direction_of
from fscost.collect.fs_logs import Evaluations, Row, Warn, are_counts, is_count, read_evaluations, read_system_metrics
from fscost.collect.ledgers import CLIENT_ROUNDS
from fscost.collect.rounds import UNKNOWN_PROTOCOL, Ending, Schedule, ending_of, schedule_of
from fscost.files import is_there
from fscost.store.run import Reading, Run


@dataclass(frozen=True)
class CourseLogs:
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
        return ending_of(
            self.schedule,
            _stopped(self.workers),
            lines.last,
            has_final=lines.has_final,
            behind_final=lines.behind_final,
        )

    @property
    def countable(self) -> list[Row]:
        """The lines of the workers with what is no count of bytes as unknown."""
        return countable(self.workers)

    def counted(self, *, is_distributed: bool) -> Row:
        """Return the columns ``sys_avg_…`` and ``logged_…``: what FederatedScope counted, in its view and summed up.

        Processes of their own write no average over all of them.
        """
        return _averages([] if is_distributed else self.workers) | counters(self.workers)

    def metrics(self, run: Run, warn: Warn) -> Row:
        """Return the final and best metrics; final ones are unknown where the model at the end was not evaluated.

        The best are then ``best_of`` the evaluated rounds alone.
        """
        rows, last = self.evaluations.rows, self.evaluations.last
        metrics = final_and_best(rows) | {"last_evaluated_round": last}
        if not rows or last == self.ending.final_round:
            return metrics
        until = f"{last} of {self.schedule.rounds}" if self.schedule.rounds else f"{last}"
        warn(
            f"{run.eval_results}: ends with round {until}; its final metrics are unknown, the best are those until then"
        )
        unknown = {name: math.nan for name in metrics if name.startswith("final_")}
        return metrics | unknown | {"best_of": f"the evaluated rounds up to {until}"}


def course_logs(run: Run, reading: Reading, warn: Warn) -> CourseLogs:
    """Read the logs of all processes of a run; where one of fscost's own runs that is done lacks a log, that is warned.

    Estimates write none, nor does FederatedScope of vertical courses.
    """
    cell, is_ours = reading.cell, run.can_be_rerun
    if is_ours and cell and (not engine_kind(cell.engine).writes_logs or cell.get("vertical.use")):
        return CourseLogs(schedule_of(cell.get, cell.protocol))
    schedule, workers = _schedule(reading), list[Row]()
    for log in (process.system_metrics for process in run.processes):
        if (is_ours and cell and engine_kind(cell.engine).logs_workers) or is_there(log):
            workers += read_system_metrics(log, warn, server_twice=reading.is_distributed)
    if len(run.processes) > 1:
        workers.sort(key=lambda row: int(row["worker"]))
    evaluations = Evaluations()
    if is_ours or is_there(run.eval_results):
        evaluations = read_evaluations(run.eval_results, warn, schedule, _stopped(workers))
    return CourseLogs(schedule, workers, evaluations)


def _schedule(reading: Reading) -> Schedule:
    """Return when a course was to be evaluated, as far as its configuration says."""
    if reading.options:
        release, *others = reading.releases
        return schedule_of(reading.options.get, UNKNOWN_PROTOCOL if others else release)
    return schedule_of(reading.cell.get, reading.cell.protocol) if reading.cell else Schedule()


def _stopped(workers: Sequence[Row]) -> Any:
    """Return after which round the server says that the course stopped early, 0 for never, None where it does not."""
    return next((row.get("global_convergence_round") for row in workers if row["worker"] == SERVER), None)


def countable(workers: list[Row]) -> list[Row]:
    """Return workers' lines with what is no count of bytes as unknown."""
    names = [name for name in {*chain.from_iterable(workers)} if is_count_column(name)]
    if all(are_counts([worker[name] for worker in workers if name in worker]) for name in names):
        return workers
    wrong = ([name for name in names if not is_count(worker.get(name, 0))] for worker in workers)
    return [worker | dict.fromkeys(names) for worker, names in zip(workers, wrong, strict=True)]


@lru_cache(maxsize=1024)  # there are many runs, and most have the same columns
def is_count_column(name: str) -> bool:
    """Return whether a column of the frames holds counts, which are whole numbers."""
    return (name.endswith(_OF_COUNTS) or name in _WHOLE) and not name.startswith("sys_avg")


_OF_COUNTS = ("_bytes", "messages", CLIENT_ROUNDS)
_WHOLE = ("params", "clients", "rounds", "rounds_trained", "last_evaluated_round", "seed", "round", "worker", "run",
          "repeat")  # fmt: skip


def final_and_best(evaluations: Sequence[Row]) -> Row:
    """Return each metric after the last round and the best of all rounds, nan where nobody knows which that is."""
    found: Row = {}
    for name in dict.fromkeys(name for row in evaluations for name in row if name != "round"):
        values = [row.get(name, math.nan) for row in evaluations]
        best = _BEST[direction_of(name)]
        found[f"final_{name}"] = values[-1]
        found[f"best_{name}"] = best([value for value in values if not math.isnan(value)] or [math.nan])
    return found


_BEST: Mapping[Direction, Callable[[list[float]], float]] = {"higher": max, "lower": min, "": lambda values: math.nan}


_COUNTERS = {f"{way}_bytes": f"total_{way}_bytes" for way in ("upload", "download")}


def counters(workers: Sequence[Row]) -> Row:
    """Return the columns ``logged_…`` of the frame of cells: how many clients logged, and what they and the server did.

    Nothing where a client is there twice, as of two runs in one log; a sum is None where a part of it is missing.
    """
    clients = [row for row in workers if row["worker"] != SERVER]
    if not workers or any(row["run"] > 1 for row in clients):
        return {}
    found: Row = {"logged_clients": len(clients)}
    for name, counter in _COUNTERS.items():
        found[f"logged_client_{name}"] = _sum(row.get(counter) for row in clients) if clients else None
        found[f"logged_server_{name}"] = _only(row.get(counter) for row in workers if row["worker"] == SERVER)
    return found


def _sum(values: Iterable[Any]) -> int | None:
    found = [*values]
    return sum(found) if are_counts(found) else None


def _only(values: Iterable[Any]) -> int | None:
    """Return what the server logged; in distributed mode it writes its line twice."""
    found = [*values]
    return found[0] if found and is_count(found[0]) and all(value == found[0] for value in found) else None


def _averages(workers: Sequence[Row]) -> Row:
    """Return FederatedScope's own averages over server and clients, as it prints them, as columns ``sys_avg_…``."""
    return {f"sys_avg_{counter}": _mean(workers, counter) for counter in _COUNTERS.values()}


def _mean(rows: Sequence[Row], key: str) -> str | None:
    """Return FederatedScope's sys_avg of a counter: the mean over server and clients, 1024-based, to the character.

    None where a worker is there twice, as FederatedScope then merges nothing, or where the counter is missing or is
    no number of bytes.
    """
    values = [row.get(key) for row in rows]
    if not values or not are_counts(values) or any(row["run"] > 1 for row in rows):
        return None
    return binary_text(float(np.mean(np.array(values, dtype=float))))
