"""What the FederatedScope that is there says: which options it has, and why it does not take a configuration.

To say so it must be imported, which takes seconds. Its answers are kept in the user's cache folder, in files for each
interpreter and package, until the source of the package changes; where they cannot be written, every command asks.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.engine.federatedscope.interpreter import Interpreter, asked
from fscost.errors import ConfigError
from fscost.files import text_of, write_whole
from fscost.protocol import fs_options
from fscost.protocol.known_options import KnownOptions, kind_of
from fscost.store.json_lines import loads, problem_of
from fscost.worker import release_options
from fscost.worker.release_options import in_cell, older_names

_PARTS = ("defaults", "open", "takes", "crashing", "unmetered")
_SCHEMA = "AnswerFile"


@cache
def options_of(found: Interpreter) -> KnownOptions:
    """Return the options of an interpreter's FederatedScope, by the names that cells use.

    Raises ConfigError with its last words where it does not answer.
    """
    answer = _answer(found)
    defaults = in_cell(answer["defaults"])
    return KnownOptions(
        whose=found.description,
        defaults={**fs_options.OWN, **defaults},  # the engine says what is to be done with these
        open=answer["open"],
        takes=answer["takes"],
        crashing=answer["crashing"],
        older=older_names(answer["defaults"]),
        deviating={name: value for name, value in defaults.items() if _deviates(name, value)},
    )


def _deviates(name: str, value: Any) -> bool:
    """Return whether this FederatedScope has another default than all releases have."""
    if name not in fs_options.options() or fs_options.is_changed(name):
        return False
    return kind_of(value) == kind_of(fs_options.default(name)) and value != fs_options.default(name)


def refusals(found: Interpreter, cells: Sequence[Cell]) -> list[str]:
    """Return for each cell why this FederatedScope does not run it, or why nobody could meter that; or nothing.

    It lays each over its defaults and checks it as its own main.py does, all in one process.
    """
    if unmetered := _answer(found)["unmetered"]:
        return [f"{found.description}: its messages cannot be metered: {unmetered}; {_UNMETERED}"] * len(cells)
    given = [dict(fs_options.leaves(cell.fs)) for cell in cells]
    words = _verdicts(found, given)
    return [_refusal(found, asks, word) for asks, word in zip(given, words, strict=True)]


_UNMETERED = "run its main.py, and read its logs with collect"

_SEARCHES = {"hpo.fedex.use": "FedEx", "hpo.fts.use": "FTS", "hpo.pfedhpo.use": "pFedHPO"}
"""What searches hyperparameters while it trains."""


def _refusal(found: Interpreter, asks: Mapping[str, Any], word: str) -> str:
    if not word:
        return ""
    used = [name for name in _SEARCHES if asks.get(name)]
    searches = [f"fs.{name}=True: {_SEARCHES[name]} searches hyperparameters" for name in used]
    return "; ".join([*searches, f"{found.description} refuses this configuration: {word}"])


# --- kept -----------------------------------------------------------------------------------------


def _answer(found: Interpreter) -> dict[str, Any]:
    file = _file(found, "options")
    kept = _kept(found, file)
    if not problem_of(kept, _SCHEMA):
        return kept
    answer = _asked(found, "options", "it ended when asked for its options", _PARTS)
    if problem := problem_of(answer, _SCHEMA):
        raise ConfigError(f"engine.python={found.python}: what it says of its options is none: {problem}")
    _keep(found, file, {part: answer[part] for part in _PARTS})
    return answer


def _verdicts(found: Interpreter, given: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what FederatedScope says of configurations: why it does not take one, or nothing."""
    file = _file(found, "checks")
    kept = {key: word for key, word in _kept(found, file).items() if isinstance(word, str)}
    new = {_key(asks): asks for asks in given if _key(asks) not in kept}
    if new:
        silent = "it ended when asked to check a configuration"
        answer = _asked(found, "checks", silent, ["refusals"], json.dumps([*new.values()]))
        kept |= dict(zip(new, answer["refusals"], strict=True))
        _keep(found, file, kept)
    return [kept[_key(asks)] for asks in given]


def _key(asks: Mapping[str, Any]) -> str:
    """Return what is the same for configurations that one rule takes for alike: of seeds there is none."""
    return hashlib.sha256(json.dumps({**asks, "seed": 0}, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _asked(found: Interpreter, task: str, silent: str, parts: Sequence[str], given: str = "") -> dict[str, Any]:
    shown = f"engine.python={found.python}: FederatedScope cannot be imported"
    return asked(found.python, task, shown, silent=silent, parts=parts, given=given)


def _file(found: Interpreter, what: str) -> Path | None:
    """Return where an answer is kept, None where there is no home for it."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = base if base.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    name = hashlib.sha256(f"{found.python.absolute()}\n{found.folder}".encode()).hexdigest()[:16]
    return folder / "fscost" / f"{what}-{name}.json"


def _kept(found: Interpreter, file: Path | None) -> dict[str, Any]:
    """Return an answer that is kept, nothing where there is none of this source."""
    with suppress(OSError, ValueError):
        content = loads(text_of(file, _MOST_BYTES)) if file is not None else None
        if isinstance(content, dict) and content.pop("stamp", None) == _stamp(found):
            return content
    return {}


_MOST_BYTES = 2**26


def _keep(found: Interpreter, file: Path | None, answer: Mapping[str, Any]) -> None:
    if file is not None:
        with suppress(OSError):  # it is asked again then
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, [json.dumps({"stamp": _stamp(found)} | dict(answer))], synced=False)


def _stamp(found: Interpreter) -> list[str | None]:
    """Return what an answer depends on: what is asked, and who."""
    return [_questions(), found.commit, found.fingerprint]


@cache
def _questions() -> str:
    return hashlib.sha256(Path(release_options.__file__).read_bytes()).hexdigest()[:16]
