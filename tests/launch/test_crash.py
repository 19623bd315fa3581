"""A process that is killed at any of its file operations: the store has the old result or the new one, whole."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.outcome import Outcome, Status
from fscost.files import write_whole
from fscost.metering import Ledger
from fscost.store.store import Store
from tests.cells.test_cell import cell

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")


def compute(store: Store, log: str, status: Status = Status.DONE) -> None:
    """Compute the cell, as a launcher does."""
    with store.claim(cell()) as claim:
        assert claim is not None
        fresh = claim.begin(cell())
        write_whole(fresh.ledger, Ledger({"log": log}).lines())
        write_whole(fresh.engine_log, [log])
        fresh.write_outcome(Outcome(status=status, reason=log))
        claim.publish(fresh)


def log_of(store: Store) -> str | None:
    log = store.of(cell()).engine_log
    return log.read_text().strip() if log.exists() else None


def killed_at(operation: int, work: Callable[[], None]) -> bool:
    """Do work in a fork that is killed at an operation on a file, counted from 1; return whether it came that far."""
    pid = os.fork()
    if pid == 0:
        counted = 0

        def count(event: str, _arguments: Any) -> None:
            nonlocal counted
            if event in CHANGES:
                counted += 1
                if counted == operation:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, Status.DONE, Status.FAILED])
def test_a_process_killed_anywhere_leaves_a_whole_result_or_none(tmp_path: Path, before: Status | None) -> None:
    operation, states = 0, set()
    while True:
        operation += 1
        store = Store(tmp_path / str(operation))
        if before:
            compute(store, "old", before)
        was_killed = killed_at(operation, lambda store=store: compute(store, "new"))  # type: ignore[misc]
        states.add((store.status(cell()), found := log_of(store)))
        assert store.holder(cell()) is None
        store.tidy()
        assert not list(store.under_way.glob("*"))
        assert store.of(cell()).path == store.path / cell().name
        assert log_of(store) == found
        compute(store, "again")
        assert store.of(cell()).status() is Status.DONE
        assert [path.name for path in store.path.iterdir() if path.name != ".running"] == [cell().name]
        if not was_killed:
            break
    assert operation > 15
    old = {None: {(Status.MISSING, None), (Status.INTERRUPTED, None)}}.get(before, {(before, "old")})
    assert states == {*old, (Status.DONE, "new")}


@pytest.mark.pipeline
def test_a_mend_that_is_killed_is_mended(tmp_path: Path) -> None:
    operation = 0
    while True:
        operation += 1
        store = Store(tmp_path / str(operation))
        compute(store, "old")
        (store.under_way / f"{cell().name}.run-1").mkdir(parents=True)
        store.of(cell()).path.rename(store.under_way / f"{cell().name}.replaced")
        was_killed = killed_at(operation, store.tidy)
        store.tidy()
        assert store.of(cell()).engine_log.read_text() == "old\n"
        assert not list(store.under_way.iterdir())
        if not was_killed:
            break
    assert operation > 3
