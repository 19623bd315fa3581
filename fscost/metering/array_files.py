"""How many bytes of tensors are in a file's content, of formats that say so in their header: safetensors and .npy."""

from __future__ import annotations

import ast
import json
from math import prod

_NPY = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}


def tensors_in(content: bytes | bytearray) -> int | None:
    """Return the bytes of the tensors alone, None for a content of any other format, or one that was cut."""
    try:
        return _in_npy(content) if content[:6] == _NPY else _in_safetensors(content)
    except (ValueError, LookupError, TypeError, SyntaxError, AttributeError, RecursionError):
        return None


def _in_safetensors(content: bytes | bytearray) -> int | None:
    """Read 8 bytes with the length of a JSON header, the header with where each tensor lies, and the tensors."""
    begin = 8 + int.from_bytes(content[:8], "little")
    if content[8:9] != b"{" or begin > len(content):
        return None
    header = json.loads(content[8:begin])
    sizes = [to - since for since, to in (header[name]["data_offsets"] for name in header if name != "__metadata__")]
    return sum(sizes) if sum(sizes) == len(content) - begin and min(sizes, default=0) >= 0 else None


def _in_npy(content: bytes | bytearray) -> int | None:
    """Read the version, the length of a header, which is a Python dict, and the array; objects are pickled."""
    width = _LENGTH_BYTES[content[6]]
    begin = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    header = ast.literal_eval(content[8 + width : begin].decode().strip())
    size, items = len(content) - begin, prod(header["shape"])
    if "O" in str(header["descr"]) or (size % items if items else size):
        return None
    return size
