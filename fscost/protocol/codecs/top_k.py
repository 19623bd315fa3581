"""The largest entries, and where they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.errors import ConfigError
from fscost.protocol.codecs.codec import Codec, bytes_of, kept, ratio_problems
from fscost.protocol.models import Shape

INDICES = ("int32", "packed", "bitmap", "smallest")
"""How positions are coded: 4 bytes each, as many bits as they need, a bit for every element, or the smallest of these.
"""

_LARGEST_INT32 = 2**31 - 1


@dataclass(frozen=True)
class TopK(Codec):
    """The `ratio` of the elements of a tensor with the largest absolute values, and their positions as `index` says."""

    ratio: float = 0.01
    index: str = "int32"

    name = "topk"
    paper = "Aji and Heafield, 2017; Stich et al., 2018; Lin et al., 2018"
    formula = "k·itemsize + index, k = ⌊ratio·n⌋, at least 1; index: 4k, ⌈k·⌈log₂n⌉/8⌉, ⌈n/8⌉ or the smallest"

    def problems(self) -> Iterator[str]:
        """Yield what makes no code."""
        yield from ratio_problems(self.ratio)
        if self.index not in INDICES:
            yield f"index={self.index}: must be one of {', '.join(INDICES)}"

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the values and the positions."""
        n = prod(shape)
        return Shape("values", (kept(self.ratio, n),), dtype), self.positions(n)

    def positions(self, n: int) -> Shape:
        """Return the array of the positions among n elements, named by their coding.

        Raises ConfigError where int32 counts no so far.
        """
        k = kept(self.ratio, n)
        codings = {
            "int32": Shape("int32", (k,), "int32"),
            "packed": Shape("packed", (-(-k * position_bits(n) // 8),), "uint8"),
            "bitmap": Shape("bitmap", (-(-n // 8),), "uint8"),
        }
        if n > _LARGEST_INT32:
            del codings["int32"]
        if self.index == "smallest":
            return min(codings.values(), key=lambda one: bytes_of([one]))
        if self.index not in codings:
            raise ConfigError(
                f"index=int32: counts to {_LARGEST_INT32:,}, and a tensor has {n:,} elements; take packed"
            )
        return codings[self.index]


def position_bits(n: int) -> int:
    """Return how many bits the positions of n elements need: ⌈log₂ n⌉."""
    return (n - 1).bit_length()
