"""Which models take which data, whatever the engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fscost.cells.cell import Cell
from fscost.protocol import fs_options
from fscost.protocol.datasets import DATA_TYPES, DataType


@dataclass(frozen=True)
class Takes:
    """The form of data that a model takes, and the smallest edge of an image that its pooling leaves a pixel of."""

    form: str
    pixels: int = 1


MODELS = {
    "lr": Takes("flat"),
    "mlp": Takes("flat"),
    "convnet2": Takes("image", pixels=4),
    "convnet5": Takes("image", pixels=32),
    "vgg11": Takes("image", pixels=32),
    "lstm": Takes("sequence"),
}
"""FederatedScope's models that are known here, by ``model.type``."""

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
    elif model in MODELS and data:
        yield from _misfits(cell, model, data, resize or data.source.pixels)
    elif model in MODELS and cell.get("data.type") == "toy" and MODELS[model].form != "flat":
        yield f"model={model} takes {_WORDS[MODELS[model].form]}, fs.data.type=toy has vectors; take model=lr"


def shape_problems(model: str, shape: Any) -> Iterator[str]:
    """Yield why a model cannot be made for samples of a shape, told as a list."""
    if not isinstance(shape, list | tuple) or not all(type(size) is int and size >= 1 for size in shape):
        yield f"sample_shape={shape}: must be a list of whole numbers of at least 1, as [1, 28, 28]"
    elif model in MODELS and MODELS[model].form == "image":
        pixels = MODELS[model].pixels
        if len(shape) != 3 or min(shape[1:]) < pixels:
            yield (
                f"sample_shape={list(shape)}: model={model} takes images of at least {pixels}x{pixels} pixels, told as "
                "[channels, height, width]"
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
    if model == "lstm":
        yield from _token_problems(cell, data)


def _token_problems(cell: Cell, data: DataType) -> Iterator[str]:
    tokens, embedded = (cell.get(n, fs_options.default(n)) for n in ("model.in_channels", "model.embed_size"))
    if data.form == "sequence" and tokens < data.tokens:
        yield f"fs.model.in_channels={tokens}: {data.name} has {data.tokens} gray values; set it to {data.tokens}"
    if embedded < 1:
        yield f"fs.model.embed_size={embedded}: must be at least 1"
