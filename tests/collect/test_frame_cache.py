"""Frames that are kept are those of the files as they are now, whatever became of these or of what was kept."""

import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from fscost import files
from fscost.cells.cell import Cell
from fscost.collect import Frames, frame_cache, gather, runs_below
from fscost.collect.frame_cache import NAME, kept_or_made
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.store.run import Run
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.conftest import cell_of, execute, in_process, needs_train, resealed

FRAMES = ("messages", "workers", "rounds", "cells")
KEPT = ["as it was kept"]

LARGE = ("engine=estimate", "model=lr", "clients=3", "rounds=4000")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run that has all files, and one of another engine."""
    made = Store(tmp_path_factory.mktemp("frame_cache") / "runs")
    execute(cell_of("engine=builtin", "model=lr", "clients=2", "rounds=2"), made, BuiltinEngine())
    execute(cell_of("engine=estimate", "model=lr", "clients=3", "rounds=2"), made, EstimateEngine())
    return made.path


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store, the frames of which are kept though they are small."""
    monkeypatch.setattr(frame_cache, "_LEAST_BYTES", 0)
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def gathered(folder: Path) -> Frames:
    return gather(runs_below(folder))


def made_anew(folder: Path) -> Frames:
    (folder / NAME).unlink(missing_ok=True)
    return gathered(folder)


def are_same(frames: Frames, others: Frames) -> bool:
    pairs = [(getattr(frames, name), getattr(others, name)) for name in FRAMES]
    return frames.warnings == others.warnings and all(
        a.equals(b) and [*a] == [*b] and [*a.dtypes] == [*b.dtypes] for a, b in pairs
    )


