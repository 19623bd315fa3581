r"""The size of the protobuf message FederatedScope's distributed mode sends, without building it.

The messages are those of FederatedScope's gRPC schema: a map of six entries (sender, receiver, state, msg_type,
content, timestamp) whose values nest singles (float32, int32 or string), lists and maps. A field of the wire
format is a one-byte tag and a value; embedded messages and strings carry their length as a varint before them
(https://protobuf.dev/programming-guides/encoding). So a float costs 7 bytes, 9 in a list.

Master pickles the tensors of ``model_para`` and sends base64 of that as a string; releases v0.2.0 and v0.3.0, and
every release for other message types, send nested lists of numbers.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fscost.metering.content import is_tensor

_ADDRESS_DIGITS = 14
"""A pickled tensor names its storage by its address, a decimal string of mostly 14 digits, twice."""

_FRAME_TARGET, _FRAME_HEADER, _BESIDE_FRAME = 64 * 1024, 9, 11 + 8
"""Pickle ends a frame of 64 KiB or more where it begins an object, and starts another one.

Before the first frame stand the protocol mark and its header (11 bytes). The last object that begins is the empty tuple
of the backward hooks; it and what follows are 8 bytes, which decide nothing. A storage of 64 KiB or more stands outside
of frames, between two: one header more as well.
"""


class Unencodable(ValueError):
    """FederatedScope's encoder has no encoding for this content (None, an empty mapping, a bool, a large integer)."""


def message_bytes(
    *,
    sender: int,
    receivers: list[int] | range | int,
    state: int,
    msg_type: str,
    content: Any,
    pickled: bool,
    timestamp: float = 0,
) -> int:
    """Return the bytes of one copy of a message; every copy carries the whole list of receivers.

    `pickled` chooses master's encoding of ``model_para`` tensors. A single receiver of an uplink message is a list of
    one, as FederatedScope sends it. Raises Unencodable where FederatedScope cannot send the content.
    """
    size = content_bytes(content, as_pickle=pickled and msg_type == "model_para")
    return enclosed_bytes(size, sender=sender, receivers=receivers, state=state, msg_type=msg_type, timestamp=timestamp)


def content_bytes(content: Any, *, as_pickle: bool) -> int:
    """Return the bytes of a content inside its message; `as_pickle` chooses master's encoding of tensors.

    Raises Unencodable where FederatedScope cannot send the content.
    """
    return _value(content, as_pickle)


def enclosed_bytes(
    content_bytes: int,
    *,
    sender: int,
    receivers: list[int] | range | int,
    state: int,
    msg_type: str,
    timestamp: float = 0,
) -> int:
    """Return the bytes of a message around a content of `content_bytes`; raises Unencodable as `message_bytes`."""
    known = (_entry("sender", sender) + _entry("state", state) + _entry("msg_type", msg_type)
             + _entry("timestamp", timestamp))  # fmt: skip
    return known + _sized("receiver", _value(receivers)) + _sized("content", content_bytes)


@lru_cache(maxsize=65536, typed=True)  # a course has few workers, rounds and types; 0 and 0.0 are not equally long
def _entry(key: str, value: float | str) -> int:
    """Return the size of an entry of the message's map."""
    return _sized(key, _value(value))


def _sized(key: str, size: int) -> int:
    return _field(_field(len(key)) + _field(size))


def pickled_tensor_bytes(
    shape: tuple[int, ...], dtype: str, itemsize: int, *, address_digits: int = _ADDRESS_DIGITS
) -> int:
    """Return the length of ``pickle.dumps`` of a contiguous CPU tensor (pickle protocol 4, torch 2).

    Exact for a storage whose address has `address_digits`; each digit more or less is two bytes.
    """
    numel = math.prod(shape)
    storage = 209 + len(_storage_name(dtype)) + 2 * address_digits + _pickled_int(numel) + numel * itemsize
    header = 2 if storage < 2**8 else 5 if storage < 2**32 else 9
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    total = 133 + header + storage + _pickled_ints(shape) + _pickled_ints(strides)
    return total + (_FRAME_HEADER if total - _BESIDE_FRAME >= _FRAME_TARGET else 0)


def _storage_name(dtype: str) -> str:
    names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long"}
    names.update({"int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"})
    if dtype not in names:
        raise Unencodable(f"no size known for a pickled tensor of {dtype}")
    return f"{names[dtype]}Storage"


def _pickled_int(value: int) -> int:
    if value < 2**8:
        return 2
    if value < 2**16:
        return 3
    return 5 if value < 2**31 else 2 + (value.bit_length() + 8) // 8


