"""What is known of a run: its status, its outcome and where it came from."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How far a cell is; only `DONE` has numbers."""

    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    CORRUPT = "corrupt"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What the numbers of a run depend on besides its cell."""

    engine: str
    protocol: str
    fs_commit: str | None
    versions: dict[str, str]
    host: str
    device: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended; a failed run is a value, not an exception."""

    status: Status
    reason: str = ""
    wall_s: float = 0.0
    peak_rss_bytes: int | None = None
    warnings: tuple[str, ...] = ()
    provenance: Provenance | None = field(default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return asdict(self) | {"status": str(self.status)}
