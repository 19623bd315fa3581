"""Which logged figures cannot be what travelled, and which can."""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fscost.collect import gather, runs_below
from fscost.collect.plausible import Log, doubts_of, no_counts, same_bytes_of_other_models
from tests.conftest import DATA, Result, resealed

FEDAVG = {"federate.method": "FedAvg", "federate.total_round_num": 6, "eval.freq": 1, "model.type": "convnet2"}
MODEL = 1_000_000


def log(
    *clients: tuple[Any, Any], server: tuple[Any, Any] = (0, 0), options: Mapping[str, Any] = FEDAVG, size: Any = MODEL
) -> Log:
    """Return a log with upload and download of server and clients, which trained a model of `size` parameters."""
    workers = [{"worker": 0, "run": 1, "total_model_size": 0} | bytes_of(*server)]
    for number, counts in enumerate(clients, start=1):
        workers.append({"worker": number, "run": 1, "total_model_size": size, "total_flops": 1.0} | bytes_of(*counts))
    return Log(workers, options)


def bytes_of(upload: Any, download: Any) -> dict[str, Any]:
    return {"total_upload_bytes": upload, "total_download_bytes": download}


ENOUGH = 6 * 4 * MODEL
RIGHT = log((ENOUGH, ENOUGH), (ENOUGH, ENOUGH), server=(2 * ENOUGH, 2 * ENOUGH))


def doubts(one: Log) -> str:
    return "; ".join(doubts_of(one))


def test_figures_that_can_be_right_are_not_doubted() -> None:
    assert doubts(RIGHT) == ""
    least = 4 * MODEL
    assert doubts(log((least, least), server=(least, least))) == ""