def _pickled_ints(values: Any) -> int:
    body = sum(_pickled_int(int(value)) for value in values)
    count = len(values)
    return 1 if count == 0 else body + 2 if count <= 3 else body + 3


def _varint(value: int) -> int:
    if not -(2**31) <= value < 2**31:
        raise Unencodable(f"{value} does not fit the schema's int32")
    return 10 if value < 0 else (value.bit_length() + 6) // 7 or 1


def _field(length: int) -> int:
    """Return tag + length varint + the `length` bytes of an embedded message or a string."""
    return 1 + ((length.bit_length() + 6) // 7 or 1) + length


_FLOAT = 7
"""A float as a value: tag and length of the single, tag and 4 bytes of the float."""


def _value(value: Any, as_pickle: bool = False) -> int:
    """Return the size of one MsgValue."""
    if value.__class__ is float:  # most of what an evaluation answers
        return _FLOAT
    if as_pickle and hasattr(value, "tolist"):
        return _pickled(value)
    if is_tensor(value):
        return _tensor(value)
    if isinstance(value, Mapping):
        return _mapping(value, as_pickle)
    if isinstance(value, range):
        return _field(_ids(value))
    if isinstance(value, (list, tuple)):
        return _field(sum(_field(_value(item, as_pickle)) for item in value))
    return _single(value.tolist() if hasattr(value, "tolist") else value)


def _single(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, bytes)):
        raise Unencodable(f"FederatedScope cannot encode {type(value).__name__}")
    if isinstance(value, float):
        return _FLOAT
    if isinstance(value, int):
        return _field(1 + _varint(value))
    return _field(_field(len(value.encode() if isinstance(value, str) else value)))


def _ids(ids: range) -> int:
    """Return the size of the items of a list of ascending ids, without making it: equally long ones at once."""
    total, first = 0, ids.start
    while first < ids.stop:
        length = _varint(first)
        after = min(ids.stop, 1 << 7 * length)
        total += (after - first) * _field(_field(1 + length))
        first = after
    return total


def _mapping(value: Mapping[Any, Any], as_pickle: bool) -> int:
    if not value:
        raise Unencodable("FederatedScope cannot encode an empty mapping")
    total = 0
    for key, item in value.items():
        if as_pickle and hasattr(item, "element_size"):
            total += _pickled_entry(key, item.shape, item.dtype, item.element_size())
        else:
            total += _field(_key(key) + _field(_value(item, as_pickle)))
    return _field(total)


@lru_cache(maxsize=65536)  # a course sends the same entries of a state_dict over and over
def _pickled_entry(key: Any, shape: tuple[int, ...], dtype: Any, itemsize: int) -> int:
    """Return the size of a tensor in a mapping, sent as base64 of its pickle."""
    return _field(_key(key) + _field(_pickled_tensor(tuple(shape), dtype, itemsize)))


@lru_cache(maxsize=65536)
def _key(key: Any) -> int:
    return _field(len(key.encode())) if isinstance(key, str) else 1 + _varint(int(key))


def _tensor(tensor: Any) -> int:
    if _is_floating(tensor.dtype):
        return _floats(tuple(tensor.shape))
    if getattr(tensor, "is_meta", False):
        raise Unencodable("how long integers are depends on their values, and a tensor on meta has none")
    return _value(tensor.tolist())


@lru_cache(maxsize=None)
def _is_floating(dtype: Any) -> bool:
    return "float" in str(dtype)


def _pickled(value: Any) -> int:
    """Return the size of a tensor, an array or a number that is sent as base64 of its pickle."""
    if hasattr(value, "element_size"):
        return _pickled_tensor(tuple(value.shape), value.dtype, value.element_size())
    return _as_base64(len(pickle.dumps(value)))


@lru_cache(maxsize=4096)  # a course sends tensors of the same few shapes over and over
def _pickled_tensor(shape: tuple[int, ...], dtype: Any, itemsize: int) -> int:
    return _as_base64(pickled_tensor_bytes(shape, str(dtype).replace("torch.", ""), itemsize))


def _as_base64(size: int) -> int:
    return _field(_field(4 * math.ceil(size / 3)))


@lru_cache(maxsize=4096)
def _floats(shape: tuple[int, ...]) -> int:
    """Return the size of nested lists of floats; all items of a dimension are equally large."""
    if not shape:
        return _FLOAT
    return _field(shape[0] * _field(_floats(shape[1:])))
