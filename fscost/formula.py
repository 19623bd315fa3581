"""Arithmetic that a user writes, as ``total_uplink / params``: numbers and names, no code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fscost.errors import ConfigError, nearest

_LONGEST = 300
"""Characters; nobody writes longer ones, and each may be nested in the one before."""

_LARGEST = 2**1024
"""Beyond what a float can hold no number of bytes is meant."""


def _power(base: Any, exponent: Any) -> Any:
    if not isinstance(exponent, int | float) or abs(exponent) > 64:
        raise ValueError("exponents go from -64 to 64")
    return base**exponent


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "log2": math.log2,
    "max": max,
    "min": min,
    "sqrt": math.sqrt,
}
"""What can be called in a formula."""


@dataclass(frozen=True)
class Formula:
    """A formula in Python's notation: ``+ - * / // **``, brackets, numbers, names and `FUNCTIONS`.

    Raises ConfigError where it is no such formula; the message starts with the text.
    """

    text: str

    def __post_init__(self) -> None:
        _check(self._root, self.text)

    @cached_property
    def _root(self) -> ast.expr:
        try:
            if len(self.text) > _LONGEST:
                raise ValueError(f"longer than {_LONGEST} characters")
            return ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            why = str(error.msg) if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
            shown = self.text if len(self.text) <= 80 else f"{self.text[:80]}…"
            raise ConfigError(f"{shown}: is no formula ({why}); write it as a * (b + 2) / c") from None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that need a value, in the order of the text; a name may have dots, as ``args.mu``."""
        return tuple(dict.fromkeys(_names(self._root)))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that are written in it, in no order."""
        return tuple(node.value for node in ast.walk(self._root) if isinstance(node, ast.Constant))  # type: ignore[misc]

    def value(self, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] = FUNCTIONS) -> Any:
        """Return its value: an int where all parts are whole and nothing divides, else a float; None where a part is.

        Values may be of any type that has Python's operators; `functions` are then what `FUNCTIONS` are of numbers.
        Raises ConfigError for a name without a value and for what has none, as a division by 0.
        """
        for name in self.names:
            if name not in values:
                raise ConfigError(f"{self.text}: {name} has no value{nearest(name, [*values])}")
        if any(values[name] is None for name in self.names):
            return None
        try:
            return _value(self._root, values, functions)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise ConfigError(f"{self.text}: has no value ({error})") from None


def _dotted(node: ast.AST) -> str | None:
    """Return a name, or names with dots between them; None for anything else."""
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return before and f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def _parts(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    return [node.operand] if isinstance(node, ast.UnaryOp) else node.args if isinstance(node, ast.Call) else []


def _check(node: ast.AST, text: str) -> None:
    """Refuse what is no arithmetic."""
    is_number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    is_call = isinstance(node, ast.Call) and _dotted(node.func) in FUNCTIONS and node.args and not node.keywords
    is_known = isinstance(node, ast.BinOp | ast.UnaryOp) and type(node.op) in _OPERATORS
    if not (is_number or is_call or is_known or _dotted(node)):
        odd = ast.unparse(node)
        raise ConfigError(
            f"{text}: {odd} is no part of a formula; it has numbers, names, + - * / // ** and {', '.join(FUNCTIONS)}"
        )
    for part in _parts(node):
        _check(part, text)


def _names(node: ast.AST) -> list[str]:
    name = _dotted(node)
    return [name] if name else [found for part in _parts(node) for found in _names(part)]


def _value(node: ast.AST, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    if name := _dotted(node):
        return values[name]
    if isinstance(node, ast.Constant):
        return node.value
    parts = [_value(part, values, functions) for part in _parts(node)]
    if isinstance(node, ast.Call):
        found = functions[str(_dotted(node.func))](*parts)
    else:
        found = _OPERATORS[type(node.op)](*parts)  # type: ignore[attr-defined]
    if isinstance(found, complex) or (isinstance(found, int | float) and not abs(found) < _LARGEST):
        raise ValueError("no number that bytes could be")
    return found
