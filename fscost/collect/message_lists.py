"""Lists of messages that somebody else counted, as CSV: round, sender, receiver, bytes, and maybe type and run."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from fscost.cells.cell import Cell
from fscost.cells.measure import SERVER
from fscost.cells.outcome import Status
from fscost.errors import CollectError
from fscost.files import text_of, why
from fscost.metering import Ledger, Message, Sizes
from fscost.protocol.release import NEWEST
from fscost.store.ledger_file import LedgerFile
from fscost.store.run import Reading, Run

ENGINE = "listed"

_NAMES = {
    "round": ("round", "federated_round"), "sender": ("sender",), "receiver": ("receiver",),
    "bytes": ("bytes", "amount_of_bytes"), "type": ("type",), "run": ("run",),
}  # fmt: skip
"""What the columns may be called; in any case of letters, and in any order."""

_OPTIONAL = ("type", "run")


class _Line(NamedTuple):
    """A message: its round as it is there, who sent it and who got it, its bytes, None if not known, and its type."""

    round: int
    sender: str
    receiver: str
    bytes: int | None
    type: str


@dataclass(frozen=True)
class ListedRun(Run):
    """The messages of one run in a file; its name is the method, as nothing else is known of it."""

    file: Path
    name: str
    cell: Cell
    ledger: LedgerFile

    @property
    def path(self) -> Path:
        """The file, with the run's name where it holds several."""
        return self.file if self.name == self.file.stem else self.file / self.name

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.file,)

    def status(self, *, keep: bool = False) -> Status:
        """Return that it is done: a file does not say otherwise."""
        return Status.DONE

    def outcome(self) -> Mapping[str, Any]:
        """Return how the run ended."""
        return {"status": str(Status.DONE)}

    def warnings(self) -> list[str]:
        """Return none."""
        return []

    def read(self) -> Reading:
        """Return the run."""
        return Reading(id=self.cell.id, cell=self.cell, status=Status.DONE, ledger=self.ledger)


def listed_runs(file: Path) -> list[ListedRun]:
    """Return the runs in a file; raises CollectError with file and line for what cannot be."""
    runs: dict[str, list[_Line]] = {}
    for name, line in _lines(file):
        runs.setdefault(name or file.stem, []).append(line)
    if not runs:
        raise CollectError(f"{file}:1: no message below the names of the columns")
    return [_run(file, name, lines) for name, lines in runs.items()]


def _run(file: Path, name: str, lines: Sequence[_Line]) -> ListedRun:
    server = _server(file, lines)
    people = dict.fromkeys(who for line in lines for who in (line.sender, line.receiver) if who != server)
    workers = {server: SERVER} | {who: number for number, who in enumerate(people, start=1)}
    first, last = (of(line.round for line in lines) for of in (min, max))
    ledger = Ledger({"protocol": NEWEST.protocol, "clients": len(people)})
    for line in lines:
        source, to = workers[line.sender], workers[line.receiver]
        ledger.record(Message(line.type, source, (to,), line.round - first, None), Sizes(None, None, line.bytes, None))
    return ListedRun(file, name, _cell(name, len(people), last - first + 1), _as_read(ledger))


def _cell(name: str, clients: int, rounds: int) -> Cell:
    federate = {"method": name, "client_num": max(1, clients), "total_round_num": rounds}
    fs = {"federate": federate, "model": {"type": "unknown"}, "data": {"type": ""}, "seed": 0}
    return Cell(engine=ENGINE, protocol=NEWEST.protocol, fs=fs)


def _as_read(ledger: Ledger) -> LedgerFile:
    header, *rows, _digest = map(json.loads, ledger.lines())
    return LedgerFile(header, [row for row in rows if "type" in row], [row for row in rows if "worker" in row])


def _server(file: Path, lines: Sequence[_Line]) -> str:
    """Return who is the server: who is called so, or is 0, or else the only one that is in every message."""
    people = Counter(who for line in lines for who in (line.sender, line.receiver))
    for named in ("server", "0"):
        if found := [who for who in people if who.lower() == named]:
            return found[0]
    everywhere = [who for who, number in people.items() if number == len(lines)]
    if len(everywhere) != 1:
        shown = ", ".join([*people][:3])
        raise CollectError(f"{file}: who of {shown} … is the server is not known; call it server, or 0")
    return everywhere[0]


def _lines(file: Path) -> Iterator[tuple[str, _Line]]:
    """Yield the name of its run, nothing where there is none, and each message."""
    try:
        reader = csv.reader(io.StringIO(text_of(file).removeprefix("\ufeff"), newline=""))
        head = next(reader, [])
        columns = _columns(file, head)
        for row in reader:
            if any(map(str.strip, row)):
                yield _line(f"{file}:{reader.line_num}", row, len(head), columns)
    except (OSError, csv.Error) as error:
        raise CollectError(f"{file}: cannot be read: {why(error)}") from error


def _line(where: str, row: Sequence[str], fields: int, columns: Mapping[str, int]) -> tuple[str, _Line]:
    if len(row) != fields:
        raise CollectError(f"{where}: has {len(row)} fields, the first line has {fields}")
    line = {name: row[place].strip() for name, place in columns.items()}
    if missing := [name for name in ("round", "sender", "receiver") if not line[name]]:
        raise CollectError(f"{where}: {missing[0]} is empty")
    sender, receiver, kind = map(intern, (line["sender"], line["receiver"], line.get("type") or "model_para"))
    if sender == receiver:
        raise CollectError(f"{where}: {sender} sends to itself; what is kept is no message")
    size = _whole(where, "bytes", line["bytes"]) if line["bytes"] else None
    return line.get("run", ""), _Line(_whole(where, "round", line["round"]), sender, receiver, size, kind)


def _columns(file: Path, head: Sequence[str]) -> dict[str, int]:
    places = {name.strip().lower(): place for place, name in enumerate(head)}
    found = {name: places[own] for name, forms in _NAMES.items() for own in forms if own in places}
    if missing := [name for name in _NAMES if name not in found and name not in _OPTIONAL]:
        raise CollectError(
            f"{file}:1: no column {', '.join(missing)}; a list of messages has round, sender, receiver, bytes, and "
            "maybe type and run"
        )
    return found


def _whole(where: str, name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise CollectError(
            f"{where}: {name}={shown}: must be a whole number of at least 0, of at most {_MOST_DIGITS} digits"
        )
    return int(text)


_MOST_DIGITS = 15
