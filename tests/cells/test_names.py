"""What methods, models and data are called: only what they do, as FederatedScope calls it."""

from typing import Any

import pytest

from fscost.cells.names import shortened
from fscost.errors import ConfigError
from fscost.tables.option_values import makes_a_method, varying_options
from tests.cells.test_cell import cell

PLAIN = """general cvtrainer CVTrainer nlptrainer torch none graphminibatch_trainer nodefullbatch_trainer llmtrainer
linkminibatch_trainer graphfullbatch mftrainer cltrainer lptrainer atc_trainer mytorchtrainer"""


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({"federate__share_local_model": True}, "fedavg"),
        ({"federate__share_local_model": True, "federate__online_aggr": True}, "fedavg"),
        ({"federate__online_aggr": True, "fedprox__use": True}, "fedprox"),
        ({"wandb__use": True, "distribute__use": True, "tensorboard__use": True}, "fedavg"),
        ({"federate__method": "gcflplus"}, "gcflplus"),
        ({"federate__method": "FedSagePlus"}, "fedsageplus"),
        ({"hpo__fedex": {"use": True}}, "fedex"),
        ({"hpo__fedex": {"use": False}}, "fedavg"),
        ({"hpo__pfedhpo": {"use": True}, "fedopt__use": True}, "fedopt+pfedhpo"),
        ({"llm__offsite_tuning": {"use": True}, "llm__adapter": {"use": True}}, "offsite_tuning"),
        ({"myfed__use": True}, "myfed"),
        *(({"trainer__type": plain}, "fedavg") for plain in PLAIN.split()),
        ({"trainer__type": "verticaltrainer", "vertical__use": True}, "vertical"),
        ({"trainer__type": "sam_trainer"}, "fedsam"),
        ({"trainer__type": "fedsam"}, "fedsam"),
        ({"trainer__type": "sam_trainer", "trainer__sam": {"adaptive": True}}, "fedasam"),
        ({"trainer__type": "local_entropy_trainer", "fedopt__use": True}, "fedentsgd+fedopt"),
        ({"trainer__type": "graphmaml_trainer", "maml__use": True}, "maml"),
        ({"trainer__type": "FLITPlusTrainer"}, "flitplus"),
        ({"trainer__type": "mezotrainer"}, "mezotrainer"),
        ({"trainer__type": "moon_trainer"}, "moon"),
        ({"trainer__type": "fdsetrainer", "federate__method": "fdse"}, "fdse"),
        ({"trainer__type": "fedmmtrainer", "fedmm__use": True}, "fedmm"),
        ({"trainer__type": "text-dt", "model__type": "text-DT", "data__type": "text-dt"}, "fedavg"),
        ({"trainer__type": "fedsam", "model__type": "fedsam_conv2"}, "fedsam"),
        ({"trainer__type": "ensemble_distill", "federate__method": "fedkemf"}, "fedkemf+ensemble_distill"),
        ({"trainer__type": "ditto_trainer", "federate__method": "ditto"}, "ditto"),
        ({"quantization__method": "uniform", "trainer__type": "sam_trainer"}, "fedsam+quant8"),
    ],
)
def test_a_method_is_what_is_switched_on(changes: dict[str, Any], method: str) -> None:
    assert cell(**changes).axes["method"] == method


