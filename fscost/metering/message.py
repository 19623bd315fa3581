"""One message of the federated course, and the bytes of one copy of it under every measure."""

from dataclasses import dataclass
from typing import Any

from pympler.asizeof import asizeof

from fscost.metering.content import Opaque, measure_content
from fscost.metering.wire import Unencodable, message_bytes

PROTOCOLS = ("master", "v0.3.0", "v0.2.0")
"""The FederatedScope releases whose messages differ: what is uploaded, and how it is encoded."""


@dataclass(frozen=True)
class Message:
    """What `sender` sends to `receivers` in round `state`; workers are ids, 0 is the server."""

    msg_type: str
    sender: int
    receivers: tuple[int, ...]
    state: int
    content: Any


@dataclass(frozen=True)
class Sizes:
    """Bytes of one copy of a message; None where a measure cannot tell."""

    payload_bytes: int | None
    scalar_bytes: int | None
    reported_bytes: int | None
    wire_bytes: int | None

    def times(self, copies: int) -> "Sizes":
        """Return the bytes of `copies` copies."""
        return Sizes(*(None if size is None else size * copies for size in self.values))

    def plus(self, other: "Sizes") -> "Sizes":
        """Return the sum; a sum with an unknown part is unknown."""
        pairs = zip(self.values, other.values, strict=True)
        return Sizes(*(None if a is None or b is None else a + b for a, b in pairs))

    @property
    def values(self) -> tuple[int | None, ...]:
        """The four sizes, in the order of `fscost.measure.MEASURES`."""
        return self.payload_bytes, self.scalar_bytes, self.reported_bytes, self.wire_bytes


def meter(message: Message, protocol: str) -> Sizes:
    """Return the bytes of one copy of `message`, encoded as the FederatedScope release `protocol` does."""
    try:
        payload, scalar = measure_content(message.content)
    except Opaque:
        return Sizes(None, None, _reported(message), _wire(message, protocol))
    return Sizes(payload, scalar, _reported(message), _wire(message, protocol))


def _reported(message: Message) -> int:
    return int(asizeof(message.content))


def _wire(message: Message, protocol: str) -> int | None:
    try:
        return message_bytes(
            sender=message.sender,
            receivers=list(message.receivers),
            state=message.state,
            msg_type=message.msg_type,
            content=message.content,
            pickled=protocol == "master",
        )
    except Unencodable:
        return None
