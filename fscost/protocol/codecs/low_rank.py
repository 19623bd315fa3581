"""A matrix as the product of two thin ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.protocol.codecs.codec import Codec, count_problems
from fscost.protocol.models import Shape


@dataclass(frozen=True)
class LowRank(Codec):
    """Two factors of `rank` columns, or of fewer where a matrix has no more rows or columns.

    A tensor of more than two dimensions is a matrix of its first one by all others; vectors travel as they are.
    """

    rank: int = 2

    name = "lowrank"
    paper = "PowerSGD, Vogels et al., 2019"
    formula = "r·(d₁ + n/d₁)·itemsize for two dimensions and more, r = min(rank, d₁, n/d₁)"

    def problems(self) -> Iterator[str]:
        """Yield what makes no code."""
        yield from count_problems("rank", self.rank, 1)

    def leaves(self, shape: Sequence[int], dtype: str) -> bool:
        """Return whether a tensor is no matrix."""
        return len(shape) < 2 or super().leaves(shape, dtype)

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return both factors."""
        rows, columns = shape[0], prod(shape[1:])
        rank = min(self.rank, rows, columns)
        return Shape("left", (rows, rank), dtype), Shape("right", (columns, rank), dtype)
