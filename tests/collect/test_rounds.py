"""From where a log counts rounds, and after which round a course ended: what the log tells, and what it does not."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.collect import Frames, gather, newest_evaluation, runs_below
from fscost.collect.fs_logs import read_evaluations
from fscost.collect.rounds import FROM_0, FROM_1, Schedule, offset_of
from tests.conftest import Result

OF_CLIENTS = "{{'Role': 'Server #', 'Round': {}, 'Results_weighted_avg': {{'test_acc': {}, 'test_total': 20.0}}}}\n"
OF_SERVER = OF_CLIENTS.replace("weighted_avg", "raw")
FINAL = "{'Role': 'Server #', 'Round': 'Final', 'Results_raw': {'client_summarized_weighted_avg': {'test_acc': 0.9}}}\n"
OF_CLIENT = "{{'Role': 'Client #1', 'Round': {}, 'Results_raw': {{'test_acc': 0.9}}}}\n"


def output(
    folder: Path, lines: Sequence[str], *, rounds: int = 6, freq: int = 1, stopped: int | None = 0, more: str = ""
) -> Path:
    """Write one output of FederatedScope; without `stopped` its server tells nothing of early stopping."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"federate: {{client_num: 2, total_round_num: {rounds}, method: FedAvg, mode: standalone}}\n"
        f"data: {{type: femnist}}\nmodel: {{type: convnet2}}\neval: {{freq: {freq}}}\nseed: 7\n{more}"
    )
    (folder / "eval_results.log").write_text("".join(lines))
    told = "" if stopped is None else f', "global_convergence_round": {stopped}'
    counts = '"total_model_size": 10, "total_upload_bytes": 900, "total_download_bytes": 900'
    workers = [f'{{"id": {worker}, {counts}{told}}}\n' for worker in range(3)]
    (folder / "system_metrics.log").write_text("".join(workers))
    return folder


def at(*rounds: int, form: str = OF_CLIENTS) -> list[str]:
    return [form.format(number, round(0.1 + number / 100, 2)) for number in rounds]


def read(folder: Path) -> tuple[list[int], dict[str, Any], Frames]:
    frames = gather(runs_below(folder))
    (row,) = frames.cells.to_dict("records")
    return [int(number) for number in frames.rounds["round"]], {str(key): value for key, value in row.items()}, frames


@pytest.mark.parametrize(
    ("logged", "freq", "rounds", "offset"),
    [
        ([1, 3, 5], 2, 6, FROM_0),
        ([2, 4, 6], 2, 6, FROM_1),
        ([0, 1, 2, 3, 4, 5], 1, 6, FROM_0),
        ([1, 2, 3, 4, 5, 6], 1, 6, FROM_1),
        ([1, 3, 4], 2, 5, FROM_0),  # the last is off the schedule
        ([2, 4, 5], 2, 5, FROM_1),
        ([4], 100, 5, FROM_0),  # the last alone is evaluated
        ([5], 100, 5, FROM_1),
        ([3, 5], 2, 6, FROM_0),  # the first are missing
        ([4, 6], 2, 6, FROM_1),
        ([2, 4], 2, 6, FROM_1),  # the last is missing
        ([1, 3], 2, 6, FROM_0),
        ([9], 10, 20, FROM_0),
        ([10], 10, 20, FROM_1),
        ([1, 2, 3], 1, 6, FROM_1),  # the first tells it alone
        ([0, 6], 1, 6, None),  # neither
        ([1, 2], 2, 6, None),
        ([2, 3], 1, 6, None),  # both alike
        ([0, 1], None, None, FROM_0),
        ([1, 2], None, None, None),
    ],
)
def test_schedule_and_rounds_decide(
    logged: list[int], freq: int | None, rounds: int | None, offset: int | None
) -> None:
    assert offset_of(logged, Schedule(rounds=rounds, freq=freq), None) == offset


def test_the_release_decides_only_what_the_log_leaves_open() -> None:
    assert offset_of([2, 3], Schedule(rounds=6, freq=1), FROM_0) == FROM_0
    assert offset_of([2, 3], Schedule(rounds=6, freq=1), FROM_1) == FROM_1
    assert offset_of([0, 1], Schedule(rounds=6, freq=1), FROM_1) == FROM_0
    assert offset_of([2, 6], Schedule(rounds=6, freq=2), FROM_0) == FROM_1


