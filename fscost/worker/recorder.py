"""Every message that FederatedScope's standalone mode sends, into the ledger.

In standalone mode all workers send through one method, ``StandaloneCommManager.send``, and what they report is counted
by one, ``Message.count_bytes``; both are wrapped, and nothing of FederatedScope is changed. A message to k receivers is
sent once with a list of k receivers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fscost.metering.private_asizeof  # noqa: F401  # here, once, not in the fork of every cell
from fscost.cells.measure import SERVER
from fscost.metering import Ledger, Message, meter_unreported, reported_bytes
from fscost.worker.round_file import Progress


class Recorder:
    """Meters messages; `pickled` says how this FederatedScope encodes ``model_para``, None that nobody knows.

    What FederatedScope reports of a message is taken from its own count, made when the message is handled. It does
    not count what it hands over client by client, with ``federate.online_aggr``: `counts_broadcasts` is then False.
    """

    def __init__(
        self, *, pickled: bool | None, counts_broadcasts: bool = True, progress: Progress | None = None
    ) -> None:
        self.pickled, self.counts_broadcasts, self.progress = pickled, counts_broadcasts, progress
        self.ledger = Ledger({})
        self.helped = False
        self.sent = 0  # messages
        self._kinds: dict[str, set[Any]] = {"sent": set(), "handled": set()}
        self._uncounted: dict[int, tuple[Any, Message]] = {}

    def attach(self) -> None:
        """Record what is sent from now on."""
        from federatedscope.core.communication import StandaloneCommManager
        from federatedscope.core.message import Message as Sent

        send, count_bytes = StandaloneCommManager.send, Sent.count_bytes

        def recorded(manager: Any, message: Any) -> Any:
            self.record(message)
            return send(manager, message)

        def counted(message: Any) -> Any:
            try:
                counts = count_bytes(message)
            except ValueError:  # pympler 1.1 cannot size a view of an array before it has sized another array
                _size_an_array()
                self.helped = True
                counts = count_bytes(message)
            self.count(message, counts[0])
            return counts

        StandaloneCommManager.send = recorded
        Sent.count_bytes = counted

    def record(self, sent: Any) -> None:
        """Meter one of FederatedScope's messages, as it is when it is sent."""
        listed = isinstance(sent.receiver, (list, tuple))
        receivers = tuple(int(r) for r in (sent.receiver if listed else [sent.receiver]))
        message = Message(
            sent.msg_type, int(sent.sender), receivers, int(sent.state), sent.content, sent.timestamp, listed
        )
        self.sent += 1
        self._kinds["sent"].add((message.msg_type, message.sender))
        self.ledger.record(message, meter_unreported(message, pickled=self.pickled))
        if self.progress:
            self.progress.sees(message)
        if message.sender == SERVER and not self.counts_broadcasts:
            self.ledger.report(message, reported_bytes(message))
        else:
            self._uncounted[id(sent)] = sent, message  # which also keeps the id from being given again

    def count(self, sent: Any, size: int) -> None:
        """Note FederatedScope's own count of one copy of a message; only the first of them matters."""
        self._kinds["handled"].add((sent.msg_type, int(sent.sender)))
        _, message = self._uncounted.pop(id(sent), (None, None))
        if message is not None:
            self.ledger.report(message, size)

    def unsent(self) -> list[str]:
        """Return the types of messages that were handled, and of which their sender never sent one."""
        return sorted({kind for kind, _ in self._kinds["handled"] - self._kinds["sent"]})

    def finish(self) -> None:
        """Count what FederatedScope never handled."""
        for _, message in self._uncounted.values():
            self.ledger.report(message, reported_bytes(message))
        self._uncounted.clear()


def _size_an_array() -> None:
    from pympler import asizeof

    asizeof.asizeof(np.zeros(1))
