"""Adapters and language models by their sizes, against what transformers 4.29 and PEFT 0.3 made of them."""

import json
from typing import Any

import pytest

from fscost.errors import ConfigError
from fscost.protocol.adapters import Base, adapters_of, arguments_of
from fscost.protocol.language_models import parameters_of, sizes_in
from fscost.protocol.models import Shape
from tests.conftest import DATA

MADE = json.loads((DATA / "peft.json").read_text())
GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "vocab_size": 300}


def adapter(config: dict[str, Any] = GPT2, **arguments: Any) -> list[Shape]:
    return adapters_of(Base(parameters_of(config, pads=True), config), {"adapter_method": "lora", **arguments})


@pytest.mark.parametrize("number", range(len(MADE)))
def test_what_is_trained_equals_what_peft_trains(number: int) -> None:
    made = MADE[number]
    base = parameters_of(made["config"], pads=False)
    found = base if made["adapter"] is None else adapters_of(Base(base, made["config"]), made["adapter"])
    assert {one.name: list(one.shape) for one in found} == made["entries"]
    assert {one.dtype for one in found} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({"r": 4}, 4 * (32 + 96) * 2),
        ({}, 8 * (32 + 96) * 2),
        ({"adapter_method": "prefix", "num_virtual_tokens": 20}, 20 * 2 * 2 * 32),
        ({"adapter_method": "prompt", "num_virtual_tokens": 20}, 20 * 32),
        ({"adapter_method": "p-tuning", "num_virtual_tokens": 20}, 20 * 32 + 3 * (32 * 32 + 32)),
    ],
)
def test_adapters_of_a_small_gpt2_by_hand(arguments: dict[str, Any], parameters: int) -> None:
    assert sum(one.shape[0] * (one.shape[1] if one.shape[1:] else 1) for one in adapter(**arguments)) == parameters


def test_a_padded_vocabulary_has_one_token_more_unless_a_tokenizer_says_how_many() -> None:
    rows = [parameters_of(config, pads=pads)[0].shape for config, pads in
            ((GPT2, False), (GPT2, True), (GPT2 | {"tokens": 304}, True))]  # fmt: skip
    assert rows == [(300, 32), (301, 32), (304, 32)]


def test_sizes_are_all_that_is_kept_of_a_configuration() -> None:
    assert sizes_in(GPT2 | {"activation_function": "gelu", "n_inner": None, "torch_dtype": "float16"}) == GPT2


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "gpt3"}, "model_type=gpt3: must be one of gpt2, .*did you mean gpt2"),
        (GPT2 | {"n_embd": "32"}, "n_embd=32: must be a whole number"),
        ({k: v for k, v in GPT2.items() if k != "n_layer"}, "n_layer=None: must be a whole number"),
        (GPT2 | {"tie_word_embeddings": 1}, "tie_word_embeddings=1: must be true or false"),
        (GPT2 | {"vocab_size": True}, "vocab_size=True: must be a whole number"),
    ],
)
def test_sizes_that_are_none_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parameters_of(config, pads=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"adapter_method": "adalora"}, "adapter_method=adalora: must be one of lora"),
        ({"adapter_package": "adapterhub"}, "adapter_package=adapterhub: engine=estimate knows peft"),
        ({"r": 0}, "r=0: must be a whole number"),
        ({"rank": 4}, "rank=4: engine=estimate does not know"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save=.*: engine=estimate does not know"),
        ({"target_modules": ["attn"]}, r"transformer.h.0.attn is no linear layer"),
        ({"target_modules": ["wte"]}, "wte is no linear layer"),
        ({"target_modules": ["q_proj"]}, "no layer of the model has such a name"),
        ({"target_modules": "["}, r"target_modules=\[: is no regular expression"),
        ({"bias": "some"}, "bias=some: must be one of none, all, lora_only"),
        ({"adapter_method": "prefix"}, "num_virtual_tokens=None: must be a whole number"),
        ({"adapter_method": "p-tuning", "num_virtual_tokens": 1, "encoder_reparameterization_type": "GRU"}, "GRU"),
    ],
)
def test_arguments_that_are_not_understood_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        adapter(**arguments)


def test_a_model_known_by_tensors_alone_is_adapted_where_one_says_which_layers() -> None:
    base = Base([Shape("fc.weight", (10, 20)), Shape("fc.bias", (10,))])
    found = adapters_of(base, {"adapter_method": "lora", "r": 2, "target_modules": ["fc"]})
    assert {one.name: one.shape for one in found} == {
        "base_model.model.fc.lora_A.default.weight": (2, 20), "base_model.model.fc.lora_B.default.weight": (10, 2)
    }  # fmt: skip
    with pytest.raises(ConfigError, match="which layers LoRA adapts by default is not known"):
        adapters_of(base, {"adapter_method": "lora"})
    with pytest.raises(ConfigError, match="token_dim=None"):
        adapters_of(base, {"adapter_method": "prompt", "num_virtual_tokens": 3})


@pytest.mark.parametrize("given", [[], [{}, {}], "lora", [3]])
def test_arguments_are_a_list_of_one_mapping(given: Any) -> None:
    with pytest.raises(ConfigError, match="must be a list of one mapping"):
        arguments_of({"llm.adapter.use": True, "llm.adapter.args": given})
