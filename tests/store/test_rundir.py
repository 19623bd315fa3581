"""The store: files appear whole, and nothing computed is lost by what fails later."""

import json
import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from fscost import files
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.errors import CollectError, StoreError
from fscost.files import is_settled, write_whole
from fscost.metering import Ledger
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.cells.test_cell import cell
from tests.conftest import no_byte_more


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def run(store: Store, one: Cell, status: Status | None, log: str = "") -> RunDir:
    with store.claim(one) as claim:
        assert claim is not None
        fresh = claim.begin(one)
        fresh.engine_log.write_text(log)
        write_whole(fresh.ledger, Ledger({}).lines())
        if status:
            fresh.write_outcome(Outcome(status=status))
        return claim.publish(fresh)


def test_a_cell_is_read_back_as_it_was_written(store: Store) -> None:
    made = run(store, cell(), Status.DONE)
    assert made.read_cell() == cell()
    assert made.path.name == f"fedavg-mlp_m-digits-c3-s0-{cell().id}"
    assert store.of(cell()).status() is Status.DONE


def test_without_an_outcome_a_run_was_interrupted(store: Store) -> None:
    assert store.of(cell()).status() is Status.MISSING
    assert run(store, cell(), None).status() is Status.INTERRUPTED


@pytest.mark.parametrize("ending", [Status.FAILED, Status.TIMEOUT, None])
def test_a_failed_rerun_does_not_lose_the_old_result(store: Store, ending: Status | None) -> None:
    run(store, cell(), Status.DONE, log="first")
    failed = run(store, cell(), ending, log="second")
    assert store.of(cell()).status() is Status.DONE
    assert store.of(cell()).engine_log.read_text() == "first"
    assert failed.engine_log.read_text() == "second"


def test_a_rerun_that_is_done_replaces_the_old_result(store: Store) -> None:
    for status in (Status.FAILED, Status.DONE, Status.DONE):
        run(store, cell(), status, log=str(status))
    assert store.of(cell()).engine_log.read_text() == "done"
    assert sorted(p.name for p in store.path.iterdir()) == [".running", cell().name]
    assert not list(store.under_way.iterdir())


def test_a_run_under_way_is_running_then_interrupted_and_leaves_the_old_result(store: Store) -> None:
    run(store, cell(), Status.DONE, log="first")
    with pytest.raises(KeyboardInterrupt), store.claim(cell()) as claim:
        assert claim is not None
        claim.begin(cell()).engine_log.write_text("second")
        assert store.status(cell()) is Status.RUNNING
        assert [left.engine_log.read_text() for left in store.running().values()] == ["second"]
        raise KeyboardInterrupt
    assert store.of(cell()).engine_log.read_text() == "first"
    assert store.status(cell()) is Status.DONE
    shutil.rmtree(store.of(cell()).path)
    assert store.status(cell()) is Status.INTERRUPTED
    assert store.running() == {}
    store.tidy()
    assert store.status(cell()) is Status.MISSING
    assert not list(store.under_way.iterdir())


def test_a_swap_cut_off_between_its_renames_is_read_and_mended(store: Store) -> None:
    made = run(store, cell(), Status.DONE)
    made.path.rename(store.under_way / f"{cell().name}.replaced")
    assert store.of(cell()).status() is Status.DONE
    assert not made.path.exists()
    store.tidy()
    assert made.status() is Status.DONE


def test_a_stamp_changes_with_each_result(store: Store) -> None:
    stamps = {store.stamp(cell())}
    for wall_s in (1.0, 2.0):
        with store.claim(cell()) as claim:
            assert claim is not None
            fresh = claim.begin(cell())
            fresh.write_outcome(Outcome(status=Status.FAILED, wall_s=wall_s))
            claim.publish(fresh)
        stamps.add(store.stamp(cell()))
    assert len(stamps) == 3


