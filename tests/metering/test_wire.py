"""The wire formulas against real protobuf encoding, of FederatedScope's gRPC schema written out here."""

import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from fscost.metering.wire import Unencodable, _pickled_int, message_bytes, pickled_tensor_bytes

FIELD = descriptor_pb2.FieldDescriptorProto


def _message_class() -> Any:
    """Return the class of a MessageRequest: a map of values; a value is a single, a list, or one of two maps."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")

    def add(name: str, fields: list[tuple[str, int, Any]], oneof: bool = False, parent: Any = None) -> Any:
        message = (parent.nested_type if parent else file.message_type).add(name=name)
        if oneof:
            message.oneof_decl.add(name="type")
        for number, (field, label, kind) in enumerate(fields, start=1):
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = FIELD.TYPE_MESSAGE, f".t.{kind}"
            else:
                added.type = kind
            if oneof:
                added.oneof_index = 0
        return message

    def add_map(name: str, field: str, key: Any) -> None:
        entry = "".join(word.capitalize() for word in field.split("_")) + "Entry"
        outer = add(name, [(field, FIELD.LABEL_REPEATED, f"{name}.{entry}")])
        one = FIELD.LABEL_OPTIONAL
        add(entry, [("key", one, key), ("value", one, "Value")], parent=outer).options.map_entry = True

    one = FIELD.LABEL_OPTIONAL
    singles = [("float_value", one, FIELD.TYPE_FLOAT), ("int_value", one, FIELD.TYPE_INT32)]
    add("Single", [*singles, ("str_value", one, FIELD.TYPE_STRING)], oneof=True)
    add("List", [("list_value", FIELD.LABEL_REPEATED, "Value")])
    add_map("StrMap", "dict_value", FIELD.TYPE_STRING)
    add_map("IntMap", "dict_value", FIELD.TYPE_INT32)
    kinds = [("single_msg", one, "Single"), ("list_msg", one, "List")]
    add("Value", [*kinds, ("str_map", one, "StrMap"), ("int_map", one, "IntMap")], oneof=True)
    add_map("Request", "msg", FIELD.TYPE_STRING)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Request"))


REQUEST = _message_class()


def fill(target: Any, value: Any, tensor: Callable[[Any], Any]) -> None:
    """Write a value into a Value message, tensors as `tensor` turns them."""
    if hasattr(value, "tolist"):
        value = tensor(value)
    if isinstance(value, dict):
        chosen = target.str_map if isinstance(next(iter(value)), str) else target.int_map
        for key, item in value.items():
            fill(chosen.dict_value[key], item, tensor)
    elif isinstance(value, list | tuple):
        target.list_msg.SetInParent()
        for item in value:
            fill(target.list_msg.list_value.add(), item, tensor)
    elif isinstance(value, float):
        target.single_msg.float_value = value
    elif isinstance(value, int):
        target.single_msg.int_value = value
    else:
        target.single_msg.str_value = value


def encoded(entries: dict[str, Any], tensor: Callable[[Any], Any] = lambda t: t.tolist()) -> int:
    request = REQUEST()
    for key, value in entries.items():
        fill(request.msg[key], value, tensor)
    return len(request.SerializeToString())


def both(content: Any, *, receivers: list[int], state: int, msg_type: str = "evaluate") -> tuple[int, int]:
    entries = {"sender": 0, "receiver": receivers, "state": state, "msg_type": msg_type, "content": content}
    formula = message_bytes(
        sender=0, receivers=receivers, state=state, msg_type=msg_type, content=content, pickled=False
    )
    return formula, encoded(entries | {"timestamp": 0})


numbers = st.integers(-(2**31), 2**31 - 1) | st.floats(width=32, allow_nan=False) | st.text(max_size=200)
contents = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(min_size=1, max_size=40), inner, min_size=1, max_size=4)
        | st.dictionaries(st.integers(1, 10**6), inner, min_size=1, max_size=4)
    ),
    max_leaves=20,
)


@given(content=contents, receivers=st.lists(st.integers(0, 10**6), min_size=1, max_size=5), state=st.integers(0, 10**5))
def test_any_content_is_as_long_as_protobuf_makes_it(content: Any, receivers: list[int], state: int) -> None:
    formula, real = both(content, receivers=receivers, state=state)
    assert formula == real


@pytest.mark.parametrize("last", [3, 127, 128, 16_383, 16_384, 20_000])
def test_receivers_in_a_row_are_as_long_as_their_list(last: int) -> None:
    common = {"sender": 0, "state": 0, "msg_type": "finish", "content": 1, "pickled": True}
    assert message_bytes(receivers=range(1, last + 1), **common) == message_bytes(
        receivers=[*range(1, last + 1)], **common
    )


@pytest.mark.parametrize("shape", [(), (1,), (15,), (16,), (300,), (3, 4), (2, 3, 4), (5, 1, 5, 5), (0,), (2, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_tensors_travel_as_nested_lists(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    tensor = (torch.arange(math.prod(shape)) * 37).reshape(shape).to(dtype)
    formula, real = both({"w": tensor, "n": np.asarray(tensor)}, receivers=[1, 2, 3], state=7)
    assert formula == real


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8, torch.uint8])
def test_short_dtypes_travel_as_floats_and_integers(dtype: torch.dtype) -> None:
    formula, real = both({"w": torch.arange(130).reshape(2, 65).clamp(max=120).to(dtype)}, receivers=[1], state=0)
    assert formula == real


def test_integers_without_values_have_no_size() -> None:
    for dtype, has_size in ((torch.bfloat16, True), (torch.int8, False)):
        content = {"w": torch.empty(2, 3, dtype=dtype, device="meta")}
        common = {"sender": 0, "receivers": [1], "state": 0, "content": content}
        assert message_bytes(msg_type="model_para", pickled=True, **common) > 0
        if has_size:
            assert message_bytes(msg_type="model_para", pickled=False, **common) > 0
        else:
            with pytest.raises(Unencodable):
                message_bytes(msg_type="model_para", pickled=False, **common)


ADDRESS = re.compile(rb"X(?P<digits>.)\x00\x00\x00\d{10,}", re.DOTALL)


@pytest.mark.parametrize(
    "shape",
    [
        (),
        (1,),
        (64,),
        (255,),
        (256,),
        (10, 64),
        (64, 32, 5, 5),
        (1024, 8),
        (512, 512, 3, 3),
        (2, 3, 4),
        (16300,),
        (70000,),
    ],
)
@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.float64, torch.int64, torch.float16, torch.bfloat16, torch.int8, torch.int16, torch.uint8],
)
def test_a_pickled_tensor_is_as_long_as_pickle_makes_it(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    assert_as_long_as_its_pickle(torch.zeros(shape, dtype=dtype))


@pytest.mark.parametrize(("shortest", "longest"), [(65_500, 65_600), (131_000, 131_200)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
@pytest.mark.parametrize("beside", [(), (1,), (2,), (1, 1, 1)], ids=lambda beside: f"{len(beside) + 1}d-{beside}")
def test_a_pickled_tensor_is_exact_where_pickle_starts_another_frame(
    beside: tuple[int, ...], dtype: torch.dtype, shortest: int, longest: int
) -> None:
    """Every number of elements whose pickle has such a length, and some before and after."""
    each = math.prod(beside) * dtype.itemsize
    lengths = [
        assert_as_long_as_its_pickle(torch.zeros((count, *beside), dtype=dtype))
        for count in range((shortest - 450) // each, longest // each)
    ]
    assert lengths[0] < shortest
    assert lengths[-1] > longest


def assert_as_long_as_its_pickle(tensor: torch.Tensor) -> int:
    """Compare the formula with pickle, which writes the address of the storage that it finds, and return the length."""
    real = pickle.dumps(tensor, protocol=4)
    found = ADDRESS.search(real)
    assert found
    name = str(tensor.dtype).removeprefix("torch.")
    formula = pickled_tensor_bytes(
        tuple(tensor.shape), name, tensor.element_size(), address_digits=int(found["digits"][0])
    )
    assert formula == len(real), (tensor.shape, tensor.dtype)
    return len(real)


@pytest.mark.parametrize("value", [0, 255, 256, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32, 2**39 - 1, 2**39, 2**63])
def test_a_dimension_is_as_long_as_pickle_makes_it(value: int) -> None:
    """Without the mark of the protocol and the stop; no tensor of so many elements is made."""
    assert _pickled_int(value) == len(pickle.dumps(value, protocol=2)) - 3


def test_a_storage_of_4_gib_has_a_length_of_8_bytes_instead_of_4() -> None:
    small, large = (pickled_tensor_bytes((elements,), "uint8", 1) for elements in (2**32 - 400, 2**32))
    assert large - small == 400 + 4


def test_a_digit_of_the_address_is_two_bytes() -> None:
    assert pickled_tensor_bytes((3,), "float32", 4) == pickled_tensor_bytes((3,), "float32", 4, address_digits=14)
    assert pickled_tensor_bytes((3,), "float32", 4, address_digits=15) == pickled_tensor_bytes((3,), "float32", 4) + 2


def test_master_sends_tensors_of_model_para_as_base64_of_their_pickle() -> None:
    content = (64, {"fc.weight": torch.zeros(10, 64), "fc.bias": torch.zeros(10)})
    entries = {"sender": 1, "receiver": [0], "state": 2, "msg_type": "model_para", "content": content, "timestamp": 0}

    def as_base64(tensor: torch.Tensor) -> str:
        length = pickled_tensor_bytes(tuple(tensor.shape), "float32", 4)
        return "x" * (4 * math.ceil(length / 3))

    common = {"sender": 1, "receivers": [0], "state": 2, "content": content, "pickled": True}
    assert message_bytes(msg_type="model_para", **common) == encoded(entries, as_base64)
    assert message_bytes(msg_type="evaluate", **common) == encoded(entries | {"msg_type": "evaluate"})


@pytest.mark.parametrize("timestamps", [(0, 0.0, 1, 1.0), (1.0, 1, 0.0, 0)])
def test_equal_numbers_of_different_types_keep_their_own_length(timestamps: tuple[float, ...]) -> None:
    for timestamp in timestamps:
        entries = {
            "sender": 3,
            "receiver": [0],
            "state": 7,
            "msg_type": "join_in",
            "content": 1,
            "timestamp": timestamp,
        }
        common = {"sender": 3, "receivers": [0], "state": 7, "msg_type": "join_in", "content": 1, "pickled": False}
        assert message_bytes(timestamp=timestamp, **common) == encoded(entries)


@pytest.mark.parametrize("content", [None, {}, {"a": None}, [True], 2**31, object(), {"a": {}}])
def test_what_federatedscope_cannot_encode_has_no_size(content: Any) -> None:
    with pytest.raises(Unencodable):
        both(content, receivers=[1], state=0)
