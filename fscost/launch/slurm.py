"""Cells as jobs of a Slurm cluster: hydra-submitit-launcher's options, submitit's arrays, our own waiting.

submitit alone waits for ever for a job that died on a cluster without accounting, and leaves its jobs running when it
is interrupted. Here the queue itself is asked, and what has not ended when the sweep does is cancelled.
"""

import itertools
import os
import pickle
import re
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from fscost.engine import Engines
from fscost.errors import ConfigError, StoreError
from fscost.launch import squeue
from fscost.launch.sbatch import arrays
from fscost.launch.task import Ended, How, Task, compute
from fscost.record import Status
from fscost.rundir import Store

_LOOK_S = 1.0
"""How often to look for results, which is a look into a folder and asks nothing of the controller."""

_PATIENCE = {"COMPLETED": 12}
"""Polls until an ended job's result is given up: one that says it went well has most likely a slow file system."""

_CANCEL_S = 60
"""How long `close` waits for cancelled jobs; Slurm itself kills them after 30 s (KillWait)."""

_SHARED = "the store must lie on a file system that all nodes share; store=PATH chooses another"


@dataclass
class _Job:
    """A job that has not ended, and where submitit puts what it leaves."""

    id: str
    future: Future[Ended]
    result: Path
    log: Path
    polls_gone: int = 0


class SlurmLauncher:
    """Computes each cell in a job of its own; jobs that ask for the same are one array.

    The queue is asked every `poll_s` seconds, and what has left it is given `grace` polls to show its result. Raises
    ConfigError where there is no Slurm or no submitit.
    """

    def __init__(self, store: Store, *, poll_s: float = 5.0, grace: int = 3) -> None:
        _require_slurm()
        self._store, self._poll_s, self._grace = store, poll_s, grace
        self._jobs: dict[str, _Job] = {}
        self._folders: set[Path] = set()
        self._keep_logs = False
        self._answers = True
        self._closing = threading.Event()
        self._poller: threading.Thread | None = None

    def launch(self, tasks: Sequence[Task]) -> list[Future[Ended]]:
        """Submit tasks and return a future for each.

        Raises ConfigError with sbatch's words for what Slurm refuses; once a sweep is under way, such tasks have DIED.
        """
        futures: list[Future[Ended]] = [Future() for _ in tasks]
        refused = set(range(len(tasks)))
        try:
            for asked, members in arrays(tasks, squeue.largest_array()):
                self._submit(asked, [tasks[i] for i in members], [futures[i] for i in members])
                refused -= set(members)
        except (squeue.Unreachable, ConfigError) as error:
            if self._poller is None:
                raise ConfigError(f"hydra/launcher=slurm: {error}") from error
            for i in refused:
                futures[i].set_result(Ended(How.DIED, f"Slurm took no job: {error}"))
        if self._poller is None:
            self._poller = threading.Thread(target=self._poll_until_closed, daemon=True)
            self._poller.start()
        return futures

    def close(self) -> None:
        """Cancel what has not ended, and wait until it is gone; futures without a result are cancelled."""
        self._closing.set()
        if self._poller is not None:
            self._poller.join()
        self._cancel()
        for job in self._open():
            self._jobs.pop(job.id)
            job.future.cancel()
        if not self._keep_logs:
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)

    # --- submitting -----------------------------------------------------------------------------------

    def _submit(self, asked: dict[str, Any], tasks: Sequence[Task], futures: Sequence[Future[Ended]]) -> None:
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        folder = self._folder(tasks[0])
        store, number = str(self._store.path.absolute()), len(tasks)
        try:
            # exec: the job's signals and its exit code are those of Python itself
            executor = submitit.SlurmExecutor(folder, python=f"exec {shlex.quote(sys.executable)}")
            executor.update_parameters(**asked)
            with _out_of_any_array(), redirect_stderr(StringIO()):  # submitit prints what sbatch says, and so do we
                jobs = executor.map_array(run_task, [store] * number, tasks, [folder.name] * number)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"hydra.launcher: {str(error).splitlines()[0]}") from error
        except (FailedJobError, FailedSubmissionError) as error:
            raise ConfigError(f"sbatch: {squeue.words_of(str(error))}") from error
        for job, future in zip(jobs, futures, strict=True):
            self._jobs[job.job_id] = _Job(job.job_id, future, job.paths.result_pickle, job.paths.stdout)

    def _folder(self, task: Task) -> Path:
        """Make a folder for an array's files; its name, in the store, is the token that its jobs look for.

        It is new each time, as the numbers that a cluster gives to its jobs are not.
        """
        home = self._store.path.absolute() / ".slurm"
        try:
            home.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=home, prefix=""))
        except OSError as error:
            raise StoreError(f"store={self._store.path}: cannot be written: {error.strerror}") from error
        self._folders.add(folder)
        if given := task.launcher.get("submitit_folder"):
            fixed = itertools.takewhile(lambda part: "%" not in part, Path(str(given)).absolute().parts)
            folder = Path(*fixed, folder.name)  # what submitit would fill in, as %j, is not needed
            self._folders.add(folder)
        return folder

    # --- waiting --------------------------------------------------------------------------------------

    def _open(self) -> list[_Job]:
        return list(self._jobs.values())

    def _poll_until_closed(self) -> None:
        asked_s = time.monotonic()
        try:
            while not self._closing.wait(min(_LOOK_S, self._poll_s)):
                self._take_results()
                if time.monotonic() - asked_s >= self._poll_s:
                    self._ask_queue()
                    asked_s = time.monotonic()
        except Exception as error:  # a mistake of ours; nobody must wait for what nobody looks for
            for job in self._open():
                if not job.future.done():
                    job.future.set_exception(error)

    def _ask_queue(self) -> None:
        """Give up the jobs that are over and have had their time to show a result."""
        if not self._jobs or (states := self._states()) is None:
            return
        for job in self._open():
            state = states.get(job.id, "")
            job.polls_gone = job.polls_gone + 1 if squeue.is_over(state) else 0
            if job.polls_gone > max(self._grace, _PATIENCE.get(state, 0)):
                self._end(job, _died(job))

    def _states(self) -> dict[str, str] | None:
        try:
            states = squeue.states()
        except squeue.Unreachable as error:
            if self._answers:
                _warn(f"{error}; the jobs go on, and so does the waiting for them")
            self._answers = False
            return None
        self._answers = True
        return states

    def _take_results(self) -> None:
        """Resolve the futures of jobs whose results are there."""
        jobs = self._open()
        names = {folder: _listed(folder) for folder in {job.result.parent for job in jobs}}
        ended = [(job, _result(job)) for job in jobs if job.result.name in names[job.result.parent]]
        if ended:
            _listed(self._store.path)
        for job, end in ended:
            if end is not None:
                self._end(job, end)

    def _end(self, job: _Job, ended: Ended) -> None:
        self._jobs.pop(job.id)
        self._keep_logs |= ended.how is How.DIED
        if not job.future.done():
            job.future.set_result(ended)

    def _cancel(self) -> None:
        """Cancel what has not ended, again and again until it is gone or the time is up."""
        end = time.monotonic() + _CANCEL_S
        while self._jobs and not self._cancelled():
            if time.monotonic() > end:
                self._keep_logs = True
                _warn(f"some jobs may still run: scancel {' '.join(self._jobs)}")
                break
            time.sleep(min(1.0, self._poll_s))

    def _cancelled(self) -> bool:
        try:
            squeue.cancel({job.id.split("_")[0] for job in self._open()})
            states = squeue.states()
        except squeue.Unreachable:
            return False
        self._take_results()
        return all(squeue.is_over(states.get(job.id, "")) for job in self._open())


