"""After how many rounds of training an evaluation was, and a course ended, by the log's own evidence.

FederatedScope counts the rounds of clients' evaluations from 1 until December 2022 and from 0 since; no option says
which, but the schedule of evaluations does. Those of the server's own always count from 1.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fscost.protocol.release import release_of

UNKNOWN_PROTOCOL = "unknown"
"""Which release wrote the output is not known."""

FROM_0, FROM_1 = 1, 0
"""What is added to a logged round to have the number of rounds that were trained."""


@dataclass(frozen=True)
class Schedule:
    """What a configuration says of rounds and evaluations; None where it does not.

    `stops` is whether early stopping is on, `repeats` whether the last round is evaluated once more after its end, as
    FedSWA does, and `lags` whether models are still sent when the course is over.
    """

    protocol: str = UNKNOWN_PROTOCOL
    rounds: int | None = None
    freq: int | None = None
    stops: bool = True
    is_distributed: bool = False
    repeats: bool = False
    lags: bool = False


def schedule_of(get: Callable[[str, Any], Any], protocol: str) -> Schedule:
    """Return the schedule of a configuration, of which `get` returns an option by name, or else the default."""
    after_receiving = get("asyn.use", False) and get("asyn.broadcast_manner", "") == "after_receiving"
    return Schedule(
        protocol,
        _count(get("federate.total_round_num", None)),
        _count(get("eval.freq", 1)),
        get("early_stop.patience", 5) != 0,
        get("federate.mode", "standalone") == "distributed",
        bool(get("fedswa.use", False)),
        bool(after_receiving or get("vertical.use", False)),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def offset_of(logged: Sequence[int], schedule: Schedule, usual: int | None, end: int | None = None) -> int | None:
    """Return `FROM_0` or `FROM_1`, None where the rounds that were logged fit neither, or both alike.

    What cannot be otherwise decides first: rounds from 1 to the last, then the schedule, then `end`, after how many
    rounds the last evaluation was; then `usual`, how the release that wrote them counts; then the first of them.
    """
    left = [FROM_0, FROM_1]
    for fits in (_in_range, _on_schedule):
        left = [offset for offset in left if fits(logged, offset, schedule)]
        if len(left) < 2:
            return left[0] if left else usual
    at_end = [offset for offset in left if logged[-1] + offset == end]
    if len(at_end) == 1:
        return at_end[0]
    return _by_the_first(logged, schedule) if usual is None else usual


def _in_range(logged: Sequence[int], offset: int, schedule: Schedule) -> bool:
    return min(logged) + offset >= 1 and (schedule.rounds is None or max(logged) + offset <= schedule.rounds)


def _on_schedule(logged: Sequence[int], offset: int, schedule: Schedule) -> bool:
    if schedule.rounds is None or schedule.freq is None:
        return True
    trained = {number + offset for number in logged} - {schedule.rounds}
    return all(number % schedule.freq == 0 for number in trained)


def _by_the_first(logged: Sequence[int], schedule: Schedule) -> int | None:
    """Return the offset by which the first evaluation is after as many rounds as lie between two of them."""
    if schedule.freq is None:
        return None
    return {schedule.freq: FROM_1, schedule.freq - 1: FROM_0}.get(logged[0])


def usual_offset(protocol: str) -> int | None:
    """Return how a release counts the rounds of clients' evaluations, None where the release is not known."""
    if protocol == UNKNOWN_PROTOCOL:
        return None
    return FROM_0 if release_of(protocol).first_evaluation_is_round_0 else FROM_1


# --- where a course ended -------------------------------------------------------------------------


@dataclass(frozen=True)
class Ending:
    """How a course ended: after how many rounds its final model was, and how many were trained; None if not known.

    Early stopping comes a round too late: the next one is trained already, and dropped.
    """

    final_round: int | None = None
    rounds_trained: int | None = None


def ending_of(
    schedule: Schedule, stopped: Any, last: int | None, *, has_final: bool, behind_final: int | None
) -> Ending:
    """Return how a course that is over ended.

    `stopped` is ``global_convergence_round`` of the server, 0 without early stopping; `last` is the round of the last
    evaluation; `has_final` whether the ``Final`` line is there; `behind_final` the round that clients' lines
    behind it name.
    """
    if schedule.rounds is None:
        return Ending(last if has_final else None)
    stop = _stop(schedule, stopped, last, behind_final)
    if stop is None:
        return Ending()
    if stop:
        final = stop if stop <= schedule.rounds else last  # FedSWA logs no round, as it goes on
        trained = None if final is None or schedule.lags else min(final + 1, schedule.rounds)
        return Ending(final, trained)
    rounds = last if last is not None and last == behind_final else schedule.rounds  # the log is right
    is_known = not schedule.lags and (last == rounds or has_final or not schedule.is_distributed)
    return Ending(rounds, rounds if is_known else None)


def _stop(schedule: Schedule, stopped: Any, last: int | None, behind_final: int | None) -> int | None:
    """Return after which round a course stopped early, 0 where it did not, None where nothing says so."""
    if isinstance(stopped, int | float) and 0 <= stopped < math.inf:
        return int(stopped)
    if schedule.rounds in (last, behind_final) or (last is not None and last == behind_final):
        return 0
    if schedule.rounds is not None and behind_final == schedule.rounds + 1:  # what the server goes on to where it stops
        return last
    return None if schedule.stops else 0
