"""Why FederatedScope's own byte counts are not what travels, in words; each is said only where the numbers show it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from fscost.measure import SERVER
from fscost.record import Status

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
_NO_UPLOAD = "Upload 0: FederatedScope counts no upload in standalone mode since v0.3.0."
_ONLINE = "Download 0 of clients: FederatedScope does not count what federate.online_aggr hands to them."
_FINISH = "Clients' download misses finish, which carries the whole model: their line is written while it is handled."
_LAST = "The server's download misses the last message it handles, for the same reason."
_PARTLY = "+: without join_in and other messages that FederatedScope cannot encode as standalone mode sends them."
_UNSENT = "The server's upload misses finish: its line is written before that is sent."


def reasons(cells: pd.DataFrame, workers: pd.DataFrame) -> Iterator[str]:
    """Yield how to read the figures of an audit, then every reason that holds in one of the cells."""
    yield _MEANING
    done = cells[cells["status"] == Status.DONE]
    found = [reason for cell in done.to_dict("records") for reason in _of_cell(cell, workers)]
    if any(reason != _LOGS_ALONE for reason in found):
        yield _TRUTH
    yield from dict.fromkeys(found)
    yield from _doubts(done)


def _of_cell(cell: Mapping[Any, Any], workers: pd.DataFrame) -> Iterator[str]:
    own = workers[workers["cell"] == cell["cell"]]
    if own.empty:
        return
    if "sent_payload_bytes" not in own or own["sent_payload_bytes"].isna().all():
        yield _LOGS_ALONE
        return
    missed = {
        (who, link): _missed(own[is_it], logged, true)
        for who, is_it in (("server", own["worker"] == SERVER), ("clients", own["worker"] != SERVER))
        for link, logged, true in _PAIRS
    }
    total = own["total_upload_bytes"].sum()
    if total == 0 and own["sent_reported_bytes"].sum() > 0:
        yield _NO_UPLOAD
    elif missed["server", "upload"]:
        yield _UNSENT
    if _is_all_zero(own[own["worker"] != SERVER], "total_download_bytes"):
        yield _ONLINE
    elif missed["clients", "download"]:
        yield _FINISH
    if missed["server", "download"]:
        yield _LAST
    if own[["sent_wire_bytes", "received_wire_bytes"]].isna().any(axis=None):
        yield _PARTLY
    yield _BLIND


_PAIRS = (
    ("upload", "total_upload_bytes", "sent_reported_bytes"),
    ("download", "total_download_bytes", "received_reported_bytes"),
)


def _missed(rows: pd.DataFrame, logged: str, true: str) -> bool:
    """Return whether the log counts less than the sum of asizeof over the messages."""
    return bool((rows[true].fillna(0) > rows[logged].fillna(0)).any())


def _is_all_zero(rows: pd.DataFrame, column: str) -> bool:
    return bool(len(rows) and (rows[column] == 0).all() and (rows["received_messages"] > 0).all())


def _doubts(cells: pd.DataFrame) -> Iterator[str]:
    """Yield what collecting found implausible, each doubt once with the cells it is about."""
    if "implausible" not in cells:
        return
    about: dict[str, list[str]] = {}
    for cell, texts in zip(cells["cell"], cells["implausible"], strict=True):
        for text in texts.split("; ") if isinstance(texts, str) else ():
            about.setdefault(text, []).append(cell)
    for text, named in about.items():
        yield f"Implausible in {', '.join(named)}: {text}."