def mark(folder: Path) -> None:
    """Give what is kept a warning of its own, by which it is known where it is taken."""
    head, _, body = (folder / NAME).read_bytes().partition(b"\n")
    body = json.dumps(KEPT).encode() + b"\n" + body.partition(b"\n")[2]
    key = b" ".join(head.split()[:2])
    (folder / NAME).write_bytes(key + b" " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def is_kept(folder: Path) -> bool:
    return gathered(folder).warnings == KEPT


@needs_train
def test_what_is_kept_is_what_was_gathered(runs: Path) -> None:
    before = gathered(runs)
    mark(runs)
    after = gathered(runs)
    assert after.warnings == KEPT, "nothing was kept, or it was not taken"
    after.warnings = before.warnings
    assert are_same(before, after)


def _flip(file: Path) -> None:
    """Another last byte, at the time and of the size of before."""
    was, content = file.stat(), bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


CHANGES: list[Callable[[Path], None]] = [_flip, Path.unlink, _fifo, _folder]


@needs_train
def test_what_was_kept_is_taken_after_a_look_at_how_far_runs_are_and_only_then(runs: Path) -> None:
    def looked_at() -> list[tuple[Cell | None, Run]]:
        found = runs_below(runs)
        for _, run in found:
            assert isinstance(run, RunDir)
            run.status(keep=True)
        return found

    for former in (None, b"of another fscost"):
        if former:
            (runs / NAME).write_bytes(former)
        gather(looked_at())
        kept = (runs / NAME).read_bytes() if (runs / NAME).exists() else None
        assert kept == former, "what was read a while ago was kept as what is there now"
    gathered(runs)
    mark(runs)
    assert gather(looked_at()).warnings == KEPT


@needs_train
def test_a_file_that_changes_behind_its_back_is_read_again(runs: Path) -> None:
    """Each file in each way; nothing of what was kept is shown then."""
    before = gathered(runs)
    mark(runs)
    kept = (runs / NAME).read_bytes()
    for run in sorted(path.parent for path in runs.glob("*/cell.json")):
        for file in sorted(run.iterdir()):
            for change in CHANGES:
                original = file.read_bytes()
                change(file)
                shown = gathered(runs)
                assert shown.warnings != KEPT, f"{change.__name__} of {file.name} was not seen"
                assert are_same(shown, made_anew(runs))
                assert not are_same(shown, before), f"{change.__name__} of {file.name} changes nothing"
                shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
                file.write_bytes(original)
                (runs / NAME).write_bytes(kept)
    assert is_kept(runs), "what is as it was before is told by its content"


@needs_train
def test_numbers_of_a_rerun_are_its_own(runs: Path) -> None:
    """Numbers of the same length at the same time, sealed: as a run that replaced the other."""
    gathered(runs)
    mark(runs)
    run = next(path.parent for path in runs.glob("*/system_metrics.log"))
    log = run / "system_metrics.log"
    was = log.stat()
    log.write_text(
        re.sub('(_upload_bytes": )(.)', lambda found: found[1] + ("2" if found[2] != "2" else "3"), log.read_text())
    )
    os.utime(log, ns=(was.st_atime_ns, was.st_mtime_ns))
    resealed(run)
    shown = gathered(runs)
    assert not shown.warnings
    assert are_same(shown, made_anew(runs))


@needs_train
def test_in_one_process_a_file_of_long_ago_is_hashed_once_and_still_seen_to_change(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_SETTLED_NS", 10**7)
    time.sleep(0.05)
    gathered(runs)
    mark(runs)
    hits = frame_cache._hashed.cache_info().hits
    assert is_kept(runs)
    assert frame_cache._hashed.cache_info().hits > hits
    _flip(next(runs.glob("*/eval_results.log")))
    assert not is_kept(runs)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _edit(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(KEPT[0].encode(), b"as it was made"))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _of_another_version(file: Path) -> None:
    file.write_bytes(b"2 " + file.read_bytes().partition(b" ")[2])


def _of_another_store(file: Path) -> None:
    head, _, body = file.read_bytes().partition(b"\n")
    file.write_bytes(b" ".join([b"1", b"0" * 64, head.split()[2]]) + b"\n" + body)


@needs_train
def test_what_was_kept_and_is_damaged_or_foreign_is_made_again(runs: Path) -> None:
    true = gathered(runs)
    mark(runs)
    kept = (runs / NAME).read_bytes()
    for damage in (_flip, _edit, _cut, _empty, _of_another_version, _of_another_store, _fifo):
        damage(runs / NAME)
        assert are_same(gathered(runs), true), damage.__name__
        (runs / NAME).unlink(missing_ok=True)
        (runs / NAME).write_bytes(kept)
    assert is_kept(runs)


@needs_train
def test_another_fscost_makes_them_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered(runs)
    mark(runs)
    monkeypatch.setattr(frame_cache, "_code", lambda: "another one")
    assert not is_kept(runs)


@needs_train
def test_where_nothing_can_be_kept_all_is_as_without(runs: Path) -> None:
    true = gathered(runs)
    (runs / NAME).unlink()
    (runs / NAME).mkdir()
    assert are_same(gathered(runs), true)
    assert not [*runs.glob(f".{NAME}.part*")]


@needs_train
def test_many_that_gather_at_once_have_the_same(runs: Path) -> None:
    (runs / f".{NAME}.part-4194305-1").write_text("of a process that was killed")
    true = gathered(runs)
    (runs / NAME).unlink()
    with ThreadPoolExecutor(4) as pool:
        assert all(are_same(found, true) for found in pool.map(gathered, [runs] * 8))
    assert not [*runs.glob(f".{NAME}.part*")]
    mark(runs)
    assert is_kept(runs)


@needs_train
def test_what_changes_while_it_is_read_is_not_kept(runs: Path) -> None:
    selected = runs_below(runs)

    def edited_meanwhile() -> frame_cache.Kept:
        with next(runs.glob("*/engine.log")).open("a") as log:
            log.write("one more line\n")
        return pd.DataFrame({"cell": ["a"]}), [], []

    assert len(kept_or_made(selected, edited_meanwhile)[0]) == 1
    assert not (runs / NAME).exists()


@needs_train
@pytest.mark.parametrize("values", [[1, "one", None], [None, math.nan, "one"], [[1], {"a": 1}, 2.0]])
def test_what_would_not_come_back_the_same_is_not_kept(runs: Path, values: list[object]) -> None:
    frame = pd.DataFrame({"mixed": pd.Series(values, dtype=object)})
    kept_or_made(runs_below(runs), lambda: (frame, [], []))
    assert not (runs / NAME).exists()


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    """A store of 10 MB."""
    made = Store(tmp_path / "large")
    for seed in range(4):
        execute(cell_of(*LARGE, f"seed={seed}"), made, EstimateEngine())
    yield made.path


def test_a_second_table_of_a_large_store_is_that_of_the_first(large: Path, here: Path) -> None:
    """In processes of their own, as a user has them; the store of a few runs has no such file."""
    first = in_process("table", str(large), cwd=here)
    assert (large / NAME).is_file()
    mark(large)
    second = in_process("table", str(large), cwd=here)
    assert second.out == first.out
    assert KEPT[0] in second.err
    assert KEPT[0] not in first.err


def test_what_was_just_written_is_hashed_each_time(tmp_path: Path) -> None:
    """A file that is written twice within a tick of the clock looks the same: name, size and times."""
    (tmp_path / "file").write_text("1")
    stamps = frame_cache._stamps(str(tmp_path))
    first = frame_cache._content(str(tmp_path), stamps)
    (tmp_path / "file").write_text("2")
    assert frame_cache._content(str(tmp_path), stamps) != first
