"""Cells as tasks of Ray, on this machine or on a cluster that runs already.

Hydra's Ray launcher lends its options, ``hydra.launcher.ray.init`` and ``.remote``; its own ``launch`` composes every
cell again and says nothing before all have ended. Ray is imported when it is first needed.
"""

import os
import platform
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fscost import __version__
from fscost.engine import Engines
from fscost.errors import ConfigError, one_line
from fscost.launch.local import cores
from fscost.launch.task import Ended, How, Task, compute
from fscost.store.lock import held, holder
from fscost.store.store import Store

_END_S = 10.0
"""How long what was cancelled may take to end."""

_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
_OWN = _QUIET | {
    "address": "local",  # with none, Ray would join whatever cluster it finds
    "include_dashboard": False,
    "object_store_memory": 78643200,  # bytes, the least that Ray takes: results are files in the store
}
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|killed due to memory pressure",  # our reasons say so
}
_AMOUNTS = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
"""Ray's resources, and the options of a task that ask for them."""


class RayLauncher:
    """Runs each cell as a task of Ray, whose worker processes keep their engines warm from cell to cell.

    Where ``hydra.launcher.ray.init.address`` or ``RAY_ADDRESS`` names a cluster, the tasks go there; otherwise Ray is
    started on this machine, and ended with the sweep. Raises ConfigError where Ray is not installed.
    """

    def __init__(self, store: Store, tasks: Sequence[Task]) -> None:
        if find_spec("ray") is None:
            raise ConfigError("hydra/launcher=ray: hydra-ray-launcher is not installed; pip install 'fscost[ray]'")
        self._store = Store(store.path.resolve())
        self._init = {name: value for name, value in _options(tasks[0], "init").items() if value is not None}
        self._threads = max(task.settings.threads for task in tasks)
        self._open = ExitStack()
        self._run: Any = None
        self._token = Path()
        self._own: Path | None = None
        self._has_deaths = False
        self._refs: dict[Future[Ended], Any] = {}

    def launch(self, tasks: Sequence[Task]) -> list[Future[Ended]]:
        """Queue tasks; the first call starts Ray, which takes seconds.

        Raises ConfigError for options that Ray does not take, and for cells that this machine is too small for.
        """
        if self._run is None:
            self._start()
        wants = [_wants(task) for task in tasks]
        if self._own is not None:
            _check_room(wants)
        return [self._submit(task, want) for task, want in zip(tasks, wants, strict=True)]

    def close(self) -> None:
        """End what runs or waits, and Ray if it was started here."""
        refs = list(self._refs.values())
        for future in list(self._refs):
            if future.cancel():
                future.set_running_or_notify_cancel()
        if refs:
            ray = _ray()
            for ref in refs:
                ray.cancel(ref, force=True)
            ray.wait(refs, num_returns=len(refs), timeout=_END_S)
        self._open.close()
        self._run = None

    def _start(self) -> None:
        token = self._store.under_way / f"ray-{secrets.token_hex(8)}.lock"
        self._open.enter_context(held(token, f"{platform.node()}, process {os.getpid()}"))
        ray, options = _ray(), _QUIET | self._init
        if is_own := options.get("address", os.environ.get("RAY_ADDRESS", "local")) == "local":
            options = _OWN | {"num_cpus": max(cores(), self._threads)} | self._init
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # or Ray puts one into the home folder
        self._open.callback(self._clean)
        self._open.callback(ray.shutdown)  # a cluster that was there before goes on
        try:
            with _own_signals(delays_interrupt=is_own):
                context = ray.init(**options)
                self._own = Path(context.address_info["session_dir"]) if is_own else None
        except Exception as error:  # Ray raises whatever it comes upon
            raise ConfigError(f"hydra.launcher.ray.init: {one_line(error)}") from error
        self._run, self._token = ray.remote(run_task), token

    def _clean(self) -> None:
        """Remove what Ray wrote into its temporary folder, unless somebody may want to know how a cell died."""
        if self._own is not None and not self._has_deaths:
            shutil.rmtree(self._own, ignore_errors=True)

    def _submit(self, task: Task, wants: Mapping[str, Any]) -> Future[Ended]:
        try:
            ref = self._run.options(**wants).remote(str(self._store.path), str(self._token), __version__, task)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"hydra.launcher.ray.remote: {one_line(error)}") from error
        future: Future[Ended] = Future()
        self._refs[future] = ref
        ref.future().add_done_callback(partial(self._land, future))
        return future

    def _land(self, future: Future[Ended], landed: "Future[Ended]") -> None:
        """Pass on how a task ended; called in a thread of Ray's."""
        error = landed.exception()
        with suppress(InvalidStateError):  # it was cancelled
            self._has_deaths |= error is not None and not future.cancelled()
            future.set_result(landed.result() if error is None else self._death(error))
        self._refs.pop(future, None)

    def _death(self, error: BaseException) -> Ended:
        reason = one_line(getattr(error, "cause", None) or error).rstrip(".")
        if self._own:
            return Ended(How.DIED, f"Ray on {platform.node()}: {reason}; Ray's logs: {self._own / 'logs'}")
        if "No module named" in reason:
            reason += (
                "; install the same on all nodes, or name where it lies with "
                "hydra.launcher.ray.init.runtime_env.env_vars.PYTHONPATH"
            )
        return Ended(How.DIED, f"Ray: {reason}")


