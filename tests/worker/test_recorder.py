"""Messages as FederatedScope's classes hold them, into the ledger."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

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


def test_clients_that_never_learn_the_round_take_part_in_the_one_under_way() -> None:
    """As in vertical learning: the server names the round, its clients tell -1."""
    messages = [
        message
        for state in range(3)
        for message in (
            sent("model_para", 0, 1, np.zeros(3), state),
            sent("model_para", 0, 2, np.zeros(3), state),
            sent("encryped_gradient_u", 2, [1], np.zeros(4), -1),
            sent("encryped_gradient", 2, [0], np.zeros(5), -1),
        )
    ]
    rows = {(row["type"], row["round"]): row["client_rounds"] for row in recorded(*messages)}
    assert [rows["model_para", state] for state in range(3)] == [2, 2, 2]
    assert (rows["encryped_gradient_u", -1], rows["encryped_gradient", -1]) == (3, 3)


def test_a_model_sent_as_text_is_a_warning() -> None:
    """As offsite tuning sends it: no tensor in it, so that its payload is 0."""
    recorder = Recorder(pickled=True, counts_broadcasts=True)
    recorder.record(sent("emulator_and_adapter", 0, [1, 2], "A" * 1_851_148))
    recorder.finish()
    (row,) = [json.loads(line) for line in recorder.ledger.lines() if '"type"' in line]
    assert (row["payload_bytes"], row["scalar_bytes"]) == (0, 2 * 1_851_148)
    (warning,) = recorder.ledger.warnings()
    assert warning.startswith("emulator_and_adapter: text or bytes of up to 1,851,148 B in 2 messages")