@pytest.mark.parametrize(
    ("options", "least", "words"),
    [
        ({}, 4 * MODEL, "with 32 bits each"),
        ({"train.is_enable_half": True}, 2 * MODEL, "with 16 bits each"),
        ({"quantization.method": "uniform", "quantization.nbits": 8}, MODEL, "with 8 bits each"),
        ({"federate.method": "Ditto"}, 2 * MODEL, "with 32 bits each"),
        ({"federate.method": "mine"}, MODEL // 8, "even with one bit each"),
        ({"federate.my_switch": 3}, MODEL // 8, "even with one bit each"),
        ({"model.contrast_topk": 100, "distribute.grpc_compression": "nocompression"}, 4 * MODEL, "with 32 bits each"),
        ({"device": 1, "train.optimizer.momentum": 0.9}, 4 * MODEL, "with 32 bits each"),
    ],
)
def test_less_than_one_model(options: dict[str, Any], least: int, words: str) -> None:
    for link, (upload, download) in {"upload": (least - 1, ENOUGH), "download": (ENOUGH, least - 1)}.items():
        found = doubts(log((upload, download), server=(ENOUGH, ENOUGH), options=FEDAVG | options))
        assert found.startswith(f"{link} of client 1 is at most {least - 1:,} B, less than one model of 1,000,000")
        assert words in found
    assert doubts(log((least, least), server=(ENOUGH, ENOUGH), options=FEDAVG | options)) == ""


@pytest.mark.parametrize(
    "options",
    [{"federate.method": "local"}, {"llm.adapter.use": True}, {"federate.topk_rate": 0.01}, {"vertical.use": True}],
)
def test_where_a_part_of_the_model_or_none_is_sent_there_is_no_bound(options: dict[str, Any]) -> None:
    assert doubts(log((10, 10), server=(10, 10), options=FEDAVG | options)) == ""


def test_what_stays_local_is_downloaded_all_the_same() -> None:
    options = FEDAVG | {"personalization.local_param": ["fc"]}
    assert doubts(log((10, 4 * MODEL), server=(ENOUGH, 20), options=options)) == ""
    assert doubts(log((10, 10), server=(ENOUGH, 20), options=options)).startswith("download of client 1")


def test_a_server_with_less_than_one_model_for_each_client() -> None:
    one = 4 * MODEL
    found = doubts(log((one, one), (one, one), server=(2 * one, 2 * one - 1)))
    assert found == f"download of the server is {2 * one - 1:,} B, less than one model per client that took part"


def test_zeros() -> None:
    assert doubts(log((0, 0))) == "every figure is 0: nothing was counted"
    assert doubts(Log(log((0, 0)).workers, is_distributed=True)).startswith("every figure is 0: FederatedScope counts")
    assert doubts(log((0, ENOUGH))).startswith("upload is 0 for every worker though clients trained")
    assert doubts(log((ENOUGH, 0), server=(ENOUGH, ENOUGH))) == "download is 0 for every client though clients trained"
    online = FEDAVG | {"federate.online_aggr": True}
    assert "online_aggr" in doubts(log((ENOUGH, 0), server=(ENOUGH, ENOUGH), options=online))
    some = log((ENOUGH, ENOUGH), (0, ENOUGH), server=(2 * ENOUGH, 2 * ENOUGH))
    assert doubts(some) == "upload of client 2 is 0 though it trained"


def test_a_client_that_was_never_sampled_may_have_uploaded_nothing() -> None:
    workers = [*RIGHT.workers, {"worker": 3, "run": 1, "total_model_size": 0, "total_flops": 0} | bytes_of(0, 0)]
    assert doubts(Log(workers, FEDAVG)) == ""


@pytest.mark.parametrize("value", [-5, math.inf, math.nan, 10.5, "12K", None, True, [1]])
def test_what_is_no_number_of_bytes(value: Any) -> None:
    one = log((ENOUGH, value), server=(ENOUGH, ENOUGH))
    assert f"download of client 1 is {value!r}, which is no number of bytes" in doubts(one)
    assert [*no_counts(RIGHT.workers)] == []


def test_a_counter_that_goes_back() -> None:
    again = [dict(row, run=2) for row in RIGHT.workers]
    assert [*no_counts([*RIGHT.workers, *again])] == []
    again[1]["total_upload_bytes"] -= 1
    (found,) = no_counts([*RIGHT.workers, *again])
    assert found == f"upload of client 1 shrinks from {ENOUGH:,} B to {ENOUGH - 1:,} B in a later line"


def test_clients_that_received_more_than_was_sent() -> None:
    found = log((ENOUGH, ENOUGH), (ENOUGH, ENOUGH), server=(2 * ENOUGH - 1, 2 * ENOUGH))
    received, sent = f"{2 * ENOUGH:,} B in all", f"{2 * ENOUGH - 1:,} B that the server uploaded"
    assert doubts(found) == f"clients downloaded {received}, more than the {sent}"
    shares = FEDAVG | {"federate.use_ss": True}  # clients send to each other
    assert doubts(Log(found.workers, shares)) == ""


def test_equal_bytes_of_models_of_different_sizes() -> None:
    other = log((ENOUGH, ENOUGH), (ENOUGH, ENOUGH), size=MODEL // 2)
    found = same_bytes_of_other_models({"a": RIGHT, "b": other, "c": RIGHT})
    assert found.keys() == {"a", "b", "c"}
    assert "as those of b with a model of another size" in found["a"]
    assert same_bytes_of_other_models({"a": RIGHT, "c": RIGHT}) == {}


def test_rounds_that_are_a_list_are_compared_too() -> None:
    odd = FEDAVG | {"federate.total_round_num": [6], "eval.freq": {"train": 1}}
    one, other = (log((ENOUGH, ENOUGH), options=odd, size=size) for size in (MODEL, MODEL // 2))
    assert same_bytes_of_other_models({"a": one, "b": other, "c": RIGHT}).keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"federate.total_round_num": 12}, MODEL // 2),  # twice as often half as much
        ({"federate.method": "local"}, MODEL // 2),
        ({"federate.method": "Ditto"}, 2 * MODEL),  # the same model, and one of its own
    ],
)
def test_equal_bytes_that_can_be(options: dict[str, Any], size: int) -> None:
    other = log((ENOUGH, ENOUGH), (ENOUGH, ENOUGH), options=FEDAVG | options, size=size)
    assert same_bytes_of_other_models({"a": RIGHT, "b": other}) == {}


def test_the_audit_says_what_is_implausible_and_why(fscost: Callable[..., Result]) -> None:
    folder = str(DATA / "cases" / "too_few_bytes")
    why = "download of clients 1, 2, 3, 4 is at most 2,250 B, less than one model of 5,000,000 parameters, 20,000,000 B"
    for done in (fscost("table", folder, "table=audit"), fscost("explain", folder)):
        assert done.code == 0
        assert "Implausible in " in done.out
        assert why in done.out
        assert f"implausible: {why.replace('download', 'upload').replace('2,250', '3,000')}" in done.err


@pytest.mark.pipeline
def test_figures_of_own_runs_that_are_no_counts(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    select = ("engine=builtin", "model=lr", "data=toy", "clients=2", "rounds=1", f"store={tmp_path / 'runs'}")
    assert fscost("-m", *select).code == 0
    (metrics,) = (tmp_path / "runs").glob("*/system_metrics.log")
    first, second, *others = map(json.loads, metrics.read_text().splitlines())
    second["total_download_bytes"] = -5
    metrics.write_text("".join(json.dumps(line) + "\n" for line in (first, second, *others)))
    resealed(metrics.parent)
    done = fscost("table", *select, "table=audit")
    assert done.code == 0
    assert "download of client 1 is -5, which is no number of bytes" in done.out
    assert "implausible: download of client 1 is -5" in done.err


@pytest.mark.parametrize("text", ['"abc"', '{"a": 1}', "1e400", "-1", "0.5", "NaN", "1" + "0" * 40, "null", "true"])
def test_what_is_no_count_costs_its_entry_alone(tmp_path: Path, text: str) -> None:
    shutil.copytree(DATA / "cases" / "too_few_bytes", tmp_path / "exp")
    metrics = tmp_path / "exp" / "system_metrics.log"
    metrics.write_text(metrics.read_text().replace("2250", text, 1))
    frames = gather(runs_below(tmp_path))
    assert [*frames.workers["total_download_bytes"].fillna(0)] == [12000, 0, 2250, 2250, 2250]
    (row,) = frames.cells.to_dict("records")
    assert "download of client 1 is " in row["implausible"]
    assert row["final_test_acc"] == 0.61


def test_names_of_the_frames_are_not_taken_from_logs(tmp_path: Path) -> None:
    shutil.copytree(DATA / "cases" / "too_few_bytes", tmp_path / "exp")
    for log, old, new in (
        ("system_metrics.log", '"total_flops"', '"cell": "x", "run": 7, "total_flops"'),
        ("eval_results.log", "'test_total'", "'round': 9.5, 'cell': 1, 'test_total'"),
    ):
        text = (tmp_path / "exp" / log).read_text()
        (tmp_path / "exp" / log).write_text(text.replace(old, new))
    frames = gather(runs_below(tmp_path))
    assert {*frames.workers["cell"], *frames.rounds["cell"]} == {*frames.cells["cell"]}
    assert [*frames.rounds["round"]] == [2, 4, 6]
    assert [*frames.workers["run"]] == [1] * 5
