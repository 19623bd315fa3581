"""Language models by the sizes in their ``config.json``: the parameters of what transformers 4 makes of it.

Tied weights are one parameter, and buffers are none: neither is here twice, nor in what FederatedScope sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fscost.errors import ConfigError, nearest
from fscost.protocol.models import Shape, affine, linear

Config = Mapping[str, Any]

TOKENS = "tokens"
"""How many rows the embeddings have once missing tokens were added; beside the keys of ``config.json``."""


@dataclass(frozen=True)
class Architecture:
    """A ``model_type``: the `sizes` that its configuration must have, and those with a default.

    `entries` yields the parameters for a whole configuration and the rows of its embeddings; with `ties`, the output
    layer is the embedding unless ``tie_word_embeddings`` says otherwise. `width`, `layers` are the keys of the hidden
    size and of the number of layers. `adapted` are the layers that LoRA adapts by default, and `transposed` those
    whose weights are (in, out). Only one that `is_causal` is what FederatedScope's branch llm trains.
    """

    sizes: tuple[str, ...]
    defaults: Mapping[str, Any]
    entries: Callable[[Config, int], Iterator[Shape]]
    width: str = "hidden_size"
    layers: str = "num_hidden_layers"
    adapted: tuple[str, ...] = ("q_proj", "v_proj")
    transposed: tuple[str, ...] = ()
    is_causal: bool = True


def architecture_of(config: Config) -> Architecture:
    """Return the architecture of a configuration; raises ConfigError for one that is not known."""
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(
            f"model_type={kind}: must be one of {known}{nearest(str(kind), ARCHITECTURES)}; of others give the shapes"
        )
    return ARCHITECTURES[kind]


def sizes_in(config: Config) -> dict[str, Any]:
    """Return what of a ``config.json`` decides the parameters; raises ConfigError where a size is no size."""
    known = architecture_of(config)
    named = ("model_type", *known.sizes, *known.defaults, TOKENS)
    found = {key: config[key] for key in named if config.get(key) is not None}
    for key in known.sizes:
        if not _is_size(found.get(key)):
            raise ConfigError(f"{key}={found.get(key)}: must be {_kind_in_words(1)}")
    for key, value in found.items():
        default = known.defaults.get(key, 1)
        right = isinstance(value, bool) if isinstance(default, bool) else _is_size(value)
        if key != "model_type" and not right:
            raise ConfigError(f"{key}={value}: must be {_kind_in_words(default)}")
    for key in (known.layers, "num_decoder_layers"):
        if found.get(key, 0) > _MOST_LAYERS:
            raise ConfigError(f"{key}={found[key]}: must be at most {_MOST_LAYERS}")
    return found


_MOST_SIZE, _MOST_LAYERS = 10**12, 10_000
"""Far above any model's; each layer is written out."""


def _kind_in_words(default: Any) -> str:
    return "true or false" if isinstance(default, bool) else f"a whole number from 1 to 10^{len(str(_MOST_SIZE)) - 1}"


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_SIZE


def parameters_of(config: Config, *, pads: bool) -> list[Shape]:
    """Return the parameters of a model; with `pads` its vocabulary has one token more unless `TOKENS` says how many.

    Raises ConfigError for a configuration that is not understood.
    """
    sizes, known = sizes_in(config), architecture_of(config)
    rows = sizes.get(TOKENS) or sizes["vocab_size"] + pads
    return [*known.entries({**known.defaults, **sizes}, rows)]


# --- architectures --------------------------------------------------------------------------------


def _gpt2(config: Config, rows: int) -> Iterator[Shape]:
    width, inner = config["n_embd"], config["n_inner"] or 4 * config["n_embd"]
    yield Shape("transformer.wte.weight", (rows, width))
    yield Shape("transformer.wpe.weight", (config["n_positions"], width))
    for layer in range(config["n_layer"]):
        at = f"transformer.h.{layer}"
        yield from affine(f"{at}.ln_1", width)
        yield from _transposed(f"{at}.attn.c_attn", width, 3 * width)
        yield from _transposed(f"{at}.attn.c_proj", width, width)
        yield from affine(f"{at}.ln_2", width)
        yield from _transposed(f"{at}.mlp.c_fc", width, inner)
        yield from _transposed(f"{at}.mlp.c_proj", inner, width)
    yield from affine("transformer.ln_f", width)
    yield from _output("lm_head", rows, width, config)


