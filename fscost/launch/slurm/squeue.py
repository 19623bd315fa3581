"""What Slurm's own commands say of jobs: the only module that knows their dialect.

Nothing here needs accounting: ``sacct`` is asked last, and may fail.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

_IN_WORDS = {
    "": "left the queue, and Slurm does not know how",
    "BOOT_FAIL": "had a node that did not boot",
    "CANCELLED": "was cancelled",
    "COMPLETED": "ended without a result",
    "DEADLINE": "missed its deadline",
    "NODE_FAIL": "lost its node",
    "OUT_OF_MEMORY": "ran out of memory; engine.memory_gb or hydra.launcher.mem_gb asks for more",
    "PREEMPTED": "was preempted",
    "REVOKED": "was revoked",
    "TIMEOUT": "ran into its time limit; engine.timeout_min or hydra.launcher.timeout_min asks for more",
}

_NOT_STARTED = 53
"""What Slurm puts in the signal's place where the node could not even open the job's log."""


class Unreachable(Exception):
    """Slurm does not answer; the text is one line with its words."""


@dataclass(frozen=True)
class JobEnding:
    """How a job ended: its state, empty where Slurm has forgotten the job, exit code and signal number."""

    state: str = ""
    code: int = 0
    signal: int = 0

    @property
    def in_words(self) -> str:
        """What follows "the job" in a sentence."""
        if self.state in _IN_WORDS:
            return _IN_WORDS[self.state]
        if self.signal == _NOT_STARTED:
            return "could not be started"
        number = self.signal or self.code - 128  # a shell reports its child's signal so
        if number in set(signal.Signals):
            lack = ", which is also how a lack of memory ends" if number == signal.SIGKILL else ""
            return f"was killed by {signal.Signals(number).name}{lack}"
        return f"ended with exit code {self.code}"


def states() -> dict[str, str]:
    """Return the states of this user's jobs, as ``{"17_3": "RUNNING"}``; ended ones stay for some minutes (MinJobAge).

    Raises Unreachable.
    """
    text = _answer("squeue", f"--user={os.getuid()}", "--states=all", "--array", "--noheader", "--format=%i %T")
    return dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line.strip())


def is_over(state: str) -> bool:
    """Return whether a job in this state, empty for one that Slurm does not list, will not run any more.

    Slurm may requeue what lost its node or was preempted; it is pending again then.
    """
    return state in _IN_WORDS or state == "FAILED"


def ending(job: str) -> JobEnding:
    """Return how a job ended, from the controller, which remembers it for some minutes, or else from the accounting."""
    for command, pattern in (
        (("scontrol", "--oneliner", "show", "job", job), r"JobState=(\w+).*?\bExitCode=(\d+):(\d+)"),
        (("sacct", "-X", "-n", "-P", "-o", "State,ExitCode", "-j", job), r"^(\w+)[^|]*\|(\d+):(\d+)"),
    ):
        try:
            found = re.search(pattern, _answer(*command))
        except Unreachable:
            continue
        if found and is_over(found[1]):
            return JobEnding(found[1], int(found[2]), int(found[3]))
    return JobEnding()


def cancel(jobs: Iterable[str]) -> None:
    """Cancel jobs and arrays; those that have ended are no matter. Raises Unreachable."""
    _answer("scancel", "--quiet", *jobs)


def largest_array() -> int:
    """Return how many jobs one array may hold. Raises Unreachable."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _answer("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(found[1])) if found else 1


def words_of(text: str) -> str:
    """Return what a command of Slurm wrote to its stderr as one line, without the repeated ``sbatch: error:``."""
    lines = [re.sub(r"^(\w+: )?(error|fatal): ", "", line.strip()) for line in text.strip().splitlines()]
    return "; ".join(line for line in lines if line)


def _answer(*command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}  # filters
    try:
        done = subprocess.run(  # Ctrl-C is not for it
            command, env=environment, capture_output=True, text=True, timeout=60, start_new_session=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise Unreachable(f"{command[0]}: {words_of(done.stderr) or f'exit code {done.returncode}'}")
    return done.stdout
