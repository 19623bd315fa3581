"""What a message carries, and how a ledger adds it up and is read back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch

from fscost.cells.measure import traffic_of
from fscost.errors import CollectError
from fscost.metering import Ledger, Message, Sizes, meter
from fscost.metering.content import Opaque, measure_content
from fscost.protocol.release import PROTOCOLS, release_of
from fscost.store.ledger_file import read_ledger


@pytest.mark.parametrize(
    ("content", "payload", "scalar"),
    [
        (None, 0, 0),
        (3, 0, 8),
        (1.5, 0, 8),
        (np.float64(1.5), 0, 8),
        ("None", 0, 4),
        ("é", 0, 2),
        (torch.zeros(10, 64), 2560, 0),
        (torch.zeros(3, dtype=torch.int64), 24, 0),
        (torch.zeros((), dtype=torch.int64), 8, 0),
        (torch.zeros(7, dtype=torch.int8), 7, 0),
        (torch.zeros(10**6, 10**5, device="meta"), 4 * 10**11, 0),
        (np.zeros((2, 3)), 48, 0),
        ((64, {"w": torch.zeros(5), "b": [torch.zeros(1), 2, "ab"]}), 24, 18),
        ({"key": {"nested": ({"w": np.zeros(2, np.float32)},)}}, 8, 0),
    ],
)
def test_payload_is_tensors_and_scalar_what_stands_beside_them(content: Any, payload: int, scalar: int) -> None:
    assert measure_content(content) == (payload, scalar)


def test_an_opaque_object_is_unknown_not_zero() -> None:
    with pytest.raises(Opaque):
        measure_content({"key": object()})
    sizes = meter(Message("public_keys", 0, (1,), 0, object()), pickled=True)
    assert (sizes.payload_bytes, sizes.scalar_bytes, sizes.wire_bytes) == (None, None, None)


def test_reported_is_blind_to_tensor_storage_and_payload_is_not() -> None:
    small, large = (meter(Message("evaluate", 0, (1,), 0, {"w": torch.zeros(n)}), pickled=True) for n in (1, 10**6))
    assert small.reported_bytes == large.reported_bytes
    assert (small.payload_bytes, large.payload_bytes) == (4, 4_000_000)


@pytest.mark.parametrize(
    ("msg_type", "traffic"),
    [
        ("model_para", "training"),
        ("encryped_gradient_u", "training"),  # vertical learning
        ("split_request", "training"),  # trees
        ("a_message_of_my_own", "training"),
        ("metrics", "evaluation"),
        ("eval_metric", "evaluation"),
        ("finish", "control"),
        ("public_keys", "control"),
    ],
)
def test_every_type_has_its_traffic_class(msg_type: str, traffic: str) -> None:
    assert traffic_of(msg_type) == traffic


def test_releases_encode_model_para_differently() -> None:
    message = Message("model_para", 0, (1,), 0, {"w": torch.zeros(1000)})
    assert {protocol: release_of(protocol).pickles for protocol in PROTOCOLS} == {
        "master": True, "llm": True, "v0.3.0": False, "v0.2.0": False,
    }  # fmt: skip
    assert meter(message, pickled=True).wire_bytes != meter(message, pickled=False).wire_bytes
    other = replace(message, msg_type="evaluate")
    assert meter(other, pickled=True) == meter(other, pickled=False)


def test_what_stands_around_a_content_is_that_of_the_message() -> None:
    """A timestamp that is a double is a float on the wire, and a receiver without a list is no list."""
    message = Message("metrics", 1, (0,), 0, 1, timestamp=0)
    known = meter(message, pickled=True).wire_bytes
    assert known is not None
    assert meter(replace(message, timestamp=1.5), pickled=True).wire_bytes == known + 3
    assert meter(replace(message, listed=False), pickled=True).wire_bytes == known - 4


EACH = Sizes(100, 8, 48, 150)


def ledger() -> Ledger:
    made = Ledger({"params": 25})
    made.record(Message("join_in", 1, (0,), 0, None), Sizes(0, 0, 16, None))
    made.record(Message("model_para", 0, (1, 2, 3), 0, None), EACH)
    made.record(Message("model_para", 1, (0,), 0, None), EACH)
    made.record(Message("ss_model_para", 1, (2,), 0, None), EACH)
    return made


def write(path: Path, made: Ledger) -> Path:
    path.write_text("\n".join(made.lines()) + "\n")
    return path


def test_a_message_to_k_receivers_counts_k_times(tmp_path: Path) -> None:
    found = read_ledger(write(tmp_path / "ledger.jsonl", ledger()))
    rows = {(r["type"], r["link"]): r for r in found.messages}
    assert rows["model_para", "downlink"]["messages"] == 3
    assert rows["model_para", "downlink"]["payload_bytes"] == 300
    assert rows["model_para", "uplink"]["wire_bytes"] == 150
    assert rows["ss_model_para", "peer"]["messages"] == 1
    assert found.header["params"] == 25


def test_bytes_that_are_known_count_for_each_receiver_beside_messages_that_have_no_encoding(tmp_path: Path) -> None:
    server = read_ledger(write(tmp_path / "ledger.jsonl", ledger())).workers[0]
    assert (server["sent"]["wire_bytes"], server["sent"]["wire_known_bytes"]) == (450, 450)
    assert (server["received"]["wire_bytes"], server["received"]["wire_known_bytes"]) == (None, 150)


def test_what_is_sent_is_received(tmp_path: Path) -> None:
    found = read_ledger(write(tmp_path / "ledger.jsonl", ledger()))
    sent = sum(w["sent"]["payload_bytes"] for w in found.workers)
    received = sum(w["received"]["payload_bytes"] for w in found.workers)
    assert sent == received == sum(r["payload_bytes"] for r in found.messages) == 500


def test_what_federatedscope_counts_is_added_for_each_receiver(tmp_path: Path) -> None:
    made, message = Ledger({}), Message("model_para", 0, (1, 2, 3), 0, None)
    made.record(message, EACH._replace(reported_bytes=0))
    made.report(message, 48)
    found = read_ledger(write(tmp_path / "ledger.jsonl", made))
    assert [row["reported_bytes"] for row in found.messages] == [3 * 48]
    assert [(w["sent"]["reported_bytes"], w["received"]["reported_bytes"]) for w in found.workers] == [
        (3 * 48, 0), (0, 48), (0, 48), (0, 48),
    ]  # fmt: skip
    assert found.messages[0]["messages"] == 3


def test_a_sum_with_an_unknown_part_is_unknown(tmp_path: Path) -> None:
    found = read_ledger(write(tmp_path / "ledger.jsonl", ledger()))
    rows = {(r["type"], r["link"]): r for r in found.messages}
    assert rows["join_in", "uplink"]["wire_bytes"] is None
    assert found.workers[1]["sent"]["wire_bytes"] is None  # its join_in cannot be encoded


@pytest.mark.parametrize(
    ("spoil", "where", "words"),
    [
        (lambda lines: [*lines[:2], lines[2].replace("300", "301"), *lines[3:]], "", "edited"),
        (lambda lines: lines[:-1], "", "ends too early"),
        (lambda lines: lines[:3], "", "ends too early"),
        (lambda lines: [*lines[:2], lines[2][:20], *lines[3:]], ":3:", "no JSON"),
        (lambda lines: [*lines[:1], "[1]", *lines[1:]], ":2:", "no record"),
        (lambda lines: [json.dumps({"format": 3}), *lines[1:]], ":1:", "upgrade"),
        (lambda lines: [json.dumps({"format": 0}), *lines[1:]], ":1:", "rerun"),
        (lambda lines: lines[1:], ":1:", "no header"),
        (lambda lines: [], ":1:", "no JSON"),
    ],
)
def test_a_ledger_that_was_cut_or_edited_is_named(tmp_path: Path, spoil: Any, where: str, words: str) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text("\n".join(spoil(list(ledger().lines()))) + "\n")
    with pytest.raises(CollectError) as error:
        read_ledger(path)
    assert f"{path}{where}" in str(error.value)
    assert words in str(error.value)
