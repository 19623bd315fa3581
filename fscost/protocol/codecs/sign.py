"""The sign of every element, one bit each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from fscost.protocol.codecs.codec import Codec, flag_problems, step_problems
from fscost.protocol.models import Shape


@dataclass(frozen=True)
class Sign(Codec):
    """A bit for each sign, times the mean absolute value of the tensor, or without `scale` times `step` (Signum).

    Down without a scale, what is sent is the majority vote of the clients.
    """

    scale: bool = True
    step: float = 0.05

    name = "sign"
    paper = "signSGD and Signum, Bernstein et al., 2018; with a scale and error feedback, Karimireddy et al., 2019"
    formula = "⌈n/8⌉ + 4 with codec.scale, ⌈n/8⌉ without"

    def problems(self) -> Iterator[str]:
        """Yield what makes no code."""
        yield from flag_problems("scale", self.scale)
        yield from step_problems(self.step)

    @property
    def has_feedback(self) -> bool:
        """With a scale."""
        return self.scale

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the bits, and the scale."""
        bits = Shape("bits", (-(-prod(shape) // 8),), "uint8")
        return (bits, Shape("scale", ())) if self.scale else (bits,)
