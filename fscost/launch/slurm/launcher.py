"""Cells as jobs of a Slurm cluster: hydra-submitit-launcher's options, submitit's arrays, our own waiting.

submitit alone waits for ever for a job that died on a cluster without accounting, and leaves its jobs running when it
is interrupted. Here the queue itself is asked, and what has not ended when the sweep does is cancelled.
"""

import itertools
import os
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from fscost.errors import ConfigError, StoreError
from fscost.launch.slurm import squeue
from fscost.launch.slurm.job import Job, listed, run_task
from fscost.launch.slurm.sbatch import arrays
from fscost.launch.task import Ended, How, Task
from fscost.printable import say
from fscost.store.store import Store

_LOOK_S = 1.0
"""How often to look for results, which is a look into a folder and asks nothing of the controller."""

_PATIENCE = {"COMPLETED": 12}
"""Polls until an ended job's result is given up: one that says it went well has most likely a slow file system."""

_CANCEL_S = 60
"""How long `close` waits for cancelled jobs; Slurm itself kills them after 30 s (KillWait)."""


class SlurmLauncher:
    """Computes each cell in a job of its own; jobs that ask for the same are one array.

    The queue is asked every `poll_s` seconds, and what has left it is given `grace` polls to show its result. Raises
    ConfigError where there is no Slurm or no submitit.
    """

    def __init__(self, store: Store, *, poll_s: float = 5.0, grace: int = 3) -> None:
        _require_slurm()
        self._store, self._poll_s, self._grace = store, poll_s, grace
        self._jobs: dict[str, Job] = {}
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
            self._jobs[job.job_id] = Job(job.job_id, future, job.paths.result_pickle, job.paths.stdout)

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

    def _open(self) -> list[Job]:
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
                self._end(job, job.died())

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
        names = {folder: listed(folder) for folder in {job.result.parent for job in jobs}}
        ended = [(job, job.ended()) for job in jobs if job.result.name in names[job.result.parent]]
        if ended:
            listed(self._store.path)
        for job, end in ended:
            if end is not None:
                self._end(job, end)

    def _end(self, job: Job, ended: Ended) -> None:
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


def _warn(line: str) -> None:
    say(f"warning: {line}")
