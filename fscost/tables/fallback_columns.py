"""Columns of what FederatedScope logged, for runs of which there is nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from fscost.cells.outcome import Status
from fscost.tables.column import ALL, ColumnSpec
from fscost.tables.quantities import QUANTITIES, Kind

_IN_LOGS = {
    "uplink": ("logged_upload",),
    "downlink": ("logged_download",),
    "total": ("logged_total_upload", "logged_total_download", "logged_server_upload", "logged_server_download"),
    "total_uplink": ("logged_total_upload",),
    "total_downlink": ("logged_total_download",),
}
"""Quantity → what a log tells instead: of each worker one number a direction, for all traffic and the whole course."""


def columns_of(columns: Sequence[ColumnSpec], cells: pd.DataFrame) -> list[ColumnSpec]:
    """Return the columns; reported bytes of runs without a ledger are what their workers logged.

    What is made from bytes of messages, which logs do not tell apart, is then left out.
    """
    if not _are_logs_alone(cells):
        return [*columns]
    return [logged for column in columns for logged in (_logged(column) if _is_reported(column) else [column])]


def _are_logs_alone(cells: pd.DataFrame) -> bool:
    done = cells[cells["status"] == Status.DONE]
    return "logged_clients" in done and bool(done["ledger_format"].isna().any() if "ledger_format" in done else True)


def _is_reported(column: ColumnSpec) -> bool:
    quantity = QUANTITIES[column.quantity]
    source = QUANTITIES[quantity.against] if quantity.against else quantity
    of_bytes = source.kind in (Kind.BYTES, Kind.SECONDS) or quantity.kind is Kind.SECONDS
    return column.measure == "reported" and of_bytes and not quantity.is_logged


def _logged(column: ColumnSpec) -> Iterator[ColumnSpec]:
    for quantity in _IN_LOGS.get(column.quantity, ()):
        yield replace(column, quantity=quantity, traffic=ALL)
