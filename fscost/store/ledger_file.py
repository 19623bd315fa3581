"""Reading ``ledger.jsonl``, which `fscost.metering.ledger` writes, and checking it against its own digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fscost.errors import CollectError
from fscost.files import text_of, why
from fscost.metering.ledger import LEDGER_FORMAT
from fscost.store.json_lines import NoJson, loads, loads_lines, problem_of

_MESSAGES = {1: "FormerMessageLine", LEDGER_FORMAT: "MessageLine"}
"""The formats that are read, and what their lines of messages are."""


@dataclass(frozen=True)
class LedgerFile:
    """A ledger as read back: the header, rows per (round, type, link) and rows per worker."""

    header: dict[str, Any]
    messages: list[dict[str, Any]]
    workers: list[dict[str, Any]]
    digest: str = ""
    """What its last line says; a ledger that was made in memory has none."""


def read_ledger(path: Path) -> LedgerFile:
    """Read ``ledger.jsonl`` and check it against its own digest.

    Raises CollectError with file and line for a line that is no record, and for a file that was cut or edited.
    """
    try:
        lines = text_of(path).splitlines()
    except OSError as error:
        raise CollectError(f"{path}: cannot be read: {why(error)}; rerun the cell") from error
    return _at_once(lines) or _line_by_line(lines, path)


def _at_once(lines: list[str]) -> LedgerFile | None:
    """Return a ledger as fscost writes it, messages before workers; None where anything is odd, or there is no msgspec.

    Its header alone may have more keys than the schema.
    """
    digest = _digest_of(lines)
    if len(lines) < 2 or lines[-1] != f'{{"sha256": "{digest}"}}':
        return None
    header = _rows(lines[:1])
    if not header or problem_of(header[0], "HeaderLine") or header[0].get("format") not in _MESSAGES:
        return None
    first = next((place for place, line in enumerate(lines) if line.startswith('{"worker"')), len(lines) - 1)
    messages, workers = _rows(lines[1:first], _MESSAGES[header[0]["format"]]), _rows(lines[first:-1], "WorkerLine")
    return None if messages is None or workers is None else LedgerFile(header[0], messages, workers, digest)


def _rows(lines: list[str], schema: str | None = None) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = []
    for some in _parts(lines):
        if (found := loads_lines("\n".join(some), some, schema)) is None:
            return None
        rows += found
    return rows


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """Yield lines some at a time: of a million there is no second copy."""
    return (lines[begin : begin + _AT_ONCE] for begin in range(0, len(lines), _AT_ONCE))


_AT_ONCE = 10_000


def _digest_of(lines: list[str]) -> str:
    """Return the digest of all lines but the last."""
    digest = hashlib.sha256()
    for some in _parts(lines[:-1]):
        digest.update("\n".join([*some, ""]).encode())
    return digest.hexdigest()


def _line_by_line(lines: list[str], path: Path) -> LedgerFile:
    rows = [_record(line, path, number) for number, line in enumerate(lines, start=1)]
    _check_header(rows, path)
    *kept, last = rows
    if "sha256" not in last:
        raise CollectError(f"{path}:{len(lines)}: the file ends too early, its digest does not match; rerun the cell")
    if last["sha256"] != _digest_of(lines):
        raise CollectError(f"{path}:{len(lines)}: the file was edited, its digest does not match; rerun the cell")
    for number, row in enumerate(kept, start=1):
        schema = "HeaderLine" if number == 1 else _MESSAGES[kept[0]["format"]] if "type" in row else "WorkerLine"
        if problem := problem_of(row, schema):
            raise CollectError(f"{path}:{number}: {problem}; rerun the cell")
    messages, workers = ([row for row in kept if key in row] for key in ("type", "worker"))
    return LedgerFile(kept[0], messages, workers, last["sha256"])


_RECORDS = frozenset({"format", "type", "worker", "sha256"})
"""The keys that say what a line is about."""


def _record(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = loads(line)
    except NoJson as error:
        raise CollectError(f"{path}:{number}: {error}; rerun the cell") from error
    if not isinstance(value, dict) or len(_RECORDS & value.keys()) != 1:
        raise CollectError(f"{path}:{number}: no record of a ledger; rerun the cell")
    return value


def _check_header(rows: list[dict[str, Any]], path: Path) -> None:
    version = next(iter(rows), {}).get("format")
    if type(version) is int and version in _MESSAGES:
        return
    if version is None:
        raise CollectError(f"{path}:1: no header with a format version; rerun the cell")
    newer = isinstance(version, int) and version > LEDGER_FORMAT
    cure = "upgrade fscost" if newer else "rerun the cell"
    raise CollectError(f"{path}:1: format {str(version)[:20]}, this fscost reads formats 1 to {LEDGER_FORMAT}; {cure}")