@pytest.mark.parametrize(("lines", "told"), [(at(1, 2, 3, 4, 5), None), ([*at(1, 2, 3, 4, 5), FINAL], [2, 3, 4, 5, 6])])
def test_a_first_line_that_is_missing_shifts_nothing(tmp_path: Path, lines: list[str], told: list[int] | None) -> None:
    """Rounds 1 to 5 of 6 lack the first if the line of the best results is behind the last, else the last."""
    rounds, row, frames = read(output(tmp_path / "exp", lines))
    assert rounds == (told or [1, 2, 3, 4, 5])
    assert not any("shown as logged" in warning for warning in frames.warnings)
    assert math.isnan(row["final_test_acc"]) == (told is None)


@pytest.mark.parametrize(("logged", "rounds"), [((0, 1), [1, 2]), ((1, 2), [1, 2]), ((1, 3), [2, 4]), ((2, 4), [2, 4])])
def test_where_a_course_stopped_early_tells_from_where_rounds_count(
    tmp_path: Path, logged: tuple[int, ...], rounds: list[int]
) -> None:
    """The server logs after how many rounds it stopped; the round that was under way is trained to its end."""
    lines = [*at(*logged), FINAL, OF_CLIENT.format(21)]
    freq = logged[1] - logged[0]
    found, row, frames = read(output(tmp_path / "exp", lines, rounds=20, freq=freq, stopped=rounds[-1]))
    assert found == rounds
    assert (row["last_evaluated_round"], row["rounds_trained"]) == (rounds[-1], rounds[-1] + 1)
    assert row["final_test_acc"] == pytest.approx(0.1 + logged[-1] / 100)
    assert "best_of" not in row
    assert not any("shown as logged" in warning for warning in frames.warnings)


def test_stopping_after_the_last_round_trains_none_more(tmp_path: Path) -> None:
    _, row, _ = read(output(tmp_path / "exp", [*at(0, 1, 2), FINAL], rounds=3, stopped=3))
    assert (row["rounds_trained"], row["final_test_acc"]) == (3, 0.12)


def test_a_server_that_does_not_tell_whether_it_stopped(tmp_path: Path) -> None:
    lines = at(0, 1, 2)
    for name, more, trained in (("may", "", None), ("off", "early_stop: {patience: 0}\n", 6)):
        _, row, _ = read(output(tmp_path / name, lines, stopped=None, more=more))
        assert row["rounds_trained"] == trained or (trained is None and pd.isna(row["rounds_trained"]))
    _, row, _ = read(output(tmp_path / "all", at(0, 1, 2, 3, 4, 5), stopped=None))
    assert row["rounds_trained"] == 6
    _, row, _ = read(output(tmp_path / "lines", [*lines, FINAL, OF_CLIENT.format(7)], stopped=None))
    assert (row["rounds_trained"], row["last_evaluated_round"]) == (4, 3)


def test_evaluations_of_the_server_itself_count_from_1(tmp_path: Path) -> None:
    rounds, row, _ = read(output(tmp_path / "exp", [*at(2, 4, 6, form=OF_SERVER), FINAL], freq=2))
    assert (rounds, row["rounds_trained"]) == ([2, 4, 6], 6)
    rounds, _, frames = read(output(tmp_path / "cut", at(2, 3, form=OF_SERVER)))
    assert rounds == [2, 3]
    assert not any("shown as logged" in warning for warning in frames.warnings)


@pytest.mark.parametrize(("lines", "final"), [([*at(0, 1), FINAL], 0.11), (at(0, 1), None)])
def test_without_a_configuration_the_line_of_the_best_results_tells_the_end(
    tmp_path: Path, lines: list[str], final: float | None
) -> None:
    (output(tmp_path / "exp", lines) / "config.yaml").unlink()
    rounds, row, _ = read(tmp_path)
    assert rounds == [1, 2]
    assert row["final_test_acc"] == final or (final is None and math.isnan(row["final_test_acc"]))
    assert row["best_test_acc"] == 0.11


