"""What stands where there is no number, and behind a number that was not counted; each with its meaning."""

import re
from enum import StrEnum

from fscost.cells.outcome import Status


class Mark(StrEnum):
    """A word or sign instead of a number."""

    MISSING = "missing"
    FAILED = "failed"
    TIMEOUT = "timed out"
    INTERRUPTED = "interrupted"
    CORRUPT = "corrupt"
    RUNNING = "running"
    UNKNOWN = "n/a"
    NOT_REACHED = "—"
    OUTSIDE = "·"


class _Unknown(str):
    """`Mark.UNKNOWN` with the reason for it."""

    why: str


def unknown(why: str) -> str:
    """Return the mark of a number that is not known, with the reason."""
    mark = _Unknown(Mark.UNKNOWN)
    mark.why = why
    return mark


def why(mark: str) -> str:
    """Return the reason that a mark has, if any."""
    return mark.why if isinstance(mark, _Unknown) else ""


ESTIMATED = "†"
"""Behind a number, or a heading if it holds for the whole column: not counted from messages that were sent."""

ZERO = "0"
"""Bytes that were counted and of which there were none; any other number that rounds to 0 is printed as ``<0.01``."""

PARTLY = "+"
"""Behind a number: some messages are not in it, as FederatedScope cannot encode them."""

DOUBTED = "¶"
"""Behind what FederatedScope logged where its log cannot be right."""

SO_FAR = "‡"
"""Behind the best of a metric: the model that the course ended with was not evaluated."""

NO_EFFECT = "§"
"""Behind a label, or a number of a row with others: a method that did nothing with the model."""

_OF_STATUS = {
    Status.MISSING: Mark.MISSING,
    Status.FAILED: Mark.FAILED,
    Status.TIMEOUT: Mark.TIMEOUT,
    Status.INTERRUPTED: Mark.INTERRUPTED,
    Status.CORRUPT: Mark.CORRUPT,
    Status.RUNNING: Mark.RUNNING,
}

_MEANINGS = {
    Mark.MISSING: "not computed yet",
    Mark.FAILED: "the run failed",
    Mark.TIMEOUT: "the run took longer than it may",
    Mark.INTERRUPTED: "the run was cut off",
    Mark.CORRUPT: "the run's files cannot be believed",
    Mark.RUNNING: "being computed",
    Mark.UNKNOWN: "not known",
    Mark.NOT_REACHED: "the target was not reached, by one seed at least",
    Mark.OUTSIDE: "not in this sweep",
    ZERO: "counted: exactly 0 bytes",
}


def mark_of(status: str) -> Mark:
    """Return what stands for the numbers of a run that is not done."""
    return _OF_STATUS[Status(status)]


def status_of(mark: str) -> Status | None:
    """Return the state of the run that a mark stands for, None where it stands for something else."""
    return next((status for status, known in _OF_STATUS.items() if known == mark), None)


def not_reached(rounds: float) -> str:
    """Return the mark of a target that was not reached in so many rounds."""
    return f"{rounds:,.0f}+"


def is_unreached(mark: str) -> bool:
    """Return whether a mark stands for a number that is worse than any other: a target that was not reached."""
    return mark == Mark.NOT_REACHED or mark.endswith("+")


def meaning(mark: str) -> str:
    """Return what a mark means, in words."""
    if re.fullmatch(r"[\d,]+\+", mark):
        return f"not reached within {mark[:-1]} rounds, by one seed at least"
    return _MEANINGS[Mark(mark)] if mark != ZERO else _MEANINGS[ZERO]
