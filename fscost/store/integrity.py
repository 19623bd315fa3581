"""Whether the files of a run are as they were when it ended: ``outcome.json`` has the digest of each, and its own.

A ledger's is the one that its own last line has, and it is hashed once. What lies in folders below, as the checkpoints
of FederatedScope, is left out: no number comes from there.
"""

# outcome.json history: `files` and `digest` are missing in runs of before

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fscost.errors import CollectError
from fscost.files import digest_of, opened, unreadable

LEDGER = "ledger.jsonl"
_NO_NUMBERS_IN = ("engine.log", "config.yaml", "fs_config.yaml")
_PASSING = ("outcome.json", "progress.json")
"""What is itself, or gone when the run is published."""


def sealed(outcome: Mapping[str, Any], folder: Path) -> str:
    """Return the text of an outcome with the digests of the files of its run, and that of the text without it."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    kept = [name for name in names if name not in _PASSING and not name.startswith(".")]
    files = {name: _digest(folder / name) for name in kept}
    text = json.dumps({**outcome, "files": files, "digest": ""}, indent=1)
    return text.replace('"digest": ""', f'"digest": "{_hashed(text)}"')


def is_whole(text: str, outcome: Mapping[str, Any]) -> bool:
    """Return whether an outcome's text has the digest that it names, the end of its last line left out.

    One of an older run names none.
    """
    digest = outcome.get("digest")
    if digest is None:
        return "files" not in outcome
    return bool(digest == _hashed(text.removesuffix("\n").replace(f'"digest": "{digest}"', '"digest": ""')))


def changes(folder: Path, outcome: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[str]:
    """Yield which files no number comes from are not as they were; raises CollectError where one is from which some do.

    `known` are digests by name of files that were read just now. Of older runs nothing is known.
    """
    for name, digest in outcome.get("files", {}).items():
        path = folder / name
        try:
            is_same = (known.get(name) or digest_of(path)) == digest
            told = f"{path}: the file was edited after the run ended, its digest does not match; rerun the cell"
        except OSError as error:
            is_same, told = False, unreadable(path, error)
        if not is_same and name not in _NO_NUMBERS_IN:
            raise CollectError(told)
        if not is_same:
            yield f"{told.rpartition(';')[0]}; no number comes from it"


def _digest(path: Path) -> str:
    return (_said_by_ledger(path) if path.name == LEDGER else "") or digest_of(path)


def _said_by_ledger(path: Path) -> str:
    """Return the digest in a ledger's last line, nothing where there is none."""
    with opened(path) as file:
        file.seek(max(0, path.stat().st_size - _LAST_LINE_BYTES))
        _, begin, last = file.read().rpartition(b'{"sha256": "')
    return last.partition(b'"')[0].decode("ascii", "replace") if begin else ""


_LAST_LINE_BYTES = 100


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