def test_what_contradicts_itself_is_shown_as_logged_with_one_warning(tmp_path: Path) -> None:
    rounds, _, frames = read(output(tmp_path / "exp", at(0, 2, 4, 6), freq=2))
    assert rounds == [0, 2, 4, 6]
    assert sum("shown as logged" in warning for warning in frames.warnings) == 1


def test_rounds_that_begin_again_are_of_a_second_run(tmp_path: Path) -> None:
    rounds, row, frames = read(output(tmp_path / "exp", [*at(0, 1, 2), *at(0, 1, 2, 3, 4, 5), FINAL]))
    assert rounds == []
    assert "final_test_acc" not in row
    assert any("more than one run was appended" in warning for warning in frames.warnings)


def test_fedswa_evaluates_its_last_round_twice(tmp_path: Path) -> None:
    lines = [*at(1, 2, 3), FINAL, OF_CLIENT.format(3), *at(3), FINAL]
    rounds, row, _ = read(output(tmp_path / "exp", lines, rounds=3, more="fedswa: {use: true}\n"))
    assert (rounds, row["rounds_trained"]) == ([1, 2, 3, 3], 3)


class TestRecordedElsewhere:
    """Small folders of the kinds that strangers have."""

    def test_rounds_that_count_from_1(self, tmp_path: Path, fscost: Callable[..., Result]) -> None:
        output(tmp_path / "exp", at(2, 4, 6), freq=2)
        rounds, row, _ = read(tmp_path)
        assert (rounds, row["rounds_trained"]) == ([2, 4, 6], 6)
        done = fscost("table", str(tmp_path), "table=to_target", "table.target=0.14", "--format", "csv")
        assert done.out.splitlines()[1].split(",")[4] == "4"

    def test_a_course_without_a_last_evaluation(self, tmp_path: Path, fscost: Callable[..., Result]) -> None:
        output(tmp_path / "exp", at(2, 4), freq=2)
        rounds, row, frames = read(tmp_path)
        assert rounds == [2, 4]
        assert math.isnan(row["final_test_acc"])
        assert (row["best_test_acc"], row["best_of"]) == (0.14, "the evaluated rounds up to 4 of 6")
        assert sum("ends with round 4 of 6" in warning for warning in frames.warnings) == 1
        columns = ("table=accuracy_cost", "table.columns=[final,best]")
        done = fscost("table", str(tmp_path), *columns)
        (line,) = [line for line in done.out.splitlines() if line.startswith("convnet2")]
        assert line.split()[-2:] == ["n/a", "14.00‡"]
        assert "‡: best of the evaluated rounds up to 4 of 6" in done.out
        assert fscost("table", str(tmp_path), *columns, "--format", "csv").out.splitlines()[1].split(",")[-2] == "0.14"

    def test_a_course_that_was_cut_off(self, tmp_path: Path) -> None:
        (output(tmp_path / "exp", at(0, 1, 2, 3)) / "system_metrics.log").unlink()
        rounds, row, _ = read(tmp_path)
        assert (rounds, row["status"], row["last_evaluated_round"]) == ([1, 2, 3, 4], "failed", 4)
        assert "rounds_trained" not in row


def test_progress_counts_like_the_frames(tmp_path: Path) -> None:
    log = tmp_path / "eval_results.log"
    log.write_text("".join(at(2, 4)))
    for protocol in ("master", "v0.2.0"):
        newest = newest_evaluation(log, Schedule(protocol, rounds=6, freq=2))
        assert newest is not None and newest["round"] == 4
    assert newest_evaluation(log, Schedule("master")) == {"round": 5, "test_acc": 0.14, "test_total": 20.0}


def test_a_log_with_nothing_but_the_evaluation_after_the_last_round(tmp_path: Path) -> None:
    """Where no other line tells whether rounds count from 0, there is nothing to warn of either."""
    log, warnings = tmp_path / "eval_results.log", list[str]()
    lines = (
        "'Final', 'Results_raw': {'server_global_eval': {'test_acc': 0.6}}",
        "8, 'Results_weighted_avg': {'test_acc': 0.5}",
    )
    log.write_text("".join(f"{{'Role': 'Server #', 'Round': {line}}}\n" for line in lines))
    found = read_evaluations(log, warnings.append, Schedule(rounds=8, freq=1, repeats=True))
    assert ([row["round"] for row in found.rows], warnings) == ([8], [])
