"""Several seeds become one number only where they mean the same, and how is said."""

import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import pandas as pd
import pytest

from fscost.collect import gather, runs_below
from fscost.store.rundir import RunDir
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.lines import Line
from fscost.tables.marks import UNKNOWN, not_reached
from tests.conftest import Result
from tests.tables.recorded import (
    CLIENTS,
    METHODS,
    MODELS,
    edit_outcome,
    entries,
    evaluated,
    rows_of,
    runs_of,
    sent,
    table_of,
    unpacked,
)

SETTINGS = [(method, model, clients) for method in METHODS for model in MODELS for clients in CLIENTS]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


@pytest.fixture
def two(paper: Path, tmp_path: Path) -> Path:
    """A store of two runs that differ in nothing but the method."""
    for method in ("fedavg", "fedper"):
        run = runs_of(paper, method, "mlp_s", 3)[0]
        shutil.copytree(run, tmp_path / "two" / run.name)
    return tmp_path / "two"


def test_mean_and_sample_deviation_of_every_row(paper: Path) -> None:
    table = table_of(paper, columns=["total", "final"])
    finals, totals = entries(table, "final_test_acc"), entries(table, "total")
    for method, model, clients in SETTINGS:
        runs, row = runs_of(paper, method, model, clients), f"{model} {clients} {method}"
        last = [100 * evaluated(run)[-1] for run in runs]
        assert finals[row].text == f"{fmean(last):.1f}"
        assert finals[row].spread == f"{stdev(last):.1f}"  # over n - 1
        assert totals[row].value == fmean(sent(run, "training") for run in runs)
        assert totals[row].spread == ""  # the same bytes whatever the seed
    assert table.counted == "payload of training messages; mean ± sample standard deviation over n = 3 seeds"


def test_a_target_that_seeds_did_not_reach_was_not_reached_within_the_least_of_their_rounds(paper: Path) -> None:
    """One seed reached it and ended after round 4, the others did not in 6 and in 8 rounds: 6+ holds for both."""
    ended = [4, 6, 8]
    runs = [(None, RunDir(run)) for run in runs_of(paper, "fedavg", "mlp_s", 3)]
    frames = gather(runs)
    lasts = frames.rounds["cell"].map(dict(zip((run.read_cell().id for _, run in runs), ended, strict=True)))
    rounds = frames.rounds[frames.rounds["round"] <= lasts]
    rounds = rounds.assign(
        test_acc=[
            0.96 if last == 4 and row > 2 else 0.5
            for last, row in zip(lasts[rounds.index], rounds["round"], strict=True)
        ]
    )
    spec = TableSpec(rows=("method",), columns=("rounds_to",), target=0.95, metric="test_acc")
    (entry,) = entries(build(Comparison(frames.cells, rounds), spec, label="t"), "rounds_to").values()
    assert (entry.text, entry.mark) == ("6+", not_reached(6))


def test_csv_has_deviations_and_the_number_of_seeds(paper: Path, fscost: Callable[..., Result]) -> None:
    rows = rows_of(fscost("table", str(paper), "--format", "csv").out)
    assert len(rows) == len(SETTINGS)
    for row in rows:
        last = [evaluated(run)[-1] for run in runs_of(paper, row["method"], row["model"], int(row["clients"]))]
        assert float(row["final_test_acc"]) == pytest.approx(fmean(last), rel=1e-12)
        assert float(row["final_test_acc_std"]) == pytest.approx(stdev(last), rel=1e-9)
        assert row["seeds"] == "3"
        assert "total_payload_bytes_std" not in row


@pytest.mark.parametrize(("aggregate", "of"), [("mean", fmean), ("median", median)])
def test_only_a_mean_or_a_median(paper: Path, aggregate: str, of: Callable[[list[float]], float]) -> None:
    table = table_of(paper, columns=["final", "rounds_to"], target=0.8, aggregate=aggregate)
    assert table.counted == f"{aggregate} over n = 3 seeds"
    for row, entry in entries(table, "final").items():
        model, clients, method = row.split()
        assert entry.value == of([evaluated(run)[-1] for run in runs_of(paper, method, model, int(clients))])
        assert (entry.spread, entry.deviation) == ("", None)


FEWER = "fedprox-mlp_m-digits-c10-s2"
"""A run that is taken away."""


def without(paper: Path, *names: str) -> list[Any]:
    return [pair for pair in runs_below(paper) if not pair[1].path.name.startswith(names)]


