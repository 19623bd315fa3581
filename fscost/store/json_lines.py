"""The gate for JSON: what is nested too deeply, has too long numbers, or is not what its schema says, does not pass.

Read in a third of the time where there is msgspec, the schema included: interpreters of training code may lack it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Iterable

try:
    import msgspec

    from fscost.store import schemas
except ImportError:
    msgspec = None  # type: ignore[assignment]

MOST_DEEP = 100
"""How many lists and mappings may lie in each other; FederatedScope's configurations have five."""


class NoJson(ValueError):
    """A text that is no JSON, or not what it should be; `line` is where, from 1."""

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.line = line


def loads(text: str) -> Any:
    """Return what `json.loads` does, whole numbers beyond 64 bits, ``NaN`` and ``Infinity`` included.

    Raises NoJson for what is none, and for what nothing here can be: nested beyond `MOST_DEEP`, whole numbers of
    thousands of digits, halves of characters.
    """
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise NoJson(f"no JSON ({error.msg})", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise NoJson(f"no JSON ({_why(error)})") from error
    if text.count("{") + text.count("[") > MOST_DEEP and _is_deep(value):
        raise NoJson(f"no JSON (nested more than {MOST_DEEP} deep)")
    if "\\u" in text and _has_halves(value):
        raise NoJson("no JSON (half a character)")
    return value


def _either(text: str) -> Any:
    try:
        return _PLAIN.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


_PLAIN = msgspec and msgspec.json.Decoder()
_decode = _either if msgspec else json.loads


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEEP):
        level = [below for node in level for below in _below(node)]
    return bool(level)


def _below(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _has_halves(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


@lru_cache(maxsize=None)
def _decoder(schema: str | None) -> Any:
    return msgspec.json.Decoder(getattr(schemas, schema)) if schema else msgspec.json.Decoder()


def loads_lines(text: str, lines: list[str], schema: str | None = None) -> list[Any] | None:
    """Return the objects of a text's `lines`, one in each; None where any line may hold anything else.

    `schema` is the name of that of each line. The text is read at once, without regard to where its lines end. As JSON
    never has ``{`` behind ``}``, no object reaches over the end of a line that ends and a next one that starts so; with
    as many objects as lines, each has one.
    """
    ends = text.count("\n") + (not text.endswith("\n"))  # fewer than lines, where something else ends a line too
    if msgspec is None or len(lines) != ends or not all(line.startswith("{") and line.endswith("}") for line in lines):
        return None
    try:
        values: list[Any] = _decoder(schema).decode_lines(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return values if len(values) == len(lines) else None


def problem_of(value: Any, schema: str) -> str:
    """Return in words what of a value is not as the schema of this name says, nothing where all is.

    Counts may have as many digits as frames hold, though no schema can say so.
    """
    if msgspec is None:
        return ""
    problem = _misfit(value, schema)
    return problem and _misfit(_capped(value), schema)


def _misfit(value: Any, schema: str) -> str:
    try:
        msgspec.convert(value, getattr(schemas, schema))
    except msgspec.ValidationError as error:
        return str(error)
    return ""


MOST_COUNT = 10**38
"""Above any number of messages or bytes."""


def _capped(value: Any) -> Any:
    """Return a value with whole numbers that fit into no 64 bits, but into a frame, as the largest that do."""
    if isinstance(value, dict):
        return {key: _capped(below) for key, below in value.items()}
    return schemas.LARGEST if type(value) is int and schemas.LARGEST < value < MOST_COUNT else value
