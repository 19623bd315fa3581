"""Bytes that hold tensors in a format that says so, and tensors of other libraries, count as what they hold."""

import io
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fscost.metering.array_files import tensors_in
from fscost.metering.content import Opaque, measure_content


def safetensors(**sizes: int) -> bytes:
    header, end = {"__metadata__": {"format": "np"}}, 0
    for name, size in sizes.items():
        header |= {name: {"dtype": "F32", "shape": [size // 4], "data_offsets": [end, end + size]}}  # type: ignore[dict-item]
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (safetensors(a=40, b=8), 48),
        (safetensors(), 0),
        (bytearray(safetensors(a=4)), 4),
        (npy(np.zeros((3, 5), "f4")), 60),
        (npy(np.zeros((3, 5), "f8", "F"), (2, 0)), 120),
        (npy(np.zeros((), "i8")), 8),
        (npy(np.zeros((0, 5))), 0),
    ],
)
def test_tensors_in_bytes_are_payload(content: bytes, size: int) -> None:
    assert tensors_in(content) == size
    assert measure_content({"model": content, "n": 1}) == (size, 8)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"text", b"\x93NUMPY", b"\x93NUMPY\x09\x00", safetensors(a=40)[:-1], safetensors(a=40) + b"x",
        npy(np.zeros(5))[:-1], npy(np.array([{}], dtype=object)), b"\xff" * 20, b"\x02\0\0\0\0\0\0\0{}x",
    ],
)  # fmt: skip
def test_any_other_bytes_are_not(content: bytes) -> None:
    assert tensors_in(content) is None
    assert measure_content(content) == (0, len(content))


class OfTensorflow:
    """What a tensor of TensorFlow says of itself."""

    def __init__(self, shape: Any, size: Any = 4, **kinds: bool) -> None:
        self.shape, self.dtype = shape, SimpleNamespace(size=size, **kinds)


class Dense(OfTensorflow):
    def __array__(self) -> Any:
        raise AssertionError("nothing is copied to be metered")


class SparseOfTensorflow(OfTensorflow):
    """As its SparseTensor and its IndexedSlices, whose shape may be unknown."""

    indices, values, dense_shape = np.zeros((3, 2), "int64"), np.zeros(3, "float32"), None


class SparseOfJax:
    """As its BCOO: what it is made of, its class declares alone."""

    data: Any
    indices: Any
    dtype = np.dtype("float32")

    def __init__(self) -> None:
        self.shape, self.data, self.indices = (100, 100), np.zeros(3, "float32"), np.zeros((3, 2), "int32")


class OfKeras:
    """As a variable of Keras: with a tensor inside, and a type that is a text."""

    shape, dtype, value = (3, 4), "float32", np.zeros((3, 4), "float32")


class OfJax:
    """As an array of JAX, which is one without any dimension, too."""

    shape, dtype, nbytes, itemsize = (), np.dtype("float32"), 4, 4


def test_a_tensor_that_says_shape_and_type_is_metered() -> None:
    assert measure_content(Dense((3, 5), is_floating=True)) == (60, 0)
    assert measure_content(Dense((), is_floating=True)) == (4, 0)
    assert measure_content(OfJax()) == (4, 0)
    assert measure_content(OfKeras()) == (48, 0)
    for unknown in (Dense((3, 5)), Dense((3, None), is_floating=True), OfTensorflow((3, 5), is_floating=True)):
        with pytest.raises(Opaque):
            measure_content(unknown)


def test_a_sparse_tensor_is_its_parts_and_not_what_it_stands_for() -> None:
    assert measure_content(SparseOfTensorflow((100, 100), is_floating=True)) == (3 * 2 * 8 + 3 * 4, 0)
    assert measure_content(SparseOfJax()) == (3 * 2 * 4 + 3 * 4, 0)


def test_tensors_of_torch_that_are_quantised_or_wrap_others() -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged)
    assert measure_content(nested) == (5 * 4 + 3 * 8, 0)
    assert measure_content(torch.zeros(10, dtype=torch.bfloat16)) == (20, 0)
    assert measure_content(torch.zeros(1).expand(1000)) == (4000, 0)
