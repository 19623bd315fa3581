"""Every log recorded from real FederatedScope runs: the figures are the files', the failures are named.

`fs_logs.tar.xz` holds a folder per run: its configuration and, where FederatedScope wrote them, its two logs. The
figures are read from the files a second time here, by means of json alone.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.collect import Frames, gather, runs_below

COUNTERS = ("total_upload_bytes", "total_download_bytes")


@pytest.fixture(scope="module")
def frames(recorded_logs: Path) -> Frames:
    return gather(runs_below(recorded_logs))


def lines_of(run: Path) -> list[dict[str, Any]]:
    log = run / "system_metrics.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def runs_with_logs(recorded_logs: Path) -> list[Path]:
    return [run for run in runs_of(recorded_logs) if lines_of(run)]


def runs_of(recorded_logs: Path) -> list[Path]:
    """Return the folders that are a run each: those of the clients of a distributed course are the server's."""
    return [run for run in sorted(recorded_logs.iterdir()) if not re.fullmatch(r"dist_toy_c\d", run.name)]


def row_of(frames: Frames, run: Path) -> dict[str, Any]:
    (row,) = frames.cells[frames.cells["path"] == str(run)].to_dict("records")
    return {str(key): value for key, value in row.items()}


def test_every_run_is_a_row(recorded_logs: Path, frames: Frames) -> None:
    assert len(list(recorded_logs.iterdir())) == 139
    assert len(frames.cells) == len(runs_of(recorded_logs)) == 136
    assert frames.cells["cell"].is_unique


@pytest.mark.pipeline
def test_every_workers_figures_are_the_files(recorded_logs: Path, frames: Frames) -> None:
    compared = 0
    for run in runs_with_logs(recorded_logs):
        found = frames.workers[frames.workers["cell"] == row_of(frames, run)["cell"]].to_dict("records")
        others = [other for other in recorded_logs.glob("dist_toy_c*") if run.name == "dist_toy_s"]
        lines = [line for folder in [run, *sorted(others)] for line in lines_of(folder)]
        workers = [line for line in lines if not str(line["id"]).startswith("sys_")]
        if others:  # each process has a folder, and the server's line is there twice
            workers = sorted([workers[0], *workers[2:]], key=lambda line: int(line["id"]))
        assert [row["worker"] for row in found] == [int(worker["id"]) for worker in workers]
        for row, worker in zip(found, workers, strict=True):
            compared += 1
            assert {key: row[key] for key in worker if key != "id"} == {k: v for k, v in worker.items() if k != "id"}
    assert compared > 500


@pytest.mark.pipeline
def test_sys_avg_is_federatedscopes_own_to_the_character(recorded_logs: Path, frames: Frames) -> None:
    compared = 0
    for run in runs_with_logs(recorded_logs):
        averages = [line for line in lines_of(run) if line["id"] == "sys_avg"]
        for counter in COUNTERS:
            found = row_of(frames, run)[f"sys_avg_{counter}"]
            if len(averages) == 1 and len(lines_of(run)) == len({str(line["id"]) for line in lines_of(run)}):
                compared += 1
                assert found == averages[0][f"sys_avg/{counter}"], run.name
            elif len(averages) != 1:  # FederatedScope merged nothing (one process of distributed mode), so no figure
                assert run.name.startswith("dist") or pd.isna(found), run.name
    assert compared > 200


@pytest.mark.pipeline
def test_a_run_is_done_where_federatedscope_wrote_its_metrics_and_failed_by_name_where_not(
    recorded_logs: Path, frames: Frames
) -> None:
    for run in runs_of(recorded_logs):
        row = row_of(frames, run)
        vertical = "vertical" in (run / "config.yaml").read_text() if (run / "config.yaml").exists() else False
        if lines_of(run) or vertical:
            assert row["status"] == "done", run.name
        else:
            assert row["status"] == "failed", run.name
            assert "no system_metrics.log" in row["reason"]


