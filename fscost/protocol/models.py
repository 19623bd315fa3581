"""The models of FederatedScope that are known here: what data each takes, and its state_dict in closed form.

A new model is a new `Model` in `MODELS`; the builtin engine has its layers in ``modules.py``. FederatedScope's
interpreter imports this: Python 3.8 and no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Protocol

from fscost.protocol import fs_options
from fscost.protocol.datasets import DATA_TYPES, DataType

if TYPE_CHECKING:
    from fscost.cells.cell import Cell  # which no Python 3.8 can import


class ModelOptions(Protocol):
    """FederatedScope's options by name, as ``model.hidden``."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True)
class Shape:
    """One entry of a state_dict; what is not `trainable` is a buffer."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    trainable: bool = True


@dataclass(frozen=True)
class Model:
    """A model, by its ``model.type``.

    It takes data of a `form`, images of at least `pixels` on an edge. `entries` yields its state_dict, in its order,
    for options and the shape of a sample without the batch axis; it raises ValueError for options that torch makes no
    such model of. `reads_layers` is whether ``model.layer`` counts its layers.
    """

    name: str
    form: str
    entries: Callable[[ModelOptions, Sequence[int]], Iterator[Shape]]
    pixels: int = 1
    reads_layers: bool = False


def state_dict_of(options: ModelOptions, sample: Sequence[int]) -> list[Shape]:
    """Return the entries of a model for samples of a shape (without the batch axis), in the state_dict's order.

    Raises ValueError for options that torch makes no such model of.
    """
    return [*MODELS[options["model.type"]].entries(options, sample)]


def names_of(model: str, layers: Any) -> list[str]:
    """Return the names in the state_dict of one of FederatedScope's models, none of another; `layers` are an MLP's."""
    if model not in MODELS or (MODELS[model].reads_layers and not _are_layers(layers)):
        return []
    sizes = dict.fromkeys(("hidden", "out_channels", "in_channels", "embed_size"), 1)
    options = {"type": model, "layer": layers, "use_bias": True, "dropout": 0.0, **sizes}
    return [one.name for one in state_dict_of({f"model.{n}": v for n, v in options.items()}, (1, 32, 32))]


def _are_layers(layers: Any) -> bool:
    """Return whether there can be so many layers: each is written out."""
    return isinstance(layers, int) and layers <= _MOST_LAYERS


_MOST_LAYERS = 10_000


# --- state_dicts ----------------------------------------------------------------------------------


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


def _lr(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    return linear("fc", sample[-1], options["model.out_channels"], bias=options["model.use_bias"])


def _mlp(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    hidden = [options["model.hidden"]] * (options["model.layer"] - 1)
    widths = [sample[-1], *hidden, options["model.out_channels"]]
    for number, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        yield from linear(f"linears.{number}", inputs, outputs)
    for number, width in enumerate(widths[1:]):
        yield from batch_norm(f"norms.{number}", width)


def _convnet2(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    channels, height, width = sample
    yield from convolution("conv1", channels, 32, kernel=5)
    yield from convolution("conv2", 32, 64, kernel=5)
    yield from batch_norm("bn1", 32)
    yield from batch_norm("bn2", 64)
    yield from linear("fc1", 64 * (height // 4) * (width // 4), options["model.hidden"])
    yield from linear("fc2", options["model.hidden"], options["model.out_channels"])


def _convnet5(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    return _convnet(sample, CONVNET5, [options["model.hidden"], options["model.out_channels"]])


def _vgg11(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    return _convnet(sample, VGG11, [*[options["model.hidden"]] * 2, options["model.out_channels"]])


def _convnet(sample: Sequence[int], convolutions: Convolutions, widths: Sequence[int]) -> Iterator[Shape]:
    channels, height, width = sample
    through = [channels, *convolutions.channels]
    for number, (inputs, outputs) in enumerate(zip(through, through[1:]), start=1):
        yield from convolution(f"conv{number}", inputs, outputs, kernel=convolutions.kernel)
        yield from batch_norm(f"bn{number}", outputs)
    scale: int = 2 ** len(convolutions.halved)
    through = [through[-1] * (height // scale) * (width // scale), *widths]
    for number, (inputs, outputs) in enumerate(zip(through, through[1:]), start=1):
        yield from linear(f"fc{number}", inputs, outputs)


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
    yield from linear("decoder", hidden, options["model.out_channels"])


# --- layers ---------------------------------------------------------------------------------------


def linear(name: str, inputs: int, outputs: int, *, bias: bool = True) -> Iterator[Shape]:
    """Yield the entries of a linear layer."""
    yield Shape(f"{name}.weight", (outputs, inputs))
    if bias:
        yield Shape(f"{name}.bias", (outputs,))


def convolution(name: str, inputs: int, outputs: int, *, kernel: int, bias: bool = True) -> Iterator[Shape]:
    """Yield the entries of a convolution with a square kernel."""
    yield Shape(f"{name}.weight", (outputs, inputs, kernel, kernel))
    if bias:
        yield Shape(f"{name}.bias", (outputs,))


def affine(name: str, width: int) -> Iterator[Shape]:
    """Yield the scale and the shift of a normalisation layer."""
    yield Shape(f"{name}.weight", (width,))
    yield Shape(f"{name}.bias", (width,))


def batch_norm(name: str, width: int) -> Iterator[Shape]:
    """Yield the entries of a batch normalisation, with its buffers."""
    yield from affine(name, width)
    yield Shape(f"{name}.running_mean", (width,), trainable=False)
    yield Shape(f"{name}.running_var", (width,), trainable=False)
    yield Shape(f"{name}.num_batches_tracked", (), "int64", trainable=False)


# --- the models -----------------------------------------------------------------------------------

_ALL = (
    Model("lr", "flat", _lr),
    Model("mlp", "flat", _mlp, reads_layers=True),
    Model("convnet2", "image", _convnet2, pixels=4),
    Model("convnet5", "image", _convnet5, pixels=32),
    Model("vgg11", "image", _vgg11, pixels=32),
    Model("lstm", "sequence", _lstm),
)

MODELS = {model.name: model for model in _ALL}
"""The models by ``model.type``."""


# --- what does not fit ----------------------------------------------------------------------------

_WORDS = {"image": "images", "flat": "vectors", "sequence": "sequences of gray values"}


def _resize_of(cell: Cell) -> Any:
    """Return the edge in pixels that images are scaled to (``data.args: [{resize: 32}]``), None for as they are."""
    return {key: value for item in cell.get("data.args") or [] for key, value in item.items()}.get("resize")


def problems(cell: Cell) -> Iterator[str]:
    """Yield why the cell's model cannot take its data; nothing for models and data that are not known here."""
    model, data = str(cell.get("model.type")), DATA_TYPES.get(cell.get("data.type"))
    resize = _resize_of(cell)
    if data and not (resize is None or isinstance(resize, int) and not isinstance(resize, bool) and resize >= 1):
        yield f"resize={resize}: must be a whole number of pixels of at least 1, or null for the images as they are"
    elif model in MODELS and MODELS[model].reads_layers and not _are_layers(layers := cell.get("model.layer", 2)):
        yield f"fs.model.layer={layers}: must be a whole number of at most {_MOST_LAYERS}"
    elif model in MODELS and data:
        yield from _misfits(cell, model, data, resize or data.source.pixels)
    elif model in MODELS and cell.get("data.type") == "toy" and MODELS[model].form != "flat":
        yield f"model={model} takes {_WORDS[MODELS[model].form]}, fs.data.type=toy has vectors; take model=lr"


