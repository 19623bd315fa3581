"""Whole numbers of any number of bits, one behind the other in bytes."""

import numpy as np
import torch
from torch import Tensor


def in_bits(numbers: Tensor, bits: int) -> Tensor:
    """Return numbers (n,) of `bits` each as bytes (⌈n·bits/8⌉,), the highest bit first; the last byte ends in zeros."""
    if bits == 8:
        return numbers.to(torch.uint8)
    places = np.arange(bits - 1, -1, -1)
    split = (numbers.numpy()[:, None] >> places) & 1
    return torch.from_numpy(np.packbits(split.astype(np.uint8)))


def from_bits(packed: Tensor, bits: int, n: int) -> Tensor:
    """Return the numbers (n,) that `in_bits` packed."""
    if bits == 8:
        return packed.long()
    split = np.unpackbits(packed.numpy(), count=n * bits).reshape(n, bits)
    return torch.from_numpy(split.astype(np.int64) @ (1 << np.arange(bits - 1, -1, -1, dtype=np.int64)))
