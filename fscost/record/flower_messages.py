"""Counting what passes the grid of a Flower app; the only module that knows Flower's messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fscost.cells.measure import Traffic
from fscost.metering.array_files import tensors_in
from fscost.record.recorded_rounds import RecordError
from fscost.record.recording import OWN_CODE, Recording

FRAMEWORK = "Flower"

_ROUND = "server-round"
"""What Flower's strategies call the round in the configuration that they send."""


class FlowerMessages:
    """Counts messages of a grid: types, nodes and rounds are the messages' own; nodes are clients as they appear.

    Payload is shape × bytes per element of the arrays, scalars are metrics and settings, wire is Flower's protobuf
    message. What the network carries is not known, as Flower sends equal arrays once.
    """

    def __init__(self, grid: Any, recording: Recording) -> None:
        self._recording = recording
        self._push, self._pull = grid.push_messages, grid.pull_messages
        self._clients: dict[int, Any] = {}
        self._rounds: dict[str, int] = {}
        if recording.framework == OWN_CODE:
            recording.framework = FRAMEWORK

    def attach(self, grid: Any) -> None:
        """Let the grid's own methods count; whatever else sends by it calls these."""
        grid.push_messages, grid.pull_messages = self.push_messages, self.pull_messages

    def push_messages(self, messages: Iterable[Any]) -> list[str]:
        """Send messages, and count those that were taken."""
        sent = list(messages)
        ids = list(self._push(sent))
        for message, id in zip(sent, ids):
            if id is not None:
                self._rounds[id] = self._round_of(message)
                client = self._client(message.metadata.dst_node_id)
                self._recording.downlink(_content(message), clients=[client], round=self._rounds[id], **_about(message))
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Any]:
        """Return the replies that are there, and count those that a client sent."""
        replies = list(self._pull(message_ids))
        for reply in replies:
            if reply.has_error():
                self._recording.notes.append(f"a reply was an error, and counts as none: {reply.error.reason}")
                continue
            number = self._rounds[reply.metadata.reply_to_message_id]
            client = self._client(reply.metadata.src_node_id)
            self._recording.uplink(_content(reply), client=client, round=number, **_about(reply))
        return replies

    def _client(self, node: int) -> Any:
        names = self._recording.client_names
        if node not in self._clients and len(self._clients) == len(names):
            raise RecordError(f"clients={len(names)}: another node of Flower appears, {node}; say how many there are")
        return self._clients.setdefault(node, names[min(len(self._clients), len(names) - 1)])

    def _round_of(self, message: Any) -> int:
        for settings in message.content.config_records.values():
            if _ROUND in settings:
                return int(settings[_ROUND])
        if str(message.metadata.group_id).isdigit():
            return int(message.metadata.group_id)
        raise RecordError(
            f"{message.metadata.message_type}: no {_ROUND} in its configuration, and no round as group_id"
        )


def _about(message: Any) -> dict[str, Any]:
    kind = str(message.metadata.message_type)
    is_evaluation = kind.partition(".")[0] == "evaluate"
    return {
        "type": kind,
        "traffic": Traffic.EVALUATION if is_evaluation else Traffic.TRAINING,
        "wire_bytes": _encoded_bytes(message),
    }


def _content(message: Any) -> list[Any]:
    """Return the arrays as stored, the metrics and the settings; an array that is stored otherwise as it is."""
    found = message.content
    others = [dict(record) for kind in (found.metric_records, found.config_records) for record in kind.values()]
    arrays = [array for record in found.array_records.values() for array in record.values()]
    stored = [array.data if tensors_in(array.data) is not None else ForeignArray(array) for array in arrays]
    return [*stored, *others]


class ForeignArray:
    """An array in a format that is not known; its bytes may be anything."""

    def __init__(self, array: Any) -> None:
        self.array = array


def _encoded_bytes(message: Any) -> int | None:
    """Return the size of the protobuf message, by Flower's own encoder; None where this Flower has none there."""
    try:
        from flwr.common.serde import message_to_proto
    except ImportError:
        return None
    return int(message_to_proto(message).ByteSize())


def counted(grid: Any, recording: Recording) -> Any:
    """Return the grid, which counts from now on; raises RecordError where it does already."""
    if isinstance(getattr(grid.push_messages, "__self__", None), FlowerMessages):
        raise RecordError("fscost.record.flower(grid): this grid is counted already")
    FlowerMessages(grid, recording).attach(grid)
    return grid