@pytest.mark.pipeline
def test_rows_of_unequal_seeds_tell_how_many_and_are_not_compared(paper: Path) -> None:
    columns = ["total", "ratio", "final"]
    whole, table = table_of(paper, columns=columns), table_of(without(paper, FEWER), columns=columns)
    assert table.counted == ("payload of training messages; mean ± sample standard deviation over n = 2 or 3 seeds")
    assert [entry.text for entry in entries(table, "seeds").values()].count("2") == 1
    assert entries(table, "seeds")["mlp_m 10 fedprox"].value == 2
    assert entries(table, "ratio")["mlp_m 10 fedprox"].text == "n/a"
    assert entries(table, "ratio")["mlp_m 10 fedper"].text == entries(whole, "ratio")["mlp_m 10 fedper"].text
    for row, entry in entries(table, "final_test_acc").items():
        is_of_group = row.startswith("mlp_m 10 ")
        assert entry.emphasis == ("" if is_of_group else entries(whole, "final_test_acc")[row].emphasis)
        assert is_of_group or entry.text == entries(whole, "final_test_acc")[row].text
    assert any(entry.emphasis for row, entry in entries(whole, "final_test_acc").items() if row.startswith("mlp_m 10 "))
    assert [text for text in table.reading if "seeds" in text] == [
        "n: the number of seeds.",
        "Rows of unequal seeds are not compared, by ratio or for the best: mlp_m, 10 clients, fedavg has seeds 0, 1, 2 "
        "and mlp_m, 10 clients, fedprox has seeds 0, 1.",
    ]
    assert len(table_of(without(paper, FEWER), rows=["model", "clients", "seed", "method"]).rows) == 53


@pytest.mark.pipeline
def test_rows_that_are_never_compared_may_have_other_seeds(paper: Path) -> None:
    names = [f"{method}-mlp_m-digits-c10-s0" for method in METHODS]
    whole, table = table_of(paper, columns=["final"]), table_of(without(paper, *names), columns=["final"])
    assert not any("not compared" in text for text in table.reading)
    assert {entry.value for entry in entries(table, "seeds").values()} == {2, 3}
    with_best = [
        {tuple(row.split()[:2]) for row, entry in entries(one, "final_test_acc").items() if entry.emphasis}
        for one in (whole, table)
    ]
    assert with_best[0] == with_best[1] != set()


@pytest.mark.pipeline
def test_as_many_seeds_but_others_are_not_compared(two: Path, paper: Path, fscost: Callable[..., Result]) -> None:
    """One run each, of seeds 0 and 1."""
    shutil.rmtree(next(two.glob("fedper*")))
    other = runs_of(paper, "fedper", "mlp_s", 3)[1]
    shutil.copytree(other, two / other.name)
    done = fscost("table", str(two), "table.columns=[total,ratio,final]")
    assert done.code == 0
    assert "one seed" in done.out
    assert "FedAvg has seed 0 and FedPer has seed 1." in done.out
    rows = rows_of(fscost("table", str(two), "table.columns=[total,ratio,final]", "--format", "csv").out)
    assert [row["seeds"] for row in rows] == ["1", "1"]
    assert [row["ratio"] for row in rows] == ["1", "n/a"]
    latex = fscost("table", str(two), "table.columns=[total,ratio,final]", "--format", "latex").out
    assert "bf" not in latex.split("toprule")[1].split("bottomrule")[0]


def test_side_by_side_a_note_tells_how_many(paper: Path) -> None:
    table = table_of(without(paper, FEWER), columns=["final"], rows=["model", "method"], across="clients")
    assert "seeds" not in [column.raw for column in table.columns]
    assert "n = 2: mlp_m, fedprox, 10 clients." in table.reading
    assert "n = 3: all others." in table.reading
    assert [row.seeds for row in table.rows].count(None) == 1


@pytest.mark.pipeline
def test_a_sweep_whose_grids_have_other_seeds_prints_its_table(here: Path, fscost: Callable[..., Result]) -> None:
    (here / "own" / "sweeps").mkdir(parents=True)
    (here / "own" / "sweeps" / "mine.yaml").write_text(
        "# @package _global_\n"
        "grids: ['method=fedavg seed=0,1,2', 'method=fedprox seed=0', 'method=fedopt seed=0,1 model=mlp_s']\n"
    )
    done = fscost("-m", "sweeps=mine", "config_dir=own", "engine=estimate", "rounds=2")
    assert done.code == 0, done.err
    assert "n = 1 to 3 seeds" in done.out
    assert (here / "tables" / "mine.tex").exists()


@pytest.mark.pipeline
def test_what_is_read_at_two_places_under_one_seed_is_told_apart(here: Path, fscost: Callable[..., Result]) -> None:
    words = ["engine=estimate", "rounds=2", "model=lr", "fs.data.root=a,b"]
    assert fscost("-m", *words, "seed=0").code == 0
    rows = rows_of(fscost("table", *words, "seed=0", "--format", "csv").out)
    assert [row["data.root"] for row in rows] == ["a", "b"]
    assert fscost("-m", *words[:-1], "fs.data.root=c", "seed=1").code == 0
    runs = [*map(str, (here / "runs").glob("*-s1-*")), *map(str, (here / "runs").glob("*-s0-*"))][:2]
    assert [row["seeds"] for row in rows_of(fscost("table", *runs, "--format", "csv").out)] == ["2"]


