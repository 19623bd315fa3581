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


def of_tensorflow(shape: Any, size: Any = 4, **kinds: bool) -> Any:
    return SimpleNamespace(shape=shape, dtype=SimpleNamespace(size=size, **kinds))


def test_a_tensor_that_says_shape_and_type_is_metered() -> None:
    assert measure_content(of_tensorflow((3, 5), is_floating=True)) == (60, 0)
    for unknown in (of_tensorflow((3, 5)), of_tensorflow((3, None), is_floating=True)):
        with pytest.raises(Opaque):
            measure_content(unknown)


def test_tensors_of_torch_that_are_quantised_or_wrap_others() -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged)
    assert measure_content(nested) == (5 * 4 + 3 * 8, 0)
    assert measure_content(torch.zeros(10, dtype=torch.bfloat16)) == (20, 0)
    assert measure_content(torch.zeros(1).expand(1000)) == (4000, 0)
