"""Options of single clients, as FederatedScope's ``--client_cfg`` has them: ``client_1.model.hidden``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECTION = re.compile(r"client_(0|[1-9][0-9]*)")


def client_of(section: str) -> int | None:
    """Return whose section of ``--client_cfg`` this is, None for another name; 0 is of the server's data."""
    found = _SECTION.fullmatch(section)
    return int(found.group(1)) if found else None


def is_of_client(name: str) -> bool:
    """Return whether an option, by dotted name, is that of one client."""
    return client_of(name.partition(".")[0]) is not None


def of_all(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, by dotted name, without those of single clients."""
    return {name: value for name, value in options.items() if not is_of_client(name)}


def by_client(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of single clients by section, then by dotted name."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in options.items():
        if is_of_client(name):
            section, _, own = name.partition(".")
            sections.setdefault(section, {})[own] = value
    return sections
