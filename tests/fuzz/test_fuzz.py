"""Whatever stands in the files of runs, a command ends with 0, 1 or 2, and shows all that is as it was.

In CI the mutations are always the same: 2,000 files. ``FSCOST_FUZZ_MINUTES=10 pytest tests/fuzz`` tries others, each
time new ones, for so long; ``pytest --hypothesis-seed=…`` repeats them.
"""

import csv
import os
import random
import shutil
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fscost.cells.outcome import Status
from fscost.launch.under_way import under_way
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.conftest import DATA, Result, resealed
from tests.fuzz.mutations import Mutation, mutate, mutations
from tests.launch.test_under_way import begun, cell, evaluation
from tests.waiting import soon

MINUTES = float(os.environ.get("FSCOST_FUZZ_MINUTES", "0"))
FILES, STORES = 40, 25
"""How many files of a store are mutated, and how many stores of each kind there are."""

Row = dict[str, float | str]
Rows = dict[str, Row]

fuzzed = settings(
    derandomize=not MINUTES,
    max_examples=10**6 if MINUTES else STORES,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.generate],  # to make an example smaller takes longer than to look at it
    suppress_health_check=[*HealthCheck],
)


class TimeIsUpError(Exception):
    """As long as was asked for."""


class Clock:
    """Ends a test once it took its third of ``FSCOST_FUZZ_MINUTES``, and says how many files were mutated."""

    def __init__(self) -> None:
        self._ends, self._files = time.monotonic() + 20 * MINUTES, 0

    def check(self, files: int) -> None:
        """Count files that are to be mutated; raises TimeIsUpError."""
        if MINUTES and time.monotonic() > self._ends:
            raise TimeIsUpError
        self._files += files

    def until_it_is_over(self, test: Callable[[], None]) -> None:
        """Run a test of hypothesis, whose examples check this clock."""
        with suppress(TimeIsUpError):
            test()
        print(f"{self._files} mutated files")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Runs of fscost's with FederatedScope, and folders that FederatedScope wrote itself."""
    folder = tmp_path_factory.mktemp("originals")
    for name in ("paper", "fs_logs"):
        with tarfile.open(DATA / f"{name}.tar.xz") as archive:
            archive.extractall(folder / name, filter="data")
    found = {"own": "paper/runs/*/cell.json", "foreign": "fs_logs/*/config.yaml"}
    return {kind: sorted(path.parent for path in folder.glob(pattern)) for kind, pattern in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["own", "foreign"])
def test_one_odd_file_costs_one_run(
    kind: str, originals: dict[str, list[Path]], tmp_path: Path, fscost: Callable[..., Result]
) -> None:
    runs = random.Random(0).sample(originals[kind], FILES + 2)
    clock, known = Clock(), dict[bool, Rows]()
    verbs = [
        "status",
        "table",
        "explain",
        "table --cells",
        "table table=accuracy_cost --format latex",
        "table table=audit",
    ]

    @fuzzed
    @given(st.lists(mutations(), min_size=FILES, max_size=FILES), st.sampled_from(verbs), st.booleans())
    def shows_the_others(odd: Sequence[Mutation], verb: str, is_sealed: bool) -> None:
        clock.check(FILES)
        is_sealed = is_sealed and kind == "own"
        store = _copied(runs, tmp_path / "store", is_sealed)
        if kind == "own" or is_sealed not in known:  # frames of own runs are kept, and must be made anew
            known[is_sealed] = _collected(fscost, store)
        before = known[is_sealed]
        for run, mutation in zip(sorted(store.iterdir())[1:], odd, strict=False):
            mutate(run, mutation)
        after = _collected(fscost, store)
        for name in {sorted(store.iterdir())[0].name, sorted(store.iterdir())[-1].name}:
            assert after[name] == before[name], name
        with soon():
            ended = fscost(*verb.split()[:1], str(store), *verb.split()[1:])
        assert ended.code in (0, 1, 2)
        assert ended.code != 2 or ended.err.splitlines()[-1].startswith("fscost: ")
        if is_sealed:
            _check_numbers(before, after)

    clock.until_it_is_over(shows_the_others)


