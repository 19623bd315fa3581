"""The tensors, numbers and strings of a message's content, whatever they are nested in."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence, Set, ValuesView
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any

from fscost.metering.array_files import tensors_in

NUMBER_BYTES = 8
"""A lone number counts as a double or a 64-bit integer; a larger one, as a ciphertext is, as long as it is."""

LARGE_TEXT_BYTES = 1000
"""A longer text may be anything, as a model in base64 or a pickle."""


class Opaque(TypeError):
    """The content holds an object whose bytes are not known; its size is unknown, not zero."""


def is_tensor(value: Any) -> bool:
    """Return whether `value` is an array: it knows its shape and the bytes per element.

    One of numpy that has no dimension is a number, as numpy's numbers are no arrays.
    """
    if _is_torchs(value.__class__):
        return True
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return False
    return not _is_numpys_own(value.__class__) or bool(value.shape)


@lru_cache(maxsize=None)
def _is_numpys_own(kind: type) -> bool:
    return any(one.__module__.partition(".")[0] == "numpy" for one in kind.__mro__)


@lru_cache(maxsize=None)  # a model has hundreds of tensors, all of one or two types
def _is_torchs(kind: type) -> bool:
    """Return whether all values of a type are tensors of torch, those of no dimension too."""
    return all(hasattr(kind, name) for name in ("shape", "dtype", "numel"))


@lru_cache(maxsize=None)
def _is_torchs_own(kind: type) -> bool:
    """Return whether a type is torch's tensor itself, of whatever layout, or a parameter of a model."""
    return (kind.__module__, kind.__name__) in (("torch", "Tensor"), ("torch.nn.parameter", "Parameter"))


def tensor_bytes(tensor: Any) -> int:
    """Return numel × itemsize of a torch tensor (on any device, meta too) or a numpy array; of sparse ones, its parts'.

    One that wraps others, as a quantised tensor does, is as large as these. Raises Opaque for an array of another
    library that does not say its bytes, and for a lazy parameter that has no shape yet.
    """
    if _is_torchs_own(tensor.__class__) and not (_sparse(tensor.layout) or tensor.is_quantized):
        return int(tensor.numel() * tensor.element_size())  # what nearly all are
    if parts := _parts_of_sparse(tensor) or _wrapped(tensor):
        return sum(map(tensor_bytes, parts))
    if hasattr(tensor, "element_size"):
        try:
            return int(tensor.numel() * tensor.element_size()) + _scale_bytes(tensor)
        except ValueError as error:
            raise Opaque("a lazy parameter has no shape before its first batch") from error
    if not hasattr(tensor, "nbytes"):
        return _shape_bytes(tensor)
    return int(tensor.nbytes)


def _wrapped(tensor: Any) -> list[Any]:
    """Return the tensors inside one of a class that has no storage of its own, and looks like what it stands for."""
    if not hasattr(type(tensor), "__tensor_flatten__"):
        return [tensor.value] if _may_be_a_variable(tensor.__class__) and is_tensor(tensor.value) else []
    names, _ = tensor.__tensor_flatten__()
    return [getattr(tensor, name) for name in names]


@lru_cache(maxsize=None)
def _may_be_a_variable(kind: type) -> bool:
    """Return whether a type is as the variables of Keras: what they hold is their value."""
    return hasattr(kind, "value") and not hasattr(kind, "nbytes")


_PACKED = ("torch.quint4x2", "torch.quint2x4", "torch.bits1x8", "torch.bits2x4", "torch.bits4x2")
"""Types of torch of which a byte holds several elements."""


def _scale_bytes(tensor: Any) -> int:
    """Return the bytes of the scales and zero points of a quantised tensor of torch's own, 0 for any other."""
    if not getattr(tensor, "is_quantized", False):
        return 0
    if str(tensor.dtype) in _PACKED:
        raise Opaque(f"the bytes of tensors of {tensor.dtype} are not known")
    if "per_tensor" in str(tensor.qscheme()):
        return 2 * NUMBER_BYTES
    return tensor_bytes(tensor.q_per_channel_scales()) + tensor_bytes(tensor.q_per_channel_zero_points())


def _shape_bytes(tensor: Any) -> int:
    """Return shape × the bytes of an element, as TensorFlow's types say them; raises Opaque where they do not.

    What cannot become a dense array is none, as a description of one.
    """
    item, shape = getattr(tensor.dtype, "size", None), tuple(tensor.shape)
    is_number = any(getattr(tensor.dtype, f"is_{kind}", False) for kind in ("integer", "floating", "complex", "bool"))
    if not (is_number and isinstance(item, int) and hasattr(tensor, "__array__")) or not all(
        isinstance(length, int) for length in shape
    ):
        raise Opaque(f"the bytes of {type(tensor).__name__} are not known")
    return item * int(prod(shape))


_BY_ROW, _BY_COLUMN = ("crow_indices", "col_indices", "values"), ("ccol_indices", "row_indices", "values")
_COMPRESSED = ("indptr", "indices", "data")
_SPARSE = {
    "torch.sparse_coo": ("_indices", "_values"),
    "torch.sparse_csr": _BY_ROW, "torch.sparse_bsr": _BY_ROW,
    "torch.sparse_csc": _BY_COLUMN, "torch.sparse_bsc": _BY_COLUMN,
    "csr": _COMPRESSED, "csc": _COMPRESSED, "bsr": _COMPRESSED, "coo": ("row", "col", "data"),
}  # fmt: skip
"""What sparse tensors of torch and sparse arrays of scipy are made of, by their layout or format."""


