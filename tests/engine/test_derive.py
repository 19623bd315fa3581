"""Ledgers derived from nothing but the configuration and the logs of real FederatedScope runs, against the recorded."""

import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fscost.cells.cell import Cell
from fscost.collect.fs_logs import read_eval_results, read_system_metrics
from fscost.engine.estimate.derived_ledger import derive
from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.protocol.release import NAMES
from fscost.store.ledger_file import LedgerFile
from tests.conftest import DATA
from tests.engine.test_golden import ADDRESS_DIGITS_BYTES, GOLDEN

Row = dict[str, Any]


def _with_logs() -> Iterator[str]:
    with tarfile.open(DATA / "fs_logs.tar.xz") as archive:
        names = {*archive.getnames()}
    yield from (case for case in sorted(GOLDEN) if f"{case}/system_metrics.log" in names)


def derived(
    run: Path, releases: tuple[str, ...] = NAMES, model: Mapping[str, Any] | None = None, **options: Any
) -> LedgerFile:
    """Derive the ledger of a folder, other options laid over its configuration."""
    flat = dict(fs_options.leaves(yaml.safe_load((run / "config.yaml").read_text())))
    flat |= {name.replace("__", "."): value for name, value in options.items()}
    cell = Cell(engine="federatedscope", protocol="unknown", fs=fs_options.nested(fs_options.sparse(flat)))
    return derive(cell, *logged(run), releases, model)


def logged(run: Path) -> tuple[list[Row], list[Row]]:
    workers = read_system_metrics(run / "system_metrics.log", pytest.fail)
    evaluations = run / "eval_results.log"
    return workers, read_eval_results(evaluations, pytest.fail, "master") if evaluations.exists() else []


def sums_of(ledger: LedgerFile, name: str) -> dict[str, int | None]:
    """The messages or bytes of a ledger by type and link; None where a part is not known."""
    found: dict[str, int | None] = {}
    for row in ledger.messages:
        key, value = f"{row['type']}/{row['link']}", row[name]
        before = found.get(key, 0)
        found[key] = None if value is None or before is None else before + value
    return found


TIMING = [case for case in GOLDEN if GOLDEN[case]["config"].get("asyn", {}).get("use")]
"""Courses in which the number of messages depends on timing."""

NOT_UNDERSTOOD = ["earlystop_swa_mlp64_c3_r8"]
"""FedSWA that stops early has no closed form."""

CASES = [case for case in _with_logs() if case not in (*TIMING, *NOT_UNDERSTOOD)]


def test_nearly_all_recorded_runs_with_logs_have_a_closed_form() -> None:
    assert len(CASES) > 90


@pytest.mark.parametrize("case", CASES)
def test_a_derived_ledger_has_the_recorded_totals(case: str, recorded_logs: Path) -> None:
    """Payload and scalars are known whatever release it was; where wire is told it is right."""
    golden, ledger = GOLDEN[case], derived(recorded_logs / case)
    for name in ("messages", "payload_bytes", "scalar_bytes"):
        found = sums_of(ledger, name)
        assert found.keys() == golden["messages"].keys()
        open_ = {key for key, value in found.items() if value is None}
        assert open_ <= _of_buffers(golden, case), (name, open_)
        assert {k: v for k, v in found.items() if v is not None} == {
            key: row[name] for key, row in golden["messages"].items() if key not in open_
        }
    for key, found_bytes in sums_of(ledger, "wire_bytes").items():
        if found_bytes is not None:
            assert abs(found_bytes - golden["messages"][key]["wire_bytes"]) <= _slack(golden, key), key
    assert all(row["reported_bytes"] is None for row in ledger.messages)  # another Python counted


def _of_buffers(golden: Mapping[str, Any], case: str) -> set[str]:
    """Return the messages of secret sharing, of which no log tells whether they carry running statistics."""
    has_buffers = any(not trainable for _, _, trainable in golden["model"].values())
    return {"ss_model_para/peer", "model_para/uplink"} if case.startswith("ss_") and has_buffers else set()


def _slack(golden: Mapping[str, Any], key: str) -> int:
    pickled = key.startswith("model_para/")
    return ADDRESS_DIGITS_BYTES * len(golden["model"]) * golden["messages"][key]["messages"] if pickled else 0


@pytest.mark.parametrize("case", CASES)
def test_a_release_that_is_named_tells_all_of_the_wire(case: str, recorded_logs: Path) -> None:
    golden = GOLDEN[case]
    ledger = derived(recorded_logs / case, (golden["protocol"],))
    assert ledger.header["protocol"] == golden["protocol"]
    for key, found in sums_of(ledger, "wire_bytes").items():
        expected = golden["messages"][key]["wire_bytes"]
        assert (found is None) == (expected is None), key
        assert found is None or abs(found - expected) <= _slack(golden, key), key


@pytest.mark.parametrize("case", [case for case in TIMING if case in {*_with_logs()}])
def test_what_depends_on_timing_is_not_derived(case: str, recorded_logs: Path) -> None:
    with pytest.raises(ConfigError, match="depends on timing"):
        derived(recorded_logs / case)


def test_what_each_client_sent_is_known_by_how_often_it_logged_the_model(recorded_logs: Path) -> None:
    """3 of 10 clients are sampled in each of 4 rounds; each downloads the model once for it and once per evaluation."""
    run = recorded_logs / "fedavg_mlp64_c10_r4_num3"
    ledger = derived(run)
    model, trainable = GOLDEN["fedavg_mlp64_c10_r4_num3"]["messages"]["finish/downlink"]["payload_bytes"] // 10, 19832
    workers, _ = logged(run)
    each = sum(w["total_download_bytes"] for w in workers if w["worker"]) / (3 * 4 + 10 * 4)
    for worker in workers:
        if worker["worker"]:
            (row,) = [row for row in ledger.workers if row["worker"] == worker["worker"]]
            times = worker["total_download_bytes"] / each - 4
            assert row["sent"]["payload_bytes"] == times * trainable
            assert row["received"]["payload_bytes"] == (times + 4 + 1) * model


