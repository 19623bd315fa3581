"""The state_dicts of FederatedScope's models in closed form: names, shapes and dtypes, without torch.

It keeps to Python 3.8: what has no effect is told by names in FederatedScope's interpreter too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol


class ModelOptions(Protocol):
    """FederatedScope's options by name, as ``model.hidden``."""

    def __getitem__(self, name: str, /) -> Any: ...


ITEM_BYTES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1,
    "bool": 1,
}  # fmt: skip
"""The bytes of one element by torch's names of its dtypes."""

_LARGEST_BYTES = 2**63 - 1
"""What torch counts the bytes of a tensor with is a 64-bit integer."""

_SIZED_BYTES, _GC_BYTES = 144, 16
"""What asizeof counts for a tensor of torch, its empty ``__dict__`` included; Python adds the collector's part."""


class MetaTensor:
    """A tensor without data, as those on torch's device ``meta``; metering takes it for a tensor of torch.

    Raises ValueError for a shape that torch makes no tensor of.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Iterable[int], dtype: str = "float32") -> None:
        self.shape, self.dtype = tuple(shape), dtype
        if min(self.shape, default=0) < 0 or self.numel() * self.element_size() > _LARGEST_BYTES:
            raise ValueError(f"torch makes no tensor of the shape {list(self.shape)}")

    @property
    def is_meta(self) -> bool:
        """Whether it has no values; a counter has one, as it decides how the counter is encoded."""
        return self.dtype != "int64" or self.shape != ()

    def numel(self) -> int:
        """Return the number of elements."""
        return prod(self.shape)

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return ITEM_BYTES[self.dtype]

    def is_floating_point(self) -> bool:
        """Return whether its elements are floats of any size."""
        return "float" in self.dtype

    def tolist(self) -> int:
        """Return the value of a counter of batches before the first one."""
        return 0

    def __sizeof__(self) -> int:
        return _SIZED_BYTES - _GC_BYTES


del MetaTensor.__slots__  # they stay; asizeof would count what they hold, as it cannot with torch's


@dataclass(frozen=True)
class Shape:
    """One entry of a state_dict; what is not `trainable` is a buffer."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    trainable: bool = True


@dataclass(frozen=True)
class Convolutions:
    """The kernel's edge, the channels of each convolution, and behind which of them the image is halved."""

    kernel: int
    channels: tuple[int, ...]
    halved: tuple[int, ...]


CONVNET5 = Convolutions(5, channels=(32, 64, 64, 128, 128), halved=(1, 2, 3, 4, 5))

VGG11 = Convolutions(3, channels=(64, 128, 256, 256, 512, 512, 512, 512), halved=(1, 2, 4, 6, 8))
"""Configuration A of Simonyan and Zisserman (2015).

FederatedScope's forward pass halves behind every convolution, which no image is large enough for; its layers, and so
its messages, are these.
"""


def state_dict_of(options: ModelOptions, sample: Sequence[int]) -> list[Shape]:
    """Return the entries of a model for samples of a shape (without the batch axis), in the state_dict's order.

    Raises ValueError for options that torch makes no such model of.
    """
    return [*_MODELS[options["model.type"]](options, sample)]


def names_of(model: str, layers: Any) -> list[str]:
    """Return the names in the state_dict of one of FederatedScope's models, none of another; `layers` are an MLP's."""
    if model not in _MODELS or (model == "mlp" and not isinstance(layers, int)):
        return []
    sizes = dict.fromkeys(("hidden", "out_channels", "in_channels", "embed_size"), 1)
    options = {"type": model, "layer": layers, "use_bias": True, "dropout": 0.0, **sizes}
    return [one.name for one in state_dict_of({f"model.{n}": v for n, v in options.items()}, (1, 32, 32))]


