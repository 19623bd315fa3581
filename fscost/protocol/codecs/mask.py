"""One bit for every element: whether it is there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.protocol.codecs.codec import Codec, step_problems
from fscost.protocol.models import Shape


@dataclass(frozen=True)
class Mask(Codec):
    """A mask over noise that both sides draw from the number of the round, evenly between -`step` and `step`.

    A bit is set where the noise brings the element nearer. A mask of another meaning, which parts of a frozen model are
    used, or of a lottery ticket, is as long.
    """

    step: float = 0.05

    name = "mask"
    paper = "FedMRN, Li et al., 2024; masks of LotteryFL, Li et al., 2021, and FedMask, Li et al., 2021"
    formula = "⌈n/8⌉"

    def problems(self) -> Iterator[str]:
        """Yield what makes no code."""
        yield from step_problems(self.step)

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the bits."""
        return (Shape("bits", (-(-prod(shape) // 8),), "uint8"),)
