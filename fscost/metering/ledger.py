"""The ledger of a run: every message by round, type and link, and what each worker sent and received."""

# ledger.jsonl history: 2 - `client_rounds` in the lines of types; 1 - first version
# line 1 is the header, then one line per (round, type, link), one line per worker, and a digest of all lines above.
# `client_rounds` are the clients that took part in the round, over the link, with the traffic class of the type, and
# that no line above has counted: a client that gets two types of message in one round is there once. They can be added.

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Tuple

from fscost.cells.measure import COLUMNS, SERVER, Link, Traffic, link_between, traffic_of
from fscost.metering.content import LARGE_TEXT_BYTES, largest_text
from fscost.metering.message import Message, Sizes
from fscost.printable import plural

LEDGER_FORMAT = 2

Key = Tuple[int, str, Link]
"""What a line is about: the state in its messages, their type and link."""


@dataclass
class Tally:
    """A number of messages and their bytes; `wire_known_bytes` leaves out messages that cannot be encoded.

    `client_rounds` counts pairs of a client and a round that none of the ledger's earlier lines has counted.
    """

    messages: int = 0
    client_rounds: int = 0
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
        self.client_rounds += other.client_rounds
        self.wire_known_bytes += other.wire_known_bytes
        self.sizes = self.sizes.plus(other.sizes)

    def bytes_by_column(self) -> dict[str, int | None]:
        """Return the bytes as JSON values, those not known as null."""
        return dict(zip(COLUMNS, self.sizes))


class _Clients:
    """Who took part in which round, over which link and with which traffic class.

    FederatedScope's clients of vertical learning never learn the round, and say -1: it is the last the server named.
    """

    def __init__(self, traffic: dict[str, Traffic]) -> None:
        self._traffic = traffic
        self._under_way: int | None = None
        self._bits: dict[int, int] = {}
        self._seen: dict[tuple[int, Link, Traffic], int] = {}
        self._most: dict[tuple[int, Link, Traffic], int] = {}

    def named(self, key: Key, clients: Iterable[int]) -> int:
        """Note that these clients took part; return how many of them had not yet."""
        place, mask = self._place(key), 0
        for client in clients:
            mask |= self._bits.setdefault(client, 1 << len(self._bits))
        before = self._seen.get(place, 0)
        self._seen[place] = before | mask  # an integer takes a fraction of the memory of a set
        return bin(mask & ~before).count("1")

    def counted(self, key: Key, clients: int) -> int:
        """Note that so many clients took part, where fewer are some of the more; return how many had not yet."""
        place = self._place(key)
        before = self._most.get(place, 0)
        self._most[place] = max(before, clients)
        return self._most[place] - before

    def _place(self, key: Key) -> tuple[int, Link, Traffic]:
        state, msg_type, link = key
        if link is Link.DOWNLINK and state >= 0:
            self._under_way = state
        if state < 0 and self._under_way is not None:
            state = self._under_way
        return state, link, self._traffic.get(msg_type) or traffic_of(msg_type)


@dataclass
class Ledger:
    """Adds up messages; `header` says what they were counted with.

    `traffic` is the class of types of messages that are not FederatedScope's; lines of these types name it.
    `texts` are types of messages with large texts inside: how many messages, and the bytes of the largest text.
    """

    header: dict[str, Any]
    by_type: dict[Key, Tally] = field(default_factory=lambda: defaultdict(Tally))
    sent: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    received: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    texts: dict[str, tuple[int, int]] = field(default_factory=dict)
    traffic: dict[str, Traffic] = field(default_factory=dict)
    _clients: _Clients = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._clients = _Clients(self.traffic)

    def record(self, message: Message, each: Sizes) -> None:
        """Count one message to all its receivers; `each` are the bytes of one copy."""
        for receiver in message.receivers:
            self.received[receiver].add(1, each)
        self.sent[message.sender].add(len(message.receivers), each)
        for key, receivers in _by_link(message):
            tally = self.by_type[key]
            tally.add(len(receivers), each)
            who = receivers if message.sender == SERVER else (message.sender,)
            tally.client_rounds += self._clients.named(key, who)
        if each.scalar_bytes is None or each.scalar_bytes > LARGE_TEXT_BYTES:
            self._look_for_texts(message)

    def _look_for_texts(self, message: Message) -> None:
        size = largest_text(message.content)
        if size > LARGE_TEXT_BYTES:
            number, largest = self.texts.get(message.msg_type, (0, 0))
            self.texts[message.msg_type] = number + len(message.receivers), max(largest, size)

    def warnings(self) -> Iterator[str]:
        """Yield a line for each type of message with texts that may be models, of which payload knows nothing."""
        for msg_type, (number, largest) in self.texts.items():
            yield (
                f"{msg_type}: text or bytes of up to {largest:,} B in {plural(number, 'message')}, as an "
                "encoded or pickled model is: payload leaves them out, content counts them (table.measure=content)"
            )

    def add(self, key: Key, messages: Tally, clients: int) -> None:
        """Add messages of one round that were counted together, to or from `clients` clients."""
        tally = self.by_type[key]
        tally.merge(messages)
        tally.client_rounds += self._clients.counted(key, clients if messages.messages else 0)

    def report(self, message: Message, reported_bytes: int | None) -> None:
        """Add what FederatedScope counts for one copy of a message that was recorded without it."""
        each = Sizes(0, 0, reported_bytes, 0)
        for receiver in message.receivers:
            self.received[receiver].add_sizes(1, each)
        self.sent[message.sender].add_sizes(len(message.receivers), each)
        for key, receivers in _by_link(message):
            self.by_type[key].add_sizes(len(receivers), each)

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
            own = {"traffic": str(self.traffic[msg_type])} if msg_type in self.traffic else {}
            yield {"round": state, "type": msg_type, "link": str(link), "messages": tally.messages,
                   "client_rounds": tally.client_rounds, **tally.bytes_by_column(), **own}  # fmt: skip
        for worker in sorted(self.sent.keys() | self.received.keys()):
            sent, received = self.sent.get(worker, Tally()), self.received.get(worker, Tally())
            yield {"worker": worker, "sent": _of_worker(sent), "received": _of_worker(received)}


def _by_link(message: Message) -> Iterator[tuple[Key, Sequence[int]]]:
    """Yield each link that a message goes over, with its receivers there: one, unless a client names the server too."""
    links = {link_between(message.sender, receiver) for receiver in message.receivers}
    for link in sorted(links):
        own = [r for r in message.receivers if len(links) == 1 or link_between(message.sender, r) is link]
        yield (message.state, message.msg_type, link), own


def _of_worker(tally: Tally) -> dict[str, int | None]:
    return {"messages": tally.messages, **tally.bytes_by_column(), "wire_known_bytes": tally.wire_known_bytes}
