"""Adapters of PEFT as FederatedScope's branch llm asks for them: the parameters that are trained and sent.

The names and shapes are those of PEFT 0.3. The model that is adapted is frozen, and travels in no message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fscost.errors import ConfigError, nearest
from fscost.protocol.language_models import architecture_of
from fscost.protocol.models import Shape

USE, ARGUMENTS = "llm.adapter.use", "llm.adapter.args"

Arguments = Mapping[str, Any]

_WITHOUT_SHAPES = {
    "lora": ("lora_alpha", "lora_dropout", "fan_in_fan_out", "init_lora_weights"),
    "prefix": ("num_attention_heads",),
    "prompt": ("num_attention_heads", "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path"),
    "p-tuning": ("num_attention_heads", "encoder_dropout"),
}
"""The adapters by ``adapter_method``, each with the arguments that change none of its shapes."""

_PROMPTED = ("num_virtual_tokens", "token_dim", "num_layers", "num_transformer_submodules")
_UNDERSTOOD = {
    "lora": ("r", "target_modules", "bias"),
    "prefix": (*_PROMPTED, "prefix_projection", "encoder_hidden_size"),
    "prompt": _PROMPTED,
    "p-tuning": (*_PROMPTED, "encoder_hidden_size", "encoder_num_layers", "encoder_reparameterization_type"),
}


_DEFAULTS = {"lora": {"r": 8}}
"""What PEFT takes where an argument is left out, of those that tables name."""


@dataclass(frozen=True)
class Base:
    """The model that is adapted: its parameters, and its ``config.json`` as far as that is known."""

    parameters: Sequence[Shape]
    config: Mapping[str, Any] | None = None


def arguments_of(options: Any) -> Arguments | None:
    """Return the arguments of the adapter that a cell uses, the method with them; None where it uses none.

    `options` maps names to values, as a cell's do. Raises ConfigError for arguments that are no list of a mapping.
    """
    if not options[USE]:
        return None
    given = options[ARGUMENTS]
    if not isinstance(given, list | tuple) or len(given) != 1 or not isinstance(given[0], Mapping):
        raise ConfigError(f"fs.{ARGUMENTS}={given}: must be a list of one mapping, as [{{adapter_method: lora, r: 8}}]")
    said = {name: value for name, value in given[0].items() if value is not None}
    method = str(said.get("adapter_method", "lora")).lower()
    return {"adapter_package": "peft", **_DEFAULTS.get(method, {}), **said, "adapter_method": method}


def adapters_of(base: Base, arguments: Arguments) -> list[Shape]:
    """Return the parameters of an adapter; raises ConfigError, naming the argument, for one that is not understood."""
    method = arguments["adapter_method"]
    if (package := arguments.get("adapter_package", "peft")) != "peft":
        raise ConfigError(
            f"fs.{ARGUMENTS}: adapter_package={package}: engine=estimate knows peft; engine=federatedscope runs it"
        )
    if method not in _UNDERSTOOD:
        known = f"must be one of {', '.join(_UNDERSTOOD)}{nearest(method, _UNDERSTOOD)}"
        raise ConfigError(f"fs.{ARGUMENTS}: adapter_method={method}: {known}")
    names = ("adapter_method", "adapter_package", *_UNDERSTOOD[method], *_WITHOUT_SHAPES[method])
    for name, value in arguments.items():
        if name not in names and value is not None:
            raise ConfigError(
                f"fs.{ARGUMENTS}: {name}={value}: engine=estimate does not know what it changes of {method}"
                f"{nearest(name, names)}; engine=federatedscope runs it"
            )
    return [*_lora(base, arguments)] if method == "lora" else [*_prompts(base, arguments)]


# --- LoRA -----------------------------------------------------------------------------------------

FROZEN = "base_model.model"
"""What PEFT puts before the names of the model that LoRA adapts."""


def _lora(base: Base, arguments: Arguments) -> Iterator[Shape]:
    rank, adapted = _count(arguments, "r", 8), _adapted(base, arguments)
    transposed = architecture_of(base.config).transposed if base.config else ()
    for name, (rows, columns) in adapted.items():
        turned = name.rpartition(".")[2] in transposed
        inputs, outputs = (rows, columns) if turned else (columns, rows)
        yield Shape(f"{FROZEN}.{name}.lora_A.default.weight", (rank, inputs))
        yield Shape(f"{FROZEN}.{name}.lora_B.default.weight", (outputs, rank))
    for one in base.parameters:
        if _learns_bias(one.name, arguments.get("bias", "none"), adapted):
            yield Shape(f"{FROZEN}.{one.name}", one.shape)


def _learns_bias(name: str, bias: Any, adapted: Mapping[str, Any]) -> bool:
    if bias not in ("none", "all", "lora_only"):
        raise ConfigError(f"fs.{ARGUMENTS}: bias={bias}: must be one of none, all, lora_only")
    if bias == "all":
        return "bias" in name
    return bool(bias == "lora_only" and name.endswith(".bias") and name.removesuffix(".bias") in adapted)


def _adapted(base: Base, arguments: Arguments) -> dict[str, tuple[int, ...]]:
    """Return the layers that LoRA adapts, with the shapes of their weights; raises ConfigError where it cannot."""
    weights = {one.name.removesuffix(".weight"): one for one in base.parameters if one.name.endswith(".weight")}
    layers = {".".join(parts[:n]) for parts in (name.split(".") for name in weights) for n in range(1, len(parts) + 1)}
    targets = _targets(base, arguments)
    found = sorted(name for name in layers if _is_target(name, targets))
    if not found:
        raise ConfigError(f"fs.{ARGUMENTS}: target_modules={targets}: no layer of the model has such a name")
    for name in found:
        if name not in weights or len(weights[name].shape) != 2 or "embed" in name or name.endswith((".wte", ".wpe")):
            raise ConfigError(
                f"fs.{ARGUMENTS}: target_modules={targets}: {name} is no linear layer, and engine=estimate knows LoRA "
                "of linear layers alone"
            )
    return {name: weights[name].shape for name in found}


def _targets(base: Base, arguments: Arguments) -> Any:
    if (given := arguments.get("target_modules")) is not None:
        return given
    if base.config is None:
        raise ConfigError(
            f"fs.{ARGUMENTS}: target_modules: which layers LoRA adapts by default is not known of this model"
        )
    return [*architecture_of(base.config).adapted]


def _is_target(name: str, targets: Any) -> bool:
    if isinstance(targets, str):
        try:
            return bool(re.fullmatch(targets, name))
        except re.error as error:
            raise ConfigError(f"fs.{ARGUMENTS}: target_modules={targets}: is no regular expression: {error}") from error
    return any(name.endswith(str(target)) for target in targets)


# --- prompts --------------------------------------------------------------------------------------

_ENCODER = "prompt_encoder.default"


def _prompts(base: Base, arguments: Arguments) -> Iterator[Shape]:
    """Yield the parameters of learned prompts, whatever encodes them."""
    tokens = _count(arguments, "num_virtual_tokens")
    width = _size_of(base, arguments, "token_dim")
    hidden = _count(arguments, "encoder_hidden_size", width)
    if arguments["adapter_method"] == "prefix":
        yield from _prefixes(tokens, width, 2 * _size_of(base, arguments, "num_layers") * width, hidden, arguments)
        return
    yield Shape(f"{_ENCODER}.embedding.weight", (tokens * _count(arguments, "num_transformer_submodules", 1), width))
    if arguments["adapter_method"] == "p-tuning":
        yield from _encoder(width, hidden, arguments)


def _prefixes(tokens: int, width: int, keys: int, hidden: int, arguments: Arguments) -> Iterator[Shape]:
    """Yield prefix tuning's keys and values of all layers, or the embedding and the layers that make them."""
    if not arguments.get("prefix_projection"):
        yield Shape(f"{_ENCODER}.embedding.weight", (tokens, keys))
        return
    yield Shape(f"{_ENCODER}.embedding.weight", (tokens, width))
    yield from _layer("transform.0", width, hidden)
    yield from _layer("transform.2", hidden, keys)