def _parts_of_sparse(tensor: Any) -> list[Any]:
    """Return the dense tensors that a sparse one is made of, none of a dense one."""
    names = _sparse(getattr(tensor, "layout", None) or getattr(tensor, "format", None)) or _of_kind(tensor.__class__)
    parts = [getattr(tensor, name) for name in names]
    return [part() if callable(part) else part for part in parts if part is not None]


_KINDS = (("indices", "values", "dense_shape"), _COMPRESSED, ("indices", "data"))
"""What sparse arrays of TensorFlow and JAX are made of, which say no layout."""


@lru_cache(maxsize=None)
def _of_kind(kind: type) -> tuple[str, ...]:
    if hasattr(kind, "nbytes") or hasattr(kind, "__array__"):
        return ()
    return next((names for names in _KINDS if all(name in _attributes(kind) for name in names)), ())


def _attributes(kind: type) -> set[str]:
    """Return the names of a class's attributes, those that it only declares too."""
    return {name for one in kind.__mro__ for name in (*vars(one), *vars(one).get("__annotations__", ()))}


@lru_cache(maxsize=1024)
def _sparse(layout: Any) -> tuple[str, ...]:
    return _SPARSE.get(str(layout), ())


_OF_CLASS = {type(None): 0, float: NUMBER_BYTES}  # nothing, and most of what an evaluation answers


def measure_content(content: Any) -> tuple[int, int]:
    """Return (payload_bytes, scalar_bytes): tensors, and the numbers and strings beside them.

    Keys of mappings are structure, not content, and count in neither. Raises Opaque for any other object; iterators are
    of those, as looking at them would use them up.
    """
    if (known := _OF_CLASS.get(content.__class__)) is not None:
        return 0, known
    if _is_plain_tensor(content):
        return tensor_bytes(content), 0
    if isinstance(content, (bytes, bytearray)) and (tensors := tensors_in(content)) is not None:
        return tensors, 0
    size = _text_bytes(content)
    if size is None:
        size = _number_bytes(content)
    if size is not None:
        return 0, size
    if isinstance(content, array):
        return len(content) * content.itemsize, 0
    payload_bytes = scalar_bytes = 0
    for part in _inside(content):
        payload, scalar = measure_content(part)
        payload_bytes += payload
        scalar_bytes += scalar
    return payload_bytes, scalar_bytes


def largest_text(content: Any) -> int:
    """Return the bytes of the largest string or bytes object inside a content, 0 without any."""
    return _largest(content, lambda _: True)


def largest_binary(content: Any) -> int:
    """Return the bytes of the largest bytes object inside a content, 0 without any; tensors stored in one are none."""
    return _largest(content, lambda value: not isinstance(value, str) and tensors_in(value) is None)


def _largest(content: Any, counts: Callable[[Any], bool]) -> int:
    size = _text_bytes(content)
    if size is not None:
        return size if counts(content) else 0
    if _is_plain_tensor(content) or _number_bytes(content) is not None:
        return 0
    try:
        return max((_largest(part, counts) for part in _inside(content)), default=0)
    except (Opaque, RecursionError):
        return 0


def _is_plain_tensor(value: Any) -> bool:
    """Return whether `value` is an array of numbers: one of objects has but their addresses, one of texts is text."""
    if _is_torchs_own(value.__class__):
        return True
    if not is_tensor(value):
        return False
    return getattr(value.dtype, "kind", "") not in tuple("SUT") and not getattr(value.dtype, "hasobject", False)


def _text_bytes(value: Any) -> int | None:
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    return value.nbytes if isinstance(value, memoryview) else None


def _number_bytes(value: Any) -> int | None:
    """Return the bytes of a number, None for anything else."""
    if isinstance(value, int):
        return max(NUMBER_BYTES, (value.bit_length() + 7) // 8)
    if isinstance(value, complex):
        return 2 * NUMBER_BYTES
    if isinstance(value, float) or _is_numpys(value):
        return max(NUMBER_BYTES, getattr(value, "itemsize", 0))
    if isinstance(value, Decimal):
        return _number_bytes(int("".join(map(str, value.as_tuple().digits)) or 0))
    if isinstance(value, Fraction):
        return sum(max(NUMBER_BYTES, (part.bit_length() + 7) // 8) for part in (value.numerator, value.denominator))
    return None


def _is_numpys(value: Any) -> bool:
    """Return whether `value` is a number as numpy has it, with no dimension."""
    if not (hasattr(value, "dtype") and hasattr(value, "itemsize") and getattr(value, "shape", None) == ()):
        return False
    return getattr(value.dtype, "kind", "") in tuple("biufcmM")


def _inside(content: Any) -> Iterable[Any]:
    """Return the parts of a container; raises Opaque for what is none."""
    if isinstance(content, Mapping):
        return content.values()
    if isinstance(content, (Sequence, Set, ValuesView)):
        return content
    if is_dataclass(content) and not isinstance(content, type):
        return [getattr(content, field.name) for field in fields(content)]
    if hasattr(content, "dtype") and hasattr(content, "tolist"):  # an array of objects or texts
        found = content.tolist()
        return found if isinstance(found, (list, tuple)) else [found]
    raise Opaque(f"{type(content).__name__} is no tensor, number, string or container of them")
