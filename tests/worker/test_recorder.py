"""Messages as FederatedScope's classes hold them, into the ledger."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from fscost.worker.recorder import Recorder


def sent(msg_type: str, sender: int, receiver: Any, content: Any, state: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        msg_type=msg_type, sender=sender, receiver=receiver, state=state, content=content, timestamp=0
    )


def recorded(*messages: SimpleNamespace) -> list[dict[str, Any]]:
    recorder = Recorder(pickled=True, counts_broadcasts=True)
    for message in messages:
        recorder.record(message)
    recorder.finish()
    rows = [json.loads(line) for line in recorder.ledger.lines()]
    return [row for row in rows if "type" in row]


def test_a_message_to_k_receivers_counts_k_times_and_goes_one_way() -> None:
    model = {"w": torch.zeros(10)}
    rows = recorded(sent("model_para", 0, [1, 2, 3], model), sent("model_para", 2, [0], (5, model)))
    assert [(row["link"], row["messages"], row["payload_bytes"]) for row in rows] == [
        ("downlink", 3, 120),
        ("uplink", 1, 40),
    ]


def test_a_receiver_without_a_list_is_one_receiver_and_encoded_without_a_list() -> None:
    (alone,), (listed,) = (recorded(sent("model_para", 0, who, np.zeros(3))) for who in (1, [1]))
    assert (alone["messages"], alone["payload_bytes"]) == (listed["messages"], listed["payload_bytes"]) == (1, 24)
    assert alone["wire_bytes"] < listed["wire_bytes"]


def test_what_goes_between_clients_is_peer_traffic() -> None:
    (row,) = recorded(sent("ss_model_para", 1, [2], {"w": np.zeros(4)}))
    assert (row["link"], row["payload_bytes"]) == ("peer", 32)


def test_reported_is_federatedscopes_own_count_and_only_the_first() -> None:
    recorder = Recorder(pickled=True, counts_broadcasts=True)
    counted, uncounted = (sent("evaluate", 0, [1, 2], {"w": torch.zeros(size)}) for size in (3, 4))
    for message in (counted, uncounted):
        recorder.record(message)
    for size in (1000, 5000):
        recorder.count(counted, size)
    recorder.finish()
    (row,) = [json.loads(line) for line in recorder.ledger.lines() if '"type"' in line]
    (alone,) = recorded(uncounted)
    assert row["messages"] == 4
    assert row["reported_bytes"] == 2 * 1000 + alone["reported_bytes"]


def test_what_is_handed_over_uncounted_is_counted_here() -> None:
    recorder = Recorder(pickled=True, counts_broadcasts=False)
    broadcast = sent("model_para", 0, [1, 2], {"w": torch.zeros(3)})
    recorder.record(broadcast)
    recorder.count(broadcast, 1000)
    (row,) = [json.loads(line) for line in recorder.ledger.lines() if '"type"' in line]
    assert row["reported_bytes"] == recorded(broadcast)[0]["reported_bytes"]