@pytest.mark.pipeline
def test_the_last_accuracy_is_the_files(recorded_logs: Path, frames: Frames) -> None:
    compared = 0
    for run in runs_with_logs(recorded_logs):
        evaluations = run / "eval_results.log"
        if not evaluations.exists() or "dup" in run.name:
            continue
        server = [
            eval(line, {"nan": math.nan, "inf": math.inf})
            for line in evaluations.read_text().splitlines()
            if "'Role': 'Server #'" in line and "'Round': 'Final'" not in line and "_unseen" not in line
        ]
        forms = [r.get("Results_weighted_avg") or r.get("Results_raw") or {} for r in server if isinstance(r, dict)]
        accuracies = [form["test_acc"] for form in forms if "test_acc" in form]
        found = row_of(frames, run).get("final_test_acc")
        if accuracies and found is not None and not pd.isna(found):
            compared += 1
            assert found in accuracies[-3:], run.name
    assert compared > 50


AFTER_EARLY_STOP = {
    "earlystop_mlp64_c3_r20": (2, 3),
    "earlystop_mlp64_c3_r20_freq2": (4, 5),
    "earlystop_swa_mlp64_c3_r8": (2, 3),
    "earlystop_toylr_c10_r20": (2, 3),
    "earlystop_toylr_c3_r20": (7, 8),
    "earlystop_toylr_c3_r20__v020py39": (None, 7),
}
"""Rounds after which the last model was evaluated, and in which messages of training were recorded."""

MORE_THAN_ASKED = "afterreceiving"
"""What sends models on after the last round; how many is in no log."""


@pytest.mark.pipeline
def test_rounds_are_those_in_which_models_were_sent(recorded_logs: Path, frames: Frames) -> None:
    compared = 0
    for run in runs_with_logs(recorded_logs):
        asked = re.search(r"_r(\d+)", run.name)
        row = row_of(frames, run)
        if row["status"] != "done" or asked is None:
            continue
        compared += 1
        evaluated, trained = AFTER_EARLY_STOP.get(run.name, (int(asked[1]), int(asked[1])))
        has_log = (run / "eval_results.log").exists()
        assert row["last_evaluated_round"] == evaluated if has_log else pd.isna(row["last_evaluated_round"]), run.name
        assert pd.isna(row["rounds_trained"]) if MORE_THAN_ASKED in run.name else row["rounds_trained"] == trained
    assert "best_of" not in frames.cells
    assert compared > 100
    assert not any("shown as logged" in warning for warning in frames.warnings)


@pytest.mark.pipeline
def test_each_evaluated_round_is_where_the_schedule_has_it(recorded_logs: Path, frames: Frames) -> None:
    for run in runs_with_logs(recorded_logs):
        rounds = [*frames.rounds["round"][frames.rounds["cell"] == row_of(frames, run)["cell"]]]
        if not rounds or run.name.startswith("dup"):
            continue
        every = int(found[1]) if (found := re.search(r"freq(\d+)", run.name)) else 1
        assert all(r % every == 0 or r == rounds[-1] for r in rounds), run.name
        assert rounds[0] == min(every, rounds[-1]), run.name


def test_the_evaluations_of_a_course_that_crashed_are_kept(recorded_logs: Path, frames: Frames) -> None:
    row = row_of(frames, recorded_logs / "asyn_goal_mlp64_c5_r4")
    assert (row["status"], row["last_evaluated_round"]) == ("failed", 2)
    assert pd.isna(row["rounds_trained"])
    assert [*frames.rounds["round"][frames.rounds["cell"] == row["cell"]]] == [1, 2]


def test_upload_0_and_one_size_for_all_models_are_called_implausible(frames: Frames) -> None:
    doubts = frames.cells.set_index("path")["implausible"]
    by_name = {Path(str(path)).name: doubt for path, doubt in doubts.items()}
    assert "upload is 0" in by_name["fedavg_toylr_c3_r5"]
    assert "a model of another size" in by_name["fedavg_mlp16_c3_r3"]
    assert pd.isna(by_name["fedavg_toylr_c3_r5__v020py39"])  # v0.2.0 counts uploads
    assert "nothing in distributed mode" in by_name["dist_toy_s"]
