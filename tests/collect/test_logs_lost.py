"""A course of which only the packed evaluations are left: it ended, and its logs are lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fscost.collect import gather, runs_below
from tests.conftest import DATA, Result

LOST = DATA / "cases" / "logs_lost"


@pytest.mark.pipeline
def test_a_course_whose_logs_are_missing_had_finished(fscost: Callable[..., Result]) -> None:
    frames = gather(runs_below(LOST))
    (row,) = frames.cells.to_dict("records")
    assert row["status"] == "done"
    assert row["reason"].startswith("the logs are missing: the course had finished")
    assert frames.warnings == [f"{LOST}: {row['reason']}"]
    for verb in ("status", "explain"):
        out = fscost(verb, str(LOST)).out
        assert "the logs are missing" in out
        assert "crashed" not in out
    line = fscost("table", str(LOST), "--format", "csv").out.splitlines()[1].split(",")
    assert line.count("n/a") >= 5


@pytest.mark.parametrize(("patience", "trained"), [(0, 6), (5, None)])
def test_its_rounds_are_known_only_where_it_cannot_have_stopped_early(
    tmp_path: Path, patience: int, trained: int | None
) -> None:
    shutil.copytree(LOST, tmp_path / "exp")
    config = tmp_path / "exp" / "config.yaml"
    config.write_text(config.read_text().replace("patience: 0", f"patience: {patience}"))
    (rounds,) = gather(runs_below(tmp_path)).cells["rounds_trained"]
    assert rounds == trained or (trained is None and pd.isna(rounds))


def test_without_a_configuration_it_is_listed(tmp_path: Path) -> None:
    shutil.copytree(LOST, tmp_path / "exp")
    (tmp_path / "exp" / "config.yaml").unlink()
    (row,) = gather(runs_below(tmp_path)).cells.to_dict("records")
    assert "the logs are missing" in row["reason"]


def test_what_only_crashed_is_not_said_to_have_finished(tmp_path: Path) -> None:
    shutil.copytree(LOST, tmp_path / "exp")
    (tmp_path / "exp" / "eval_results.raw.gz").rename(tmp_path / "exp" / "eval_results.raw")
    (row,) = gather(runs_below(tmp_path)).cells.to_dict("records")
    assert (row["status"], "crashed or still runs" in row["reason"]) == ("failed", True)
