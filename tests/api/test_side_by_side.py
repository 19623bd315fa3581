"""Several selections in one table: stores, folders and grids, each a sweep of its own."""

import contextlib
import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.commands.command_line import main
from tests.conftest import Result

FAST = ("engine=estimate", "rounds=2")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two stores of two methods each, which have FedAvg with LR in common."""
    folder = tmp_path_factory.mktemp("stores")
    with contextlib.chdir(folder):
        assert main(["-m", "store=ours", *FAST, "method=fedavg,fedbn", "model=lr,convnet2"]) == 0
        assert main(["-m", "store=theirs", *FAST, "method=fedavg,quant8", "model=lr"]) == 0
    return folder


@pytest.fixture
def in_stores(stores: Path, here: Path) -> Path:
    return shutil.copytree(stores, here, dirs_exist_ok=True)


def rows_of(done: Result) -> list[dict[str, str]]:
    assert done.code == 0, done.err
    return [*csv.DictReader(io.StringIO(done.out))]


@pytest.mark.pipeline
def test_folders_are_sweeps_each_with_its_own_baseline(in_stores: Path, fscost: Callable[..., Result]) -> None:
    rows = rows_of(fscost("table", "theirs", "ours", "table.rows=[sweep,model,method]", "--format", "csv"))
    places = [f"{row['sweep']} {row['model']} {row['method']}" for row in rows]
    theirs, ours = ["theirs lr fedavg", "theirs lr quant8"], ["ours lr fedavg", "ours lr fedbn"]
    assert places == [*theirs, *ours, "ours convnet2 fedavg", "ours convnet2 fedbn"]
    for sweep in ("theirs", "ours"):
        total = {row["method"]: float(row["total_payload_bytes"]) for row in rows
                 if row["sweep"] == sweep and row["model"] == "lr"}  # fmt: skip
        for row in rows:
            if row["sweep"] == sweep and row["model"] == "lr":
                assert float(row["ratio"]) == total[row["method"]] / total["fedavg"]


@pytest.mark.pipeline
def test_a_cell_of_two_stores_is_told_apart_unasked_and_never_averaged(
    in_stores: Path, fscost: Callable[..., Result]
) -> None:
    rows = rows_of(fscost("table", "ours", "+", "theirs", "table.columns=[total]", "--format", "csv"))
    twins = [row for row in rows if (row["model"], row["method"]) == ("lr", "fedavg")]
    assert [row["sweep"] for row in twins] == ["ours", "theirs"]
    assert len(rows) == 6
    alone = rows_of(fscost("table", "theirs", "table.columns=[total]", "--format", "csv"))
    assert "sweep" not in alone[0]


@pytest.mark.pipeline
def test_grids_folders_and_sweep_files_stand_side_by_side(in_stores: Path, fscost: Callable[..., Result]) -> None:
    grid = (*FAST, "store=ours", "method=fedavg,fedbn", "model=convnet2")
    wide = ("table.across=sweep", "table.rows=[method]", "table.columns=[total]")
    words = ("table", *grid, "+", "theirs", "+", "sweeps=quickstart", "engine=estimate", *wide)
    (bn, *_) = (row for row in rows_of(fscost(*words, "--format", "csv")) if row["method"] == "fedbn")
    name = "engine estimate rounds 2 method fedavg,fedbn model convnet2"
    assert int(bn[f"total_payload_bytes_sweep_{name}"]) > 0
    assert bn["total_payload_bytes_sweep_theirs"] == bn["total_payload_bytes_sweep_quickstart"] == "·"
    labelled = fscost(*words, f"table.labels.{name}=Ours", "table.labels.theirs=Theirs").out
    assert [head.strip(" †") for head in labelled.splitlines()[3].split("  ") if head][-3:] == [
        "Ours", "Theirs", "quickstart"
    ]  # fmt: skip
    assert labelled.count("to do: python -m fscost method=fed") == 4
    assert f"fscost table {' '.join(grid)} + theirs + sweeps=quickstart" in fscost(*words, "--format", "latex").out


@pytest.mark.pipeline
def test_one_grid_twice_stands_there_twice(in_stores: Path, fscost: Callable[..., Result]) -> None:
    rows = rows_of(fscost("table", "theirs", "+", "theirs", "table.columns=[total]", "--format", "csv"))
    assert [(row["sweep"], row["method"]) for row in rows] == [
        ("theirs", "fedavg"), ("theirs", "quant8"), ("theirs (2)", "fedavg"), ("theirs (2)", "quant8"),
    ]  # fmt: skip


@pytest.mark.pipeline
def test_grids_are_called_by_the_words_in_which_they_differ(in_stores: Path, fscost: Callable[..., Result]) -> None:
    grids = [(*FAST, "store=ours", "model=convnet2", f"method={method}") for method in ("fedavg", "fedbn")]
    words = ("table", *grids[0], "+", *grids[1], "table.rows=[sweep]", "table.columns=[total]", "--format", "csv")
    assert [row["sweep"] for row in rows_of(fscost(*words))] == ["method fedavg", "method fedbn"]


@pytest.mark.pipeline
def test_sweeps_can_be_compared_with_each_other(in_stores: Path, fscost: Callable[..., Result]) -> None:
    shutil.copytree("theirs", "later")
    settings = ("table.compare=sweep", "table.rows=[method,sweep]", "table.columns=[total,ratio]")
    rows = rows_of(fscost("table", "theirs", "later", *settings, "--format", "csv"))
    assert [(row["method"], row["sweep"], row["ratio"]) for row in rows] == [
        ("fedavg", "theirs", "1"), ("fedavg", "later", "1"), ("quant8", "theirs", "1"), ("quant8", "later", "1"),
    ]  # fmt: skip


@pytest.mark.pipeline
def test_engines_mix_where_each_sweep_is_of_one_and_not_along_what_is_compared(
    in_stores: Path, fscost: Callable[..., Result]
) -> None:
    pytest.importorskip("torch", reason="trains")
    assert fscost("store=trained", "engine=builtin", "rounds=2", "model=lr", "method=fedavg").code == 0
    words = ("table", "theirs", "trained", "table.columns=[total]", "--format", "csv")
    rows = rows_of(fscost(*words, "table.rows=[sweep,method]"))
    assert len({row["total_payload_bytes"] for row in rows if row["method"] == "fedavg"}) == 1  # the same, counted
    assert len(rows) == 3
    assert "differ in engine" in fscost(*words).err
    assert "differ in engine" in fscost(*words, "table.rows=[method,sweep]", "table.compare=sweep").err
    assert len(rows_of(fscost(*words, "table.rows=[engine,method]"))) == 3


@pytest.mark.pipeline
@pytest.mark.parametrize("words", [("ours", "+"), ("+", "ours"), ("+",)])
def test_a_joint_without_two_sides_is_refused(
    in_stores: Path, fscost: Callable[..., Result], words: tuple[str, ...]
) -> None:
    done = fscost("table", *words)
    assert (done.code, done.out) == (2, "")
    assert "a + stands between two selections" in done.err


@pytest.mark.pipeline
def test_other_verbs_take_several_selections_too(in_stores: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("plan", "ours", "+", "theirs").out.endswith("6 cells, 6 done\n")
    assert fscost("status", "ours", "+", "theirs").out.endswith("6 cells, 6 done\n")
    assert fscost("collect", "ours", "+", "theirs", "--out", "frames").code == 0
    assert len(Path("frames/cells.csv").read_text().splitlines()) == 1 + 6
    assert fscost("explain", "theirs", "+", "ours").out.count("payload") >= 6
