"""Engines: each turns a cell into a run directory with a ledger."""

from fscost.engine.base import DEFAULTS, Engine, EngineSettings
from fscost.engine.registry import Engines, described, identify, refusals, unasked

__all__ = ["DEFAULTS", "Engine", "EngineSettings", "Engines", "described", "identify", "refusals", "unasked"]
