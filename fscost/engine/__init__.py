"""Engines: each turns a cell into a run directory with a ledger."""

from fscost.engine.registry import Engine, Engines, described, identify, unasked
from fscost.engine.settings import DEFAULTS, EngineSettings

__all__ = ["DEFAULTS", "Engine", "EngineSettings", "Engines", "described", "identify", "unasked"]
