"""Reading ``ledger.jsonl``, which `fscost.metering.ledger` writes, and checking it against its own digest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Union

from fscost.errors import CollectError
from fscost.files import opened, text_of, unreadable
from fscost.metering.ledger import LEDGER_FORMAT
from fscost.store.json_lines import NoJson, loads, loads_lines, problem_of

_MESSAGES = {1: "FormerMessageLine", LEDGER_FORMAT: "MessageLine"}
"""The formats that are read, and what their lines of messages are."""

Row = Dict[str, Any]


@dataclass(frozen=True)
class LedgerFile:
    """A ledger as read back: the header, rows per (round, type, link) and rows per worker."""

    header: Row
    messages: Messages
    workers: list[Row]
    digest: str = ""
    """What its last line says; a ledger that was made in memory has none."""


@dataclass(frozen=True)
class LongMessages:
    """The messages of a ledger of many rounds, which are read anew whenever they are gone through; `made` of each."""

    path: Path
    digest: str
    schema: str
    made: Callable[[Row], Row] = lambda row: row

    def __iter__(self) -> Iterator[Row]:
        """Yield them; raises CollectError where the file is not as it was."""
        try:
            with opened(self.path) as file:
                size = _said(file)[1]
                read = sha256(file.readline())
                for block in _blocks(file, size):
                    read.update(block)
                    yield from map(self.made, _rows(_parted(block)[0], self.schema) or ())
        except OSError as error:
            raise CollectError(unreadable(self.path, error)) from error
        if read.hexdigest() != self.digest:
            raise CollectError(f"{self.path}: was written while it was read; try once more")


Messages = Union[List[Row], LongMessages]
"""Rows of messages, which can be gone through more than once."""


def each_of(messages: Messages, made: Callable[[Row], Row]) -> Messages:
    """Return what is made of each row, of a long ledger only when it is gone through."""
    if isinstance(messages, LongMessages):
        former = messages.made
        return replace(messages, made=lambda row: made(former(row)))
    return [made(row) for row in messages]


def read_ledger(path: Path) -> LedgerFile:
    """Read ``ledger.jsonl`` and check it against its own digest.

    Raises CollectError with file and line for a line that is no record, and for a file that was cut or edited.
    """
    try:
        with opened(path) as file:
            found = _at_once(file, path)
        return found or _line_by_line(text_of(path).splitlines(), path)
    except OSError as error:
        raise CollectError(unreadable(path, error)) from error


def _at_once(file: BinaryIO, path: Path) -> LedgerFile | None:
    """Return a ledger as fscost writes it, messages before workers; None where anything is odd, or there is no msgspec.

    Its header alone may have more keys than the schema.
    """
    said, size = _said(file)
    head = file.readline(size)
    header = _rows(head)
    if not header or problem_of(header[0], "HeaderLine") or header[0].get("format") not in _MESSAGES:
        return None
    schema, read, count = _MESSAGES[header[0]["format"]], sha256(head), 0
    messages: list[Row] = []
    workers: list[Row] = []
    for block in _blocks(file, size):
        read.update(block)
        of_messages, of_workers = _parted(block)
        some, others = _rows(of_messages, schema), _rows(of_workers, "WorkerLine")
        if some is None or others is None or (some and workers):
            return None
        count += len(some)
        messages = [*messages, *some] if count <= _MOST_HELD else []
        workers += others
    if read.hexdigest() != said:
        return None
    return LedgerFile(header[0], messages if count <= _MOST_HELD else LongMessages(path, said, schema), workers, said)


_MOST_HELD = 20_000
"""How many rows of messages are kept, which take three times the memory of their lines."""

_BLOCK_BYTES = 2**20


def _said(file: BinaryIO) -> tuple[str, int]:
    """Return the digest in a ledger's last line, and the bytes of all lines before; nothing and 0 where there is none.

    The next that is read of the file is its first line.
    """
    begin = max(0, file.seek(0, SEEK_END) - _LAST_LINE_BYTES)
    file.seek(begin)
    found = _LAST_LINE.search(file.read())
    file.seek(0)
    return (found[1].decode(), begin + found.start()) if found else ("", 0)


_LAST_LINE = re.compile(rb'^{"sha256": "([0-9a-f]{64})"}\n?\Z', re.MULTILINE)
_LAST_LINE_BYTES = 100


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield what is left of the first `size` bytes, some whole lines at a time, as there may be millions."""
    while (left := size - file.tell()) > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
        yield block if block.endswith(b"\n") else block + file.readline()


def _parted(block: bytes) -> tuple[bytes, bytes]:
    """Return the lines before the first of a worker, and the others."""
    first = 0 if block.startswith(_WORKER) else block.find(b"\n" + _WORKER) + 1 or len(block)
    return block[:first], block[first:]


_WORKER = b'{"worker"'


def _rows(block: bytes, schema: str | None = None) -> list[Row] | None:
    if not block:
        return []
    if not block.isascii():
        return None  # fscost writes none, and what is no UTF-8 is told elsewhere
    text = block.decode()
    return loads_lines(text, text.splitlines(), schema)


def _line_by_line(lines: list[str], path: Path) -> LedgerFile:
    rows = [_record(line, path, number) for number, line in enumerate(lines, start=1)]
    _check_header(rows, path)
    *kept, last = rows
    if "sha256" not in last:
        raise CollectError(f"{path}:{len(lines)}: the file ends too early, its digest does not match; rerun the cell")
    if last["sha256"] != sha256("\n".join([*lines[:-1], ""]).encode()).hexdigest():
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
