"""What a configuration may cost: each ``${…}`` may name one that names ten others, each file of options two more.

OmegaConf and Hydra bound none of this, so what they read, look up and put together is counted while it is theirs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from omegaconf import Node, grammar_parser
from omegaconf.grammar_visitor import GrammarVisitor

from fscost.errors import ConfigError

_MOST = 10**6
"""What one composition, or what is resolved at once, may come to, in signs that are put together: a few seconds."""

_OF_SIGN, _OF_NODE, _OF_VALUE, OF_FILE = 20, 100, 30, 1000
"""What a sign of an interpolation takes to read, a value to copy and to hold, and a file, in signs put together."""


@dataclass
class _Budget:
    left: int = _MOST

    def check(self) -> None:
        if self.left < 0:
            raise ConfigError(
                "a configuration comes to too much: its ${…}, or defaults, name what names several others, and so on; "
                f"there may be some {_MOST // _OF_VALUE:,} values, {_MOST // OF_FILE:,} files and {_MOST:,} signs"
            )


_BUDGET: ContextVar[_Budget | None] = ContextVar("what the configuration that is composed has left", default=None)


@contextmanager
def bounded() -> Iterator[None]:
    """Bound what is composed and resolved; raises ConfigError, whatever others made of it, where it was too much."""
    budget = _Budget()
    before = _BUDGET.set(budget)
    try:
        yield
    finally:
        _BUDGET.reset(before)
        budget.check()


def spend(signs: int) -> None:
    """Count what something costs; raises ConfigError where it is too much, and counts nothing outside `bounded`."""
    if budget := _BUDGET.get():
        budget.left -= signs
        budget.check()


def spend_on(value: Any, of_value: int = _OF_VALUE) -> None:
    """Count the values and the signs that something holds, its interpolations as they stand."""
    content = value._value() if isinstance(value, Node) else value
    spend(len(content) if isinstance(content, str) else of_value)
    if isinstance(content, dict | list | tuple):
        for part in content.values() if isinstance(content, dict) else content:
            spend_on(part, of_value)


@contextmanager
def counted() -> Iterator[None]:
    """Have OmegaConf count what it does where it is `bounded`; afterwards it is as before."""
    read = vars(grammar_parser)["InputStream"]
    visit = GrammarVisitor.visitInterpolation

    def read_and_counted(text: str) -> Any:
        spend(_OF_SIGN * len(text) * _depth(text))
        return read(text)

    def visited_and_counted(self: GrammarVisitor, context: Any) -> Any:
        found = visit(self, context)
        spend_on(found, _OF_NODE if isinstance(found, Node) else 1)
        return found

    with (
        in_place_of(grammar_parser, "InputStream", read_and_counted),
        in_place_of(GrammarVisitor, "visitInterpolation", visited_and_counted),
    ):
        yield


def _depth(text: str) -> int:
    """Return how deep interpolations stand in one another, from 1: the parser's time grows with it."""
    depths = accumulate(
        re.findall("[{}]", text), lambda depth, sign: max(depth + (1 if sign == "{" else -1), 0), initial=0
    )
    return max(1, *depths)


@contextmanager
def in_place_of(owner: Any, name: str, other: Any) -> Iterator[None]:
    """Have another object stand under a name of a module or class for a while."""
    before = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, before)
