"""Why FederatedScope's own byte counts are not what travels; each reason is given only where the numbers show it."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from fscost.cells.measure import SERVER
from fscost.cells.outcome import Status
from fscost.tables.lines import OfCells, Record, is_missing

_MEANING = (
    "Reported: total_upload_bytes and total_download_bytes of system_metrics.log, sums of pympler's asizeof over the "
    "messages a worker handled; sys_avg: their mean over the server and all clients, in units of 1024."
)
_TRUTH = (
    "Payload: tensors, elements × bytes per element, of all messages, evaluation and control included; wire: the "
    "protobuf messages of distributed mode."
)
_LOGS_ALONE = "No ledger was written, so what really travelled is not known; reported figures are no payload."
_BLIND = "asizeof does not see tensor storage: a tensor counts the same whatever its size, 144 or 176 bytes."
_PARTLY = "+: without join_in and other messages that FederatedScope cannot encode as standalone mode sends them."


class Gap(Enum):
    """Why a worker's log counts less than asizeof of its messages; the value says so in words."""

    NO_UPLOAD = "Upload 0: FederatedScope counts no upload in standalone mode since v0.3.0."
    UNSENT = "The server's upload misses finish: its line is written before that is sent."
    ONLINE = "Download 0 of clients: FederatedScope does not count what federate.online_aggr hands to them."
    FINISH = "Clients' download misses finish, which carries the model: their line is written while it is handled."
    LAST = "The server's download misses what it still has to handle when its line is written: at least one message."
    UNKNOWN = "Some figures fall short for a reason that fscost does not know."


class Count(NamedTuple):
    """What one worker's log says of one direction, and asizeof of all its messages of that direction, in bytes."""

    worker: int
    link: str
    logged_bytes: int
    true_bytes: int

    @property
    def missed_bytes(self) -> int:
        """How much the log falls short."""
        return self.true_bytes - self.logged_bytes


def counts(workers: Sequence[Record]) -> list[Count]:
    """Return the counts of one cell's workers, those of which both figures are known."""
    return [
        Count(int(row["worker"]), link, int(row[logged]), int(row[true]))
        for row in workers
        for link, logged, true in _COLUMNS
        if not is_missing(row.get(logged)) and not is_missing(row.get(true))
    ]


_COLUMNS = (
    ("upload", "total_upload_bytes", "sent_reported_bytes"),
    ("download", "total_download_bytes", "received_reported_bytes"),
)


def gap_of(count: Count, finish_bytes: float, clients: int) -> Gap | None:
    """Return why a log falls short, None where it does not; `finish_bytes` is asizeof of one finish message."""
    if count.missed_bytes <= 0:
        return None
    if count.link == "upload":
        if count.logged_bytes == 0:
            return Gap.NO_UPLOAD
        is_finish = count.worker == SERVER and count.missed_bytes == finish_bytes * clients
        return Gap.UNSENT if is_finish else Gap.UNKNOWN
    if count.worker == SERVER:
        return Gap.LAST
    if count.missed_bytes == finish_bytes:
        return Gap.FINISH
    return Gap.ONLINE if count.logged_bytes == 0 else Gap.UNKNOWN


def finish_bytes_of(messages: Sequence[Record]) -> float:
    """Return asizeof of one finish message of a cell, 0 where none was sent."""
    finish = [row for row in messages if row["type"] == "finish"]
    sizes = (int(row["reported_bytes"]) for row in finish if not is_missing(row["reported_bytes"]))
    return sum(sizes) / sum(int(row["messages"]) for row in finish) if finish else 0.0


def reasons(cells: Sequence[Record], workers: OfCells, messages: OfCells) -> Iterator[str]:
    """Yield how to read the figures of an audit, then every reason that holds in one of the cells."""
    yield _MEANING
    done = [cell for cell in cells if cell["status"] == Status.DONE]
    found = {r for cell in done for r in _of_cell(workers.get(cell["cell"], ()), messages.get(cell["cell"], ()))}
    if found - {_LOGS_ALONE}:
        yield _TRUTH
    yield from (reason for reason in (*(gap.value for gap in Gap), _BLIND, _PARTLY, _LOGS_ALONE) if reason in found)
    yield from _about(done, "underived", "What travelled is not known of {}, as its messages cannot be derived: {}.")
    yield from _about(done, "implausible", "Implausible in {}: {}.")


def _of_cell(workers: Sequence[Record], messages: Sequence[Record]) -> Iterator[str]:
    if not messages:
        yield _LOGS_ALONE
        return
    known = counts(workers)
    finish_bytes, clients = finish_bytes_of(messages), sum(worker["worker"] != SERVER for worker in workers)
    alike = {(count.worker == SERVER, *count[1:]): count for count in known}  # clients have few different figures
    yield from (gap.value for count in alike.values() if (gap := gap_of(count, finish_bytes, clients)))
    metered = [worker for worker in workers if "sent_wire_known_bytes" in worker]
    if any(is_missing(worker[f"{way}_wire_bytes"]) for worker in metered for way in ("sent", "received")):
        yield _PARTLY
    if known:
        yield _BLIND


def _about(cells: Sequence[Record], column: str, words: str) -> Iterator[str]:
    """Yield what collecting found of cells, each finding once with the cells it is about."""
    about: dict[str, list[str]] = {}
    for cell in cells:
        for text in found.split("; ") if isinstance(found := cell.get(column), str) else ():
            about.setdefault(text, []).append(cell["cell"])
    for text, named in about.items():
        yield words.format(", ".join(named), text)