def _lr(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    return _linear("fc", sample[-1], options["model.out_channels"], bias=options["model.use_bias"])


def _mlp(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    hidden = [options["model.hidden"]] * (options["model.layer"] - 1)
    widths = [sample[-1], *hidden, options["model.out_channels"]]
    for number, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        yield from _linear(f"linears.{number}", inputs, outputs)
    for number, width in enumerate(widths[1:]):
        yield from _batch_norm(f"norms.{number}", width)


def _convnet2(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    channels, height, width = sample
    yield from _convolution("conv1", channels, 32, kernel=5)
    yield from _convolution("conv2", 32, 64, kernel=5)
    yield from _batch_norm("bn1", 32)
    yield from _batch_norm("bn2", 64)
    yield from _linear("fc1", 64 * (height // 4) * (width // 4), options["model.hidden"])
    yield from _linear("fc2", options["model.hidden"], options["model.out_channels"])


def _convnet5(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    return _convnet(sample, CONVNET5, [options["model.hidden"], options["model.out_channels"]])


def _vgg11(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    return _convnet(sample, VGG11, [*[options["model.hidden"]] * 2, options["model.out_channels"]])


def _convnet(sample: Sequence[int], convolutions: Convolutions, widths: Sequence[int]) -> Iterator[Shape]:
    channels, height, width = sample
    through = [channels, *convolutions.channels]
    for number, (inputs, outputs) in enumerate(zip(through, through[1:]), start=1):
        yield from _convolution(f"conv{number}", inputs, outputs, kernel=convolutions.kernel)
        yield from _batch_norm(f"bn{number}", outputs)
    scale: int = 2 ** len(convolutions.halved)
    through = [through[-1] * (height // scale) * (width // scale), *widths]
    for number, (inputs, outputs) in enumerate(zip(through, through[1:]), start=1):
        yield from _linear(f"fc{number}", inputs, outputs)


def _lstm(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    """Yield an embedding, two layers of four gates each, with one bias for inputs and one for states, and a linear."""
    hidden, embedded, dropout = (options[f"model.{name}"] for name in ("hidden", "embed_size", "dropout"))
    if min(hidden, embedded) < 1 or not 0 <= dropout <= 1:
        raise ValueError(
            f"torch makes no LSTM with hidden={hidden}, embed_size={embedded} and dropout={dropout}: the sizes must be "
            "at least 1, dropout from 0 to 1"
        )
    yield Shape("encoder.weight", (options["model.in_channels"], embedded))
    for layer, inputs in enumerate((embedded, hidden)):
        yield Shape(f"rnn.weight_ih_l{layer}", (4 * hidden, inputs))
        yield Shape(f"rnn.weight_hh_l{layer}", (4 * hidden, hidden))
        yield Shape(f"rnn.bias_ih_l{layer}", (4 * hidden,))
        yield Shape(f"rnn.bias_hh_l{layer}", (4 * hidden,))
    yield from _linear("decoder", hidden, options["model.out_channels"])


_MODELS = {"lr": _lr, "mlp": _mlp, "convnet2": _convnet2, "convnet5": _convnet5, "vgg11": _vgg11, "lstm": _lstm}
"""FederatedScope's models that are known here by ``model.type``, and what yields their entries."""


def _linear(name: str, inputs: int, outputs: int, *, bias: bool = True) -> Iterator[Shape]:
    yield Shape(f"{name}.weight", (outputs, inputs))
    if bias:
        yield Shape(f"{name}.bias", (outputs,))


def _convolution(name: str, inputs: int, outputs: int, *, kernel: int) -> Iterator[Shape]:
    yield Shape(f"{name}.weight", (outputs, inputs, kernel, kernel))
    yield Shape(f"{name}.bias", (outputs,))


def _batch_norm(name: str, width: int) -> Iterator[Shape]:
    yield Shape(f"{name}.weight", (width,))
    yield Shape(f"{name}.bias", (width,))
    yield Shape(f"{name}.running_mean", (width,), trainable=False)
    yield Shape(f"{name}.running_var", (width,), trainable=False)
    yield Shape(f"{name}.num_batches_tracked", (), "int64", trainable=False)
