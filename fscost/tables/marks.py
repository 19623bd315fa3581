"""What stands where there is no number, and behind a number that must not be read alone; each with its meaning."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from fscost.cells.outcome import Status
from fscost.printable import plural
from fscost.tables.numbers import whole


class MarkKind(Enum):
    """What a mark says: up to `OUTSIDE` instead of a number, the others behind one."""

    MISSING = auto()
    FAILED = auto()
    TIMEOUT = auto()
    INTERRUPTED = auto()
    CORRUPT = auto()
    RUNNING = auto()
    UNKNOWN = auto()
    NOT_REACHED = auto()
    OUTSIDE = auto()
    ESTIMATED = auto()
    PARTLY = auto()
    DOUBTED = auto()
    SO_FAR = auto()
    NO_EFFECT = auto()
    CITED = auto()
    FEWER = auto()
    FOOTNOTE = auto()
    OTHER_DIGITS = auto()


@dataclass(frozen=True)
class Mark:
    """A word or sign: `sign` is printed, `meaning` is its note, and `why` is the reason at this place, if any."""

    kind: MarkKind
    sign: str
    meaning: str
    why: str = ""

    @property
    def status(self) -> Status | None:
        """The state of the run that it stands for, None where it stands for something else."""
        return next((status for status, mark in _OF_STATUS.items() if mark.kind is self.kind), None)

    @property
    def is_citation(self) -> bool:
        """Whether it says where a row of others is from."""
        return self.kind is MarkKind.CITED

    def __str__(self) -> str:
        return self.sign


MISSING = Mark(MarkKind.MISSING, "missing", "not computed yet")
FAILED = Mark(MarkKind.FAILED, "failed", "the run failed")
TIMEOUT = Mark(MarkKind.TIMEOUT, "timed out", "the run took longer than it may")
INTERRUPTED = Mark(MarkKind.INTERRUPTED, "interrupted", "the run was cut off")
CORRUPT = Mark(MarkKind.CORRUPT, "corrupt", "the run's files cannot be believed")
RUNNING = Mark(MarkKind.RUNNING, "running", "being computed")
UNKNOWN = Mark(MarkKind.UNKNOWN, "n/a", "not known")
NOT_REACHED = Mark(MarkKind.NOT_REACHED, "—", "the target was not reached, by one seed at least")
"""Worse than any number."""
OUTSIDE = Mark(MarkKind.OUTSIDE, "·", "not in this sweep")

ESTIMATED = Mark(MarkKind.ESTIMATED, "†", "estimated")
"""Behind a number, or a heading if it holds for the whole column: not counted from messages that were sent."""
PARTLY = Mark(MarkKind.PARTLY, "+", "without messages that FederatedScope cannot encode")
"""Behind a number: some messages are not in it."""
DOUBTED = Mark(MarkKind.DOUBTED, "¶", "implausible")
"""Behind what FederatedScope logged where its log cannot be right."""
SO_FAR = Mark(MarkKind.SO_FAR, "‡", "best of the evaluated rounds")
"""Behind the best of a metric: the model that the course ended with was not evaluated."""
NO_EFFECT = Mark(MarkKind.NO_EFFECT, "§", "without effect")
"""Behind a label, or a number of a row with others: a method that did nothing with the model."""
FOOTNOTE = Mark(MarkKind.FOOTNOTE, "¹", "as its author says")
"""Behind a label, a heading or a number: a footnote of somebody's own, by its number."""
OTHER_DIGITS = Mark(MarkKind.OTHER_DIGITS, "*", "other digits than published")
"""Behind a number that somebody published otherwise."""

_OF_STATUS = {
    Status.MISSING: MISSING,
    Status.FAILED: FAILED,
    Status.TIMEOUT: TIMEOUT,
    Status.INTERRUPTED: INTERRUPTED,
    Status.CORRUPT: CORRUPT,
    Status.RUNNING: RUNNING,
}


def signs(marks: Iterable[Mark]) -> str:
    """Return the signs behind a number one after another, numbers of footnotes with commas between them."""
    signs_of: dict[bool, list[str]] = {False: [], True: []}
    for mark in marks:
        signs_of[mark.kind is MarkKind.FOOTNOTE].append(mark.sign)
    return "".join(signs_of[False]) + ",".join(signs_of[True])


def mark_of(status: str) -> Mark:
    """Return what stands for the numbers of a run that is not done."""
    return _OF_STATUS[Status(status)]


def unknown(why: str) -> Mark:
    """Return the mark of a number that is not known, with the reason."""
    return replace(UNKNOWN, why=why)


def not_reached(rounds: float) -> Mark:
    """Return the mark of a target that was not reached in so many rounds, ``8+``."""
    meaning = f"not reached within {plural(rounds, 'round')}, by one seed at least"
    return Mark(MarkKind.NOT_REACHED, f"{whole(rounds)}+", meaning)


def cited(number: int, source: str) -> Mark:
    """Return the mark behind the label of a row of others, ``[1]``, whose meaning is its source."""
    meaning = "cited, as its source counts, and compared with no other row: " + source  # which may be words of LaTeX
    return Mark(MarkKind.CITED, f"[{number}]", meaning)


def fewer(seeds: int) -> Mark:
    """Return the mark behind a number of fewer seeds than were asked for, ``[n=2]``."""
    return Mark(MarkKind.FEWER, f"[n={seeds}]", f"over {plural(seeds, 'seed')}, the others are not done")
