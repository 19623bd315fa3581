"""JSON read in a third of the time where there is msgspec: interpreters of training code may lack it."""

from __future__ import annotations

import json
from typing import Any

try:
    import msgspec
except ImportError:
    msgspec = None  # type: ignore[assignment]

_DECODER = msgspec and msgspec.json.Decoder()


def loads(text: str) -> Any:
    """Return what `json.loads` does, whole numbers beyond 64 bits included, and raise what it raises.

    What msgspec refuses, such as ``NaN`` and ``Infinity``, is left to `json.loads`.
    """
    if not _DECODER:
        return json.loads(text)
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


def loads_lines(text: str, lines: list[str]) -> list[Any] | None:
    """Return the objects of a text's `lines`, one in each; None where any line may hold anything else.

    The text is read at once, without regard to where its lines end. As JSON never has ``{`` behind ``}``, no object
    reaches over the end of a line that ends and a next one that starts so; with as many objects as lines, each has one.
    """
    ends = text.count("\n") + (not text.endswith("\n"))  # fewer than lines, where something else ends a line too
    if not _DECODER or len(lines) != ends or not all(line.startswith("{") and line.endswith("}") for line in lines):
        return None
    try:
        values: list[Any] = _DECODER.decode_lines(text)
    except msgspec.DecodeError:
        return None
    return values if len(values) == len(lines) else None
