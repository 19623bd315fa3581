"""What a template may do: loop and print, within bounds, so that none runs for ever or takes all memory."""

import resource
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

_MOST_STEPS = 5_000_000
"""How many turns of loops and calls a template may make; a table of 10,000 rows takes a tenth."""

_MOST_S = 10.0
_MOST_BYTES = 2**28
"""How much more memory than before there may be."""

_MOST_BITS, _MOST_ITEMS = 10_000, 10_000_000


@dataclass
class _Budget:
    ends: float
    left: int = _MOST_STEPS

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OverflowError(f"loops and calls more than {_MOST_STEPS:,} times")
        if time.monotonic() > self.ends:
            raise OverflowError(f"takes more than {_MOST_S:g} s")


_BUDGET: ContextVar[_Budget | None] = ContextVar("what the template that is rendered has left", default=None)


@contextmanager
def bounded() -> Iterator[None]:
    """Bound the time, the steps and the memory of what is rendered; MemoryError and OverflowError say that it ended."""
    before = _BUDGET.set(_Budget(time.monotonic() + _MOST_S))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        with _with_memory(soft, hard):
            yield
    finally:
        _BUDGET.reset(before)


@contextmanager
def _with_memory(soft: int, hard: int) -> Iterator[None]:
    """Bound the memory of this process, where the system says how much it has."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        yield
        return
    most = pages * resource.getpagesize() + _MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(soft, most), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Sandbox(SandboxedEnvironment):
    """Jinja2's sandbox, whose loops and calls are counted where they are `bounded`, and whose numbers stay small."""

    intercepted_binops = frozenset(["*", "**"])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["counted"] = _counted
        del self.globals["lipsum"]  # text as long as one likes, in no loop of a template's

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(
                loop.iter, "counted", [], [], None, None, lineno=loop.iter.lineno, environment=self
            )
        return tree

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call something, as a step."""
        if budget := _BUDGET.get():
            budget.spend()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply, or raise to a power; raises OverflowError for what would be long."""
        whole = [value for value in (left, right) if isinstance(value, int)]
        if operator == "**" and isinstance(right, int | float) and abs(right) > 64:
            raise OverflowError("exponents go from -64 to 64")
        if len(whole) == 2 and sum(value.bit_length() for value in whole) > _MOST_BITS:
            raise OverflowError("a number of too many digits")
        if len(whole) == 1 and whole[0] * max(_length(left), _length(right)) > _MOST_ITEMS:
            raise OverflowError("text or a list that is too long")
        return super().call_binop(context, operator, left, right)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Sized) else 0


def _counted(values: Iterable[Any]) -> Iterable[Any]:
    """Return values of which each is a step."""
    budget = _BUDGET.get()
    return values if budget is None else _spending(values, budget)


def _spending(values: Iterable[Any], budget: _Budget) -> Iterator[Any]:
    for value in values:
        budget.spend()
        yield value
