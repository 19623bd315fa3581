"""JSON read in a third of the time; FederatedScope's interpreter, which lacks msgspec, never reads a run's files."""

import json
from typing import Any

from msgspec import DecodeError
from msgspec.json import Decoder

_DECODER = Decoder()


def loads(text: str) -> Any:
    """Return what `json.loads` does, whole numbers beyond 64 bits included, and raise what it raises.

    What msgspec refuses, such as ``NaN`` and ``Infinity``, is left to `json.loads`.
    """
    try:
        return _DECODER.decode(text)
    except DecodeError:
        return json.loads(text)


def loads_lines(text: str, lines: list[str]) -> list[Any] | None:
    """Return the objects of a text's `lines`, one in each; None where any line may hold anything else.

    The text is read at once, without regard to where its lines end. As JSON never has ``{`` behind ``}``, no object
    reaches over the end of a line that ends and a next one that starts so; with as many objects as lines, each has one.
    """
    ends = text.count("\n") + (not text.endswith("\n"))  # fewer than lines, where something else ends a line too
    if len(lines) != ends or not all(line.startswith("{") and line.endswith("}") for line in lines):
        return None
    try:
        values: list[Any] = _DECODER.decode_lines(text)
    except DecodeError:
        return None
    return values if len(values) == len(lines) else None
