"""One message of the federated course, and the bytes of one copy of it under every measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from fscost.metering.content import Opaque, measure_content
from fscost.metering.wire import Unencodable, content_bytes, enclosed_bytes


@dataclass(frozen=True)
class Message:
    """What `sender` sends to `receivers` in round `state`; workers are ids, 0 is the server.

    Courses of vertical learning name a single receiver without a list around it: then `listed` is False.
    """

    msg_type: str
    sender: int
    receivers: tuple[int, ...] | range
    state: int
    content: Any
    timestamp: float = 0
    listed: bool = True


class Sizes(NamedTuple):
    """Bytes of one copy of a message, in the order of `fscost.cells.measure.COLUMNS`; None where they are not known."""

    payload_bytes: int | None
    scalar_bytes: int | None
    reported_bytes: int | None
    wire_bytes: int | None

    def times(self, copies: int) -> Sizes:
        """Return the bytes of `copies` copies."""
        if copies == 1:
            return self
        return Sizes(*[None if size is None else size * copies for size in self])

    def plus(self, other: Sizes) -> Sizes:
        """Return the sum; a sum with an unknown part is unknown."""
        return Sizes(*[None if a is None or b is None else a + b for a, b in zip(self, other)])


def meter(message: Message, *, pickled: bool) -> Sizes:
    """Return the bytes of one copy of `message`.

    `pickled` says whether this FederatedScope pickles the tensors of ``model_para``, as master does.
    """
    return enclosed(message, meter_content(message, pickled=pickled))


def meter_unreported(message: Message, *, pickled: bool | None) -> Sizes:
    """Return the bytes of one copy of `message` with 0 as `reported_bytes`, for who gets that from FederatedScope.

    Its wire bytes are not known where `pickled` is None: it encodes messages as no release does.
    """
    sizes = enclosed(message, _measured(message.content, _as_pickle(message, bool(pickled))))
    return sizes._replace(wire_bytes=None) if pickled is None else sizes


def meter_content(message: Message, *, pickled: bool) -> Sizes:
    """Return the bytes of a message's content; its `wire_bytes` are those inside the message, see `enclosed`."""
    sizes = _measured(message.content, _as_pickle(message, pickled))
    return sizes._replace(reported_bytes=reported_bytes(message))


def enclosed(message: Message, content: Sizes) -> Sizes:
    """Return the bytes of one copy of `message` around a content that was metered before; its own is not looked at."""
    return content._replace(wire_bytes=_wire(message, content.wire_bytes))


def reported_bytes(message: Message) -> int | None:
    """Return asizeof of a message's content, None where pympler fails at it or is not installed."""
    from fscost.metering.private_asizeof import asizeof  # with it comes numpy, which a plan needs not

    if asizeof is None:
        return None
    try:
        return int(asizeof(message.content))
    except ValueError:  # pympler 1.1 cannot size some views of arrays
        return None


def _receivers(message: Message) -> list[int] | range | int:
    if not message.listed:
        return message.receivers[0]
    return message.receivers if isinstance(message.receivers, range) else list(message.receivers)


def _as_pickle(message: Message, pickled: bool) -> bool:
    return pickled and message.msg_type == "model_para"


_NOT_ENCODED = (Unencodable, TypeError, ValueError, AttributeError, RuntimeError)
"""FederatedScope's own encoder fails at some contents; standalone mode encodes nothing, and goes on."""


def _measured(content: Any, as_pickle: bool) -> Sizes:
    payload: int | None
    scalar: int | None
    try:
        payload, scalar = measure_content(content)
    except (Opaque, RecursionError):
        payload = scalar = None
    try:
        wire = content_bytes(content, as_pickle=as_pickle)
    except _NOT_ENCODED:
        return Sizes(payload, scalar, 0, None)
    return Sizes(payload, scalar, 0, wire)


def _wire(message: Message, content_bytes: int | None) -> int | None:
    if content_bytes is None:
        return None
    try:
        return enclosed_bytes(
            content_bytes,
            sender=message.sender,
            receivers=_receivers(message),
            state=message.state,
            msg_type=message.msg_type,
            timestamp=message.timestamp,
        )
    except Unencodable:
        return None
