"""What the files of a run hold: keys, types and ranges. Whatever is read is one of these, or is not believed.

Only where there is msgspec: an interpreter of training code may lack it, which writes runs and reads hardly any.
"""

from __future__ import annotations

from typing import Annotated, Any, Dict, Literal, NotRequired, Optional, TypedDict, Union  # novm

from msgspec import Meta

LARGEST = 2**63 - 1
"""The largest number that a schema can name: a count may be larger, see `problem_of`."""

Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Round = Annotated[int, Meta(ge=-1, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Name = Annotated[str, Meta(max_length=1000)]

Status = Literal["done", "failed", "timeout", "running", "interrupted", "corrupt", "missing"]
Link = Literal["uplink", "downlink", "peer"]
Traffic = Literal["training", "evaluation", "control"]


class CellFile(TypedDict):
    """``cell.json``; what its options may be, `Cell` checks."""

    format: int
    id: Name
    engine: Name
    protocol: Name
    fs: dict[str, Any]


class ProvenanceFile(TypedDict, total=False):
    """Where the numbers of a run come from."""

    engine: Name
    protocol: Name
    fs_commit: str | None
    versions: dict[str, str] | None
    host: str
    device: str
    seed: Any


class OutcomeFile(TypedDict, total=False):
    """``outcome.json``; an older one may lack anything but its status."""

    format: int
    status: Status  # looked at before
    reason: str | None
    wall_s: Seconds | None
    peak_rss_bytes: Count | None
    warnings: list[str] | None
    died: bool
    provenance: ProvenanceFile | None
    files: dict[str, str]
    digest: str


class HeaderLine(TypedDict):
    """The first line of ``ledger.jsonl``; whoever counted may say more there."""

    format: int
    protocol: NotRequired[Name | None]
    framework: NotRequired[Name]
    clients: NotRequired[Count | None]
    params: NotRequired[Count | None]
    trainable_bytes: NotRequired[Count | None]
    state_dict_bytes: NotRequired[Count | None]


class Counted(TypedDict):
    """How many messages, and their bytes by measure."""

    messages: Count
    payload_bytes: Count | None
    scalar_bytes: Count | None
    reported_bytes: Count | None
    wire_bytes: Count | None


class FormerMessageLine(Counted):
    """The messages of a round, a type and a link, in a ledger of format 1."""

    round: Round
    type: Name
    link: Link
    traffic: NotRequired[Traffic]


class MessageLine(FormerMessageLine):
    """The messages of a round, a type and a link, and to or from how many clients."""

    client_rounds: Count


class Sums(Counted):
    """What a worker sent, or received."""

    wire_known_bytes: NotRequired[Count | None]


class WorkerLine(TypedDict):
    """A worker's line."""

    worker: Annotated[int, Meta(ge=0, le=10**9)]
    sent: Sums
    received: Sums


class ProgressFile(TypedDict):
    """``progress.json``."""

    round: Count


class LastSweepFile(TypedDict):
    """``last_sweep.json`` of a store."""

    overrides: list[str]


class AnswerFile(TypedDict):
    """What a FederatedScope said of its options, in the user's cache folder."""

    defaults: dict[str, Any]
    open: list[str]
    takes: dict[str, list[str]]
    crashing: dict[str, dict[str, str]]
    unmetered: str


LogLine = Dict[str, Optional[Union[Annotated[int, Meta(ge=-LARGEST, le=LARGEST)], float]]]
"""A worker's line of ``system_metrics.log``, as FederatedScope writes it."""
