"""FederatedScope output that fscost never launched: real logs, laid out as FederatedScope lays them out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fscost.collect import gather, runs_below
from tests.conftest import DATA, Result


def output(folder: Path, **files: str) -> Path:
    """Lay out one output directory from recorded files."""
    folder.mkdir(parents=True)
    for name, recorded in files.items():
        shutil.copy(DATA / recorded, folder / {"config": "config.yaml"}.get(name, f"{name}.log"))
    return folder


SAMPLED = {
    "config": "fs_sampled_config.yaml",
    "system_metrics": "fs_system_metrics.log",
    "eval_results": "fs_eval_results.log",
}


def test_axes_come_from_the_configuration_and_figures_from_the_logs(tmp_path: Path) -> None:
    output(tmp_path / "exp" / "FedAvg_lr_on_toy", **SAMPLED)
    frames = gather(runs_below(tmp_path))
    (row,) = frames.cells.to_dict("records")
    assert (row["method"], row["model"], row["data"], row["clients"], row["rounds"]) == (
        "fedavg",
        "mlp_m",
        "digits",
        10,
        4,
    )
    assert row["status"] == "done"
    assert row["final_test_acc"] == 0.6077348066298343
    assert (row["sys_avg_total_upload_bytes"], row["sys_avg_total_download_bytes"]) == ("0.0", "25.72K")
    assert list(frames.workers["total_download_bytes"][:3]) == [70104, 25344, 16896]
    assert list(frames.rounds["round"]) == [1, 2, 3, 4]
    assert frames.messages.empty
    (doubt,) = frames.warnings
    assert "implausible: upload is 0 for every worker" in doubt


def test_federatedscopes_average_is_reproduced_to_the_character(tmp_path: Path) -> None:
    recorded = [json.loads(line) for line in (DATA / "fs_system_metrics.log").read_text().splitlines()]
    (average,) = [line for line in recorded if line["id"] == "sys_avg"]
    output(tmp_path / "exp", **SAMPLED)
    (row,) = gather(runs_below(tmp_path)).cells.to_dict("records")
    for key in ("total_upload_bytes", "total_download_bytes"):
        assert row[f"sys_avg_{key}"] == average[f"sys_avg/{key}"]


def test_v020_is_known_by_an_option_that_only_it_dumps(tmp_path: Path) -> None:
    run = output(tmp_path / "exp", config="fs_config.yaml")
    assert [cell.protocol for cell, _ in runs_below(tmp_path) if cell] == ["unknown"]
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("eval: {", "eval: {save_data: false, "))
    assert "save_data" in config.read_text()
    assert [cell.protocol for cell, _ in runs_below(tmp_path) if cell] == ["v0.2.0"]


def test_a_published_average(tmp_path: Path) -> None:
    """A server at 114072 and three clients at 39504, as a blog shows them, average to 56.78K."""
    run = output(tmp_path / "exp", config="fs_config.yaml")
    sizes = [114072, 39504, 39504, 39504]
    lines = [json.dumps({"id": worker, "total_upload_bytes": size}) for worker, size in enumerate(sizes)]
    (run / "system_metrics.log").write_text("\n".join(lines))
    (row,) = gather(runs_below(tmp_path)).cells.to_dict("records")
    assert row["sys_avg_total_upload_bytes"] == "56.78K"
    assert pd.isna(row["sys_avg_total_download_bytes"])  # not in the file, so not known


def test_reruns_inside_a_run_are_runs_of_their_own(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    output(tmp_path / "exp", **SAMPLED)
    output(tmp_path / "exp" / "sub_exp_20230401120000", **SAMPLED)
    cells = gather(runs_below(tmp_path)).cells
    ids = list(cells["cell"])
    assert ids[1] == f"{ids[0]}-2"
    assert list(cells["id"]) == [ids[0], ids[0]]
    assert list(cells["repeat"]) == [1, 2]
    refused = fscost("table", str(tmp_path))
    assert refused.code == 2
    assert f"{ids[0]} and {ids[0]}-2 are runs of the same cell" in refused.err


def test_a_crashed_run_failed_and_is_named(tmp_path: Path) -> None:
    output(tmp_path / "exp", config="fs_config.yaml")
    frames = gather(runs_below(tmp_path))
    assert list(frames.cells["status"]) == ["failed"]
    assert "no system_metrics.log" in frames.cells["reason"][0]
    assert frames.warnings == [f"{tmp_path / 'exp'}: {frames.cells['reason'][0]}"]
    assert "final_test_acc" not in frames.cells


def test_appended_runs_have_no_result(tmp_path: Path) -> None:
    run = output(tmp_path / "exp", **SAMPLED)
    text = (run / "system_metrics.log").read_text()
    (run / "system_metrics.log").write_text(text + "".join(f"{line}\n" for line in text.splitlines()[:11]))
    frames = gather(runs_below(tmp_path))
    assert any(f"{run / 'system_metrics.log'}:14: worker 0 is there again" in w for w in frames.warnings)
    assert any("more than one run was appended" in w for w in frames.warnings)
    assert list(frames.workers["run"]) == [1] * 11 + [2] * 11
    assert pd.isna(frames.cells["sys_avg_total_download_bytes"][0])
    assert "final_test_acc" not in frames.cells


def test_distributed_mode_writes_the_server_twice(tmp_path: Path) -> None:
    run = output(tmp_path / "exp", **SAMPLED)
    server = (run / "system_metrics.log").read_text().splitlines()[0]
    (run / "system_metrics.log").write_text(f"{server}\n{server}\n")
    frames = gather(runs_below(tmp_path))
    assert len(frames.warnings) == 1
    assert list(frames.workers["run"]) == [1, 2]
    assert frames.cells["final_test_acc"][0] == 0.6077348066298343
    assert frames.cells["logged_server_download_bytes"][0] == json.loads(server)["total_download_bytes"]
    more = json.dumps(json.loads(server) | {"total_download_bytes": 1 + json.loads(server)["total_download_bytes"]})
    (run / "system_metrics.log").write_text(f"{server}\n{more}\n")
    assert pd.isna(gather(runs_below(tmp_path)).cells["logged_server_download_bytes"][0])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.yaml", "a: [", "cannot be read"),
        ("config.yaml", "federate: {client_num: -1, total_round_num: 3}\ndata: {type: toy}", "clients=-1"),
        ("system_metrics.log", '{"id": 0, "total_up', ":1: no JSON"),
        ("eval_results.log", "{'Role': 'Server #', 'Rou", ":1: no Python dict"),
    ],
)
def test_what_cannot_be_read_is_named_and_costs_nothing_else(tmp_path: Path, name: str, text: str, words: str) -> None:
    good, bad = output(tmp_path / "a", **SAMPLED), output(tmp_path / "b", **SAMPLED)
    (bad / name).write_text(text)
    frames = gather(runs_below(tmp_path))
    assert len(frames.cells) == 2
    assert any(str(bad / name) in warning and words in warning for warning in frames.warnings)
    assert not any(str(good) in warning for warning in frames.warnings if "implausible" not in warning)


def test_how_many_clients_the_data_had_is_not_known(tmp_path: Path) -> None:
    run = output(tmp_path / "exp", **SAMPLED)
    (run / "config.yaml").write_text("federate: {client_num: 0, total_round_num: 3}\ndata: {type: toy}")
    frames = gather(runs_below(tmp_path))
    assert (frames.cells["data"][0], pd.isna(frames.cells["clients"][0])) == ("toy", True)
    assert "final_test_acc" in frames.cells


def test_a_run_without_its_configuration_is_listed(tmp_path: Path) -> None:
    output(tmp_path / "exp", system_metrics="fs_system_metrics.log")
    frames = gather(runs_below(tmp_path))
    assert len(frames.cells) == 1
    assert len(frames.workers) == 11
    assert any("no config.yaml" in warning for warning in frames.warnings)


def test_a_run_without_its_configuration_is_explained_as_far_as_it_is_known(
    tmp_path: Path, fscost: Callable[..., Result]
) -> None:
    output(tmp_path / "exp", system_metrics="fs_system_metrics.log", eval_results="fs_eval_results.log")
    for words in (("explain",), ("table", "table=audit")):
        done = fscost(words[0], str(tmp_path), *words[1:])
        assert (done.code, "Traceback" in done.err) == (0, False)
        assert "70,104" in done.out
        assert "n/a" in done.out


def test_a_configuration_without_a_number_of_clients_is_told(tmp_path: Path) -> None:
    run = output(tmp_path / "exp", **SAMPLED)
    (run / "config.yaml").write_text("federate: {client_num: null, total_round_num: 4}\ndata: {type: toy}\n")
    frames = gather(runs_below(tmp_path))
    assert any("clients" in warning for warning in frames.warnings)


def test_other_yaml_files_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("defaults: [method]\n")
    assert runs_below(tmp_path) == []


@pytest.mark.pipeline
def test_logs_alone_never_become_payload(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    """A configuration that they contradict tells nothing of it either."""
    run = output(tmp_path / "exp", **SAMPLED)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("hidden: 64", "hidden: 65"))
    done = fscost("table", str(tmp_path), "--format", "csv")
    *labels_and_bytes, accuracy, seeds = done.out.splitlines()[1].split(",")
    assert labels_and_bytes == ["mlp_h65", "n/a", "10", "fedavg", *["n/a"] * 4, "4"]
    assert (float(accuracy), seeds) == (pytest.approx(0.6077348066298343), "1")
    assert "n/a: not known; no message was metered, and its model has" in fscost("table", str(tmp_path)).out
    assert "nothing was computed" in fscost("rerun", str(tmp_path)).err


def test_a_run_below_two_of_the_folders_is_there_once(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    run = output(tmp_path / "exp" / "one", **SAMPLED)
    done = fscost("table", str(run), str(tmp_path), str(tmp_path / "exp"), "--format", "csv")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 2
