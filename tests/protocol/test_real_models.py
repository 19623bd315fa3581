"""Models that papers train: as many parameters as published, and the state_dicts that their own packages make."""

from importlib.util import find_spec
from math import prod
from typing import Any

import pytest

from fscost.cells.names import method_of
from fscost.engine.estimate import EstimateEngine
from fscost.errors import ConfigError
from fscost.protocol.adapters import Base, adapters_of
from fscost.protocol.model_shapes import shapes_of
from fscost.protocol.models import Shape
from fscost.resources import conf
from tests.conftest import cell_of, cells_of

PUBLISHED = {
    # README of torchvision's models; the one for CIFAR-10 is in PowerSGD's (Vogels et al., 2019) figures
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160,
    "resnet152": 60_192_808, "resnet18_cifar": 11_173_962, "vgg11_imagenet": 132_863_336, "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992, "vgg19": 143_667_240, "mobilenet_v2": 3_504_872, "densenet121": 7_978_856,
    "vit_b_16": 86_567_656,
    # model cards
    "bert_base": 109_482_240, "bert_large": 335_141_888, "roberta_base": 124_645_632, "roberta_large": 355_359_744,
    "distilbert": 66_362_880, "t5_small": 60_506_624, "t5_base": 222_903_552, "gpt2": 124_439_808,
    "gpt2_medium": 354_823_168, "mistral_7b": 7_241_732_096, "qwen2_7b": 7_615_616_512, "qwen2_500m": 494_032_768,
    "llama_7b": 6_738_415_616, "llama_13b": 13_015_864_320, "llama3_8b": 8_030_261_248, "llama32_3b": 3_212_749_824,
    "tinyllama": 1_100_048_384,
}  # fmt: skip


def spec_of(model: str) -> dict[str, Any]:
    spec: dict[str, Any] = cell_of("engine=estimate", f"model={model}", "data=samples").get("model.spec")
    return {name: value for name, value in spec.items() if value is not None}


@pytest.mark.parametrize(("model", "parameters"), PUBLISHED.items())
def test_as_many_parameters_as_published(model: str, parameters: int) -> None:
    assert sum(prod(one.shape) for one in shapes_of(spec_of(model)) if one.trainable) == parameters


def test_all_of_them_are_here() -> None:
    files = [file.stem for file in (conf() / "model").glob("*.yaml")]
    with_config = [name for name in files if "config:" in (conf() / "model" / f"{name}.yaml").read_text()]
    assert {*with_config} == {*PUBLISHED}


def test_other_classes_are_another_last_layer() -> None:
    cell = cell_of("engine=estimate", "model=resnet18", "num_classes=10", "data=samples")
    assert shapes_of(cell.get("model.spec"))[-1] == Shape("fc.bias", (10,))


def test_buffers_travel_and_are_no_parameters() -> None:
    buffers = [one for one in shapes_of(spec_of("resnet18")) if not one.trainable]
    assert len(buffers) == 3 * 20
    assert sum(prod(one.shape) for one in buffers) == 2 * 4800 + 20


@pytest.mark.parametrize(
    ("model", "norms"),
    [("resnet18", 20), ("resnet50", 53), ("vgg16_bn", 13), ("mobilenet_v2", 52), ("densenet121", 121),
     ("vit_b_16", 25), ("bert_base", 25), ("distilbert", 13), ("t5_small", 32), ("gpt2", 25), ("tinyllama", 45)],
)  # fmt: skip
def test_fedbn_keeps_each_norm_and_nothing_else(model: str, norms: int) -> None:
    """A norm is a layer whose parameters have one dimension and a weight; no linear layer has such a weight."""
    cell = cell_of("engine=estimate", f"model={model}", "data=samples", "method=fedbn")
    words = cell.get("personalization.local_param")
    local = [one for one in shapes_of(cell.get("model.spec")) if any(word in one.name for word in words)]
    weights = [one for one in local if one.name.endswith(".weight")]
    assert (method_of(cell), len(weights)) == ("fedbn", norms)
    assert all(len(one.shape) <= 1 for one in local)


