"""FederatedScope output that fscost never launched: its configuration and its logs, wherever they lie."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import FEDERATEDSCOPE
from fscost.cells.measure import SERVER
from fscost.cells.outcome import Status
from fscost.cells.provenance_options import is_provenance
from fscost.collect.fs_logs import Row, Warn, read_config, read_system_metrics
from fscost.collect.rounds import UNKNOWN_PROTOCOL
from fscost.errors import ConfigError
from fscost.files import is_there
from fscost.protocol.fs_options import nested, sparse
from fscost.protocol.release import NAMES, releases_of_dump
from fscost.store.run import Reading

_CRASHED = "no system_metrics.log, which FederatedScope writes at the end: it crashed or still runs"
_LOST = "the logs are missing: the course had finished, as eval_results.raw.gz is written at its end"


@dataclass(frozen=True)
class ForeignRun:
    """One output directory of FederatedScope.

    `others` are those of the other processes of a distributed course, of which this is the server's, if it is there.
    `is_apart` is whether these may be there and are not known; `note` is a warning about the folder.
    """

    path: Path
    others: tuple["ForeignRun", ...] = ()
    is_apart: bool = False
    note: str = ""

    @property
    def config_file(self) -> Path:
        """The effective configuration that FederatedScope dumps when it starts."""
        return self.path / "config.yaml"

    @property
    def system_metrics(self) -> Path:
        """One line per worker, written when the course ends."""
        return self.path / "system_metrics.log"

    @property
    def eval_results(self) -> Path:
        """One line per evaluation."""
        return self.path / "eval_results.log"

    @property
    def raw_results(self) -> Path:
        """All evaluations once more, packed when the course ends."""
        return self.path / "eval_results.raw.gz"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are written anew when the run ends, of all processes."""
        return tuple(file for one in self.processes for file in (one.config_file, one.system_metrics, one.eval_results))

    @property
    def engine_log(self) -> None:
        """None: what was printed may be anywhere."""

    @property
    def can_be_rerun(self) -> bool:
        """No: fscost did not launch the run."""
        return False

    @cached_property
    def _config(self) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        if not is_there(self.config_file):
            return None, (f"{self.path}: no config.yaml, so the axes of this run are unknown",)
        warnings = list[str]()
        return read_config(self.config_file, warnings.append), tuple(warnings)

    def cell(self, warn: Warn) -> Cell | None:
        """Return what was computed, read from the configuration and not from the folder's name; None if unknown."""
        flat, warnings = self._config
        for warning in warnings:
            warn(warning)
        if flat is None:
            return None
        try:
            return Cell(engine=FEDERATEDSCOPE, protocol=_protocol(flat), fs=nested(sparse(flat)))
        except ConfigError as error:
            warn(f"{self.config_file}: {error}; the axes of this run are unknown")
            return None

    @property
    def processes(self) -> tuple["ForeignRun", ...]:
        """The folders of all processes."""
        return (self, *self.others)

    @cached_property
    def options(self) -> dict[str, Any]:
        """The options as they were dumped, none where they are not known."""
        return self._config[0] or {}

    @property
    def is_distributed(self) -> bool:
        """Whether server and clients were processes of their own, as far as the configuration says."""
        options = self.options
        has_role = "distribute.role" in options and options.get("distribute.use") is not False
        return options.get("federate.mode") == "distributed" or options.get("distribute.use") is True or has_role

    @property
    def is_process(self) -> bool:
        """Whether this is the folder of one process of a distributed course, and not of all its workers."""
        return self.is_distributed and not (SERVER in self.logged_workers and len(self.logged_workers) > 1)

    @property
    def is_server(self) -> bool:
        """Whether the server wrote this folder, alone or with its clients."""
        return SERVER in self.logged_workers

    @cached_property
    def logged_workers(self) -> frozenset[int]:
        """The workers whose lines are in this folder; where none are, the server if its role says so."""
        workers = frozenset(row["worker"] for row in self._workers())
        return workers or frozenset([SERVER] if self.options.get("distribute.role") == "server" else [])

    @property
    def minutes(self) -> float:
        """How long this process ran, 0 where it does not say."""
        times = (row.get("fl_end_time_minutes") for row in self._workers())
        return max((time for time in times if isinstance(time, int | float) and 0 < time < _YEAR), default=0)

    @property
    def clients(self) -> int | None:
        """The number of clients that were asked for."""
        number = self.options.get("federate.client_num")
        return number if isinstance(number, int) and number > 0 else None

    @property
    def setting(self) -> str:
        """What the configurations of the processes of one course have in common."""
        apart = {name for name in self.options if is_provenance(name) or name in _OF_PROCESS} - {*_SHARED}
        own = {name: value for name, value in self.options.items() if name not in apart}
        return repr(sorted(own.items()))

    def absent(self) -> str | None:
        """Return of which processes of a distributed course that is over no folder is there, None where all are."""
        found = {worker for process in self.processes for worker in process.logged_workers}
        if not self.is_distributed or self.clients is None or self.is_apart or self.ending()[0] is not Status.DONE:
            return None
        missing = self.clients + 1 - sum(worker <= self.clients for worker in found)
        first = islice((worker for worker in range(self.clients + 1) if worker not in found), _MOST)
        names = ", ".join("the server" if worker == SERVER else f"client {worker}" for worker in first)
        more = f" and {missing - _MOST} more" if missing > _MOST else ""
        return f"no folder of {names}{more} is here, so what they counted is not known" if missing else None

    def _workers(self) -> list[Row]:
        if not is_there(self.system_metrics):
            return []
        return read_system_metrics(self.system_metrics, _ignore, server_twice=self.is_distributed)

    def releases(self) -> Sequence[str]:
        """Return the names of the releases that it may have run on, as far as its configuration says."""
        flat, _ = self._config
        return NAMES if flat is None else [release.name for release in releases_of_dump(flat)]

    def read(self) -> Reading:
        """Return what the configuration says, how the run ended, and what is to be noted of the folder."""
        notes = list[str]()
        cell = self.cell(notes.append)
        status, reason = self.ending()
        return Reading(
            id=cell.id if cell else self.id_without_config(),
            cell=cell,
            status=status,
            reason=reason,
            outcome=self.outcome(),
            options=self.options,
            releases=self.releases(),
            is_distributed=self.is_distributed,
            notes=(*notes, *(f"{self.path}: {note}" for note in (reason, self.note, self.absent()) if note)),
        )

    def is_fs_output(self) -> bool:
        """Return whether this folder holds FederatedScope's output at all."""
        logs = (self.system_metrics, self.eval_results, self.raw_results)
        return any(map(is_there, logs)) or self._config[0] is not None

    def id_without_config(self) -> str:
        """Return an id for a run whose configuration is unknown."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    def status(self, *, keep: bool = False) -> Status:
        """Return how far the run is; what was read for it is always kept."""
        return self.ending()[0]

    def outcome(self) -> dict[str, Any]:
        """Return how the run ended, as JSON values: ``status`` and ``reason``."""
        status, reason = self.ending()
        return {"status": str(status), "reason": reason or ""}

    def warnings(self) -> list[str]:
        """Return none: FederatedScope writes no warnings at the end of a run."""
        return []

    def ending(self) -> tuple[Status, str | None]:
        """Return how the run ended and why; FederatedScope writes system_metrics.log only at the end."""
        if all(process._is_over() for process in ([self] if self.is_server else self.processes)):
            return Status.DONE, None
        if self.options.get("vertical.use"):
            return Status.DONE, "FederatedScope logs no metrics of vertical runs"
        return (Status.DONE, _LOST) if is_there(self.raw_results) else (Status.FAILED, _CRASHED)

    def _is_over(self) -> bool:
        try:
            return self.system_metrics.stat().st_size > 0
        except OSError:  # what the disk does not tell, its reader will be told
            return is_there(self.system_metrics)


_YEAR = 60 * 24 * 366

_MOST = 5
"""How many workers are named one by one."""

_SHARED = ("distribute.server_port",)
_OF_PROCESS = ("federate.make_global_eval",)
"""Options that the processes of a course share though they say where it runs, and that they may set differently."""


def _ignore(_warning: str) -> None:
    """Keep a warning to itself that is given when all is read."""


def _protocol(flat: dict[str, Any]) -> str:
    """Return the release that dumped a configuration, as far as its options say."""
    first, *others = releases_of_dump(flat)
    return UNKNOWN_PROTOCOL if others else first.protocol


def foreign_runs(folder: Path, names: Mapping[Path, Set[str]]) -> Iterator[ForeignRun]:
    """Yield every output directory below `folder`, ``sub_exp_…`` of reruns included, fscost's own runs left out.

    `names` are the names in each directory.
    """
    logs = {"config.yaml", "system_metrics.log", "eval_results.log", "eval_results.raw.gz"}
    for path in sorted(path for path in names if logs & names[path] and "cell.json" not in names[path]):
        run = ForeignRun(path)
        if not _is_hidden(path, folder) and run.is_fs_output():
            yield run


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