@pytest.mark.parametrize("place", ["", "cell.json", "outcome.json", "ledger.jsonl"])
def test_what_a_disk_does_not_tell_is_not_taken_for_missing(store: Store, place: str) -> None:
    """A loop of links cannot be looked at, as what a network file system has lost."""
    path = run(store, cell(), Status.DONE).path / place
    shutil.rmtree(path) if not place else path.unlink(missing_ok=True)
    path.symlink_to(path)
    assert store.status(cell()) is Status.CORRUPT
    assert "Too many levels of symbolic links" in (store.of(cell()).read().reason or "")


def test_one_process_at_a_time_holds_a_cell(store: Store) -> None:
    with store.claim(cell()) as claim, store.claim(cell()) as another:
        assert claim is not None
        assert another is None
        assert store.holder(cell()) == f"{platform.node()}, process {os.getpid()}"
    assert store.holder(cell()) is None


def test_what_status_has_read_is_not_read_again(store: Store) -> None:
    made = run(store, cell(), Status.DONE)
    assert made.status(keep=True) is Status.DONE
    (kept,) = made._kept.values()
    assert made.read() is kept and kept.ledger is not None
    assert made.read() is not kept  # once


def long_ago(file: Path) -> None:
    """Wait until a file counts as written long ago; its times can be set back but for one."""
    while not is_settled(file.stat().st_ctime_ns):
        sleep(0.01)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SETTLED_NS", 10**7)


@pytest.mark.usefixtures("soon")
def test_the_cell_of_a_run_of_long_ago_is_read_once(store: Store) -> None:
    made = run(store, cell(), Status.DONE)
    long_ago(made.cell_file)
    first = made.read_cell()
    assert store.of(cell()).read_cell() is first
    assert RunDir(made.path).read_cell() is first


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("in_place", [True, False])
def test_a_cell_that_was_edited_behind_our_back_is_read_again(store: Store, in_place: bool) -> None:
    made = run(store, cell(), Status.DONE)
    long_ago(made.cell_file)
    assert made.read_cell() == cell()
    written, text = made.cell_file.stat(), made.cell_file.read_text()
    target = made.cell_file if in_place else made.path / "other"
    target.write_text(text.replace('"client_num": 3', '"client_num": 4'))
    os.utime(target, ns=(written.st_atime_ns, written.st_mtime_ns))
    target.replace(made.cell_file)
    long_ago(made.cell_file)
    with pytest.raises(CollectError, match="was edited"):
        made.read_cell()
    assert RunDir(made.path).read().status is Status.CORRUPT


def test_a_cell_that_was_just_written_is_read_each_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SETTLED_NS", 10**12)
    made = run(store, cell(), Status.DONE)
    assert made.read_cell() is not made.read_cell()


@pytest.mark.parametrize("name", ["cell_file", "outcome_file", "ledger"])
def test_what_was_written_after_status_has_read_is_read_again(store: Store, name: str) -> None:
    made = run(store, cell(), Status.DONE)
    assert made.status(keep=True) is Status.DONE
    file: Path = getattr(made, name)
    file.write_text("spoilt")
    assert made.read().status is Status.CORRUPT
    file.unlink()
    gone = made.read()
    assert gone.status is (Status.INTERRUPTED if name == "outcome_file" else Status.CORRUPT)
    assert gone.ledger is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace('"client_num": 3', '"client_num": 4'), "was edited"),
        (lambda text: text[:40], "no JSON"),
        (lambda text: text.replace('"format": 1', '"format": 9'), "upgrade fscost"),
        (lambda text: text.replace('"fs"', '"sf"'), "no valid cell"),
        (lambda text: text.replace('"client_num": 3', '"client_num": -1'), "clients=-1"),
        (lambda text: "[]", "no format version"),
    ],
)
def test_a_cell_that_was_edited_is_named_with_its_line(store: Store, spoil: Any, words: str) -> None:
    made = run(store, cell(), Status.DONE)
    made.cell_file.write_text(spoil(made.cell_file.read_text()))
    assert made.status() is Status.CORRUPT
    with pytest.raises(CollectError, match=r"cell\.json:\d+: ") as error:
        made.read_cell()
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["cell.json", "ledger.jsonl", "outcome.json"])
@pytest.mark.parametrize("kept", [0, 1, 40, -2])
@pytest.mark.parametrize("filler", ["", "\0"])
def test_each_file_tells_that_it_was_cut(store: Store, name: str, kept: int, filler: str) -> None:
    """What a power loss may leave of a file that was not synced; nobody waits for the disk for an estimate."""
    made = run(store, cell(), Status.DONE)
    text = (made.path / name).read_text()
    (made.path / name).write_text(text[:kept].ljust(len(filler) * len(text), filler or " "))
    assert made.status() is Status.CORRUPT


