"""How a FederatedScope encodes messages is tried, whatever its source looks like; here with stand-ins for it."""

import base64
import pickle
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch

from fscost.metering.wire import content_bytes, enclosed_bytes
from fscost.worker.recorder import Recorder
from fscost.worker.wire_encoding import pickles_models

Encode = Callable[[str, Any], Any]


def as_list(_msg_type: str, tensor: Any) -> Any:
    return tensor.tolist()


def as_pickle(msg_type: str, tensor: Any) -> Any:
    return base64.b64encode(pickle.dumps(tensor)).decode() if msg_type == "model_para" else tensor.tolist()


def compressed(msg_type: str, tensor: Any) -> Any:
    return "short" if msg_type == "model_para" else tensor.tolist()


def in_half(msg_type: str, tensor: Any) -> Any:
    return as_pickle(msg_type, tensor.half())


def all_pickled(_msg_type: str, tensor: Any) -> Any:
    return as_pickle("model_para", tensor)


@pytest.mark.parametrize(
    ("encode", "expected"),
    [(as_list, False), (as_pickle, True), (compressed, None), (in_half, None), (all_pickled, None)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_it_is_tried(monkeypatch: pytest.MonkeyPatch, encode: Encode, expected: bool | None) -> None:
    class Message:
        def __init__(self, content: Any, **others: Any) -> None:
            self.content, self.others = content, others

        def transform(self, to_list: bool) -> Any:
            msg_type = self.others["msg_type"]
            encoded = {name: encode(msg_type, tensor) for name, tensor in self.content.items()}
            inside = content_bytes(encoded, as_pickle=False)
            size = enclosed_bytes(inside, sender=1, receivers=[0], state=2, msg_type=msg_type)
            return SimpleNamespace(ByteSize=lambda: size)

    module = ModuleType("federatedscope.core.message")
    module.Message = Message  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "federatedscope", ModuleType("federatedscope"))
    monkeypatch.setitem(sys.modules, "federatedscope.core", ModuleType("federatedscope.core"))
    monkeypatch.setitem(sys.modules, "federatedscope.core.message", module)
    assert pickles_models() is expected


def test_where_nobody_knows_wire_is_not_known_and_payload_is() -> None:
    recorder = Recorder(pickled=None, counts_broadcasts=True)
    recorder.record(
        SimpleNamespace(
            msg_type="model_para", sender=0, receiver=[1], state=0, content={"w": torch.zeros(3)}, timestamp=0
        )
    )
    (tally,) = recorder.ledger.by_type.values()
    assert (tally.sizes.payload_bytes, tally.sizes.wire_bytes) == (12, None)
