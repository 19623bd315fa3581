"""Models of images that papers train, by the sizes in a ``config``: the state_dicts that torchvision makes of them.

Batch normalisation has its buffers here, as they travel with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fscost.errors import ConfigError, nearest
from fscost.protocol.models import Shape, affine, batch_norm, convolution, linear

Config = Mapping[str, Any]


@dataclass(frozen=True)
class ImageModel:
    """A ``model_type``: what its configuration can say, each with a default of its type, and its state_dict."""

    defaults: Config
    entries: Callable[[Config], Iterator[Shape]]


def is_image_model(config: Config) -> bool:
    """Return whether a configuration is of a model that is known here."""
    return config.get("model_type") in IMAGE_MODELS


def state_dict_in(config: Config) -> list[Shape]:
    """Return the entries of the state_dict of a configuration; raises ConfigError for what is not understood."""
    known = IMAGE_MODELS[config["model_type"]]
    for key, value in config.items():
        if key == "model_type":
            continue
        if key not in known.defaults:
            has = ", ".join(known.defaults)
            raise ConfigError(f"{key}: there is no such key{nearest(key, known.defaults)}; it has {has}")
        if not _is_like(value, known.defaults[key]):
            raise ConfigError(f"{key}={value}: must be {_in_words(known.defaults[key])}")
    return [*known.entries({**known.defaults, **config})]


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, Sequence):
        return isinstance(value, list | tuple) and bool(value) and all(_is_like(one, 1) for one in value)
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _in_words(default: Any) -> str:
    if isinstance(default, bool):
        return "true or false"
    return "a list of whole numbers" if isinstance(default, Sequence) else "a whole number of at least 1"


# --- the models -----------------------------------------------------------------------------------


def _resnet(config: Config) -> Iterator[Shape]:
    """Yield a stem, four stages whose width doubles, and a linear layer; a bottleneck is four times as wide outside."""
    width, wider = 64, 4 if config["bottleneck"] else 1
    yield from convolution("conv1", config["channels"], width, kernel=config["stem"], bias=False)
    yield from batch_norm("bn1", width)
    inputs = width
    for stage, blocks in enumerate(config["blocks"]):
        inner = width * 2**stage
        for block in range(blocks):
            yield from _residual(f"layer{stage + 1}.{block}", inputs, inner, wider, is_first=block == 0)
            inputs = inner * wider
    yield from linear("fc", inputs, config["num_classes"])


def _residual(name: str, inputs: int, inner: int, wider: int, *, is_first: bool) -> Iterator[Shape]:
    outputs = inner * wider
    through = [(inputs, inner, 1), (inner, inner, 3), (inner, outputs, 1)]
    if wider == 1:
        through = [(inputs, inner, 3), (inner, inner, 3)]
    for number, (before, behind, kernel) in enumerate(through, start=1):
        yield from convolution(f"{name}.conv{number}", before, behind, kernel=kernel, bias=False)
        yield from batch_norm(f"{name}.bn{number}", behind)
    if is_first and inputs != outputs:
        yield from convolution(f"{name}.downsample.0", inputs, outputs, kernel=1, bias=False)
        yield from batch_norm(f"{name}.downsample.1", outputs)


def _vgg(config: Config) -> Iterator[Shape]:
    """Yield stages of convolutions, each of them halved at its end, and three linear layers."""
    inputs, layer = config["channels"], 0
    for width, convolutions in zip((64, 128, 256, 512, 512), config["blocks"], strict=False):
        for _ in range(convolutions):
            yield from convolution(f"features.{layer}", inputs, width, kernel=3)
            if config["batch_norm"]:
                yield from batch_norm(f"features.{layer + 1}", width)
            inputs, layer = width, layer + (3 if config["batch_norm"] else 2)
        layer += 1
    for place, before, behind in (
        (0, inputs * 49, config["hidden"]),
        (3, config["hidden"], config["hidden"]),
        (6, config["hidden"], config["num_classes"]),
    ):
        yield from linear(f"classifier.{place}", before, behind)


def _mobilenet_v2(config: Config) -> Iterator[Shape]:
    """Yield a stem, inverted residuals that widen six times inside, a last convolution and a linear layer."""
    yield from convolution("features.0.0", config["channels"], 32, kernel=3, bias=False)
    yield from batch_norm("features.0.1", 32)
    inputs, layer = 32, 1
    for wider, outputs, blocks in (
        (1, 16, 1),
        (6, 24, 2),
        (6, 32, 3),
        (6, 64, 4),
        (6, 96, 3),
        (6, 160, 3),
        (6, 320, 1),
    ):
        for _ in range(blocks):
            yield from _inverted(f"features.{layer}.conv", inputs, inputs * wider, outputs)
            inputs, layer = outputs, layer + 1
    yield from convolution(f"features.{layer}.0", inputs, 1280, kernel=1, bias=False)
    yield from batch_norm(f"features.{layer}.1", 1280)
    yield from linear("classifier.1", 1280, config["num_classes"])


def _inverted(name: str, inputs: int, inner: int, outputs: int) -> Iterator[Shape]:
    """Yield a widening convolution unless nothing is widened, a depthwise and a narrowing one, each with its norm."""
    place = 0
    if inner != inputs:
        yield from convolution(f"{name}.0.0", inputs, inner, kernel=1, bias=False)
        yield from batch_norm(f"{name}.0.1", inner)
        place = 1
    yield from convolution(f"{name}.{place}.0", 1, inner, kernel=3, bias=False)
    yield from batch_norm(f"{name}.{place}.1", inner)
    yield from convolution(f"{name}.{place + 1}", inner, outputs, kernel=1, bias=False)
    yield from batch_norm(f"{name}.{place + 2}", outputs)


def _densenet(config: Config) -> Iterator[Shape]:
    """Yield dense blocks, of which each layer adds `growth` channels, with transitions that halve them between."""
    growth, width = config["growth"], 2 * config["growth"]
    yield from convolution("features.conv0", config["channels"], width, kernel=7, bias=False)
    yield from batch_norm("features.norm0", width)
    for block, layers in enumerate(config["blocks"], start=1):
        for layer in range(1, layers + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            yield from batch_norm(f"{at}.norm1", width)
            yield from convolution(f"{at}.conv1", width, 4 * growth, kernel=1, bias=False)
            yield from batch_norm(f"{at}.norm2", 4 * growth)
            yield from convolution(f"{at}.conv2", 4 * growth, growth, kernel=3, bias=False)
            width += growth
        if block < len(config["blocks"]):
            yield from batch_norm(f"features.transition{block}.norm", width)
            yield from convolution(f"features.transition{block}.conv", width, width // 2, kernel=1, bias=False)
            width //= 2
    yield from batch_norm("features.norm5", width)
    yield from linear("classifier", width, config["num_classes"])


def _vit(config: Config) -> Iterator[Shape]:
    """Yield patches as tokens with a class token before them, layers of attention and a linear layer."""
    width, inner, patch = config["hidden_size"], config["intermediate_size"], config["patch_size"]
    tokens = (config["image_size"] // patch) ** 2 + 1
    yield Shape("class_token", (1, 1, width))
    yield from convolution("conv_proj", config["channels"], width, kernel=patch)
    yield Shape("encoder.pos_embedding", (1, tokens, width))
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layers.encoder_layer_{layer}"
        yield from affine(f"{at}.ln_1", width)
        yield Shape(f"{at}.self_attention.in_proj_weight", (3 * width, width))
        yield Shape(f"{at}.self_attention.in_proj_bias", (3 * width,))
        yield from linear(f"{at}.self_attention.out_proj", width, width)
        yield from affine(f"{at}.ln_2", width)
        yield from linear(f"{at}.mlp.0", width, inner)
        yield from linear(f"{at}.mlp.3", inner, width)
    yield from affine("encoder.ln", width)
    yield from linear("heads.head", width, config["num_classes"])


_IMAGES = {"channels": 3, "num_classes": 1000}

IMAGE_MODELS: Mapping[str, ImageModel] = {
    "resnet": ImageModel({"blocks": (2, 2, 2, 2), "bottleneck": False, "stem": 7, **_IMAGES}, _resnet),
    "vgg": ImageModel({"blocks": (1, 1, 2, 2, 2), "batch_norm": False, "hidden": 4096, **_IMAGES}, _vgg),
    "mobilenet_v2": ImageModel(_IMAGES, _mobilenet_v2),
    "densenet": ImageModel({"blocks": (6, 12, 24, 16), "growth": 32, **_IMAGES}, _densenet),
    "vit": ImageModel(
        {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "patch_size": 16, "image_size": 224}
        | _IMAGES,
        _vit,
    ),
}
"""The models by ``model_type``.

ResNet: He et al., 2016; VGG: Simonyan and Zisserman, 2015; MobileNetV2: Sandler et al., 2018; DenseNet: Huang et al.,
2017; ViT: Dosovitskiy et al., 2021.
"""
