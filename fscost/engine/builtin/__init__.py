"""The builtin engine: federated training with torch that follows FederatedScope's message protocol."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.engine.base import DEFAULTS, EngineSettings
from fscost.engine.builtin.trainable_cells import refusals
from fscost.engine.process import WarmWorker
from fscost.errors import ConfigError
from fscost.extras import check_extra
from fscost.protocol.datasets import DATA_TYPES
from fscost.store.rundir import RunDir


class BuiltinEngine:
    """Trains for real, in this process, on the CPU."""

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for options this engine does not understand or that contradict each other."""
        if problems := refusals(cell):
            raise ConfigError(*problems)

    def check_here(self, cell: Cell) -> None:
        """Raise ConfigError where torch is not installed, or the package that ships the cell's data."""
        check_extra("train", "engine=builtin", "take engine=estimate, which counts bytes without training")
        if data := DATA_TYPES.get(cell.get("data.type")):
            data.file()

    def prepare(self, cell: Cell) -> None:
        """Raise ConfigError as `check_here`; nothing else is needed."""
        self.check_here(cell)

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run one cell in this process, unbounded; what goes wrong becomes the outcome's reason."""
        import torch  # takes seconds, and a plan needs none

        from fscost.engine.builtin.training_run import train_cell

        torch.set_num_threads(settings.threads)
        return train_cell(cell, into)

    def close(self) -> None:
        """Nothing is held."""


class ServedBuiltinEngine(BuiltinEngine):
    """Trains each cell in a fork of a worker that has imported torch once: a crash or a hang costs that cell alone."""

    def __init__(self) -> None:
        self._worker = WarmWorker("fscost.engine.builtin.training_run")

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run one cell; what ends its process is the outcome's reason."""
        worker = self._worker.started(Path(sys.executable), "engine=builtin")
        own = {"into": str(into.path), "log": str(into.engine_log), "cell": asdict(cell)}
        reply = worker.ask(own | settings.as_request())
        return _outcome(reply)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()


def make_engine(_python: str | None) -> ServedBuiltinEngine:
    """Return the engine, whose worker runs under this interpreter."""
    return ServedBuiltinEngine()


def _outcome(reply: dict[str, Any]) -> Outcome:
    if "outcome" in reply:  # as the fork wrote it
        return Outcome.from_dict(reply["outcome"])
    known = {name: reply[name] for name in ("reason", "wall_s", "peak_rss_bytes")}
    return Outcome(status=Status(reply["status"]), died=bool(reply.get("died")), **known)
