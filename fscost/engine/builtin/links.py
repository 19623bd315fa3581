"""The links of the federation: messages are metered when they are sent, and counted the way FederatedScope logs it."""

import heapq
from collections import deque
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


@dataclass(frozen=True)
class Delivery:
    """One copy of a message on its way, and its asizeof."""

    receiver: int
    message: Message
    reported_bytes: int


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
    reported: dict[int, Reported] = field(default_factory=dict)
    _to_clients: deque[Delivery] = field(default_factory=deque)
    _to_server: list[tuple[int, int, Delivery]] = field(default_factory=list)
    _number: "count[int]" = field(default_factory=count)

    def send(self, msg_type: str, sender: int, receivers: list[int], state: int, content: Any) -> None:
        """Meter one message to each of `receivers` and send it off; nothing is copied or serialised."""
        message = Message(msg_type, sender, tuple(receivers), state, content)
        each = meter(message, pickled=self.pickled)
        self.ledger.record(message, each)
        if self.progress:
            self.progress.sees(message)
        size = each.reported_bytes or 0
        self._of(sender).upload_bytes += size * len(receivers)
        for receiver in receivers:
            delivery = Delivery(receiver, message, size)
            if receiver == SERVER:
                heapq.heappush(self._to_server, (state, next(self._number), delivery))
            else:
                self._to_clients.append(delivery)

    def run(self, handlers: Mapping[str, Handler]) -> None:
        """Deliver messages, and those that are sent in reply, until none is left.

        A message counts as downloaded once its handler returns: a worker's log line, written inside a handler, misses
        the message being handled.
        """
        while self._to_clients or self._to_server:
            delivery = self._to_clients.popleft() if self._to_clients else heapq.heappop(self._to_server)[-1]
            handlers[delivery.message.msg_type](delivery.receiver, delivery.message)
            if not (self.online and delivery.receiver != SERVER):
                self._of(delivery.receiver).download_bytes += delivery.reported_bytes

    def _of(self, worker: int) -> Reported:
        return self.reported.setdefault(worker, Reported())
