"""Some entries at random, whose positions follow from a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.protocol.codecs.codec import Codec, kept, ratio_problems
from fscost.protocol.models import Shape


@dataclass(frozen=True)
class RandomK(Codec):
    """The `ratio` of the elements of a tensor, drawn with a seed that is sent.

    Without error feedback they are multiplied by n/k, such that the mean over draws is the tensor.
    """

    ratio: float = 0.01

    name = "randomk"
    paper = "Stich et al., 2018; Konečný et al., 2016"
    formula = "k·itemsize + 4, k = ⌊ratio·n⌋, at least 1"

    def problems(self) -> Iterator[str]:
        """Yield what makes no code."""
        yield from ratio_problems(self.ratio)

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the values and the seed."""
        return Shape("values", (kept(self.ratio, prod(shape)),), dtype), Shape("seed", (), "int32")