@pytest.mark.parametrize(
    ("model", "words", "method"),
    [
        ("mlp", [], "fedavg"),
        ("mlp", ["norms"], "fedbn"),
        ("convnet2", ["bn"], "fedbn"),
        ("convnet2", ["bn1.weight", "bn2"], "fedbn"),
        ("gin", ["norms", "bn"], "fedbn"),
        ("x@transformers", ["encoder.layer.0.LayerNorm", "final_layer_norm.bias"], "fedbn"),
        ("gpt2@huggingface_llm", ["ln_f", "ln_1"], "fedbn"),
        ("convnet2", ["bn", "fc2"], "local: bn, fc2"),
        ("convnet2", ["fc2"], "fedper"),
        ("convnet2", ["fc2.weight", "fc2.bias"], "fedper"),
        ("convnet2", ["fc"], "local: fc"),
        ("convnet2", ["fc1"], "local: fc1"),
        ("lr", ["fc"], "fedper"),
        ("mlp", ["linears.1"], "fedper"),
        ("mlp", ["linears.0"], "local: linears.0"),
        ("mlp", ["linears"], "local: linears"),
        ("lstm", ["decoder"], "fedper"),
        ("atc_model", ["decoder"], "local: decoder"),
        ("resnet18", ["fc"], "fedper"),
        ("atc_model", ["classifier"], "fedper"),
        ("atc_model", ["classifier", "encoder.pooler", "decoder"], "local: classifier, encoder.pooler, decoder"),
        ("gin", ["encoder_atom", "encoder", "clf"], "local: encoder_atom, encoder, clf"),
        ("gin", ["clf"], "fedper"),
        ("gpt2@huggingface_llm", ["lm_head"], "fedper"),
        ("gpt2@huggingface_llm", ["lora_A"], "local: lora_A"),
        ("convnet2", ["running_mean", "running_var"], "local: running_mean, running_var"),
        ("subnet", ["normaliser_free_block"], "local: normaliser_free_block"),
        ("convnet2", "bn", "fedbn"),
    ],
)
def test_what_stays_local_is_what_makes_the_method(model: str, words: Any, method: str) -> None:
    assert cell(model__type=model, personalization__local_param=words).axes["method"] == method


def test_the_last_layer_depends_on_how_many_there_are() -> None:
    deep = {"model__layer": 3, "personalization__local_param": ["linears.1"]}
    assert cell(**deep).axes["method"] == "local: linears.1"
    assert cell(**{**deep, "personalization__local_param": ["linears.2"]}).axes["method"] == "fedper"


@pytest.mark.parametrize("base", ["FedRep", "local", "global"])
def test_where_nothing_else_is_shared_it_makes_none(base: str) -> None:
    assert cell(federate__method=base, personalization__local_param=["clf", "x"]).axes["method"] == base.lower()


@pytest.mark.parametrize(
    ("kind", "hidden", "name"),
    [
        ("mlp", 64, "mlp_m"),
        ("mlp", 65, "mlp_h65"),
        ("ConvNet2", 64, "convnet2"),
        ("convnet2", 2048, "convnet2_h2048"),
        ("gcn", 64, "gcn_h64"),
        ("VMFNet", 20, "VMFNet_h20"),
        ("xgb_tree", 256, "xgb_tree"),
        ("random_forest", 256, "random_forest"),
        ("SimCLR", 256, "SimCLR"),
        ("SimCLR_linear", 256, "SimCLR_linear"),
        ("atc_model", 256, "atc_model"),
        ("quadratic", 256, "quadratic"),
        ("fedsam_conv2", 256, "fedsam_conv2"),
        ("resnet18", 512, "resnet18"),
        ("google/bert_uncased_L-2_H-128_A-2@transformers", 256, "bert_uncased_L-2_H-128_A-2"),
        ("/data/models/gpt2@huggingface_llm", 256, "gpt2"),
        ("/data/models/gpt2/@huggingface_llm", 256, "gpt2"),
        ("meta-llama/Llama-2-7b-hf@huggingface_llm", 256, "Llama-2-7b-hf"),
        ("AI-ModelScope/gpt2@modelscope_llm", 256, "gpt2"),
        (r"E:\models\llama@huggingface_llm", 256, "llama"),
        ("/data/hub/models--openai--gpt2/snapshots/607a30d7@huggingface_llm", 256, "gpt2"),
        ("/data/hub/models--gpt2/snapshots/607a30d7@huggingface_llm", 256, "gpt2"),
    ],
)
def test_a_model_is_called_by_what_it_reads(kind: str, hidden: int, name: str) -> None:
    assert cell(model__type=kind, model__hidden=hidden).axes["model"] == name


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"data__type": "CIFAR10@torchvision"}, "CIFAR10@torchvision"),
        ({"data__type": "3@openml"}, "3@openml"),
        ({"data__type": "sst2@huggingface_datasets"}, "sst2"),
        ({"data__type": "/home/me/alpaca.json@llm"}, "alpaca.json"),
        ({"data__type": "file", "data__file_path": "toy/server_data"}, "server_data"),
        ({"data__type": "file", "data__file_path": "toy/server_data", "distribute__use": True}, "file"),
        ({"data__type": ""}, "none"),
        ({"data__splitter": "lda", "data__splitter_args": [{"alpha": "0.5"}]}, "digits_a0.5"),
    ],
)
def test_data_are_called_by_the_last_part_of_their_path(changes: dict[str, Any], name: str) -> None:
    assert cell(**changes).axes["data"] == name


