"""What every run offers, whoever launched it: a run directory of fscost's, FederatedScope's output, or a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.store.ledger_file import LedgerFile


class Run(Protocol):
    """A run in its folder; what stands here is so for those of others, unless they say otherwise."""

    @property
    def path(self) -> Path:
        """The folder."""

    @property
    def can_be_rerun(self) -> bool:
        """Whether fscost launched the run, and so can compute it again."""
        return False

    @property
    def processes(self) -> Sequence[Run]:
        """The folders that the processes of the run wrote, each its own; the first is this one."""
        return (self,)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are written anew when the run ends."""

    @property
    def system_metrics(self) -> Path:
        """What each worker reports, in FederatedScope's format."""
        return self.path / "system_metrics.log"

    @property
    def eval_results(self) -> Path:
        """The evaluations, in FederatedScope's format."""
        return self.path / "eval_results.log"

    @property
    def engine_log(self) -> Path | None:
        """What the engine printed; None where fscost does not know of such a file."""
        return None

    def status(self, *, keep: bool = False) -> Status:
        """Return how far the run is, CORRUPT where its files cannot be believed.

        With `keep` the next `read` takes what was read for it, unless a file has been written since.
        """

    def outcome(self) -> Mapping[str, Any]:
        """Return how the run ended, as JSON values; nothing where that cannot be read."""

    def warnings(self) -> list[str]:
        """Return the warnings of the run's own end."""

    def read(self) -> Reading:
        """Return what all files but the logs say."""


@dataclass(frozen=True)
class Reading:
    """What the files of a run say at one moment, its logs left out.

    `cell` is None where it cannot be known; `id` then stands for the cell's. `reason` says why the run ended as it
    did, `outcome` are the JSON values of its end, and `notes` are warnings for the user. `ledger` is there for a run
    that is done and was metered. Of FederatedScope's own output, `options` are those that it wrote down, by dotted
    name, `releases` are those that may have written it, and `is_distributed` says whether server and clients were
    processes of their own.
    """

    id: str
    cell: Cell | None
    status: Status
    reason: str | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    ledger: LedgerFile | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    releases: Sequence[str] = ()
    is_distributed: bool = False
    notes: tuple[str, ...] = ()


def warnings_in(outcome: Mapping[str, Any]) -> list[str]:
    """Return the warnings of an outcome, none where it has no list of them."""
    lines = outcome.get("warnings")
    return [str(line) for line in lines] if isinstance(lines, list) else []