def _llama(config: Config, rows: int) -> Iterator[Shape]:
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    size = config["head_dim"] or width // heads
    keys = (config["num_key_value_heads"] or heads) * size
    yield Shape("model.embed_tokens.weight", (rows, width))
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        yield Shape(f"{at}.self_attn.q_proj.weight", (heads * size, width))
        yield Shape(f"{at}.self_attn.k_proj.weight", (keys, width))
        yield Shape(f"{at}.self_attn.v_proj.weight", (keys, width))
        yield Shape(f"{at}.self_attn.o_proj.weight", (width, heads * size))
        yield Shape(f"{at}.mlp.gate_proj.weight", (inner, width))
        yield Shape(f"{at}.mlp.up_proj.weight", (inner, width))
        yield Shape(f"{at}.mlp.down_proj.weight", (width, inner))
        yield Shape(f"{at}.input_layernorm.weight", (width,))
        yield Shape(f"{at}.post_attention_layernorm.weight", (width,))
    yield Shape("model.norm.weight", (width,))
    yield from _output("lm_head", rows, width, config)


def _qwen2(config: Config, rows: int) -> Iterator[Shape]:
    """Yield those of LLaMA, whose queries, keys and values have a bias here."""
    for one in _llama(config, rows):
        yield one
        if one.name.rpartition(".self_attn.")[2] in ("q_proj.weight", "k_proj.weight", "v_proj.weight"):
            yield Shape(f"{one.name.removesuffix('weight')}bias", one.shape[:1])


