"""The links of the federation: messages are metered as they were sent, and counted the way FederatedScope logs it."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from fscost.cells.measure import SERVER
from fscost.metering import Ledger, Message, meter
from fscost.worker.round_file import Progress


@dataclass
class Reported:
    """What FederatedScope's monitor of one worker has counted, in bytes of asizeof."""

    upload_bytes: int = 0
    download_bytes: int = 0


@dataclass
class Sent:
    """A message that was sent, and asizeof of one copy of it, None until it is metered."""

    message: Message
    reported_bytes: int | None = None


Delivery = tuple[int, Sent]
"""One copy of a message on its way: to whom, and what."""


Handler = Callable[[int, Message], None]
"""What a worker does with a message of a type: gets the worker's id and the message."""


@dataclass
class Network:
    """Carries messages as FederatedScope's standalone mode does: clients first, in the order of sending.

    Only when no message to a client is left, the server gets one: of the earliest round, the first sent.
    With `online` (``federate.online_aggr``) messages to clients are handed over one by one, which nobody counts;
    `pickled` says how ``model_para`` is encoded.
    """

    ledger: Ledger
    pickled: bool
    online: bool = False
    progress: Progress | None = None
    _counted: dict[int, Reported] = field(default_factory=lambda: defaultdict(Reported))
    _unmetered: list[Sent] = field(default_factory=list)
    _to_clients: deque[Delivery] = field(default_factory=deque)
    _to_server: list[tuple[int, int, Delivery]] = field(default_factory=list)
    _number: "count[int]" = field(default_factory=count)

    def send(self, msg_type: str, sender: int, receivers: list[int], state: int, content: Any) -> None:
        """Send one message to each of `receivers`; nothing is copied or serialised."""
        sent = Sent(Message(msg_type, sender, tuple(receivers), state, content))
        self._unmetered.append(sent)
        if self.progress:
            self.progress.sees(sent.message)
        for receiver in receivers:
            delivery = receiver, sent
            if receiver == SERVER:
                heapq.heappush(self._to_server, (state, next(self._number), delivery))
            else:
                self._to_clients.append(delivery)

    def run(self, handlers: Mapping[str, Handler]) -> None:
        """Deliver messages, and those that are sent in reply, until none is left.

        A message counts as downloaded once its handler returns: a worker's log line, written inside a handler, misses
        the message being handled.
        """
        try:
            while self._to_clients or self._to_server:
                receiver, sent = self._to_clients.popleft() if self._to_clients else heapq.heappop(self._to_server)[-1]
                self._deliver(receiver, sent, handlers[sent.message.msg_type])
        finally:
            self._meter()

    def reported(self, worker: int) -> Reported:
        """Return what a worker has counted by now."""
        self._meter()
        return self._counted[worker]

    def _deliver(self, receiver: int, sent: Sent, handler: Handler) -> None:
        if sent.reported_bytes is None:
            self._meter()
        handler(receiver, sent.message)
        if not (self.online and receiver != SERVER):
            self._counted[receiver].download_bytes += sent.reported_bytes or 0

    def _meter(self) -> None:
        """Meter what was sent, message by message; the uploads of a round one after another, as that is quicker."""
        for sent in self._unmetered:
            each = meter(sent.message, pickled=self.pickled)
            self.ledger.record(sent.message, each)
            sent.reported_bytes = each.reported_bytes or 0
            self._counted[sent.message.sender].upload_bytes += sent.reported_bytes * len(sent.message.receivers)
        self._unmetered.clear()
