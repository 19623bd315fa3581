"""Models known only by their shapes: equal to the models they describe, and far larger ones without any memory."""

import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fscost.cells.outcome import Status
from fscost.engine import DEFAULTS, Engines
from fscost.engine.estimate import EstimateEngine
from fscost.errors import ConfigError
from fscost.protocol.course_options import Options
from fscost.protocol.model_shapes import Shape, shapes_of
from fscost.store.ledger_file import LedgerFile, read_ledger
from fscost.store.rundir import RunDir
from tests.conftest import Result, cell_of, needs_train

MISTRAL = """
name: mistral-7b-lora
repeat: 32
tensors:
  layers.*.self_attn.q_proj.weight: [4096, 4096]
  layers.*.self_attn.v_proj.weight: [1024, 4096]
"""
COUNTS = ("messages", "payload_bytes", "scalar_bytes", "reported_bytes", "wire_bytes")


def estimated(folder: Path, *overrides: str) -> LedgerFile:
    cell = cell_of("engine=estimate", *overrides)
    EstimateEngine().check(cell)
    run = RunDir(folder)
    run.write_cell(cell)
    outcome = EstimateEngine().run(cell, run)
    assert outcome.status is Status.DONE, outcome.reason
    return read_ledger(run.ledger)


def rows(ledger: LedgerFile, kind: str, link: str) -> list[dict[str, Any]]:
    return [row for row in ledger.messages if (row["type"], row["link"]) == (kind, link)]


def file_of(folder: Path, content: str, name: str = "shapes.yaml") -> str:
    (folder / name).write_text(content)
    return f"shapes={folder / name}"


def shapes_file(folder: Path, *model: str) -> str:
    """Write the state_dict of one of the builtin engine's models as shapes."""
    import torch

    from fscost.engine.builtin.modules import build_model

    options = Options(cell_of("engine=estimate", *model))
    sample = torch.empty((1, 8, 8) if "model=convnet2" in model else (64,))
    module = build_model(options, sample)
    trainable = {name for name, p in module.named_parameters() if p.requires_grad}
    tensors = {
        name: {"shape": list(v.shape), "dtype": str(v.dtype).removeprefix("torch."), "trainable": name in trainable}
        for name, v in module.state_dict().items()
    }
    return file_of(folder, yaml.safe_dump({"tensors": tensors}))


@pytest.mark.pipeline
@needs_train
@pytest.mark.parametrize("protocol", ["master", "v0.3.0", "v0.2.0"])
@pytest.mark.parametrize("model", ["lr", "mlp_s", "convnet2"])
@pytest.mark.parametrize("others", [[], ["fs.quantization.method=uniform", "fs.personalization.local_param=[bn]"]])
def test_a_model_by_its_shapes_sends_what_the_model_sends(
    model: str, protocol: str, others: list[str], tmp_path: Path
) -> None:
    if protocol == "v0.2.0":
        others = others[1:]  # it has no quantisation yet
    common = [f"engine.protocol={protocol}", "clients=5", "clients_per_round=2", "rounds=3", *others]
    shapes = shapes_file(tmp_path, f"model={model}")
    real = estimated(tmp_path / "real", f"model={model}", *common)
    spec = estimated(tmp_path / "spec", "model=spec", shapes, *common)
    assert spec.messages == real.messages
    assert spec.header == real.header


def test_seven_billion_parameters_need_no_memory(tmp_path: Path) -> None:
    base = "{tensors: {w.*: [16384, 13824]}, repeat: 32, dtype: bfloat16}"
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ledger = estimated(tmp_path / "run", "model=spec", file_of(tmp_path, base), "data=samples", "clients=2", "rounds=2")
    assert ledger.header["params"] == 32 * 16384 * 13824 > 7e9
    assert ledger.header["state_dict_bytes"] == 2 * ledger.header["params"]
    (first, _) = rows(ledger, "model_para", "uplink")
    assert first["payload_bytes"] == 2 * 2 * ledger.header["params"]
    assert first["wire_bytes"] > first["payload_bytes"] * 4 / 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


