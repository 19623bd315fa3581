"""What this interpreter's FederatedScope can be told: its options, asked of itself. Importing them imports torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from fscost.errors import one_line
from fscost.worker.release_options import leaves

_SAMPLES = {"bool": True, "int": 1, "float": 0.5, "str": "text", "list": []}
"""A value of each kind that options have."""


def main() -> None:
    """Print what `ask` returns, or ``error``, as the only line on standard output."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a fork prints when it is imported must not be taken for the reply
    try:
        reply = ask()
    except Exception as error:
        reply = {"error": one_line(error)}
    replies.write(json.dumps(reply, default=str) + "\n")
    replies.close()


def ask() -> dict[str, Any]:
    """Return the options with their defaults, the sections that take any, and which kinds of values each kind takes."""
    from federatedscope.core.configs.config import global_cfg

    kinds = [*_SAMPLES, "NoneType"]
    values = {**_SAMPLES, "NoneType": None}
    return {
        "defaults": dict(leaves(global_cfg)),
        "open": list(_open_sections(global_cfg)),
        "takes": {
            kind: [given for given in kinds if _is_taken(type(global_cfg), default, values[given])]
            for kind, default in _SAMPLES.items()
        },
    }


def _open_sections(node: Any, name: str = "") -> Iterator[str]:
    if node.is_new_allowed():
        yield name
    for key, value in node.items():
        if isinstance(value, Mapping) and hasattr(value, "is_new_allowed"):
            yield from _open_sections(value, f"{name}.{key}" if name else key)


def _is_taken(node: Any, default: Any, value: Any) -> bool:
    """Return whether FederatedScope lays a value over a default: which kinds it turns into which depends on it."""
    below, above = node(), node()
    below.option, above.option = default, value
    try:
        below.merge_from_other_cfg(above)
    except Exception:
        return False
    return True
