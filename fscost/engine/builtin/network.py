"""The links of the federation: every message is metered here, and counted the way FederatedScope logs it."""

from dataclasses import dataclass, field
from typing import Any

from fscost.metering import Ledger, Message, Sizes, meter, pickles


@dataclass
class Reported:
    """What FederatedScope's monitor of one worker has counted, in bytes of asizeof.

    A message counts as downloaded once its handler returns, so the one being handled is still pending: that is why
    a worker's log line, written inside a handler, misses it.
    """

    upload_bytes: int = 0
    download_bytes: int = 0
    pending_bytes: int = 0

    def receive(self, size: int) -> None:
        """Start to handle a message; the one before is done."""
        self.download_bytes += self.pending_bytes
        self.pending_bytes = size


@dataclass
class Network:
    """Sends messages: into the ledger, and into the counters of the workers."""

    ledger: Ledger
    protocol: str
    reported: dict[int, Reported] = field(default_factory=dict)

    def send(self, msg_type: str, sender: int, receivers: list[int], state: int, content: Any) -> None:
        """Meter one message to each of `receivers`; nothing is copied, serialised or moved."""
        message = Message(msg_type, sender, tuple(receivers), state, content)
        each = meter(message, pickled=pickles(self.protocol))
        self.ledger.record(message, each)
        self._report(sender, receivers, each)

    def _report(self, sender: int, receivers: list[int], each: Sizes) -> None:
        size = each.reported_bytes or 0
        self.reported.setdefault(sender, Reported()).upload_bytes += size * len(receivers)
        for receiver in receivers:
            self.reported.setdefault(receiver, Reported()).receive(size)