def _copied(runs: Sequence[Path], store: Path, is_sealed: bool) -> Path:
    shutil.rmtree(store, ignore_errors=True)
    for run in runs:
        shutil.copytree(run, store / run.name)
        if is_sealed:
            resealed(store / run.name)
    return store


def _collected(fscost: Callable[..., Result], store: Path) -> Rows:
    """The rows of cells by the names of their folders."""
    frames = store.parent / "frames"
    with soon():
        ended = fscost("collect", str(store), "--out", str(frames), "table.provenance=full")
    assert ended.code == 0, ended.err
    with (frames / "cells.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    by_id = {row["id"]: row for row in rows if not row.get("path")}
    return {folder.name: row for folder in store.iterdir() if (row := _row_of(folder, rows, by_id))}


def _row_of(folder: Path, rows: Sequence[dict[str, str]], by_id: dict[str, dict[str, str]]) -> Row:
    own = next((row for row in rows if row.get("path") == str(folder)), None) or by_id.get(folder.name[-12:], {})
    return {key: _number(value) for key, value in own.items() if value and key not in ("repeat", "implausible")}


def _number(text: str) -> float | str:
    """A value of a frame; a column of whole numbers is one of floats once one is not known."""
    try:
        return float(text)
    except ValueError:
        return text


def _check_numbers(before: Rows, after: Rows) -> None:
    """A run that is sealed is as it was, or has no numbers.

    Without its cell.json a folder is one of logs: another id, and the same numbers as far as they can be derived.
    """
    for name, row in after.items():
        if row["status"] == "done" and row["id"] != before[name]["id"]:
            numbers = {key: value for key, value in row.items() if isinstance(value, float)}
            assert numbers == {key: before[name].get(key) for key in numbers}, name
        elif row["status"] == "done":
            assert row == before[name], name
        else:
            assert not row.get("training_uplink_payload_bytes"), name


def test_one_flipped_bit_is_found_in_whatever_file(originals: dict[str, list[Path]], tmp_path: Path) -> None:
    """500 bits, each in turn."""
    run = Path(shutil.copytree(originals["own"][0], tmp_path / originals["own"][0].name))
    (run / "engine.log").write_text("what the engine printed\n")
    resealed(run)
    assert (RunDir(run).read().status, RunDir(run).read().notes) == (Status.DONE, ())
    files, chance = sorted(run.iterdir()), random.Random(0)
    for number in range(500):
        file = files[number % len(files)]
        content = file.read_bytes()
        place = chance.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        found = RunDir(run).read()
        assert any(str(file) in note for note in found.notes), (file.name, place)
        assert found.status is (Status.DONE if file.name == "engine.log" else Status.CORRUPT), (file.name, place)
        file.write_bytes(content)


def test_whatever_a_run_that_is_under_way_has_written_status_goes_on(
    tmp_path: Path, fscost: Callable[..., Result]
) -> None:
    """200 odd files, `progress.json` among them: the run is shown with a round from 1 to its last, or with none."""
    one, store = cell(), Store(tmp_path / "store")
    with begun(store, one) as run:
        run.write_cell(one)
        run.progress.write_text('{"round": 2}\n')
        run.eval_results.write_text(evaluation(1))
        shutil.copytree(run.path, tmp_path / "whole")

        @settings(fuzzed, max_examples=200)
        @given(mutations())
        def goes_on(odd: Mutation) -> None:
            shutil.rmtree(run.path)
            shutil.copytree(tmp_path / "whole", run.path)
            mutate(run.path, odd)
            with soon():
                assert all(running.round in (None, *range(1, 11)) for running in under_way(store))

        goes_on()
        with soon():
            assert fscost("status", str(store.path)).code in (0, 1)
