"""One job of Slurm: what it runs, what it leaves, and how it ended."""

import pickle
import re
import signal
import socket
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from fscost.cells.outcome import Status
from fscost.engine import Engines
from fscost.errors import StoreError
from fscost.launch.slurm import squeue
from fscost.launch.task import Ended, How, Task, compute
from fscost.store.store import Store

_SHARED = "the store must lie on a file system that all nodes share; store=PATH chooses another"


def run_task(store_path: str, task: Task, token: str) -> Ended:
    """Compute a task's cell, in the job; raises StoreError where the node does not see the submitter's store."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # submitit would checkpoint
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # scancel ends the cell like Ctrl-C; submitit would go on
    if token not in listed(Path(store_path) / ".slurm"):
        raise StoreError(f"store={store_path}: {socket.gethostname()} does not see what was submitted there: {_SHARED}")
    with Engines() as engines:
        return compute(task, Store(Path(store_path)), engines)


def listed(folder: Path) -> set[str]:
    """Return the names in a folder; opening it makes a network file system look for what is new."""
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


@dataclass
class Job:
    """A job that has not ended, and where submitit puts what it leaves."""

    id: str
    future: Future[Ended]
    result: Path
    log: Path
    polls_gone: int = 0

    def ended(self) -> Ended | None:
        """Return what the job left, None where it cannot be read yet; an exception is a job that DIED of it."""
        try:
            how, value = pickle.loads(self.result.read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        if how == "success":
            assert isinstance(value, Ended)
            return value
        last = str(value).strip().splitlines()[-1]
        words = re.sub(r"^(?:\w+\.)+(?=\w+(?::|$))", "", last)  # without the error's module
        return Ended(How.DIED, f"Slurm job {self.id}: {words}; log: {self.log}")

    def died(self) -> Ended:
        """Return how the job ended that left no result."""
        ending = squeue.ending(self.id)
        status = Status.TIMEOUT if ending.state in ("TIMEOUT", "DEADLINE") else Status.FAILED
        reason = f"Slurm job {self.id} {ending.in_words}"
        if self.log.name in listed(self.log.parent):
            return Ended(How.DIED, f"{reason}; log: {self.log}", status)
        if ending.state in ("", "COMPLETED", "FAILED"):
            reason += f" and left no log {self.log}: {_SHARED}"
        return Ended(How.DIED, reason, status)
