"""Counting what one message carries, and adding it up."""

from fscost.metering.ledger import Ledger
from fscost.metering.message import Message, Sizes, enclosed, meter, meter_content, meter_unreported, reported_bytes

__all__ = ["Ledger", "Message", "Sizes", "enclosed", "meter", "meter_content", "meter_unreported", "reported_bytes"]
