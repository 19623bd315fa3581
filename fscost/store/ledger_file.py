"""Reading ``ledger.jsonl``, which `fscost.metering.ledger` writes, and checking it against its own digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fscost.errors import CollectError
from fscost.metering.ledger import LEDGER_FORMAT
from fscost.store.json_lines import loads_lines

_READABLE = (1, LEDGER_FORMAT)


@dataclass(frozen=True)
class LedgerFile:
    """A ledger as read back: the header, rows per (round, type, link) and rows per worker."""

    header: dict[str, Any]
    messages: list[dict[str, Any]]
    workers: list[dict[str, Any]]


def read_ledger(path: Path) -> LedgerFile:
    """Read ``ledger.jsonl`` and check it against its own digest.

    Raises CollectError with file and line for a line that is no record, and for a file that was cut or edited.
    """
    text = _text_of(path)
    lines = text.splitlines()
    values = loads_lines(text, lines)
    if values is None:
        values = [_value(line, path, number) for number, line in enumerate(lines, start=1)]
    rows = [_record(value, path, number) for number, value in enumerate(values, start=1)]
    end = next((number for number, row in enumerate(rows) if "sha256" in row and len(row) == 1), None)
    rows, found = (rows, "") if end is None else (rows[:end], rows[end]["sha256"])
    _check_header(rows, path)
    if found != hashlib.sha256("\n".join([*lines[: len(rows)], ""]).encode()).hexdigest():
        what = "the file was edited" if found else "the file ends too early"
        raise CollectError(f"{path}:{len(lines)}: {what}, its digest does not match; rerun the cell")
    return LedgerFile(rows[0], [r for r in rows[1:] if "type" in r], [r for r in rows[1:] if "worker" in r])


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode()  # read_text takes thrice as long
    except (OSError, UnicodeDecodeError) as error:
        raise CollectError(f"{path}: cannot be read: {error}; rerun the cell") from error


def _value(line: str, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise CollectError(f"{path}:{number}: no JSON ({error.msg}); rerun the cell") from error


_RECORDS = frozenset({"format", "type", "worker", "sha256"})
"""The keys that say what a line is about."""


def _record(value: Any, path: Path, number: int) -> dict[str, Any]:
    if not isinstance(value, dict) or _RECORDS.isdisjoint(value):
        raise CollectError(f"{path}:{number}: no record of a ledger; rerun the cell")
    return value


def _check_header(rows: Iterable[dict[str, Any]], path: Path) -> None:
    version = next(iter(rows), {}).get("format")
    if version in _READABLE:
        return
    if version is None:
        raise CollectError(f"{path}:1: no header with a format version; rerun the cell")
    newer = isinstance(version, int) and version > LEDGER_FORMAT
    cure = "upgrade fscost" if newer else "rerun the cell"
    raise CollectError(
        f"{path}:1: format {version}, this fscost reads formats {_READABLE[0]} to {LEDGER_FORMAT}; {cure}"
    )