# --- in the job -----------------------------------------------------------------------------------


def run_task(store_path: str, task: Task, token: str) -> Ended:
    """Compute a task's cell, in the job; raises StoreError where the node does not see the submitter's store."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # submitit would checkpoint
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # scancel ends the cell like Ctrl-C; submitit would go on
    if token not in _listed(Path(store_path) / ".slurm"):
        raise StoreError(f"store={store_path}: {socket.gethostname()} does not see what was submitted there: {_SHARED}")
    with Engines() as engines:
        return compute(task, Store(Path(store_path)), engines)


# --- what is needed -------------------------------------------------------------------------------


def _require_slurm() -> None:
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise ConfigError("hydra/launcher=slurm: needs submitit: pip install 'fscost[slurm]'") from error
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "hydra/launcher=slurm: there is no sbatch here; run this on a login node of the cluster, "
            "or with hydra/launcher=local"
        )


@contextmanager
def _out_of_any_array() -> Iterator[None]:
    """Hide that this is a job of an array itself, if it is: what it submits would inherit its number."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SLURM_ARRAY_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


# --- how it ended ---------------------------------------------------------------------------------


def _listed(folder: Path) -> set[str]:
    """Return the names in a folder; opening it makes a network file system look for what is new."""
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def _result(job: _Job) -> Ended | None:
    """Return what a job left, None where it cannot be read yet; an exception is a job that DIED of it."""
    try:
        how, value = pickle.loads(job.result.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError):
        return None
    if how == "success":
        assert isinstance(value, Ended)
        return value
    words = re.sub(r"^(?:\w+\.)+(?=\w+(?::|$))", "", str(value).strip().splitlines()[-1])  # without the error's module
    return Ended(How.DIED, f"Slurm job {job.id}: {words}; log: {job.log}")


def _died(job: _Job) -> Ended:
    """Return how a job ended that left no result."""
    ending = squeue.ending(job.id)
    status = Status.TIMEOUT if ending.state in ("TIMEOUT", "DEADLINE") else Status.FAILED
    reason = f"Slurm job {job.id} {ending.in_words}"
    if job.log.name in _listed(job.log.parent):
        return Ended(How.DIED, f"{reason}; log: {job.log}", status)
    if ending.state in ("", "COMPLETED", "FAILED"):
        reason += f" and left no log {job.log}: {_SHARED}"
    return Ended(How.DIED, reason, status)


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr, flush=True)