@pytest.mark.pipeline
def test_lora_sends_the_adapters_alone(tmp_path: Path) -> None:
    shapes = file_of(tmp_path, MISTRAL)
    for rank in (8, 32):
        run = tmp_path / f"r{rank}"
        ledger = estimated(run, "model=spec", shapes, f"lora_rank={rank}", "clients=2", "rounds=1")
        params = 32 * rank * ((4096 + 4096) + (1024 + 4096))
        assert ledger.header["params"] == params
        assert rows(ledger, "model_para", "downlink")[0]["payload_bytes"] == 2 * 4 * params
        assert rows(ledger, "finish", "downlink")[0]["payload_bytes"] == 2 * 4 * params


def test_an_adapter_has_the_specs_dtype_whatever_the_frozen_matrix_has() -> None:
    tensors = {
        "a.weight": {"shape": [6, 4], "dtype": "int8"},
        "a.bias": [6],
        "b": {"shape": [9, 9], "trainable": False},
    }
    assert shapes_of({"name": "m", "dtype": "bfloat16", "lora_rank": 2, "tensors": tensors}) == [
        Shape("a.lora_A.weight", (2, 4), "bfloat16"),
        Shape("a.lora_B.weight", (6, 2), "bfloat16"),
    ]


def test_a_star_is_the_number_of_the_layer() -> None:
    tensors = {"h.*.w": [2], "end": {"shape": [], "dtype": "int64", "trainable": False}}
    found = shapes_of({"name": "m", "repeat": 2, "tensors": tensors})
    assert [(s.name, s.trainable) for s in found] == [("h.0.w", True), ("h.1.w", True), ("end", False)]


@pytest.mark.pipeline
def test_a_number_of_parameters_tells_payload_and_messages_alone(tmp_path: Path) -> None:
    common = ["model=spec", "data=samples", "clients=3", "rounds=2"]
    known = estimated(tmp_path / "shapes", *common, file_of(tmp_path, "{w: [1000]}"))
    count = estimated(tmp_path / "count", *common, "parameters=1000")
    assert count.header == known.header
    for row, other in zip(count.messages, known.messages, strict=True):
        carries = row["type"] in ("model_para", "evaluate", "finish")
        for key in COUNTS:
            assert row[key] == (None if carries and key in ("reported_bytes", "wire_bytes") else other[key]), row


@pytest.mark.pipeline
def test_buffers_travel_down_alone_on_master(tmp_path: Path) -> None:
    shapes = file_of(tmp_path, "tensors: {w: [10], mean: {shape: [7], trainable: false}}")
    for protocol, entries in (("master", 10), ("v0.3.0", 17)):
        ledger = estimated(tmp_path / protocol, "model=spec", shapes, "clients=1", f"engine.protocol={protocol}")
        assert rows(ledger, "model_para", "uplink")[0]["payload_bytes"] == 4 * entries
        assert rows(ledger, "model_para", "downlink")[0]["payload_bytes"] == 4 * 17


def test_integers_without_values_have_no_wire_size_where_they_travel_as_numbers(tmp_path: Path) -> None:
    shapes = file_of(tmp_path, "{dtype: int8, tensors: {w: [1000000, 1000]}}")
    ledger = estimated(tmp_path / "run", "model=spec", shapes, "rounds=1", "clients=1")
    assert rows(ledger, "model_para", "uplink")[0]["wire_bytes"] > 10**9
    assert rows(ledger, "evaluate", "downlink")[0]["wire_bytes"] is None
    assert rows(ledger, "evaluate", "downlink")[0]["payload_bytes"] == 10**9


