"""What stands where there is no number, or behind one: always a word or sign, with its meaning below the table."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fscost.__main__ import main
from fscost.tables import Table
from tests.conftest import NO_TRAIN, Result, cell_of, resealed
from tests.tables.recorded import entries, rows_of, runs_of, table_of, unpacked

ENDED = ("engine=builtin", "model=mlp_s")
COUNTED = ("table.columns=[uplink,downlink,total,ratio,per_parameter,traffic_share,rounds,rounds_to,bytes_to,final]",)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which runs ended in every way: 43 clients leave one a single sample."""
    pytest.importorskip("torch", reason=NO_TRAIN)
    folder = tmp_path_factory.mktemp("ended")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("FSCOST_STORE", raising=False)
        assert main((*ENDED, "rounds=1,2", "clients=2,3,4,43")) == 1
        assert main((*ENDED, "rounds=1000000", "clients=2", "engine.timeout_min=0.003")) == 1
    for path in (folder / "runs").glob("*-c3-*/outcome.json"):
        path.unlink()
    for path in (folder / "runs").glob("*-c4-*/ledger.jsonl"):
        path.write_text(path.read_text().replace('"messages": 4', '"messages": 5', 1))
    return folder / "runs"


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("words", "mark", "note"),
    [
        (("rounds=1", "clients=5"), "missing", "not computed yet"),
        (("rounds=1", "clients=43"), "failed", "the run failed"),
        (("rounds=1000000", "clients=2"), "timed out", "the run took longer than it may"),
        (("rounds=1", "clients=3"), "interrupted", "the run was cut off"),
        (("rounds=1", "clients=4"), "corrupt", "the run's files cannot be believed"),
    ],
)
def test_a_run_that_is_not_done_has_no_number(
    ended: Path, fscost: Callable[..., Result], words: Sequence[str], mark: str, note: str
) -> None:
    select = ("engine=builtin", "model=mlp_s", *words, f"store={ended}", *COUNTED)
    done = fscost("table", *select)
    assert done.code == 0, done.err
    assert f"\n{mark}: {note}\n" in done.out
    (row,) = rows_of(fscost("table", *select, "--format", "csv").out)
    numbers = [*row.values()][[*row].index("method") + 1 : -1]
    assert numbers == [mark] * 10
    assert row["params"] == "n/a"
    assert f"\nto do: python -m fscost engine=builtin model=mlp_s {' '.join(words)}" in done.out


@pytest.mark.pipeline
def test_only_marks_that_stand_in_a_table_are_told_below_it(ended: Path, fscost: Callable[..., Result]) -> None:
    grid = ("engine=builtin", "model=mlp_s", "rounds=1", "clients=2,43", f"store={ended}", "table.columns=[total]")
    assert "failed: the run failed" in fscost("table", *grid).out
    alone = fscost("table", *(word.replace("2,43", "2") for word in grid)).out
    for word in ("missing", "failed", "timed out", "interrupted", "corrupt", "n/a", "†", "·", "—", "0:", "*:"):
        assert f"\n{word}" not in alone


@pytest.mark.pipeline
def test_one_seed_that_failed_leaves_no_mean(ended: Path, fscost: Callable[..., Result], here: Path) -> None:
    shutil.copytree(ended, here / "runs")
    grid = ("engine=builtin", "model=mlp_s", "rounds=1", "clients=2", "seed=0,1", "--format", "csv", *COUNTED)
    (row,) = rows_of(fscost("table", *grid).out)
    assert (row["total_payload_bytes"], row["final_test_acc"], row["params"]) == ("missing", "missing", "1262")


@pytest.mark.pipeline
def test_a_target_that_was_not_reached(paper: Path) -> None:
    columns = ["rounds_to", "speedup", "bytes_to", "bytes_ratio", "final"]
    table = table_of(paper, columns=columns, target=0.95, metric="test_acc")
    marks = {row: entry.text for row, entry in entries(table, "rounds_to").items() if entry.mark}
    assert marks["mlp_s 10 fedper"] == "8+"
    for column in ("speedup", "bytes_to", "bytes_ratio"):
        assert {row for row, entry in entries(table, column).items() if entry.text == "—"} == set(marks)
    told = {note.mark: note.meaning for note in table.notes}
    assert told == {
        "8+": "not reached within 8 rounds, by one seed at least",
        "—": "the target was not reached, by one seed at least",
    }
    assert not table_of(paper, columns=columns, target=0.1).notes


