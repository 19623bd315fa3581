"""FederatedScope output that fscost never launched: its configuration and its logs, wherever they lie."""

import hashlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fscost.cell import Cell
from fscost.collect.fs_logs import Warn, read_config
from fscost.collect.rounds import UNKNOWN_PROTOCOL, Schedule, schedule_of
from fscost.errors import ConfigError
from fscost.record import Status
from fscost.vocabulary import nested, sparse

ENGINE = "federatedscope"
_UNTIL_V020 = "eval.save_data"
"""An option that v0.3.0 dropped; every release dumps all it has."""


@dataclass(frozen=True)
class ForeignRun:
    """One output directory of FederatedScope."""

    path: Path

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

    @cached_property
    def _config(self) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        if not self.config_file.exists():
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
            return Cell(engine=ENGINE, protocol=_protocol(flat), fs=nested(sparse(flat)))
        except ConfigError as error:
            warn(f"{self.config_file}: {error}; the axes of this run are unknown")
            return None

    def schedule(self) -> Schedule:
        """Return when it was to be evaluated, as far as its configuration tells."""
        flat, _ = self._config
        return Schedule() if flat is None else schedule_of(flat.get, _protocol(flat))

    def is_fs_output(self) -> bool:
        """Return whether this folder holds FederatedScope's output at all."""
        return self.system_metrics.exists() or self.eval_results.exists() or self._config[0] is not None

    def id_without_config(self) -> str:
        """Return an id for a run whose configuration is unknown."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    def status(self) -> Status:
        """Return how far the run is."""
        return self.ending()[0]

    def ending(self) -> tuple[Status, str | None]:
        """Return how the run ended and why; FederatedScope writes system_metrics.log only at the end."""
        if self.system_metrics.exists() and self.system_metrics.stat().st_size:
            return Status.DONE, None
        if (self._config[0] or {}).get("vertical.use"):
            return Status.DONE, "FederatedScope logs no metrics of vertical runs"
        return Status.FAILED, "no system_metrics.log, which FederatedScope writes at the end: it crashed or still runs"


def _protocol(flat: dict[str, Any]) -> str:
    """Return the release that dumped a configuration, as far as its options tell."""
    return "v0.2.0" if _UNTIL_V020 in flat else UNKNOWN_PROTOCOL


def foreign_runs(folder: Path, names: Mapping[Path, Set[str]]) -> Iterator[ForeignRun]:
    """Yield every output directory below `folder`, ``sub_exp_…`` of reruns included, fscost's own runs left out.

    `names` tells by directory what lies in it.
    """
    told = {"config.yaml", "system_metrics.log", "eval_results.log"}
    for path in sorted(path for path in names if told & names[path] and "cell.json" not in names[path]):
        run = ForeignRun(path)
        if not _is_hidden(path, folder) and run.is_fs_output():
            yield run


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
