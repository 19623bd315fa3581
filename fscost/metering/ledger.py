"""The ledger of a run: every message by round, type and link, and what each worker sent and received."""

# ledger.jsonl history: 1 - first version
# line 1 is the header, then one line per (round, type, link), one line per worker, and a digest of all lines above.

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fscost.errors import CollectError
from fscost.measure import COLUMNS, Link, link_between
from fscost.metering.message import Message, Sizes

LEDGER_FORMAT = 1


@dataclass
class Tally:
    """A number of messages and their bytes; `wire_known_bytes` leaves out messages that cannot be encoded."""

    messages: int = 0
    sizes: Sizes = Sizes(0, 0, 0, 0)
    wire_known_bytes: int = 0

    def add(self, copies: int, each: Sizes) -> None:
        """Add `copies` messages of the same sizes."""
        self.messages += copies
        self.wire_known_bytes += copies * (each.wire_bytes or 0)
        self.add_sizes(copies, each)

    def add_sizes(self, copies: int, each: Sizes) -> None:
        """Add bytes of messages that are counted already."""
        self.sizes = self.sizes.plus(each.times(copies))

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        self.messages += other.messages
        self.wire_known_bytes += other.wire_known_bytes
        self.sizes = self.sizes.plus(other.sizes)

    def as_dict(self) -> dict[str, int | None]:
        """Return the tally as JSON values, unknown bytes as null."""
        return {"messages": self.messages, **dict(zip(COLUMNS, self.sizes))}


@dataclass
class Ledger:
    """Adds up messages; `header` says what they were counted with."""

    header: dict[str, Any]
    by_type: dict[tuple[int, str, Link], Tally] = field(default_factory=dict)
    sent: dict[int, Tally] = field(default_factory=dict)
    received: dict[int, Tally] = field(default_factory=dict)

    def record(self, message: Message, each: Sizes) -> None:
        """Count one message to all its receivers; `each` are the bytes of one copy."""
        for receiver in message.receivers:
            self.received.setdefault(receiver, Tally()).add(1, each)
        self.sent.setdefault(message.sender, Tally()).add(len(message.receivers), each)
        self.by_type.setdefault(_key(message), Tally()).add(len(message.receivers), each)

    def report(self, message: Message, reported_bytes: int | None) -> None:
        """Add what FederatedScope counts for one copy of a message that was recorded without it."""
        each = Sizes(0, 0, reported_bytes, 0)
        for receiver in message.receivers:
            self.received[receiver].add_sizes(1, each)
        self.sent[message.sender].add_sizes(len(message.receivers), each)
        self.by_type[_key(message)].add_sizes(len(message.receivers), each)

    def lines(self) -> Iterator[str]:
        """Yield the lines of ``ledger.jsonl``; the last holds the digest of those before it."""
        digest = hashlib.sha256()
        for row in self._rows():
            line = json.dumps(row)
            digest.update(f"{line}\n".encode())
            yield line
        yield json.dumps({"sha256": digest.hexdigest()})

    def _rows(self) -> Iterator[dict[str, Any]]:
        yield {"format": LEDGER_FORMAT, **self.header}
        for (state, msg_type, link), tally in self.by_type.items():
            yield {"round": state, "type": msg_type, "link": str(link), **tally.as_dict()}
        for worker in sorted(self.sent.keys() | self.received.keys()):
            sent, received = self.sent.get(worker, Tally()), self.received.get(worker, Tally())
            yield {"worker": worker, "sent": _of_worker(sent), "received": _of_worker(received)}


def _key(message: Message) -> tuple[int, str, Link]:
    return message.state, message.msg_type, link_between(message.sender, message.receivers[0])


def _of_worker(tally: Tally) -> dict[str, int | None]:
    return {**tally.as_dict(), "wire_known_bytes": tally.wire_known_bytes}


@dataclass(frozen=True)
class LedgerFile:
    """A ledger as read back: the header, rows per (round, type, link) and rows per worker."""

    header: dict[str, Any]
    messages: list[dict[str, Any]]
    workers: list[dict[str, Any]]


def read_ledger(path: Path, loads_lines: Callable[[str, list[str]], list[Any] | None] | None = None) -> LedgerFile:
    """Read ``ledger.jsonl`` and check it against its own digest.

    `loads_lines` reads a text, whose lines it gets too, at once, or returns None where each has to be looked at. Raises
    CollectError with file and line for a line that is no record, and for a file that was cut or edited.
    """
    text = _text_of(path)
    lines = text.splitlines()
    values = loads_lines(text, lines) if loads_lines else None
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
"""The keys that tell what a line is about."""


def _record(value: Any, path: Path, number: int) -> dict[str, Any]:
    if not isinstance(value, dict) or _RECORDS.isdisjoint(value):
        raise CollectError(f"{path}:{number}: no record of a ledger; rerun the cell")
    return value


def _check_header(rows: Iterable[dict[str, Any]], path: Path) -> None:
    version = next(iter(rows), {}).get("format")
    if version == LEDGER_FORMAT:
        return
    if version is None:
        raise CollectError(f"{path}:1: no header with a format version; rerun the cell")
    newer = isinstance(version, int) and version > LEDGER_FORMAT
    cure = "upgrade fscost" if newer else "rerun the cell"
    raise CollectError(f"{path}:1: format {version}, this fscost reads format {LEDGER_FORMAT}; {cure}")
