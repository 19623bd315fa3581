"""The closed form of FederatedScope's branch llm against ledgers that were recorded from it.

``golden_llm.json`` holds what two recorders, which share no code with fscost, wrote around that branch's own main.py
(commit 7f086944, transformers 4.29.2, peft 0.3.0), with models of the shapes that `tiny_llm.py` makes anew: of each
case its configuration, the entries that travel, and, per type of message and link, their number and bytes. The wire
bytes are lengths of the branch's own protobuf messages.
"""

import csv
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fscost.cells.cell import Cell
from fscost.engine.estimate import EstimateEngine
from fscost.errors import ConfigError
from tests.conftest import DATA, Result, cell_of, cells_of
from tests.engine.test_estimate import ADDRESS_DIGITS_BYTES, by_type, estimated, messages_of

GOLDEN = json.loads((DATA / "golden_llm.json").read_text())
SIZES = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "vocab_size": 300}
LOGGED = ("lora_r4", "prefix", "full", "half")
"""The cases whose logs are here too."""

IN_CLOSED_FORM = [case for case in GOLDEN if case != "offsite"]
LLM = ("engine=estimate", "engine.protocol=llm", "data=samples")


def recorded(case: str, folder: Path, *overrides: str) -> Cell:
    config, model = folder / "course.yaml", folder / "gpt2"
    model.mkdir()
    config.write_text(yaml.safe_dump(GOLDEN[case]["config"]))
    (model / "config.json").write_text(json.dumps(GOLDEN[case].get("shapes", SIZES)))
    data = ("test_samples=2", "val_samples=1", "model=spec", f"shapes={model}")
    alone = ("clients=1", "fs.federate.client_idx_for_local_train=0") if case == "local2" else ()
    return cell_of(*LLM, f"fs_config={config}", *data, *alone, *overrides)


@pytest.mark.parametrize("case", IN_CLOSED_FORM)
def test_the_closed_form_equals_the_recorded_ledger(case: str, tmp_path: Path) -> None:
    found, golden = by_type(messages_of(recorded(case, tmp_path), tmp_path / "run")), GOLDEN[case]
    for key, expected in golden["messages"].items():
        own = found.pop(key)
        assert {name: own[name] for name in ("messages", "payload_bytes")} == {
            name: expected[name] for name in ("messages", "payload_bytes")
        }, key
        tensors = len(golden["model"]) if "model_para" in key else 1
        if expected["wire_bytes"] is None:
            assert own["wire_bytes"] is None, key
        else:
            slack = ADDRESS_DIGITS_BYTES * tensors * expected["messages"]
            assert abs(own["wire_bytes"] - expected["wire_bytes"]) <= slack, key
    assert not found


@pytest.mark.parametrize("case", LOGGED)
def test_the_shapes_of_what_travels_say_the_same(case: str, tmp_path: Path) -> None:
    golden, shapes = GOLDEN[case], tmp_path / "shapes.json"
    shapes.write_text(json.dumps({name: shape for name, (_, shape) in golden["model"].items()}))
    half = golden["config"]["train"].get("is_enable_half", False)
    found = by_type(estimated(tmp_path / "run", *LLM[1:], "rounds=2", "model=spec", f"shapes={shapes}",
                              f"fs.train.is_enable_half={half}"))  # fmt: skip
    for key in ("model_para/downlink", "model_para/uplink", "evaluate/downlink"):
        assert found[key]["payload_bytes"] == golden["messages"][key]["payload_bytes"], key


def test_what_a_dump_says_beside_changes_nothing(tmp_path: Path) -> None:
    dump = tmp_path / "dump.yaml"
    dump.write_text("adapter: {use: false, args: []}\nllm: {tok_len: 128, deepspeed: {use: false, ds_config: ''}}\n")
    told = (*LLM, "model=llama_7b", "adapter=lora", "clients=2", "patience=0")
    assert cell_of(*told, f"fs_config={dump}").get("adapter") is None
    EstimateEngine().check(cell_of(*told, f"fs_config={dump}"))


