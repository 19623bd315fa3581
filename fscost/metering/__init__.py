"""Counting what one message carries, and adding it up."""

from fscost.metering.ledger import Ledger, LedgerFile, read_ledger
from fscost.metering.message import PROTOCOLS, Message, Sizes, meter

__all__ = ["PROTOCOLS", "Ledger", "LedgerFile", "Message", "Sizes", "meter", "read_ledger"]