@pytest.mark.pipeline
def test_samples_decide_sample_size_and_totals_alone(tmp_path: Path) -> None:
    common = ["model=spec", "parameters=9", "data=samples", "rounds=1", "clients=1"]
    answers = {}
    for train, test in ((1000, 100), (50, 100), (1000, 1000), (1000, 0)):
        words = [f"train_samples={train}", f"test_samples={test}"]
        (row,) = rows(estimated(tmp_path / f"{train}-{test}", *common, *words), "metrics", "uplink")
        answers[train, test] = row["scalar_bytes"], row["wire_bytes"]
    assert answers[1000, 100][0] == 5 * 8
    assert answers[50, 100] == answers[1000, 100]
    assert answers[1000, 1000][1] > answers[1000, 100][1]  # a total of 100 is one byte, of 1000 two
    assert answers[1000, 0][0] == 0


def test_any_data_will_do(tmp_path: Path) -> None:
    for data in ("digits", "toy", "samples"):
        ledger = estimated(tmp_path / data, "model=mcmahan_2nn", f"data={data}")
        assert rows(ledger, "model_para", "uplink")[0]["payload_bytes"] == 3 * 796_840


class TestCells:
    @pytest.mark.pipeline
    def test_the_id_is_that_of_the_content_not_of_the_path(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        words = ["model=spec", "engine=estimate"]
        a = cell_of(*words, file_of(tmp_path, MISTRAL))
        b = cell_of(*words, file_of(tmp_path / "elsewhere", MISTRAL))
        c = cell_of(*words, file_of(tmp_path, MISTRAL.replace("1024", "1025"), "other.yaml"))
        assert a.id == b.id != c.id

    @pytest.mark.pipeline
    def test_the_model_is_called_what_the_spec_is_called(self, tmp_path: Path) -> None:
        words = ["model=spec", "engine=estimate"]
        shapes = file_of(tmp_path, MISTRAL)
        assert cell_of(*words, shapes).axes["model"] == "mistral-7b-lora"
        assert cell_of(*words, shapes, "lora_rank=8").axes["model"] == "mistral-7b-lora_r8"
        assert cell_of(*words, file_of(tmp_path, "{a: [3]}", "two.layers.json")).axes["model"] == "two.layers"
        assert cell_of(*words, "parameters=7000").axes["model"] == "params_7000"

    @pytest.mark.pipeline
    def test_a_plain_mapping_of_names_to_shapes_is_a_spec_too(self, tmp_path: Path) -> None:
        plain = {"conv.1.weight": [8, 3, 5, 5], "bn.num_batches_tracked": []}
        as_json = cell_of("model=spec", "engine=estimate", file_of(tmp_path, json.dumps(plain), "m.json"))
        as_yaml = cell_of("model=spec", "engine=estimate", file_of(tmp_path, yaml.safe_dump(plain), "m.yaml"))
        assert as_json.get("model.spec") == {"name": "m", "tensors": plain}
        assert as_json.id == as_yaml.id

    @pytest.mark.pipeline
    def test_a_model_option_of_the_users_own_carries_its_spec(self, tmp_path: Path) -> None:
        (tmp_path / "model").mkdir()
        spec = {"name": "mine", "repeat": 2, "tensors": {"h.*.fc.weight": [5, 4]}, "lora_rank": "${lora_rank}"}
        option = {"form": "image", "resize": None, "lora_rank": None, "fs": {"model": {"type": "spec", "spec": spec}}}
        (tmp_path / "model" / "mine.yaml").write_text("# @package _global_\n" + yaml.safe_dump(option))
        common = [f"config_dir={tmp_path}", "model=mine", "clients=1", "rounds=1"]
        assert estimated(tmp_path / "full", *common).header["params"] == 2 * 20
        assert estimated(tmp_path / "lora", *common, "lora_rank=3").header["params"] == 2 * (3 * 4 + 5 * 3)
        assert cell_of(*common, "engine=estimate", "lora_rank=3").axes["model"] == "mine_r3"

    @pytest.mark.parametrize("engine", ["builtin", "federatedscope"])
    @pytest.mark.parametrize(
        "own", [["model=mcmahan_2nn"], ["data=samples", "model=mlp_s"], ["fs.early_stop.stopped_after=2"]]
    )
    def test_other_engines_refuse_in_one_line(self, engine: str, own: list[str]) -> None:
        cell = cell_of(f"engine={engine}", "engine.protocol=master", *own)
        with pytest.raises(ConfigError, match=r"^fs\.[^\n]*; engine=estimate counts it$"), Engines() as engines:
            engines.of(cell, DEFAULTS).check(cell)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{tensrs: {w: [1]}}", "model shapes: tensrs: there is no such key (did you mean tensors?)"),
        ("{tensors: {w: [1]}, parameters: 3}", "give either tensors with their shapes, or parameters"),
        ("{dtype: int8}", "give either tensors with their shapes, or parameters"),
        ("{tensors: 3}", "tensors=3: must be a mapping"),
        ("{parameters: 0}", "parameters=0: must be a whole number of at least 1"),
        ("{parameters: 3, repeat: 2}", "repeat=2: needs tensors"),
        ("{tensors: {w: [1]}, repeat: 2}", "repeat=2: no tensor has * in its name"),
        ("{tensors: {w.*: [1]}}", "w.*: give repeat, how many layers * stands for"),
        ("{tensors: {w: [1, -1]}}", "w: shape [1, -1]: must be a list of whole numbers"),
        ("{tensors: {w: [1.5]}}", "w: shape [1.5]: must be a list of whole numbers"),
        ("{tensors: {w: 3}}", "w: shape 3: must be a list of whole numbers"),
        ("{tensors: {w: {shape: [3], dtyp: int8}}}", "w: dtyp: there is no such key (did you mean dtype?)"),
        ("{tensors: {w: {shape: [3], dtype: float23}}}", "w: dtype=float23: must be one of float32"),
        ("{tensors: {w: {shape: [3], trainable: 1}}}", "w: trainable=1: must be true or false"),
        ("{tensors: {3: [3]}}", "3: the name of a tensor must be text"),
        ("{tensors: {w.*: [3], w.1: [3]}, repeat: 2}", "w.1: there is more than one tensor of this name"),
        ("{tensors: {w: [3]}, lora_rank: 2}", "lora_rank=2: no trainable tensor is a matrix"),
        ("{tensors: {w: [3]}, name: 3}", "name: must be text"),
        ("[3]", "no spec of a model: expected tensors with their shapes, or parameters"),
        ("{a: [1", "shapes.yaml:1: no YAML: expected ',' or ']'"),
    ],
)
def test_a_spec_that_makes_no_sense_is_told_in_one_line(
    content: str, words: str, fscost: Callable[..., Result], here: Path
) -> None:
    file_of(here, content)
    result = fscost("plan", "engine=estimate", "model=spec", "shapes=shapes.yaml")
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model=spec"], "model=spec: give either shapes=FILE or parameters=COUNT"),
        (["model=spec", "shapes=a.yaml", "parameters=3"], "shapes=a.yaml and parameters=3: give either"),
        (["model=spec", "shapes=a.yaml"], "shapes=a.yaml: cannot be read: No such file"),
        (["model=spec", "parameters=3", "lora_rank=2"], "lora_rank=2: needs tensors"),
        (["model=spec", "parameters=3", "fs.quantization.method=uniform"], "chooses tensors by name"),
        (["fs.model.type=spec"], "fs.model.type=spec: needs fs.model.spec"),
        (["model=mlp_s", "fs.model.spec={name: a}"], "fs.model.spec: model mlp has its own shapes"),
        (["model=mlp_s", "data=samples"], "model=mlp does not fit data=samples, which has no pixels"),
        (["model=mlp_s", "fs.data.train_samples=3"], "data digits_flat has its own number of samples"),
        (["model=spec", "parameters=3", "data=samples", "train_samples=0"], "there must be samples to train with"),
        (["fs.model.spek=1"], "fs.model.spek: engine=estimate has no such option (did you mean model.spec"),
    ],
)
def test_a_mistake_is_told_in_one_line(overrides: list[str], words: str, fscost: Callable[..., Result]) -> None:
    result = fscost("plan", "engine=estimate", *overrides)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