@pytest.mark.parametrize("odd", [None, 1, 1.5, True, "", "é+→", [1], [None], ["a", 1], [["bn"]], float("nan")])
@pytest.mark.parametrize(
    "option",
    ["personalization__local_param", "trainer__type", "trainer__sam", "model__hidden", "model__layer", "data__type",
     "data__file_path", "hpo__fedex", "quantization__method", "aggregator__robust_rule", "federate__method", "llm__x"],
)  # fmt: skip
def test_an_odd_value_is_named_or_refused(option: str, odd: Any) -> None:
    try:
        one = cell(**{option: odd})
    except ConfigError:
        return
    assert all(str(name) for name in one.axes.values())
    assert one.name.endswith(one.id)


@pytest.mark.parametrize("odd", [3, True, 1.5, {"resize": 32}, "x", [1]])
@pytest.mark.parametrize("option", ["data__args", "data__splitter_args"])
def test_arguments_are_a_list_of_mappings(option: str, odd: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be a list of mappings"):
        cell(**{option: odd})


def test_odd_types_have_a_name() -> None:
    assert shortened("<b>a</b>") == "<b>a</b>"
    assert shortened("/data/Modelle (neu)/größe@huggingface_llm") == "größe"
    assert [shortened(kind) for kind in ("", "@", "/", "a@b@llm", "None")] == ["", "@", "/", "a@b", "None"]


def test_a_model_is_the_same_wherever_it_lies_but_not_of_another_publisher() -> None:
    def of(seed: int, kind: str) -> Any:
        return cell(seed=seed, model__type=f"{kind}@huggingface_llm")

    assert varying_options([of(0, "/data/gpt2"), of(1, "/home/me/gpt2")]) == {}
    told = varying_options([of(0, "openai/gpt2"), of(1, "other/gpt2")])
    assert [*told] == ["model.type"]
    (values,) = varying_options([of(0, "/data/gpt2"), of(0, "/home/me/gpt2")]).values()  # of one seed it is another
    assert [*values.values()] == ["/data/gpt2@huggingface_llm", "/home/me/gpt2@huggingface_llm"]


def test_two_ways_of_simulating_one_method_are_two_rows() -> None:
    told = varying_options([cell(), cell(federate__share_local_model=True)])
    assert [*told] == ["federate.share_local_model"]
    ditto = cell(federate__method="Ditto")
    assert varying_options([ditto, cell(federate__share_local_model=True)]) == {}


@pytest.mark.parametrize("name", ["trainer.type", "trainer.sam.rho", "hpo.fedex.psn", "llm.offsite_tuning.strategy"])
def test_options_that_make_a_method(name: str) -> None:
    assert makes_a_method(name)


@pytest.mark.parametrize("name", ["train.optimizer.lr", "llm.tok_len", "data.splitter", "federate.use_diff"])
def test_options_that_make_none(name: str) -> None:
    assert not makes_a_method(name)