def test_copies_of_one_run_are_no_two_seeds(two: Path, here: Path, fscost: Callable[..., Result]) -> None:
    shutil.copytree(two, here / "copy")
    shown = rows_of(fscost("table", str(two), "copy", "--format", "csv").out)
    assert [(row["sweep"], row["method"], row["seeds"]) for row in shown] == [
        (sweep, method, "1") for sweep in ("two", "copy") for method in ("fedavg", "fedper")
    ]
    shutil.copytree(two, here / "store" / "one")
    shutil.copytree(two, here / "store" / "other")
    refused = fscost("table", "store")
    assert refused.code == 2
    assert re.search(r"\w+ and \w+-2 are runs of the same cell; select one folder, or name each as a \+ b", refused.err)


@pytest.mark.parametrize("layout", [{"rows": ["seed", "model", "clients", "method"]}, {"across": "seed"}])
def test_seeds_side_by_side_have_no_deviation(paper: Path, layout: dict[str, object]) -> None:
    table = table_of(paper, columns=["final"], **layout)
    assert table.counted == "each seed alone"
    numbers = [entry for row in table.rows for entry in row.entries if isinstance(entry.value, float)]
    assert sorted(entry.value for entry in numbers) == sorted(
        evaluated(run)[-1] for setting in SETTINGS for run in runs_of(paper, *setting)
    )
    assert all(not entry.spread for entry in numbers)


ASIZEOF = "Python 3.9, torch 1.13.1, numpy 1.22.4, pympler 1.1"


@pytest.mark.parametrize(
    ("edit", "words", "told"),
    [
        (
            {"fs_commit": "a" * 40},
            [],
            f"fs_commit: {'a' * 40} and 480b67de851df2fa02b7cc2189f1803d947998d7; select those of one, "
            "or add fs_commit to table.rows",
        ),
        (
            {"versions": {"torch": "2.0.0"}},
            ["table.measure=reported"],
            f"what asizeof ran in: {ASIZEOF.replace('1.13.1', '2.0.0')} and {ASIZEOF}; select those of one",
        ),
        ({"versions": {"torch": "2.0.0"}}, ["table.measure=wire"], ""),
        ({"versions": {"scikit-learn": "9"}, "wall_s": 1.0}, ["table.measure=reported"], ""),
        ({"fs_commit": "a" * 40}, ["table.rows=[fs_commit,method]"], ""),
    ],
)
def test_runs_whose_numbers_mean_something_else(
    two: Path, fscost: Callable[..., Result], edit: dict[str, object], words: list[str], told: str
) -> None:
    edit_outcome(next(two.glob("fedavg*")), **edit)
    done = fscost("table", str(two), *words)
    assert done.code == (2 if told else 0), done.err
    assert done.err == (f"fscost: the selected cells differ in {told}\n" if told else "")


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("grid", "told", "rows"),
    [
        (["engine=builtin,estimate"], "engine: builtin and estimate", "engine,model,method"),
        (["engine=estimate", "engine.protocol=master,v0.3.0"], "protocol: master and v0.3.0", "protocol,model,method"),
    ],
)
def test_engines_and_protocols(
    here: Path, fscost: Callable[..., Result], grid: list[str], told: str, rows: str
) -> None:
    words = [*grid, "method=fedavg,fedprox", "model=lr", "rounds=1"]
    key = told.split(":")[0]
    done = fscost("table", *words)
    assert (done.code, done.out) == (2, "")
    expected = f"the selected cells differ in {told}; select those of one, or add {key} to table.rows\n"
    assert done.err == f"fscost: {expected}"
    apart = fscost("table", *words, f"table.rows=[{rows}]", "--format", "csv")
    assert [row[key] for row in rows_of(apart.out)] == [value for value in told.split()[1::2] for _ in range(2)]


def test_ledgers_of_two_formats(two: Path) -> None:
    """Both count bytes alike, so that a grid can be extended that was begun before."""
    cells = gather(runs_below(two)).cells
    one, other = (
        build(Comparison(cells.assign(ledger_format=formats)), TableSpec(), label="t") for formats in ([1, 1], [1, 2])
    )
    assert one.rows == other.rows


@pytest.mark.parametrize("unknown", [None, math.nan, pd.NA])
def test_what_one_seed_does_not_know_is_known_of_none(unknown: Any) -> None:
    runs = [{"cell": str(n), "seed": n, "status": "done", "params": size} for n, size in enumerate((5, unknown, 7))]
    assert Line({}, runs).values("params") == UNKNOWN
    assert Line({}, [runs[0], runs[2]]).values("params") == [5, 7]
