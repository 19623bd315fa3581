"""What the files of running cells tell: held as an engine holds them, and written as engines write them."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fscost.cells.cell import Cell
from fscost.collect.fs_logs import newest_evaluation, read_eval_results
from fscost.launch.under_way import Running, seconds_left, under_way
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.cells.test_cell import cell
from tests.conftest import DATA

LOGS = [("fs_eval_results.log", "v0.3.0"), ("fs_eval_results_global.log", "v0.2.0"), ("fs_eval_results.log", "v0.2.0")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@contextmanager
def begun(store: Store, one: Cell) -> Iterator[RunDir]:
    """A cell that this process computes."""
    with store.claim(one) as claim:
        assert claim is not None
        yield claim.begin(one)


def only(store: Store) -> Running:
    (one,) = under_way(store)
    return one


def evaluation(round_: int, accuracy: float | str = 0.5) -> str:
    return f"{{'Role': 'Server #', 'Round': {round_}, 'Results_weighted_avg': {{'test_acc': {accuracy}}}}}\n"


# --- the newest evaluation of a file that is still written -----------------------------------------


@pytest.mark.parametrize(("log", "protocol"), LOGS)
def test_of_a_recorded_log_cut_anywhere_the_newest_whole_evaluation_is_read(
    tmp_path: Path, log: str, protocol: str
) -> None:
    whole, cut = (DATA / log).read_bytes(), tmp_path / "eval_results.log"
    found = set()
    for end in [*random.Random(0).sample(range(len(whole)), 60), len(whole)]:
        cut.write_bytes(whole[:end])
        rows = read_eval_results(cut, lambda _: None, protocol)
        newest = newest_evaluation(cut, protocol)
        assert newest == (rows[-1] if rows else None)
        found.add(newest and newest["round"])
    assert len(found) > 2


def test_only_the_end_of_a_long_file_is_read_however_long_its_lines_are(tmp_path: Path) -> None:
    log = tmp_path / "eval_results.log"
    with log.open("w") as file:
        file.truncate(2**33)  # a hole: nobody could read all of it
        file.seek(0, os.SEEK_END)
        file.write(f"\n{evaluation(7)}{{'Role': 'Client #1', 'Round': 8, 'Results_raw': {{}}}}\n{evaluation(8)[:30]}")
    assert newest_evaluation(log, "master") == {"round": 8, "test_acc": 0.5}  # rounds count from 0 there
    log.write_text(evaluation(1) + evaluation(9, " " * 200_000 + "0.25"))
    assert newest_evaluation(log, "master") == {"round": 10, "test_acc": 0.25}


# --- running cells ---------------------------------------------------------------------------------


def test_a_cell_tells_its_round_its_accuracy_and_who_computes_it(store: Store) -> None:
    with begun(store, cell()) as run:
        assert (only(store).round, only(store).accuracy) == (None, None)
        run.progress.write_text('{"round": 3}')
        run.eval_results.write_text(evaluation(0, 0.25) + evaluation(1, 0.75))
        one = only(store)
        assert (one.cell, one.round, one.rounds, one.rounds_done, one.accuracy) == (cell(), 3, 10, 2, 0.75)
        assert one.holder.endswith(f"process {os.getpid()}")
        run.progress.write_text('{"round": 7}')  # rounds go by that are not evaluated
        assert only(store).round == 7
    assert under_way(store) == []


def test_what_federatedscope_has_written_so_far_lies_below_its_own_folder(store: Store) -> None:
    with begun(store, cell()) as run:
        log = run.path / "fs" / "run" / "sub_exp" / "eval_results.log"
        log.parent.mkdir(parents=True)
        log.write_text(evaluation(4, 0.5))
        assert only(store).accuracy == 0.5
        assert only(store).round == 6  # five rounds were trained and evaluated; no progress.json tells more
        run.progress.write_text('{"round": 2}')  # it is written twice a second, and these rounds are faster
        assert only(store).round == 6
        log.write_text(evaluation(9, 0.5))
        assert only(store).round == 10  # there is no eleventh


@pytest.mark.parametrize("progress", ["", '{"rou', "[]", '{"round": null}', '{"round": "x"}', "\x00"])
@pytest.mark.parametrize("log", ["", evaluation(1)[:20], evaluation(1, "nan"), "{'Role': 'Server #', 'Round': 1}\n"])
def test_files_that_are_empty_or_half_written_tell_nothing_and_harm_nothing(
    store: Store, progress: str, log: str
) -> None:
    with begun(store, cell()) as run:
        run.progress.write_text(progress)
        run.eval_results.write_text(log)
        assert only(store).accuracy is None
        assert only(store).round == (3 if "nan" in log else None)  # after two rounds, of an accuracy that nobody knows


def test_runs_that_vanish_while_they_are_looked_at_are_left_out(store: Store) -> None:
    with begun(store, cell()), begun(store, cell(seed=1)) as other:
        listed = store.running()
        assert len(listed) == 2
        shutil.rmtree(other.path)
        assert [one.cell for one in under_way(store)] == [cell()]
        other.path.mkdir()  # as a run is before its cell is written
        assert [one.cell for one in under_way(store)] == [cell()]
    assert under_way(Store(Path("nowhere"))) == []


def test_time_counts_from_the_first_file_and_since_the_newest(store: Store) -> None:
    now_s = time.time()
    with begun(store, cell()) as run:
        run.progress.write_text('{"round": 3}')
        os.utime(run.cell_file, (now_s - 300, now_s - 300))
        os.utime(run.progress, (now_s - 100, now_s - 100))
        one = only(store)
        took_s = time.time() - now_s
        assert 300 <= one.run_s <= 300 + took_s
        assert 100 <= one.still_s <= 100 + took_s
        run.engine_log.write_text("a word")
        os.utime(run.cell_file, (now_s + 300, now_s + 300))  # another machine's clock may be ahead
        assert (only(store).run_s, only(store).still_s) == (0, 0)


# --- the time that is left -------------------------------------------------------------------------


def of(method: str = "FedAvg", hidden: int = 64, clients: int = 3, rounds: int = 10, seed: int = 0) -> Cell:
    return cell(
        federate__method=method,
        model__hidden=hidden,
        federate__client_num=clients,
        federate__total_round_num=rounds,
        seed=seed,
    )


def running(one: Cell, round_: int | None, run_s: float = 0) -> Running:
    return Running(cell=one, holder="", round=round_, accuracy=None, run_s=run_s, still_s=0)


MEASURED = [(of(), 10.0), (of(seed=1), 30.0), (of("FedOpt"), 100.0), (of(clients=9), 1000.0), (of(hidden=16), 1e4)]
"""Seconds per round: 1 and 3, 10, 100, and 1000 of another model."""


@pytest.mark.parametrize(
    ("waiting", "left_s"),
    [
        (of(seed=2), 20),  # the mean of its method, model and number of clients
        (of(seed=2, rounds=30), 60),
        (of("Local"), (10 + 30 + 100) / 3),  # of its model and clients
        (of(clients=5), (10 + 30 + 100 + 1000) / 4),  # of its model
        (of(hidden=256), (10 + 30 + 100 + 1000 + 1e4) / 5),  # of all
    ],
)
def test_a_cell_takes_as_long_as_the_most_alike_that_were_measured(waiting: Cell, left_s: float) -> None:
    assert seconds_left([waiting], [], MEASURED, 1) == pytest.approx(left_s)


def test_cells_side_by_side_share_the_time_and_the_longest_bounds_it() -> None:
    three = [of(seed=seed) for seed in (2, 3, 4)]
    assert seconds_left(three, [], MEASURED, 2) == pytest.approx(30)
    assert seconds_left(three, [running(of(seed=5), 6)], MEASURED, 2) == pytest.approx((3 * 20 + 5 * 2) / 2)
    assert seconds_left([of(seed=2)], [running(of(seed=5, rounds=1000), 501)], MEASURED, 8) == pytest.approx(1000)
    assert seconds_left([], [], MEASURED, 0) == 0


def test_nothing_is_known_until_a_cell_or_two_rounds_were_measured() -> None:
    begun = [running(of(seed=1), None, 9), running(of(seed=2), 1, 9), running(of(seed=3), 2, 9)]
    assert seconds_left([of()], begun, [], 2) is None
    assert seconds_left([], [running(of(seed=1), 4, 9)], [], 1) == pytest.approx(7 * 3)


def test_small_models_tell_nothing_about_large_ones_until_a_tenth_of_all_is_measured() -> None:
    small, large = [of(seed=seed) for seed in range(8)], [of(hidden=256, seed=seed) for seed in range(9)]
    one = [(small[0], 10.0)]
    assert seconds_left([*small[1:], *large], [], one, 1) is None
    assert seconds_left([*small[1:], *large[:7]], [], one, 1) is not None  # half of them are of the measured model
    assert seconds_left(large, [], [(cell, 10.0) for cell in small], 1) is not None  # many are measured
