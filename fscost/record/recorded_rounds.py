"""The rounds of a recording, whether a loop counts them from 0 or from 1, and what was evaluated after them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import index
from typing import Any

from fscost.errors import FscostError


class RecordError(FscostError):
    """What a recording is told cannot be: no result comes of it, even if the program goes on."""


def whole(name: str, value: Any) -> int:
    """Return a whole number; raises RecordError for what is none, truth values and numbers with a point included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise RecordError(f"{name}={value!r}: must be a whole number")
    try:
        return index(value)
    except TypeError:  # an array of several numbers has an index, too, until it is asked
        raise RecordError(f"{name}={value!r}: must be a whole number") from None


class RoundCount:
    """Rounds in the order in which they come; `first` is the number of the first one, 0 or 1, None until it comes.

    `last` is the last that was named. `rounds` is how many there are to be, None where nobody said.
    """

    def __init__(self, rounds: int | None) -> None:
        self.rounds = rounds
        self.first: int | None = None
        self.last = -1

    @property
    def begun(self) -> int:
        """How many rounds have begun."""
        return 0 if self.first is None else self.last - self.first + 1

    def state(self, round: Any) -> int:
        """Return a round of training or evaluation, counted from 0; raises RecordError for one that cannot be next."""
        number = whole("round", round)
        if self.first is None:
            if number not in (0, 1):
                raise RecordError(f"round={number}: the first round must be 0 or 1")
            self.first = number
        if number < self.last:
            raise RecordError(f"round={number}: comes after round {self.last}; rounds never go back")
        if self.rounds is not None and number - self.first >= self.rounds:
            raise RecordError(
                f"round={number}: there are rounds={self.rounds}, and this loop counts them from {self.first}"
            )
        self.last = number
        return number - self.first

    def state_of_control(self, round: Any) -> int:
        """Return the round of a message that belongs to none, as of one that ends the course."""
        return max(0, whole("round", round) - (self.first or 0))


class Evaluated:
    """Metrics by the round after which the model was evaluated, as the loop counts them."""

    def __init__(self) -> None:
        self._by_round: dict[int, dict[str, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_round)

    def add(self, round: Any, metrics: dict[str, Any]) -> None:
        """Add metrics; raises RecordError for a round before the last, a metric that is there, or is no number."""
        number = whole("round", round)
        last = next(reversed(list(self._by_round)), number)
        if number < last:
            raise RecordError(f"round={number}: is evaluated after round {last}; rounds never go back")
        own = self._by_round.setdefault(number, {})
        for name, value in metrics.items():
            if name in own:
                raise RecordError(f"{name}={value}: round {number} has {name}={own[name]} already")
            own[name] = _number(name, value)

    def first_round(self, rounds: int | None) -> int:
        """Return from where a loop without messages counts: from 1 where only that makes so many rounds."""
        return 1 if max(self._by_round, default=0) == rounds else 0

    def before(self, first: int) -> list[int]:
        """Return the rounds that are before the first one."""
        return [number for number in self._by_round if number < first]

    def lines(self, first: int) -> Iterator[str]:
        """Yield ``eval_results.log``, with how many rounds were trained, for a loop whose first round this is."""
        for number, metrics in self._by_round.items():
            if number >= first:
                yield repr({"Role": "Server #", "Round": number - first + 1, "Results_raw": metrics})

    def last(self, first: int) -> int:
        """Return after how many rounds the last evaluation was."""
        return max(self._by_round, default=first - 1) - first + 1


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise RecordError(f"{name}={value!r}: must be a number, as a metric is") from None