def shape_problems(model: str, shape: Any) -> Iterator[str]:
    """Yield why a model cannot be made for samples of a shape, given as a list."""
    if not isinstance(shape, list | tuple) or not all(type(size) is int and size >= 1 for size in shape):
        yield f"sample_shape={shape}: must be a list of whole numbers of at least 1, as [1, 28, 28]"
    elif model in MODELS and MODELS[model].form == "image":
        pixels = MODELS[model].pixels
        if len(shape) != 3 or min(shape[1:]) < pixels:
            yield (
                f"sample_shape={list(shape)}: model={model} takes images of at least {pixels}x{pixels} pixels, given "
                "as [channels, height, width]"
            )


def _misfits(cell: Cell, model: str, data: DataType, edge: int) -> Iterator[str]:
    takes = MODELS[model]
    if takes.form != data.form:
        found = f"model={model} takes {_WORDS[takes.form]}, fs.data.type={data.name} has {_WORDS[data.form]}"
        offered = [kind.name for kind in DATA_TYPES.values() if kind.form == takes.form]
        offered.sort(key=lambda name: not name.startswith(data.source.name))
        yield f"{found}; set fs.data.type={offered[0]}"
    elif edge < takes.pixels:
        needs = f"model={model} needs images of at least {takes.pixels}x{takes.pixels} pixels"
        yield f"{needs}, fs.data.type={data.name} has {edge}x{edge}; set resize={takes.pixels}"
    if takes.form == "sequence":
        yield from _token_problems(cell, data)


def _token_problems(cell: Cell, data: DataType) -> Iterator[str]:
    tokens, embedded = (cell.get(n, fs_options.default(n)) for n in ("model.in_channels", "model.embed_size"))
    if data.form == "sequence" and tokens < data.tokens:
        yield f"fs.model.in_channels={tokens}: {data.name} has {data.tokens} gray values; set it to {data.tokens}"
    if embedded < 1:
        yield f"fs.model.embed_size={embedded}: must be at least 1"