def _bert(config: Config, rows: int) -> Iterator[Shape]:
    """Yield the encoder with its pooler, as ``BertModel`` and ``RobertaModel`` are, without a head."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    yield Shape("embeddings.word_embeddings.weight", (rows, width))
    yield Shape("embeddings.position_embeddings.weight", (config["max_position_embeddings"], width))
    yield Shape("embeddings.token_type_embeddings.weight", (config["type_vocab_size"], width))
    yield from affine("embeddings.LayerNorm", width)
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            yield from linear(f"{at}.attention.self.{name}", width, width)
        yield from linear(f"{at}.attention.output.dense", width, width)
        yield from affine(f"{at}.attention.output.LayerNorm", width)
        yield from linear(f"{at}.intermediate.dense", width, inner)
        yield from linear(f"{at}.output.dense", inner, width)
        yield from affine(f"{at}.output.LayerNorm", width)
    yield from linear("pooler.dense", width, width)


def _distilbert(config: Config, rows: int) -> Iterator[Shape]:
    width, inner = config["dim"], config["hidden_dim"]
    yield Shape("embeddings.word_embeddings.weight", (rows, width))
    yield Shape("embeddings.position_embeddings.weight", (config["max_position_embeddings"], width))
    yield from affine("embeddings.LayerNorm", width)
    for layer in range(config["n_layers"]):
        at = f"transformer.layer.{layer}"
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            yield from linear(f"{at}.attention.{name}", width, width)
        yield from affine(f"{at}.sa_layer_norm", width)
        yield from linear(f"{at}.ffn.lin1", width, inner)
        yield from linear(f"{at}.ffn.lin2", inner, width)
        yield from affine(f"{at}.output_layer_norm", width)


def _t5(config: Config, rows: int) -> Iterator[Shape]:
    """Yield encoder and decoder, whose first layers say how far tokens are apart; there is no bias anywhere."""
    width = config["d_model"]
    yield Shape("shared.weight", (rows, width))
    layers = {"encoder": config["num_layers"], "decoder": config["num_decoder_layers"] or config["num_layers"]}
    for side, number in layers.items():
        for layer in range(number):
            yield from _t5_layer(f"{side}.block.{layer}.layer", config, is_first=layer == 0, attends=side == "decoder")
        yield Shape(f"{side}.final_layer_norm.weight", (width,))
    yield from _output("lm_head", rows, width, config)


def _t5_layer(at: str, config: Config, *, is_first: bool, attends: bool) -> Iterator[Shape]:
    width, inner = config["d_model"], config["num_heads"] * config["d_kv"]
    for place, name in enumerate(["SelfAttention"] + ["EncDecAttention"] * attends):
        for part in "qkv":
            yield Shape(f"{at}.{place}.{name}.{part}.weight", (inner, width))
        yield Shape(f"{at}.{place}.{name}.o.weight", (width, inner))
        if is_first and place == 0:
            buckets = (config["relative_attention_num_buckets"], config["num_heads"])
            yield Shape(f"{at}.{place}.{name}.relative_attention_bias.weight", buckets)
        yield Shape(f"{at}.{place}.layer_norm.weight", (width,))
    last = f"{at}.{1 + attends}"
    for name in ("wi_0", "wi_1") if config["is_gated_act"] else ("wi",):
        yield Shape(f"{last}.DenseReluDense.{name}.weight", (config["d_ff"], width))
    yield Shape(f"{last}.DenseReluDense.wo.weight", (width, config["d_ff"]))
    yield Shape(f"{last}.layer_norm.weight", (width,))


def _opt(config: Config, rows: int) -> Iterator[Shape]:
    width, inner = config["hidden_size"], config["ffn_dim"]
    if config["word_embed_proj_dim"] not in (0, width) or not config["do_layer_norm_before"]:
        raise ConfigError(
            "OPT with projected embeddings, or with norms behind its layers, is not known; give its shapes"
        )
    yield Shape("model.decoder.embed_tokens.weight", (rows, width))
    yield Shape("model.decoder.embed_positions.weight", (config["max_position_embeddings"] + 2, width))
    yield from affine("model.decoder.final_layer_norm", width)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.decoder.layers.{layer}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield from linear(f"{at}.self_attn.{name}", width, width)
        yield from affine(f"{at}.self_attn_layer_norm", width)
        yield from linear(f"{at}.fc1", width, inner)
        yield from linear(f"{at}.fc2", inner, width)
        yield from affine(f"{at}.final_layer_norm", width)
    yield from _output("lm_head", rows, width, config)


def _gpt_neox(config: Config, rows: int) -> Iterator[Shape]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    yield Shape("gpt_neox.embed_in.weight", (rows, width))
    for layer in range(config["num_hidden_layers"]):
        at = f"gpt_neox.layers.{layer}"
        yield from affine(f"{at}.input_layernorm", width)
        yield from affine(f"{at}.post_attention_layernorm", width)
        yield from linear(f"{at}.attention.query_key_value", width, 3 * width)
        yield from linear(f"{at}.attention.dense", width, width)
        yield from linear(f"{at}.mlp.dense_h_to_4h", width, inner)
        yield from linear(f"{at}.mlp.dense_4h_to_h", inner, width)
    yield from affine("gpt_neox.final_layer_norm", width)
    yield from _output("embed_out", rows, width, config)


def _bloom(config: Config, rows: int) -> Iterator[Shape]:
    width = config["hidden_size"]
    yield Shape("transformer.word_embeddings.weight", (rows, width))
    yield from affine("transformer.word_embeddings_layernorm", width)
    for layer in range(config["n_layer"]):
        at = f"transformer.h.{layer}"
        yield from affine(f"{at}.input_layernorm", width)
        yield from linear(f"{at}.self_attention.query_key_value", width, 3 * width)
        yield from linear(f"{at}.self_attention.dense", width, width)
        yield from affine(f"{at}.post_attention_layernorm", width)
        yield from linear(f"{at}.mlp.dense_h_to_4h", width, 4 * width)
        yield from linear(f"{at}.mlp.dense_4h_to_h", 4 * width, width)
    yield from affine("transformer.ln_f", width)
    yield from _output("lm_head", rows, width, config)


def _transposed(name: str, inputs: int, outputs: int) -> Iterator[Shape]:
    yield Shape(f"{name}.weight", (inputs, outputs))
    yield Shape(f"{name}.bias", (outputs,))


def _output(name: str, rows: int, width: int, config: Config) -> Iterator[Shape]:
    if not config["tie_word_embeddings"]:
        yield Shape(f"{name}.weight", (rows, width))


_LLAMA = Architecture(
    ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"),
    {"num_key_value_heads": 0, "head_dim": 0, "tie_word_embeddings": False},
    _llama,
)
_BERT = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
         "type_vocab_size", "vocab_size")  # fmt: skip

ARCHITECTURES = {
    "gpt2": Architecture(
        ("n_embd", "n_layer", "n_head", "n_positions", "vocab_size"),
        {"n_inner": 0, "tie_word_embeddings": True},
        _gpt2,
        width="n_embd",
        layers="n_layer",
        adapted=("c_attn",),
        transposed=("c_attn", "c_proj", "c_fc"),
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": replace(_LLAMA, entries=_qwen2),
    "bert": Architecture(_BERT, {}, _bert, adapted=("query", "value"), is_causal=False),
    "roberta": Architecture(_BERT, {}, _bert, adapted=("query", "value"), is_causal=False),
    "distilbert": Architecture(
        ("dim", "hidden_dim", "n_layers", "n_heads", "max_position_embeddings", "vocab_size"),
        {},
        _distilbert,
        width="dim",
        layers="n_layers",
        adapted=("q_lin", "v_lin"),
        is_causal=False,
    ),
    "t5": Architecture(
        ("d_model", "d_ff", "d_kv", "num_layers", "num_heads", "vocab_size"),
        {
            "num_decoder_layers": 0,
            "relative_attention_num_buckets": 32,
            "is_gated_act": False,
            "tie_word_embeddings": True,
        },
        _t5,
        width="d_model",
        layers="num_layers",
        adapted=("q", "v"),
        is_causal=False,
    ),
    "opt": Architecture(
        ("hidden_size", "ffn_dim", "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "vocab_size"),
        {"word_embed_proj_dim": 0, "do_layer_norm_before": True, "tie_word_embeddings": True},
        _opt,
    ),
    "gpt_neox": Architecture(
        ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"),
        {"tie_word_embeddings": False},
        _gpt_neox,
        adapted=("query_key_value",),
    ),
    "bloom": Architecture(
        ("hidden_size", "n_layer", "vocab_size"),
        {"tie_word_embeddings": True},
        _bloom,
        layers="n_layer",
        adapted=("query_key_value",),
    ),
}
"""The architectures by ``model_type``."""
