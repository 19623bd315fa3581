"""Half precision: every float as one of 16 bits."""

from collections.abc import Sequence

from fscost.protocol.codecs.codec import Codec
from fscost.protocol.models import Shape


class Float16(Codec):
    """IEEE 754 half precision; numbers beyond ±65,504 become infinite."""

    name = "float16"
    paper = "Micikevicius et al., 2018"
    formula = "2n"
    uplink_takes_model = downlink_takes_model = True
    needs_tensors = False

    @property
    def has_feedback(self) -> bool:
        """None: what is lost is lost once."""
        return False

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return one array of the same shape."""
        return (Shape(self.name, tuple(shape), self.name),)


class Bfloat16(Float16):
    """The upper half of a float32: its range, and three decimal digits."""

    name = "bfloat16"
    paper = "Kalamkar et al., 2019"