def test_a_ledger_that_ends_with_a_whole_line_before_its_digest_was_cut(store: Store) -> None:
    made = run(store, cell(), Status.DONE)
    *lines, _ = made.ledger.read_text().splitlines(keepends=True)
    made.ledger.write_text("".join(lines))
    with pytest.raises(CollectError, match=r"ledger\.jsonl:1: the file ends too early"):
        read_ledger(made.ledger)


def test_an_estimate_waits_for_the_disk_only_where_it_replaces_a_result(store: Store) -> None:
    """A file that cannot get onto the disk tells whether anybody waited for it."""
    one = replace(cell(), engine="estimate")

    def publish() -> None:
        with store.claim(one) as claim:
            assert claim is not None
            fresh = claim.begin(one)
            (fresh.path / "lost").symlink_to("nowhere")
            write_whole(fresh.ledger, Ledger({}).lines())
            fresh.write_outcome(Outcome(status=Status.DONE))
            claim.publish(fresh)

    publish()
    first = store.stamp(one)
    with pytest.raises(StoreError, match="cannot be written: No such file"):
        publish()
    assert store.of(one).status() is Status.DONE and store.stamp(one) == first


def test_a_corrupt_run_is_set_aside_when_its_cell_is_computed_again(store: Store) -> None:
    made = run(store, cell(), Status.DONE, log="old")
    made.cell_file.write_text("{}")
    run(store, cell(), Status.DONE, log="new")
    assert store.of(cell()).engine_log.read_text() == "new"
    assert (store.path / f"{cell().name}.corrupt" / "engine.log").read_text() == "old"


def test_a_store_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/fscost")):
        with pytest.raises(StoreError, match="cannot be written"):
            Store(path).check_writable()
    assert (tmp_path / "file").read_text() == ""


def test_a_run_that_cannot_be_begun_leaves_nothing(store: Store) -> None:
    store.check_writable()
    with no_byte_more(), pytest.raises(StoreError, match="cannot write there: File too large"):
        run(store, cell(), Status.DONE)
    assert not list(store.under_way.iterdir())


def test_a_file_is_replaced_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, ["one"])

    def lines() -> Any:
        yield "two"
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError):
        write_whole(path, lines())
    assert path.read_text() == "one\n"


def test_an_outcome_without_a_known_status_is_not_believed(store: Store) -> None:
    made = run(store, cell(), Status.DONE)
    made.outcome_file.write_text(json.dumps({"format": 1, "status": "fine"}))
    assert made.status() is Status.CORRUPT


@pytest.mark.parametrize("clients", [3, 0])
def test_a_result_under_the_name_that_it_had_before_is_the_cells(store: Store, clients: int) -> None:
    one = cell(federate__client_num=clients, llm={"adapter": {"use": True, "args": [{"r": 8}]}})
    made = run(store, one, Status.DONE)
    former = made.path.rename(store.path / one.name.replace("+adapter_r8", ""))
    assert former.name != one.name
    again = Store(store.path)
    assert again.of(one).path == former
    assert again.status(one) is Status.DONE


def test_a_long_name_is_cut_and_the_cell_found_under_the_one_that_it_had_before(store: Store) -> None:
    one = cell(model={"type": "m" * 300})
    made = run(store, one, Status.DONE)
    assert len(made.path.name) == 110 and made.path.name.endswith(f"-c3-s0-{one.id}")
    former = made.path.rename(store.path / f"fedavg-{'m' * 200}-digits-c3-s0-{one.id}")
    again = Store(store.path)
    assert (again.of(one).path, again.status(one)) == (former, Status.DONE)
    former.rename(store.path / "elsewhere")
    assert (again.of(one).path, again.status(one)) == (store.path / one.name, Status.MISSING)