def test_one_client_alone_is_a_course_of_one(tmp_path: Path) -> None:
    found = payloads(tmp_path, "clients=1", "fs.federate.client_idx_for_local_train=2", "fs.train.is_enable_half=false")
    assert found["model_para/uplink"] == 4096


def payloads(tmp_path: Path, *overrides: str) -> dict[str, int]:
    found = by_type(messages_of(recorded("half", tmp_path, *overrides), tmp_path / "run"))
    return {key: row["payload_bytes"] // row["messages"] for key, row in found.items() if row["payload_bytes"]}


def test_half_precision_goes_up_alone_unless_server_and_clients_share_a_model(tmp_path: Path) -> None:
    apart, shared = tmp_path / "apart", tmp_path / "shared"
    apart.mkdir()
    shared.mkdir()
    down = {"model_para/downlink": 4096, "evaluate/downlink": 4096, "finish/downlink": 4096}
    assert payloads(apart) == down | {"model_para/uplink": 2048}
    halved = dict.fromkeys((*down, "model_para/uplink"), 2048)
    assert payloads(shared, "fs.federate.share_local_model=true") == halved


def test_what_stays_local_goes_down_alone(tmp_path: Path) -> None:
    found = payloads(tmp_path, "fs.train.is_enable_half=false", "fs.personalization.local_param=[lora_B]")
    assert (found["model_para/downlink"], found["model_para/uplink"]) == (4096, 4 * 4 * 32 * 2)


@pytest.mark.parametrize(
    ("adapter", "mib"), [("p_tuning", 256.483), ("lora", 21.412)]
)  # fmt: skip
def test_a_message_of_llama_7b_by_pocket_calculator(tmp_path: Path, adapter: str, mib: float) -> None:
    rows = estimated(tmp_path, *LLM[1:], "model=llama_7b", f"adapter={adapter}", "clients=1", "rounds=1")
    found = next(row for row in rows if row["type"] == "model_para" and row["link"] == "uplink")
    lora = 32 * 2 * 8 * (4096 + 4096)  # layers, of query and value, rank
    encoder = 20 * 4096 + 3 * (4096 * 4096 + 4096)
    assert found["payload_bytes"] == 4 * (lora if adapter == "lora" else encoder)
    assert round(found["wire_bytes"] / 2**20, 3) == mib


@pytest.mark.parametrize(
    ("model", "adapter", "parameters"),
    [("llama_7b", "none", 6_738_423_808), ("llama_13b", "none", 13_015_874_560), ("llama_13b", "lora", 6_553_600),
     ("llama_13b", "prefix", 20 * 40 * 2 * 5120), ("llama_13b", "prompt", 20 * 5120)],
)  # fmt: skip
def test_llama_has_as_many_parameters_as_published_and_one_token_more(
    tmp_path: Path, model: str, adapter: str, parameters: int
) -> None:
    rows = estimated(tmp_path, *LLM[1:], f"model={model}", f"adapter={adapter}", "clients=1", "rounds=1")
    assert next(row for row in rows if row["type"] == "finish")["payload_bytes"] == 4 * parameters


def test_adapters_and_ranks_are_cells_of_their_own() -> None:
    cells = cells_of(*LLM, "model=llama_7b", "adapter=lora", "lora_rank=4,8")
    cells += cells_of(*LLM, "model=llama_7b", "adapter=prefix,prompt,p_tuning,none")
    assert len({one.id for one in cells}) == 6
    assert [one.get("llm.adapter.args", [{}])[0].get("r") for one in cells[:2]] == [4, 8]


def test_no_adapter_is_what_every_cell_has() -> None:
    assert cell_of("engine=estimate").id == cell_of("engine=estimate", "adapter=none").id


LORA, HALF = "adapter=lora", "fs.train.is_enable_half=true"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("engine.protocol=master", "model=llama_7b", LORA), "master has no such option.*engine.protocol=llm"),
        ((LORA, "model=mlp_m", "data=digits"), "model=mlp is not known as a language model"),
        ((LORA, "model=mistral_7b_lora"), "mistral_7b_lora is known by lora_rank"),
        ((LORA, "model=spec", "parameters=1000"), "params_1000 is known by parameters"),
        (("model=llama_7b", "fs.llm.offsite_tuning.use=true"), "the emulator is sent as a text of pickled code"),
        (("model=llama_7b", "fs.llm.deepspeed.use=true"), "DeepSpeed's own configuration decides"),
        (("model=llama_7b", "fs.federate.client_idx_for_local_train=2"), "take clients=1"),
        (("model=llama_7b", HALF, "fs.federate.make_global_eval=true"), "halves its own model"),
        (("model=llama_7b", HALF, "method=krum"), "does not know what krum then sends"),
        (("model=llama_7b", LORA, "fs.llm.adapter.args=[{r: 8, targets: [q]}]"), "targets=.*does not know"),
        (("fs.model.type=nowhere/gpt2@huggingface_llm",), "nowhere/gpt2/config.json is not there"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_with_the_reason(overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EstimateEngine().check(cell_of(*LLM, *overrides))


def test_an_evaluation_says_the_loss_of_every_split_and_no_accuracy(tmp_path: Path) -> None:
    def answer(*overrides: str) -> Any:
        rows = estimated(tmp_path / "-".join(overrides), *LLM[1:], "model=llama_7b", LORA, "rounds=1", *overrides)
        return next(row for row in rows if row["type"] == "metrics")

    seen = answer("val_samples=1")
    assert seen["scalar_bytes"] == seen["messages"] * 6 * 8
    assert seen["wire_bytes"] - answer("val_samples=0")["wire_bytes"] == 3 * seen["messages"]  # 0 is no float


# --- logs that the branch wrote --------------------------------------------------------------------


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """What the recorded courses wrote, each in its folder, beside ``models/gpt2``."""
    with tarfile.open(DATA / "fs_llm_logs.tar.xz") as packed:
        packed.extractall(tmp_path / "exp", filter="data")
    model = tmp_path / "models" / "gpt2"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(SIZES))
    return tmp_path


def rows_of(out: str) -> list[dict[str, str]]:
    return [*csv.DictReader(line for line in out.splitlines() if not line.startswith("#"))]


@pytest.mark.pipeline
def test_what_travelled_is_derived_from_logs_where_the_sizes_of_the_model_are_there(
    logs: Path, monkeypatch: pytest.MonkeyPatch, fscost: Callable[..., Result]
) -> None:
    monkeypatch.chdir(logs)
    settings = ("table.columns=[total_uplink,total_downlink,final]", "--format", "csv")
    for measure in ("payload", "wire"):
        rows = rows_of(fscost("table", "exp", f"table.measure={measure}", *settings).out)
        sums = {(row[f"total_uplink_{measure}_bytes"], row[f"total_downlink_{measure}_bytes"]) for row in rows}
        assert sums == {
            tuple(str(case["messages"][f"model_para/{link}"][f"{measure}_bytes"]) for link in ("uplink", "downlink"))
            for case in (GOLDEN[name] for name in LOGGED)
        }
    assert {row["llm.adapter"] for row in rows} == {"lora", "prefix", "none"}
    assert all(float(row["final_test_avg_loss"]) > 5 for row in rows)


@pytest.mark.pipeline
def test_nothing_is_derived_where_nobody_says_how_large_the_model_is(
    logs: Path, monkeypatch: pytest.MonkeyPatch, fscost: Callable[..., Result]
) -> None:
    monkeypatch.chdir(logs / "exp")
    told = fscost("table", ".")
    assert "models/gpt2/config.json is not there, which would say how large the model is" in told.out
    assert "8,192" not in told.out
    (logs / "models" / "gpt2" / "config.json").write_text(json.dumps(SIZES | {"n_embd": 64}))
    told = fscost("table", ".", f"shapes={logs}/models/gpt2")
    assert "the log's total_model_size is" in told.out