def run_task(store: str, token: str, version: str, task: Task) -> Ended:
    """Compute one cell in a worker process of Ray, wherever that is.

    `token` is a file in the store that the command which planned the cell holds: where it is not, or seems not to be
    held, the store is another one, or two machines could compute one cell at once.
    """
    try:
        if obstacle := _obstacle(Path(store), Path(token), version):
            return Ended(How.DIED, f"{platform.node()}: {obstacle}")
        # What Ray gave this task; the warm worker has what the first one was given.
        settings = replace(task.settings, gpu=os.environ.get("CUDA_VISIBLE_DEVICES"))
        return compute(replace(task, settings=settings), Store(Path(store)), _engines())
    except Exception as error:
        return Ended(How.DIED, f"{platform.node()}: {one_line(error)}")


def _obstacle(store: Path, token: Path, version: str) -> str:
    """Return why nothing can be computed here for the command that asks, empty where it can."""
    if version != __version__:
        return f"has fscost {__version__}, the sweep was planned by {version}; install the same on all nodes"
    if not token.exists():
        return f"store={store}: is another folder here; it must lie on a file system that all nodes share"
    if holder(token) is None:
        return f"store={store}: locks do not reach from node to node here; have it mounted with flock"
    return ""


@cache
def _engines() -> Engines:
    """Return the engines of this worker process; their own processes end with it."""
    return Engines()


def _ray() -> Any:
    """Return Ray; what it does by itself is set before the first import."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def _options(task: Task, part: str) -> dict[str, Any]:
    return dict((task.launcher.get("ray") or {}).get(part) or {})


def _wants(task: Task) -> dict[str, Any]:
    """Return the options of a cell's Ray task; the sweep retries, not Ray."""
    wants: dict[str, Any] = {"num_cpus": task.settings.threads, "max_retries": 0}
    if task.settings.memory_gb is not None:
        wants["memory"] = int(1e9 * task.settings.memory_gb)
    return wants | _options(task, "remote")


def _check_room(wants: Sequence[Mapping[str, Any]]) -> None:
    """Raise ConfigError for a task that Ray would let wait for ever."""
    there = _ray().cluster_resources()
    for want in wants:
        for resource, option in _AMOUNTS.items():
            if (asked := want.get(option) or 0) > (has := there.get(resource, 0)):
                raise ConfigError(
                    f"hydra/launcher=ray: a cell wants {option}={asked:g}, and Ray has {has:g} on this machine; ask "
                    "for less with engine.threads, engine.memory_gb or hydra.launcher.ray.remote"
                )


@contextmanager
def _own_signals(*, delays_interrupt: bool) -> Iterator[None]:
    """Keep what this process does at signals while Ray begins; Ctrl-C may have to wait, once, until it has begun.

    Ray puts an answer of its own to SIGTERM in the place of the process's. Interrupted at its start, it leaves
    processes behind.
    """
    if threading.current_thread() is not threading.main_thread():  # Ray leaves signals alone there too
        yield
        return
    interrupt, terminate = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupted = threading.Event()

    def wait(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, interrupt)

    if delays_interrupt:
        signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        if terminate is not signal.SIG_DFL:  # Ray's ends the sweep in order
            signal.signal(signal.SIGTERM, terminate)
    if interrupted.is_set():
        raise KeyboardInterrupt
