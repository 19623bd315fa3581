"""The options of the FederatedScope that is there: it is asked once, and its answer kept until its files change.

To answer it must be imported, which takes seconds. The answer is kept in the user's cache folder, one file for each
interpreter and package; where that cannot be written, it is asked again by every command.
"""

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from fscost.engine.federatedscope.interpreter import Interpreter, asked
from fscost.files import write_whole
from fscost.protocol import fs_options
from fscost.protocol.known_options import KnownOptions, kind_of
from fscost.worker.release_options import in_cell, older_names

_FORMAT = 1
_PARTS = ("defaults", "open", "takes")


@cache
def options_of(found: Interpreter) -> KnownOptions:
    """Return the options of an interpreter's FederatedScope, by the names that cells use.

    Raises ConfigError with its last words where it cannot tell.
    """
    answer = _answer(found)
    defaults = in_cell(answer["defaults"])
    return KnownOptions(
        whose=found.description,
        defaults={**fs_options.OWN, **defaults},  # the engine says what is to be done with these
        open=answer["open"],
        takes=answer["takes"],
        older=older_names(answer["defaults"]),
        deviating={name: value for name, value in defaults.items() if _deviates(name, value)},
    )


def _deviates(name: str, value: Any) -> bool:
    """Return whether this FederatedScope has another default than all releases have."""
    if name not in fs_options.options() or fs_options.is_changed(name):
        return False
    return kind_of(value) == kind_of(fs_options.default(name)) and value != fs_options.default(name)


def _answer(found: Interpreter) -> dict[str, Any]:
    file, stamp = _file(found), _stamp(found)
    if file is not None and (kept := _kept(file, stamp)) is not None:
        return kept
    shown = f"engine.python={found.python}: FederatedScope cannot be imported"
    answer = asked(found.python, "options", shown, silent="it ended when asked for its options")
    if file is not None:
        with suppress(OSError):  # it is asked again then
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, [json.dumps({"stamp": stamp} | {part: answer[part] for part in _PARTS})], synced=False)
    return answer


def _file(found: Interpreter) -> Path | None:
    """Return where the answer is kept, None where there is no home for it."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = base if base.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    name = hashlib.sha256(f"{found.python.absolute()}\n{found.folder}".encode()).hexdigest()[:16]
    return folder / "fscost" / f"options-{name}.json"


def _stamp(found: Interpreter) -> list[Any]:
    """Return what the answer depends on: the commit, and every module of the package with its size and date."""
    modules = hashlib.sha256()
    for path in sorted(Path(found.folder).rglob("*.py")):
        with suppress(OSError):  # it is gone in the meantime
            facts = path.stat()
            modules.update(f"{path}\n{facts.st_size}\n{facts.st_mtime_ns}\n".encode())
    return [_FORMAT, found.commit, modules.hexdigest()]


def _kept(file: Path, stamp: list[Any]) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    is_whole = isinstance(content, dict) and all(part in content for part in _PARTS)
    return content if is_whole and content.get("stamp") == stamp else None
