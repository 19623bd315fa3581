"""Over how many pairs of a client and a round bytes are spread, where a ledger does not say so."""

from collections.abc import Mapping
from math import isqrt
from typing import Any

from fscost.cell import Cell
from fscost.metering import LedgerFile

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
