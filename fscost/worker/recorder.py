"""Every message that FederatedScope's standalone mode sends, into the ledger.

In standalone mode all workers send through one method, ``StandaloneCommManager.send``; it is wrapped, and nothing of
FederatedScope is changed. A message to k receivers is sent once with a list of k receivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fscost.metering import Ledger, Message, meter


class Recorder:
    """Meters messages; `pickled` says how this FederatedScope encodes ``model_para``."""

    def __init__(self, pickled: bool) -> None:
        self.pickled = pickled
        self.ledger = Ledger({})
        self.quantized = False

    def attach(self) -> None:
        """Record what is sent from now on."""
        from federatedscope.core.communication import StandaloneCommManager

        send = StandaloneCommManager.send

        def recorded(manager: Any, message: Any) -> Any:
            self.record(message)
            return send(manager, message)

        StandaloneCommManager.send = recorded

    def record(self, sent: Any) -> None:
        """Meter one of FederatedScope's messages, as it is when it is sent."""
        listed = isinstance(sent.receiver, (list, tuple))
        receivers = tuple(int(r) for r in (sent.receiver if listed else [sent.receiver]))
        message = Message(
            sent.msg_type, int(sent.sender), receivers, int(sent.state), sent.content, sent.timestamp, listed
        )
        self.ledger.record(message, meter(message, pickled=self.pickled))
        if sent.msg_type == "model_para" and not self.quantized:
            self.quantized = _is_quantized(sent.content)


def _is_quantized(content: Any) -> bool:
    if isinstance(content, Mapping):
        return any(str(name).endswith("_quant") for name in content)
    return isinstance(content, (list, tuple)) and any(_is_quantized(part) for part in content)
