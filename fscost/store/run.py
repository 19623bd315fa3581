"""What every run offers, whoever launched it: a run directory of fscost's, or output of FederatedScope alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from fscost.cells.outcome import Status


class Run(Protocol):
    """A run in its folder."""

    @property
    def path(self) -> Path:
        """The folder."""

    @property
    def can_be_rerun(self) -> bool:
        """Whether fscost launched the run, and so can compute it again."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are written anew when the run ends."""

    @property
    def system_metrics(self) -> Path:
        """What each worker reports, in FederatedScope's format."""

    @property
    def eval_results(self) -> Path:
        """The evaluations, in FederatedScope's format."""

    @property
    def engine_log(self) -> Path | None:
        """What the engine printed; None where fscost does not know of such a file."""

    def status(self) -> Status:
        """Return how far the run is, CORRUPT where its files cannot be believed."""

    def outcome(self) -> Mapping[str, Any]:
        """Return how the run ended, as JSON values; nothing where that cannot be read."""

    def warnings(self) -> list[str]:
        """Return the warnings of the run's own end."""


def warnings_in(outcome: Mapping[str, Any]) -> list[str]:
    """Return the warnings of an outcome, none where it has no list of them."""
    lines = outcome.get("warnings")
    return [str(line) for line in lines] if isinstance(lines, list) else []
