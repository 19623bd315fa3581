"""A count sketch of all parameters together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.protocol.codecs.codec import Codec, count_problems, kept, ratio_problems
from fscost.protocol.models import Shape

NAME = "sketch"
"""What the array of the sketch is called in a message."""


@dataclass(frozen=True)
class CountSketch(Codec):
    """All parameters as one vector, hashed into `rows` of `columns`; 0 columns are ten times as many as entries kept.

    The server adds sketches up and takes the `ratio` of the elements that are largest out of the sum; what is left of
    it stays in a sketch there, and clients keep nothing.
    """

    ratio: float = 0.01
    rows: int = 5
    columns: int = 0

    name = NAME
    paper = "FetchSGD, Rothchild et al., 2020"
    formula = "rows·columns·4 for the whole model"
    needs_tensors = False
    is_summed = True

    def problems(self) -> Iterator[str]:
        """Yield what makes no code."""
        yield from ratio_problems(self.ratio)
        yield from count_problems("rows", self.rows, 1)
        yield from count_problems("columns", self.columns, 0)

    def unpacked_elements(self, n: int) -> int:
        """Return how many of n elements the server takes out of a sum of sketches."""
        return kept(self.ratio, n)

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the sketch of one vector."""
        return (Shape(NAME, (self.rows, self.columns or 10 * kept(self.ratio, prod(shape)))),)

    def sent(self, entries: Iterable[Shape]) -> Iterator[Shape]:
        """Yield what travels as it is, and one sketch of the rest."""
        elements = 0
        for entry in entries:
            if not entry.trainable or self.leaves(entry.shape, entry.dtype):
                yield entry
            else:
                elements += prod(entry.shape)
        if elements:
            yield from self.packed((elements,), "float32")
