"""Packing tensors and unpacking them, codec by codec: the arrays are those that `Codec.packed` names, no byte more."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, singledispatch
from math import prod

import torch
from torch import Tensor

from fscost.engine.builtin.bit_arrays import from_bits, in_bits
from fscost.protocol.codecs import Codec
from fscost.protocol.codecs.cast import Float16
from fscost.protocol.codecs.count_sketch import NAME, CountSketch
from fscost.protocol.codecs.low_rank import LowRank
from fscost.protocol.codecs.mask import Mask
from fscost.protocol.codecs.quantise import Quantise
from fscost.protocol.codecs.random_k import RandomK
from fscost.protocol.codecs.sign import Sign
from fscost.protocol.codecs.top_k import TopK, position_bits

Arrays = Mapping[str, Tensor]
"""What is sent of one tensor, by the names that `Codec.packed` gives the arrays."""


@dataclass(frozen=True)
class Known:
    """What both sides know of a tensor before it is sent.

    `seed` follows from the round and the entry; `is_unbiased` is whether a codec that chooses at random keeps the mean,
    as it must where nothing remembers what was lost.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    seed: int = 0
    is_unbiased: bool = False

    @property
    def n(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def tensor(self, flat: Tensor) -> Tensor:
        """Return elements (n,) in the shape and the type of the tensor."""
        return flat.to(self.dtype).reshape(self.shape)


@singledispatch
def pack(codec: Codec, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    """Return the arrays of a tensor that the codec does not leave; `generator` draws what is left to chance."""
    raise NotImplementedError(codec.name)


@singledispatch
def unpack(codec: Codec, arrays: Arrays, known: Known) -> Tensor:
    """Return what arrays say of the tensor that they were packed from."""
    raise NotImplementedError(codec.name)


# --- casts ----------------------------------------------------------------------------------------


@pack.register
def _(codec: Float16, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    return {codec.name: tensor.to(getattr(torch, codec.name), copy=True)}


@unpack.register
def _(codec: Float16, arrays: Arrays, known: Known) -> Tensor:
    return arrays[codec.name].to(known.dtype)


# --- quantisation ---------------------------------------------------------------------------------


def _bucketed(codec: Quantise, flat: Tensor) -> Tensor:
    """Return elements (n,) as rows of a bucket each, the last one filled up with zeros."""
    width = codec.bucket or len(flat)
    filled = torch.zeros(codec.buckets(len(flat)) * width)
    filled[: len(flat)] = flat
    return filled.reshape(-1, width)


@pack.register
def _(codec: Quantise, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    rows = _bucketed(codec, tensor.flatten())
    scales, levels = rows.abs().amax(1), 2 ** (codec.bits - 1) - 1
    exact = rows / scales.clamp_min(torch.finfo(torch.float32).tiny)[:, None] * levels
    up = torch.rand(exact.shape, generator=generator) if codec.stochastic else 0.5
    numbers = (exact + up).floor().clamp(-levels, levels).nan_to_num().long() + levels
    return {"bits": in_bits(numbers.flatten()[: known.n], codec.bits), "scales": scales}


@unpack.register
def _(codec: Quantise, arrays: Arrays, known: Known) -> Tensor:
    levels = 2 ** (codec.bits - 1) - 1
    rows = _bucketed(codec, (from_bits(arrays["bits"], codec.bits, known.n) - levels) / levels)
    return known.tensor((rows * arrays["scales"][:, None]).flatten()[: known.n])


# --- one bit --------------------------------------------------------------------------------------


@pack.register
def _(codec: Sign, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    flat = tensor.flatten().float()
    bits = {"bits": in_bits((flat >= 0).long(), 1)}
    return bits | {"scale": flat.abs().mean()} if codec.scale else bits


@unpack.register
def _(codec: Sign, arrays: Arrays, known: Known) -> Tensor:
    signs = 2.0 * from_bits(arrays["bits"], 1, known.n) - 1
    return known.tensor(signs * (arrays["scale"] if codec.scale else codec.step))


def _noise(codec: Mask, known: Known) -> Tensor:
    drawn = torch.rand(known.n, generator=torch.Generator().manual_seed(known.seed))
    return (2 * drawn - 1) * codec.step


@pack.register
def _(codec: Mask, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    flat, noise = tensor.flatten().float(), _noise(codec, known)
    return {"bits": in_bits(((flat - noise).abs() < flat.abs()).long(), 1)}


@unpack.register
def _(codec: Mask, arrays: Arrays, known: Known) -> Tensor:
    return known.tensor(from_bits(arrays["bits"], 1, known.n) * _noise(codec, known))


# --- some of the elements -------------------------------------------------------------------------


def _placed(values: Tensor, positions: Tensor, known: Known) -> Tensor:
    """Return zeros but for these values at these positions."""
    flat = torch.zeros(known.n, dtype=known.dtype)
    flat[positions] = values
    return flat.reshape(known.shape)


@pack.register
def _(codec: TopK, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    flat, array = tensor.flatten(), codec.positions(known.n)
    (k,) = codec.packed(known.shape, "float32")[0].shape
    positions = flat.float().abs().topk(k).indices.sort().values
    if array.name == "bitmap":
        coded = in_bits(torch.zeros(known.n, dtype=torch.int64).index_fill_(0, positions, 1), 1)
    else:
        coded = positions.int() if array.name == "int32" else in_bits(positions, position_bits(known.n))
    return {"values": flat[positions], array.name: coded}


@unpack.register
def _(codec: TopK, arrays: Arrays, known: Known) -> Tensor:
    values, name = arrays["values"], codec.positions(known.n).name
    if name == "bitmap":
        positions = from_bits(arrays[name], 1, known.n).nonzero().flatten()
    else:
        coded = arrays[name]
        positions = coded.long() if name == "int32" else from_bits(coded, position_bits(known.n), len(values))
    return _placed(values, positions, known)


def _drawn(seed: Tensor, k: int, n: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(int(seed)))[:k]


@pack.register
def _(codec: RandomK, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    (k,) = codec.packed(known.shape, "float32")[0].shape
    seed = torch.randint(2**31 - 1, (), generator=generator, dtype=torch.int32)
    return {"values": tensor.flatten()[_drawn(seed, k, known.n)], "seed": seed}


@unpack.register
def _(codec: RandomK, arrays: Arrays, known: Known) -> Tensor:
    values = arrays["values"]
    factor = known.n / len(values) if known.is_unbiased else 1
    return _placed(values * factor, _drawn(arrays["seed"], len(values), known.n), known)


# --- products and sums ----------------------------------------------------------------------------


@pack.register
def _(codec: LowRank, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    """Return M ≈ left · rightᵀ: two power iterations from a random start, as PowerSGD takes one in every step."""
    matrix = tensor.reshape(known.shape[0], -1).float()
    rank = min(codec.rank, *matrix.shape)
    right = torch.randn((matrix.shape[1], rank), generator=generator)
    left = torch.empty(0)
    for _ in range(2):
        left = torch.linalg.qr(matrix @ right).Q
        right = matrix.T @ left
    return {"left": left.to(known.dtype).contiguous(), "right": right.to(known.dtype).contiguous()}


@unpack.register
def _(codec: LowRank, arrays: Arrays, known: Known) -> Tensor:
    return known.tensor((arrays["left"].float() @ arrays["right"].float().T).flatten())


@lru_cache(maxsize=8)
def _hashes(rows: int, columns: int, n: int) -> tuple[Tensor, Tensor]:
    """Return the column and the sign of each element (rows, n), the same for all who ask."""
    generator = torch.Generator().manual_seed(n)
    columns_of = torch.randint(columns, (rows, n), generator=generator)
    return columns_of, 2.0 * torch.randint(2, (rows, n), generator=generator) - 1


@pack.register
def _(codec: CountSketch, tensor: Tensor, known: Known, generator: torch.Generator) -> Arrays:
    (array,) = codec.packed(known.shape, "float32")
    columns_of, signs = _hashes(*array.shape, known.n)
    return {NAME: torch.zeros(array.shape).scatter_add_(1, columns_of, signs * tensor.flatten().float())}


@unpack.register
def _(codec: CountSketch, arrays: Arrays, known: Known) -> Tensor:
    """Return the median of what the rows tell of each element; of an even number, the mean of both in the middle."""
    columns_of, signs = _hashes(*arrays[NAME].shape, known.n)
    told = arrays[NAME].gather(1, columns_of) * signs
    return known.tensor((told.median(0).values - (-told).median(0).values) / 2)
