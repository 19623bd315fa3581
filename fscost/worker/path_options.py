"""Options that name files: what is read lies where the command was typed, what is written lies with the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fscost.cells import provenance_options


def at_home(options: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return the options with those relative paths absolute that name something to read, or to share, from `home`.

    These are the places that all know, as ``data.root``, and whatever else names a file or folder that is there.
    """
    return {name: _placed(name, value, home) for name, value in options.items()}


def as_typed(used: Mapping[str, Any], typed: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return options that FederatedScope used with paths as they were `typed`: the inverse of `at_home`."""
    return {
        name: typed[name] if name in typed and value == _placed(name, typed[name], home) else value
        for name, value in used.items()
    }


def make_folders(options: Mapping[str, Any], course: Path) -> None:
    """Make the folders below `course` that options name to write into, as users have them where they start it."""
    for name, value in options.items():
        if _is_written(name) and isinstance(value, str) and "/" in value[1:] and value[0] != "/":
            (course / value).parent.mkdir(parents=True, exist_ok=True)


def _placed(name: str, value: Any, home: Path) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_placed(name, item, home) for item in value)
    if isinstance(value, Mapping):
        return {key: _placed(f"{name}.{key}", item, home) for key, item in value.items()}
    if not isinstance(value, str) or not value or value[0] in "/~" or "://" in value:
        return value
    if name.endswith(".type"):  # whose it is stands behind the last @, as in models/gpt2@huggingface_llm
        path, at, kind = value.rpartition("@")
        is_model = at and not name.endswith("data.type")  # that is below data.root
        return f"{home / path}{at}{kind}" if is_model and (home / path).is_dir() else value
    return os.path.join(str(home), value) if _is_read(name, value, home) else value  # noqa: PTH118 - keeps a last slash


def _is_read(name: str, value: str, home: Path) -> bool:
    """Return whether a relative path is of something that is there before the course, or that courses share."""
    if provenance_options.is_read(name) or "cache" in name:
        return True
    names_a_file = "/" in value or bool(Path(value).suffix)
    return names_a_file and not _is_written(name) and _exists(home / value)


def _is_written(name: str) -> bool:
    return provenance_options.is_host(name) and "cache" not in name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a text, or no text of a path
        return False