def test_lora_is_of_the_layers_that_peft_adapts() -> None:
    """RoBERTa large, r = 8: 24 layers, query and value, two matrices of 8 x 1024 each."""
    (cell,) = cells_of("engine=estimate", "model=roberta_large", "lora_rank=8", "data=samples")
    adapters = shapes_of(cell.get("model.spec"))
    assert sum(prod(one.shape) for one in adapters) == 24 * 2 * 2 * 8 * 1024 == 786_432
    assert adapters[0] == Shape("encoder.layer.0.attention.self.query.lora_A.weight", (8, 1024))


def test_adapters_of_branch_llm_go_with_the_models_that_it_trains() -> None:
    """Mistral-7B, r = 8: 32 layers, queries of 4096 x 4096 and values of 1024 x 4096; the rank is the adapter's."""
    cell = cell_of("engine=estimate", "engine.protocol=llm", "model=mistral_7b", "adapter=lora", "data=samples")
    assert cell.get("model.spec.lora_rank") is None
    base, arguments = Base(shapes_of(cell.get("model.spec")), cell.get("model.spec.config")), {"adapter_method": "lora"}
    assert sum(prod(one.shape) for one in adapters_of(base, arguments)) == 32 * 8 * (4096 + 4096 + 4096 + 1024)


@pytest.mark.parametrize("model", ["roberta_large", "t5_small", "distilbert", "resnet18"])
@pytest.mark.parametrize("adapter", ["lora", "prefix"])
def test_branch_llm_adapts_no_other(model: str, adapter: str) -> None:
    cell = cell_of("engine=estimate", "engine.protocol=llm", f"model={model}", f"adapter={adapter}", "data=samples")
    with pytest.raises(ConfigError, match=f"model {model} is no causal language model"):
        EstimateEngine().check(cell)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "resnet", "blocks": 3}, "a list of whole numbers"),
        ({"model_type": "resnet", "bloks": [1]}, "did you mean blocks"),
        ({"model_type": "vgg", "batch_norm": 1}, "true or false"),
        ({"model_type": "vit", "num_classes": 0}, "at least 1"),
        ({"model_type": "resnext"}, "model_type=resnext"),
    ],
)
def test_what_is_no_such_model_is_told(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        shapes_of({"name": "own", "config": config})


def test_adapters_of_images_are_not_guessed() -> None:
    with pytest.raises(ConfigError, match="lora_rank=4"):
        shapes_of({**spec_of("vit_b_16"), "lora_rank": 4})


# --- the packages that have them --------------------------------------------------------------------

OF_TORCHVISION = {"vgg11_imagenet": "vgg11"}
OF_TRANSFORMERS = {
    "bert": "BertModel", "roberta": "RobertaModel", "distilbert": "DistilBertModel",
    "t5": "T5ForConditionalGeneration", "gpt2": "GPT2LMHeadModel", "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM",
}  # fmt: skip
NO_ZOO = "pip install 'fscost[zoo]'"


def entries_of(module: Any) -> dict[str, Shape]:
    """A module's parameters, those that are tied once, and its buffers that are part of a state_dict."""
    state, parameters = module.state_dict(keep_vars=True), {id(one) for one in module.parameters()}
    found: dict[int, Shape] = {}
    for name, value in state.items():
        dtype = str(value.dtype).removeprefix("torch.")
        found.setdefault(id(value), Shape(name, tuple(value.shape), dtype, id(value) in parameters))
    return {one.name: one for one in found.values()}


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_state_dict_is_that_of_its_package(model: str) -> None:
    spec = spec_of(model)
    kind = spec["config"]["model_type"]
    package = "transformers" if kind in OF_TRANSFORMERS else "torchvision"
    if find_spec(package) is None or find_spec("torch") is None:
        pytest.skip(f"no {package}: {NO_ZOO}")
    import torch

    with torch.device("meta"):
        if package == "transformers":
            import transformers

            settings = {key: value for key, value in spec["config"].items() if key != "model_type"}
            one = getattr(transformers, OF_TRANSFORMERS[kind])
            module = one(one.config_class(**settings))
        elif model == "resnet18_cifar":
            import torchvision.models

            module = torchvision.models.resnet18(num_classes=10)
            module.conv1 = torch.nn.Conv2d(3, 64, 3, bias=False)
        else:
            import torchvision.models

            module = getattr(torchvision.models, OF_TORCHVISION.get(model, model))()
    assert {one.name: one for one in shapes_of(spec)} == entries_of(module)
