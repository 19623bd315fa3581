"""What a codec is: which arrays it makes of a tensor, in closed form. Nothing is allocated here, and nothing packed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, ClassVar

from fscost.errors import ConfigError
from fscost.protocol.model_shapes import ITEM_BYTES
from fscost.protocol.models import Shape


def bytes_of(arrays: Iterable[Shape]) -> int:
    """Return the bytes of arrays: elements × bytes per element."""
    return sum(prod(array.shape) * ITEM_BYTES[array.dtype] for array in arrays)


@dataclass(frozen=True)
class Codec:
    """A lossy code for what is learned; its fields are the options that it reads, ``codec.FIELD``.

    It packs each trainable tensor of floats into arrays; what it leaves, and every buffer, travels as it is. `paper`
    and `formula` say where it comes from and the bytes of a tensor of n elements in words.

    A client packs the difference to the model that it received, and the server the difference to the one that clients
    hold; with `uplink_takes_model` and `downlink_takes_model` the model itself. With `needs_tensors`, bytes depend on
    how parameters are cut into tensors. Raises ConfigError for fields that make no codec.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    formula: ClassVar[str]
    uplink_takes_model: ClassVar[bool] = False
    downlink_takes_model: ClassVar[bool] = False
    needs_tensors: ClassVar[bool] = True
    is_summed: ClassVar[bool] = False
    """Whether the server adds packed updates up before it unpacks their sum, once."""

    def __post_init__(self) -> None:
        if problems := [*self.problems()]:
            raise ConfigError(*problems)

    def problems(self) -> Iterator[str]:
        """Yield a line for each field that makes no codec."""
        return iter(())

    def takes_model(self, link: str) -> bool:
        """Return whether it packs the model itself over a link."""
        return self.uplink_takes_model if link == "uplink" else self.downlink_takes_model

    @property
    def has_feedback(self) -> bool:
        """Whether the method adds what was lost to the next update (error feedback)."""
        return True

    def leaves(self, shape: Sequence[int], dtype: str) -> bool:
        """Return whether a tensor travels as it is: one without elements, and one that holds no floats."""
        return "float" not in dtype or prod(shape) == 0

    def packed(self, shape: Sequence[int], dtype: str) -> tuple[Shape, ...]:
        """Return the arrays that a tensor becomes, which it does not leave, each named by what it is."""
        raise NotImplementedError

    def nbytes(self, shape: Sequence[int], dtype: str = "float32") -> int:
        """Return the bytes that are sent of one trainable tensor."""
        whole = Shape("", tuple(shape), dtype)
        return bytes_of((whole,) if self.leaves(shape, dtype) else self.packed(shape, dtype))

    def sent(self, entries: Iterable[Shape]) -> Iterator[Shape]:
        """Yield all arrays of a message that carries these entries of a state_dict, in the message's order."""
        for entry in entries:
            if not entry.trainable or self.leaves(entry.shape, entry.dtype):
                yield entry
                continue
            for array in self.packed(entry.shape, entry.dtype):
                yield Shape(f"{entry.name}_{array.name}", array.shape, array.dtype)


def kept(ratio: float, n: int) -> int:
    """Return how many of n elements a ratio keeps: rounded down, at least one; a decimal fraction is meant exactly."""
    return min(n, max(1, int(Fraction(str(ratio)) * n)))


def ratio_problems(ratio: Any) -> Iterator[str]:
    """Yield that a ratio is none."""
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
        yield f"ratio={ratio}: must be above 0 and at most 1, as 0.01"


def count_problems(name: str, value: Any, least: int, most: int | None = None) -> Iterator[str]:
    """Yield that a number is not a whole one in its range."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        yield f"{name}={value}: must be a whole number {bounds}"


def step_problems(step: Any) -> Iterator[str]:
    """Yield that a step is none."""
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step < float("inf"):
        yield f"step={step}: must be a number above 0, as 0.01"


def flag_problems(name: str, value: Any) -> Iterator[str]:
    """Yield that a value is neither true nor false."""
    if not isinstance(value, bool):
        yield f"{name}={value}: must be true or false"
