"""The tensors, numbers and strings of a message's content, whatever they are nested in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

NUMBER_BYTES = 8
"""A lone number counts as a double or a 64-bit integer."""


class Opaque(TypeError):
    """The content holds an object whose bytes cannot be told; its size is unknown, not zero."""


def is_tensor(value: Any) -> bool:
    """Return whether `value` is an array: torch and numpy both tell their shape and the bytes per element."""
    if _is_torchs(value.__class__):
        return True
    return hasattr(value, "shape") and hasattr(value, "dtype") and bool(value.shape)


@lru_cache(maxsize=None)  # a model has hundreds of tensors, all of one or two types
def _is_torchs(kind: type) -> bool:
    """Return whether all values of a type are tensors of torch, those of no dimension too."""
    return all(hasattr(kind, name) for name in ("shape", "dtype", "numel"))


def tensor_bytes(tensor: Any) -> int:
    """Return numel × itemsize of a torch tensor (on any device, meta too) or a numpy array."""
    if hasattr(tensor, "element_size"):
        return int(tensor.numel() * tensor.element_size())
    return int(tensor.nbytes)


def measure_content(content: Any) -> tuple[int, int]:
    """Return (payload_bytes, scalar_bytes): tensors, and the numbers and strings beside them.

    Keys of mappings are structure, not content, and count in neither. Raises Opaque for any other object.
    """
    if content is None:
        return 0, 0
    if is_tensor(content):
        return tensor_bytes(content), 0
    if isinstance(content, (str, bytes)):
        return 0, len(content.encode() if isinstance(content, str) else content)
    if isinstance(content, (bool, int, float, complex)) or hasattr(content, "dtype"):
        return 0, NUMBER_BYTES
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, (list, tuple, set, frozenset)):
        payload_bytes = scalar_bytes = 0
        for part in content:
            payload, scalar = measure_content(part)
            payload_bytes += payload
            scalar_bytes += scalar
        return payload_bytes, scalar_bytes
    raise Opaque(f"{type(content).__name__} is no tensor, number, string or container of them")
