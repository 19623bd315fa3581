"""Counting what one message carries, and adding it up."""

from fscost.metering.ledger import Ledger, LedgerFile, read_ledger
from fscost.metering.message import (
    BETWEEN,
    PROTOCOLS,
    RELEASES,
    Message,
    Sizes,
    enclosed,
    first_evaluation_is_round_0,
    meter,
    meter_content,
    meter_unreported,
    pickles,
    reported_bytes,
)

__all__ = [
    "BETWEEN",
    "PROTOCOLS",
    "RELEASES",
    "Ledger",
    "LedgerFile",
    "Message",
    "Sizes",
    "enclosed",
    "first_evaluation_is_round_0",
    "meter",
    "meter_content",
    "meter_unreported",
    "pickles",
    "read_ledger",
    "reported_bytes",
]
