"""Cells on this machine, several at a time: a thread for each waits for a fork of a warm worker."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from fscost.engine import Engines
from fscost.launch.task import Ended, Task, compute
from fscost.store.store import Store


class LocalLauncher:
    """Runs `n_jobs` cells at a time; every one of them sees one of the GPUs, if there are any."""

    def __init__(self, store: Store, tasks: Sequence[Task]) -> None:
        self._store, self._engines = store, Engines()
        options = tasks[0].launcher
        self.n_jobs: int = options["n_jobs"] or max(1, cores() // max(task.settings.threads for task in tasks))
        self._pool = ThreadPoolExecutor(self.n_jobs, thread_name_prefix="cell")
        self._gpus: SimpleQueue[str | None] = SimpleQueue()
        gpus = _gpus() if options["gpus"] is None else [str(gpu) for gpu in options["gpus"]]
        for slot in range(self.n_jobs):
            self._gpus.put(gpus[slot % len(gpus)] if gpus else None)

    def launch(self, tasks: Sequence[Task]) -> list[Future[Ended]]:
        """Queue tasks; raises ConfigError for an engine that this machine does not have."""
        for task in tasks:
            self._engines.of(task.cell, task.settings).prepare(task.cell)
        return [self._pool.submit(self._compute, task) for task in tasks]

    def close(self) -> None:
        """End the workers and their cells."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._engines.close()
        self._pool.shutdown()

    def _compute(self, task: Task) -> Ended:
        gpu = self._gpus.get()
        try:
            return compute(replace(task, settings=replace(task.settings, gpu=gpu)), self._store, self._engines)
        finally:
            self._gpus.put(gpu)


def cores() -> int:
    """Return how many cores this process may use, which a container or Slurm may have limited."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[str]:
    """Return the GPUs that this process sees, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip()]
    found = (re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*"))
    return sorted((match[1] for match in found if match), key=int)
