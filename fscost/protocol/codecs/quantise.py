"""Uniform quantisation to b bits, with a scale per bucket."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.protocol.codecs.codec import Codec, count_problems, flag_problems
from fscost.protocol.models import Shape


@dataclass(frozen=True)
class Quantise(Codec):
    """Whole numbers of `bits` between -1 and 1 times the largest absolute value of a bucket.

    A `bucket` are so many elements in a row, 0 means the whole tensor. Rounded to one of both neighbours at random,
    such that the mean is kept, if `stochastic`, else to the nearest. Elias-coded variants of QSGD have no closed form:
    their length depends on the data.
    """

    bits: int = 8
    bucket: int = 512
    stochastic: bool = True

    name = "quantise"
    paper = "QSGD, Alistarh et al., 2017; FedPAQ, Reisizadeh et al., 2020"
    formula = "⌈n·bits/8⌉ + 4·⌈n/bucket⌉"
    downlink_takes_model = True

    def problems(self) -> Iterator[str]:
        """Yield what makes no code; one bit has no level beside 0 that has a sign."""
        yield from count_problems("bits", self.bits, 2, 16)
        yield from count_problems("bucket", self.bucket, 0)
        yield from flag_problems("stochastic", self.stochastic)

    @property
    def has_feedback(self) -> bool:
        """Where it rounds to the nearest; at random nothing is lost in the mean."""
        return not self.stochastic

    def buckets(self, n: int) -> int:
        """Return how many buckets n elements have."""
        return -(-n // (self.bucket or n))

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the bits and the scales."""
        n = prod(shape)
        return Shape("bits", (-(-n * self.bits // 8),), "uint8"), Shape("scales", (self.buckets(n),))
