"""The bytes of a course that FederatedScope ran and nobody metered, where its configuration and its log tell them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fscost.cell import Cell
from fscost.errors import ConfigError
from fscost.metering import LedgerFile

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
