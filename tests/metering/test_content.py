"""What payload and scalars are of contents as people's code sends them, and what texts are warned of."""

import base64
import pickle
from array import array
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch
from scipy import sparse

from fscost.metering import Ledger, Message, meter
from fscost.metering.content import Opaque, largest_text, measure_content

Pair = namedtuple("Pair", "weights name")


@dataclass
class Update:
    weights: Any
    samples: int


class Pretrained:
    """As models of transformers are: with a dtype, and no array."""

    dtype = torch.float32


EYE = torch.eye(4)

CONTENTS = {
    # texts and bytes of any kind are text
    "bytearray": (bytearray(5000), 0, 5000),
    "memoryview": (memoryview(np.zeros(10)), 0, 80),
    "half a character": ("\ud800", 0, 3),
    "text of numpy": (np.array("abc"), 0, 3),
    "texts of numpy": (np.array(["ab", "cde"]), 0, 5),
    # numbers are as long as they are, 8 B at least
    "ciphertext": (2**2047, 0, 256),
    "least of 64 bits": (-(2**63), 0, 8),
    "complex": ([1j, np.complex128(1)], 0, 32),
    "short of numpy": ([np.float16(1), np.int8(1), np.bool_(True)], 0, 24),
    "Decimal": ([Decimal("1.5"), Decimal("NaN"), Decimal("1." + "3" * 60)], 0, 8 + 8 + 25),
    "Fraction": (Fraction(1, 3), 0, 16),
    "torch.Size": (torch.Size([3, 4]), 0, 16),
    "range": (range(10), 0, 80),
    # containers of any kind are what is in them
    "set": ({1, 2, "abc"}, 0, 19),
    "deque": (deque([1, 2.0]), 0, 16),
    "values of a mapping": ({"a": torch.zeros(3)}.values(), 12, 0),
    "namedtuple": (Pair(torch.zeros(2), "x"), 8, 1),
    "dataclass": (Update(torch.zeros(4), 3), 16, 8),
    "mapping of somebody's own": (UserDict(w=torch.zeros(2)), 8, 0),
    "keys count in neither": (OrderedDict([("k" * 5000, 1)]), 0, 8),
    # arrays whose bytes are not elements × itemsize
    "array of objects": (np.array([1, "ab", None, np.zeros(3)], dtype=object), 24, 10),
    "array of one object": (np.array({"w": np.zeros(2)}, dtype=object), 16, 0),
    "array of ciphertexts": (np.array([2**2047] * 4, dtype=object), 0, 1024),
    "array of Python's": (array("f", [1, 2]), 8, 0),
    "structured": (np.zeros(3, dtype=[("a", "f4"), ("b", "i8")]), 36, 0),
    "sparse, coordinates": (EYE.to_sparse(), 4 * (2 * 8 + 4), 0),
    "sparse of scipy": (sparse.csr_matrix(np.eye(4)), 4 * (8 + 4) + 5 * 4, 0),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_payload_and_scalar(name: str) -> None:
    content, payload, scalar = CONTENTS[name]
    assert measure_content(content) == (payload, scalar)
    assert measure_content([{"inside": content}]) == (payload, scalar)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_sparse_tensors_of_torch_are_their_indices_and_values() -> None:
    for tensor in (EYE.to_sparse_csr(), EYE.to_sparse_csc()):
        assert measure_content(tensor) == (5 * 8 + 4 * 8 + 4 * 4, 0)


@pytest.mark.filterwarnings("ignore:torch.quantize_per")
def test_a_quantised_tensor_has_its_scales_and_zero_points() -> None:
    whole = torch.quantize_per_tensor(torch.ones(3, 4), 0.1, 0, torch.qint8)
    rows = torch.quantize_per_channel(torch.ones(3, 4), torch.ones(3).double(), torch.zeros(3).long(), 0, torch.qint8)
    assert [measure_content(tensor) for tensor in (whole, rows)] == [(12 + 8 + 8, 0), (12 + 3 * 8 + 3 * 8, 0)]
    with pytest.raises(Opaque, match=r"torch\.quint4x2"):
        measure_content(torch.quantize_per_channel(torch.ones(3, 4), torch.ones(3), torch.zeros(3), 0, torch.quint4x2))


def test_a_model_that_has_not_seen_a_batch_is_of_unknown_size() -> None:
    model = torch.nn.Sequential(torch.nn.LazyLinear(3), torch.nn.Linear(3, 2))
    with pytest.raises(Opaque, match="before its first batch"):
        measure_content(model.state_dict())
    assert meter(Message("model_para", 0, (1,), 0, model.state_dict()), pickled=True)[:2] == (None, None)
    model(torch.zeros(1, 4))
    assert measure_content(model.state_dict()) == (4 * (4 * 3 + 3 + 3 * 2 + 2), 0)


OPAQUE = {
    "generator": (n for n in range(3)),
    "iterator": iter([1]),
    "model": torch.nn.Linear(2, 2),
    "model with a dtype": Pretrained(),
    "object": SimpleNamespace(weights=torch.zeros(3)),
    "class": Update,
    "function": len,
    "dtype": torch.float32,
    "storage": torch.zeros(3).untyped_storage(),
    "sparse of scipy without parts": sparse.lil_matrix(np.eye(4)),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_what_cannot_be_measured_makes_all_of_it_unknown(name: str) -> None:
    with pytest.raises(Opaque):
        measure_content({"w": torch.zeros(3), "x": OPAQUE[name]})
    sizes = meter(Message("update", 1, (0,), 0, {"w": torch.zeros(3), "x": OPAQUE[name]}), pickled=True)
    assert (sizes.payload_bytes, sizes.scalar_bytes) == (None, None)


def test_a_generator_is_not_used_up() -> None:
    content = (n for n in range(3))
    meter(Message("update", 1, (0,), 0, content), pickled=False)
    assert [*content] == [0, 1, 2]


def test_what_holds_itself_does_not_end_the_course() -> None:
    content: list[Any] = ["text"]
    content.append(content)
    sizes = meter(Message("update", 1, (0,), 0, content), pickled=False)
    assert (sizes.payload_bytes, sizes.scalar_bytes, sizes.wire_bytes) == (None, None, None)
    assert largest_text(content) == 4


def warnings_of(*messages: tuple[str, tuple[int, ...], Any]) -> list[str]:
    ledger = Ledger({})
    for msg_type, receivers, content in messages:
        message = Message(msg_type, 0, receivers, 0, content)
        ledger.record(message, meter(message, pickled=True))
    return [*ledger.warnings()]


def test_large_texts_are_named_with_their_type_the_largest_size_and_how_many() -> None:
    text = base64.b64encode(b"x" * 1_388_361).decode()
    assert len(text) == 1_851_148
    assert warnings_of(
        ("emulator_and_adapter", (1, 2, 3), {"model": text}),
        ("emulator_and_adapter", (1,), [text[:2000], "short"]),
        ("model_para", (1, 2), {"w": torch.zeros(5000)}),
        ("pickled", (1,), [pickle.dumps(np.zeros(1000))]),
    ) == [
        "emulator_and_adapter: text or bytes of up to 1,851,148 B in 4 messages, as an encoded or pickled model is: "
        "payload leaves them out, content counts them (table.measure=content)",
        f"pickled: text or bytes of up to {len(pickle.dumps(np.zeros(1000))):,} B in 1 message, as an encoded or "
        "pickled model is: payload leaves them out, content counts them (table.measure=content)",
    ]


def test_a_text_beside_an_object_is_named_too() -> None:
    assert len(warnings_of(("public_keys", (1,), {"key": object(), "state": b"0" * 1001}))) == 1


@pytest.mark.parametrize("content", ["x" * 1000, ["x"] * 5000, list(range(5000)), {"x" * 5000: 1}, np.zeros(5000)])
def test_what_is_no_large_text_is_no_warning(content: Any) -> None:
    assert warnings_of(("update", (1,), content)) == []
