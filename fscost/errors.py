"""What a user can do wrong: every error is one line that names the value, the rule and the next step."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")
Made = TypeVar("Made")


class FscostError(Exception):
    """A user's mistake; printed as one line, without a traceback, and the command exits with 2.

    Each argument is a problem of its own; as text, reasons that several share stand once.
    """

    def __str__(self) -> str:
        return "; ".join(_grouped(map(str, self.args)))


def _grouped(problems: Iterable[str]) -> list[str]:
    """Return the problems, each once, the shortest first; options that an engine refuses for one reason share it.

    Where another engine is the next step for several, that stands once, at the end.
    """
    groups: dict[str, list[str]] = {}
    for problem in sorted(dict.fromkeys(problems), key=len):
        found = re.fullmatch(r"(.*): (engine=\w+ .*)", problem)
        groups.setdefault(found.group(2) if found else problem, []).append(found.group(1) if found else "")
    texts = sorted((f"{', '.join(whose)}: {why}" if whose[0] else why for why, whose in groups.items()), key=len)
    steps = [found.group(1) for text in texts if (found := _NEXT_STEP.search(text))]
    if len(steps) < 2:
        return texts
    step = steps[0] if len({*steps}) == 1 else "engine=federatedscope runs what FederatedScope has"
    return [*sorted((_NEXT_STEP.sub("", text) for text in texts), key=len), step]


_NEXT_STEP = re.compile(r"; (engine=federatedscope [^;]+)$")


class FscostWarning(UserWarning):
    """What is odd about results that can be shown all the same; the command line prints it as a line."""


class ConfigError(FscostError):
    """A cell that cannot be: an unknown name, a value out of its range, an option nobody implements."""


class StoreError(FscostError):
    """The store cannot be read or written."""


class CollectError(FscostError):
    """A run's file does not hold what it should; the message starts with its path and line."""


class TableError(FscostError):
    """A table that cannot be made: an unknown column or template name, values that must not be averaged."""


def for_each_cell(work: Callable[[T], Made], cells: Sequence[T]) -> list[Made]:
    """Return what `work` makes of each cell; raises one ConfigError that tells the problems of all of them.

    One problem is told in one line, several in one line each, with the number of cells that have it.
    """
    made, errors = [], []
    for cell in cells:
        try:
            made.append(work(cell))
        except ConfigError as error:
            errors.append(error)
    if len({str(error) for error in errors}) > 1:
        problems = Counter(problem for error in errors for problem in error.args)
        lines = (f"- {problem} ({count} cell{'s' * (count > 1)})" for problem, count in problems.items())
        raise ConfigError("\n".join([f"{len(errors)} of {len(cells)} cells cannot be computed:", *lines]))
    if errors:
        raise errors[0]
    return made


def one_line(error: BaseException) -> str:
    """Return an error's type and its text as one line, a long one cut: a run's reason.

    What is wrong often stands in the second line, as torch names the parameters whose shapes do not fit.
    """
    text = " ".join(str(error).split())
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


_LONGEST = 300


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return `` (did you mean a, b?)`` for the choices closest to `name`, or an empty string."""
    choices = sorted(choices)
    by_last_word = {choice.rsplit(".", 1)[-1]: choice for choice in choices}
    close = get_close_matches(name, choices, n=3, cutoff=0.6)
    if not close:
        close = [by_last_word[word] for word in get_close_matches(name.rsplit(".", 1)[-1], by_last_word, n=3)]
    return f" (did you mean {', '.join(close)}?)" if close else ""