def _encoder(width: int, hidden: int, arguments: Arguments) -> Iterator[Shape]:
    """Yield p-tuning's encoder: three linear layers, or an LSTM that reads both ways and two of them."""
    match kind := str(arguments.get("encoder_reparameterization_type", "MLP")):
        case "MLP":
            for number, (inputs, outputs) in enumerate(((width, hidden), (hidden, hidden), (hidden, width))):
                yield from _layer(f"mlp_head.{2 * number}", inputs, outputs)
        case "LSTM":
            yield from _lstm(width, hidden, _count(arguments, "encoder_num_layers", 2))
            yield from _layer("mlp_head.0", 2 * hidden, 2 * hidden)
            yield from _layer("mlp_head.2", 2 * hidden, width)
        case _:
            raise ConfigError(f"fs.{ARGUMENTS}: encoder_reparameterization_type={kind}: must be one of MLP, LSTM")


def _lstm(width: int, hidden: int, layers: int) -> Iterator[Shape]:
    for layer in range(layers):
        for end in (f"l{layer}", f"l{layer}_reverse"):
            yield Shape(f"{_ENCODER}.lstm_head.weight_ih_{end}", (4 * hidden, 2 * hidden if layer else width))
            yield Shape(f"{_ENCODER}.lstm_head.weight_hh_{end}", (4 * hidden, hidden))
            yield Shape(f"{_ENCODER}.lstm_head.bias_ih_{end}", (4 * hidden,))
            yield Shape(f"{_ENCODER}.lstm_head.bias_hh_{end}", (4 * hidden,))


def _layer(name: str, inputs: int, outputs: int) -> Iterator[Shape]:
    yield Shape(f"{_ENCODER}.{name}.weight", (outputs, inputs))
    yield Shape(f"{_ENCODER}.{name}.bias", (outputs,))


def _size_of(base: Base, arguments: Arguments, name: str) -> int:
    """Return a size that PEFT takes from the model unless an argument says it."""
    if base.config is None:
        return _count(arguments, name)
    known = architecture_of(base.config)
    return _count(arguments, name, base.config[known.width if name == "token_dim" else known.layers])


def _count(arguments: Arguments, name: str, default: int | None = None) -> int:
    value = default if arguments.get(name) is None else arguments[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"fs.{ARGUMENTS}: {name}={value}: must be a whole number of at least 1")
    return value