def test_a_target_is_not_reached_within_the_rounds_that_each_seed_tells(paper: Path, tmp_path: Path) -> None:
    """Of two seeds one was evaluated for 5 rounds, counted from 0, and the other for all 8."""
    long, short, _ = runs_of(paper, "fedper", "mlp_s", 10)
    for run in (long, short):
        shutil.copytree(run, tmp_path / run.name)
    log = tmp_path / short.name / "eval_results.log"
    late = re.compile(r"'Round': ([5-9]|'Final')")
    log.write_text("".join(line for line in log.read_text().splitlines(keepends=True) if not late.search(line)))
    resealed(log.parent)
    (entry,) = entries(table_of(tmp_path, columns=["rounds_to"], target=0.95, metric="test_acc"), "rounds_to").values()
    assert entry.text == "5+"


def test_what_is_not_known(paper: Path) -> None:
    table = table_of(paper, columns=["total"], measure="wire", traffic="control")
    assert {entry.text for row in table.rows for entry in row.entries[3:]} == {"n/a"}  # join_in cannot be encoded
    assert [(note.mark, note.meaning) for note in table.notes] == [("n/a", "not known")]


def marked(table: Table) -> list[str]:
    """The number columns with their marks, and the numbers that have one."""
    heads = [column.key for column in table.columns if column.note == "†"]
    return [*heads, *(entry.full for row in table.rows for entry in row.entries if entry.note)]


@pytest.mark.slow
def test_estimates_are_marked_at_the_number_or_at_the_heading(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("method=fedavg", "model=lr", "clients=2", "rounds=1")
    for engine in ("builtin", "estimate"):
        assert fscost(f"engine={engine}", *grid).code == 0
    layout = {"rows": ("engine", "model", "method"), "columns": ("total", "rounds", "final"), "unit": "B"}
    mixed = table_of(Path("runs"), **layout)
    assert marked(mixed) == ["10,400†"]
    assert [entry.full for entry in entries(mixed, "total").values()] == ["10,400", "10,400†"]
    assert [entry.text for entry in entries(mixed, "final").values()][1] == "n/a"
    assert [note.mark for note in mixed.notes] == ["n/a", "†"]
    assert mixed.notes[1].meaning.startswith("estimated: in closed form from the protocol")
    alone = [next(Path("runs").glob(f"*{cell_of(f'engine={e}', *grid).id}")) for e in ("builtin", "estimate")]
    assert marked(table_of(alone[0], **layout)) == []
    assert marked(table_of(alone[1], **layout)) == ["total_payload_bytes"]


@pytest.mark.pipeline
@pytest.mark.parametrize(("unit", "decimals", "texts"), [("MB", 2, ["0", "<0.01"]), ("B", 0, ["0", "2,600"])])
def test_nothing_sent_is_zero_and_little_is_not(
    here: Path, fscost: Callable[..., Result], unit: str, decimals: int, texts: list[str]
) -> None:
    grid = ("engine=estimate", "method=local,fedavg", "model=lr", "clients=2", "rounds=2", "table.columns=[uplink]")
    assert fscost(*grid).code == 0
    settings = (f"table.unit={unit}", f"table.decimals={decimals}")
    done = fscost("table", *grid, *settings)
    assert [line.split()[-1].rstrip("*") for line in done.out.splitlines()[5:7]] == texts
    assert "\n0: counted: exactly 0 bytes\n" in done.out
    assert [row["uplink_payload_bytes"] for row in rows_of(fscost("table", *grid, "--format", "csv").out)] == [
        "0",
        "2600",
    ]
    alone = fscost("table", *grid, *settings, "method=fedavg")
    assert "nothing was sent" not in alone.out


@pytest.mark.pipeline
def test_what_a_union_of_grids_leaves_out(here: Path, fscost: Callable[..., Result]) -> None:
    Path("sweeps").mkdir()
    Path("sweeps/union.yaml").write_text(
        "# @package _global_\ngrids: ['model=lr clients=2,3', 'model=mlp_s clients=3,5']\ntable: {columns: [total]}\n"
    )
    sweep = ("engine=estimate", "sweeps=union", "config_dir=.", "table=matrix", "table.unit=B")
    assert fscost(*sweep).code == 0
    rows = rows_of(fscost("table", *sweep, "--format", "csv").out)
    shown = [[row[f"total_payload_bytes_clients_{clients}"] for clients in (2, 3, 5)] for row in rows]
    assert [[number.isdigit() for number in row] for row in shown] == [[True, True, False], [False, True, True]]
    assert (shown[0][2], shown[1][0]) == ("·", "·")
    assert "\n·: not in this sweep\n" in fscost("table", *sweep).out