def test_the_server_sent_and_received_all_of_it(recorded_logs: Path) -> None:
    ledger = derived(recorded_logs / "fedavg_mlp64_c3_r3")
    server = ledger.workers[0]
    payload = sums_of(ledger, "payload_bytes")
    assert server["sent"]["payload_bytes"] == sum(v or 0 for k, v in payload.items() if k.endswith("downlink"))
    assert server["received"]["payload_bytes"] == sum(v or 0 for k, v in payload.items() if k.endswith("uplink"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model__hidden": 128}, r"9,886 parameters, the log's total_model_size is 4,958"),
        ({"federate__total_round_num": 4}, r"4 rounds with eval.freq=1 have 4 evaluations, the log has 3"),
        ({"eval__freq": 2}, r"3 rounds with eval.freq=2 have 2 evaluations, the log has 3"),
        ({"federate__total_round_num": 5, "eval__freq": 2}, r"rounds is 5, the log's last evaluation is of round 3"),
        ({"federate__client_num": 6}, r"clients have .* test samples in the mean, the log's test_total is 60.3"),
        ({"personalization__local_param": ["linears"]}, r"the server's downloads would count some"),
        ({"federate__make_global_eval": True}, r"the server's downloads would count some|clients' downloads"),
    ],
)  # fmt: skip
def test_a_log_that_disagrees_is_not_derived_from(options: Row, words: str, recorded_logs: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        derived(recorded_logs / "fedavg_mlp64_c3_r3", **options)


def test_what_a_trainer_of_somebodys_own_sends_is_not_known(recorded_logs: Path) -> None:
    with pytest.raises(ConfigError, match="trainer.type=mine_trainer: engine=estimate does not know what it sends"):
        derived(recorded_logs / "fedavg_mlp64_c3_r3", trainer__type="mine_trainer")
    assert derived(recorded_logs / "fedavg_mlp64_c3_r3", trainer__type="sam_trainer").messages


def test_a_release_that_is_named_must_agree_with_what_it_logs(recorded_logs: Path) -> None:
    with pytest.raises(ConfigError, match="v0.2.0 counts uploads, the clients' total_upload_bytes are 0"):
        derived(recorded_logs / "fedavg_mlp64_c3_r3", ("v0.2.0",))
    with pytest.raises(ConfigError, match="the server's downloads would count some"):
        derived(recorded_logs / "fedavg_mlp64_c3_r3", ("v0.3.0",))


def test_of_data_that_are_not_known_here_all_is_known_that_does_not_depend_on_them(recorded_logs: Path) -> None:
    run, golden = recorded_logs / "fedavg_convnet2_c3_r3", GOLDEN["fedavg_convnet2_c3_r3"]
    with pytest.raises(ConfigError, match="data.type=mine: the shape of its samples is not known here"):
        derived(run, data__type="mine")
    ledger = derived(run, data__type="mine", model__input_shape=[1, 8, 8], train__batch_or_epoch="epoch")
    payload = sums_of(ledger, "payload_bytes")
    assert payload == {key: row["payload_bytes"] for key, row in golden["messages"].items()}
    assert sums_of(ledger, "wire_bytes")["model_para/uplink"] is None  # the number of samples is in it
    assert sums_of(ledger, "scalar_bytes")["metrics/uplink"] is None
    with pytest.raises(ConfigError, match="25.,... parameters, the log's total_model_size is 69,386"):
        derived(run, data__type="femnist")


def test_a_model_that_is_not_known_here_can_be_told(recorded_logs: Path) -> None:
    run, golden = recorded_logs / "fedavg_convnet2_c3_r3", GOLDEN["fedavg_convnet2_c3_r3"]
    tensors = {
        name: {"shape": shape, "dtype": dtype, "trainable": trainable}
        for name, (dtype, shape, trainable) in golden["model"].items()
    }
    ledger = derived(run, model={"name": "mine", "tensors": tensors}, model__type="somebodys", data__type="mine")
    expected = {key: row["payload_bytes"] for key, row in golden["messages"].items()}
    assert sums_of(ledger, "payload_bytes") == expected
    with pytest.raises(ConfigError, match="has 5 parameters, the log's total_model_size is 69,386"):
        derived(run, model={"name": "mine", "parameters": 5}, model__type="somebodys", data__type="mine")


def test_how_messages_of_distributed_mode_that_are_other_ones_count_is_not_known(recorded_logs: Path) -> None:
    run = recorded_logs / "fedavg_mlp64_c3_r3"
    ledger = derived(run, ("master",), federate__mode="distributed")
    known = {row["type"]: row["payload_bytes"] for row in ledger.messages}
    assert known["finish"] is None
    assert known["model_para"] is not None


def test_the_header_tells_the_size_of_the_model(recorded_logs: Path) -> None:
    golden = GOLDEN["fedavg_mlp64_c3_r3"]
    header = derived(recorded_logs / "fedavg_mlp64_c3_r3").header
    numbers = [shape for _, shape, trainable in golden["model"].values() if trainable]
    assert header["params"] == sum(_product(shape) for shape in numbers) == 4958
    assert json.dumps(header)


def _product(shape: list[int]) -> int:
    found = 1
    for size in shape:
        found *= size
    return found
