"""What is known of a run: its status, its outcome and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fscost.cells.measure import Word


class Status(Word):
    """How far a cell is; only `DONE` has numbers."""

    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    CORRUPT = "corrupt"
    MISSING = "missing"


def counts_of(states: Iterable[Status]) -> str:
    """Return how many cells are in which state, as ``3 done, 1 failed``."""
    states = list(states)
    return ", ".join(f"{states.count(status)} {status}" for status in Status if status in states)


@dataclass(frozen=True)
class Provenance:
    """What the numbers of a run depend on besides its cell."""

    engine: str
    protocol: str
    fs_commit: str | None
    versions: dict[str, str]
    host: str
    device: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """How a run ended; a failed run is a value, not an exception.

    `died` says that its process ended without a word, as one does that the kernel killed: trying again may help.
    """

    status: Status
    reason: str = ""
    wall_s: float = 0.0
    peak_rss_bytes: int | None = None
    warnings: tuple[str, ...] = ()
    died: bool = False
    provenance: Provenance | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {**asdict(self), "status": str(self.status)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """Return the outcome of which `as_dict` made these values; an older one may lack some."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        provenance = known.get("provenance")
        return cls(
            **{
                **known,
                "status": Status(known["status"]),
                "warnings": tuple(known.get("warnings", ())),
                "provenance": provenance and Provenance(**provenance),
            }
        )
