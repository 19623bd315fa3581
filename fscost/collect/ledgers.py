"""The ledger of a run as frames need it: read, of an older format, or derived from configuration and logs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isqrt
from typing import Any

from fscost.cells.cell import Cell
from fscost.errors import ConfigError
from fscost.store.ledger_file import LedgerFile

_ONCE = ("model_para", "evaluate", "metrics")
"""What a client gets or sends once in a round of a synchronous course; any other type beside it makes the sum unknown.

An asynchronous course may send it twice, and to fewer clients.
"""


def with_client_rounds(ledger: LedgerFile, cell: Cell) -> list[dict[str, Any]]:
    """Return the ledger's lines of messages with ``client_rounds``: in format 1 deduced, None where it cannot be."""
    if ledger.header["format"] > 1:
        return ledger.messages
    clients = 0 if cell.get("asyn.use") else ledger.header.get("clients") or 0
    return [row | {"client_rounds": _deduced(row, clients)} for row in ledger.messages]


def _deduced(row: Mapping[str, Any], clients: int) -> int | None:
    """Return how many clients sent or got the messages of a line, where each has one and there is no other type."""
    number = int(row["messages"])
    if row["round"] >= 0 and row["type"] in _ONCE and number <= clients:
        return number
    senders = (1 + isqrt(1 + 4 * number)) // 2
    is_from_each_to_each = row["type"] == "ss_model_para" and senders * (senders - 1) == number
    return senders if is_from_each_to_each else None


Row = dict[str, Any]

Derive = Callable[[Cell, Sequence[str], Sequence[Row], Sequence[Row]], LedgerFile]
"""Makes the ledger of a cell from what its workers and evaluations logged and the releases that it may have run on.

The header's ``protocol`` is the release whose messages they are, None if unknown. Raises ConfigError where it cannot.
"""

UNKNOWN_RELEASE = "unknown"


def derived(
    derive: Derive, cell: Cell, releases: Sequence[str], workers: Sequence[Row], evaluations: Sequence[Row]
) -> tuple[LedgerFile | None, Cell, Row]:
    """Return the ledger of a course that ended, its cell as of the release that it ran on, and columns that say so.

    The columns are ``derived``, the release, or ``underived``, why there is no ledger.
    """
    try:
        ledger = derive(cell, releases, workers, evaluations)
    except ConfigError as error:
        return None, cell, {"underived": str(error.args[0])}  # the others follow from it
    protocol = ledger.header["protocol"]
    return ledger, replace(cell, protocol=protocol or cell.protocol), {"derived": protocol or UNKNOWN_RELEASE}
