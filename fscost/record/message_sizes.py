"""The bytes of one copy of a message that somebody's training code sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fscost.metering import Sizes
from fscost.metering.content import LARGE_TEXT_BYTES, Opaque, largest_binary, measure_content
from fscost.printable import plural
from fscost.record.recorded_rounds import RecordError, whole

NOT_GIVEN: Any = object()


def sizes_of(content: Any, told: dict[str, Any]) -> tuple[Sizes, str]:
    """Return the bytes of a message, None where they are not known, and why a content could not be metered.

    `told` are bytes that the user says, by name; None for those that are not. What is reported is FederatedScope's
    figure alone. Raises RecordError for bytes that cannot be, or that the content says too.
    """
    known = {name: _count(name, value) for name, value in told.items() if value is not None}
    if content is NOT_GIVEN:
        if not known:
            raise RecordError(
                "a message needs its content, or payload_bytes= or wire_bytes= where only its size is known"
            )
        return Sizes(known.get("payload_bytes"), known.get("scalar_bytes"), None, known.get("wire_bytes")), ""
    if content is None:
        raise RecordError("the content is None; give what is sent, or payload_bytes=0 for a message without tensors")
    if twice := [name for name in known if name != "wire_bytes"]:
        raise RecordError(f"{twice[0]}={known[twice[0]]}: the content says its own; give one of both")
    payload, scalar, why = _measured(content)
    return Sizes(payload, scalar, None, known.get("wire_bytes")), why


def _count(name: str, value: Any) -> int:
    number = whole(name, value)
    if number < 0:
        raise RecordError(f"{name}={number}: must be at least 0 B")
    return number


def _measured(content: Any) -> tuple[int | None, int | None, str]:
    try:
        payload, scalar = measure_content(content)
    except Opaque as error:
        return None, None, str(error)
    except RecursionError:
        return None, None, "it is nested too deep, or in itself"
    binary = largest_binary(content) if scalar > LARGE_TEXT_BYTES else 0
    if binary > LARGE_TEXT_BYTES:
        return None, None, f"{binary:,} B of encoded content may be anything; meter it before it is encoded"
    return payload, scalar, ""


class Unmetered:
    """Which messages could not be metered, by type and why."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def add(self, msg_type: str, why: str, copies: int) -> None:
        """Note `copies` messages."""
        self._numbers[msg_type, why] = self._numbers.get((msg_type, why), 0) + copies

    def warnings(self) -> Iterator[str]:
        """Yield a line for each reason."""
        for (msg_type, why), number in self._numbers.items():
            yield f"{msg_type}: the bytes of {plural(number, 'message')} are not known: {why}"
