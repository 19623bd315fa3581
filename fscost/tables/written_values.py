"""Values of options, told apart and printed as they were given."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Given:
    """The value of an option: ``1`` and ``1.0`` are the same, ``1`` and ``true`` are not, and null is known to be null.

    kind: what it is. value: what is compared, of a list its text. text: how it is printed, as `as_written` has it.
    """

    kind: str
    value: Hashable
    text: str = field(compare=False)

    def __str__(self) -> str:
        return self.text


def given(values: Mapping[str, Any]) -> dict[str, Given]:
    """Return the values of one option; text that is empty, or that another kind of value is printed as, is quoted."""
    taken = {"", *(as_written(value) for value in values.values() if not isinstance(value, str))}
    return {cell: _given(value, taken) for cell, value in values.items()}


def _given(value: Any, taken: set[str]) -> Given:
    if isinstance(value, str):
        return Given("text", str(value), f'"{value}"' if value in taken else str(value))
    if isinstance(value, bool | None):
        return Given("constant", value, as_written(value))
    if isinstance(value, int | float):
        return Given("number", value, as_written(value))
    return Given("list", as_written(value), as_written(value))


def number_of(value: Any) -> float | None:
    """Return the number that a label is ordered by, None for what is none: text, and true and false."""
    value = value.value if isinstance(value, Given) else value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_written(value: Any) -> str:
    """Return a value as FederatedScope's YAML files have it: ``true``, ``null``, ``1e-5``, ``[bn, classifier]``."""
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return re.sub(r"e\+?(-?)0*", r"e\1", repr(float(value))) if value else "0"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{as_written(key)}: {as_written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_written, value))}]"
    return str(value)
