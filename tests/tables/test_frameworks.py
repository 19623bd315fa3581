"""Runs of several frameworks stand side by side when that is asked for, and are never averaged."""

from pathlib import Path

import pytest

import fscost
from fscost.errors import TableError

ROWS = ["model", "framework", "method"]


def record(framework: str | None, seed: int = 0, mu: float | None = None, method: str = "fedavg") -> None:
    args = {} if mu is None else {"mu": mu}
    with fscost.record(
        method=method, model="lr", data="digits", clients=1, rounds=3, seed=seed, framework=framework, **args
    ) as run:
        run.uplink(payload_bytes=1000, client=1, round=0)


@pytest.fixture
def runs(here: Path) -> Path:
    record("Flower")
    record(None, mu=0.1)
    fscost.run("engine=estimate", "model=lr", "clients=1", "rounds=3")
    return here / "runs"


def test_each_framework_is_a_row(runs: Path) -> None:
    frame = fscost.table(runs, rows=ROWS).to_frame()
    assert sorted(frame["framework"]) == ["Flower", "estimate", "own code"]
    assert "Framework" in fscost.table(runs, rows=ROWS).to_text()


def test_options_of_federatedscope_are_no_columns_beside_own_code(runs: Path) -> None:
    text = fscost.table(runs, rows=ROWS).to_text()
    assert "batch_size" not in text and "criterion" not in text


def test_unasked_they_are_refused(here: Path) -> None:
    record(None)
    fscost.run("engine=estimate", "model=lr", "clients=1", "rounds=3")
    with pytest.raises(TableError, match="differ in engine: .*add engine to table.rows"):
        fscost.table(here / "runs")


def test_a_frame_has_numbers_beside_words(runs: Path) -> None:
    assert {0.1, "not set"} <= {*fscost.table(runs, rows=ROWS).to_frame()["args.mu"]}


def test_arguments_of_own_code_are_columns(here: Path) -> None:
    record(None, mu=0.1)
    record(None, mu=0.2)
    assert {"0.1", "0.2"} <= {*fscost.table(here / "runs").to_text().split()}


def test_two_frameworks_of_recordings_are_never_averaged(here: Path) -> None:
    record("Flower", seed=0)
    record("own", seed=1)
    frame = fscost.table(here / "runs", rows=ROWS).to_frame()
    assert len(frame) == 2
    assert len(fscost.table(here / "runs").to_frame()) == 2
