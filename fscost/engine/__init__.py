"""Engines: each turns a cell into a run directory with a ledger."""

from fscost.engine.choose import Engine, Engines, EngineSettings, described, identify

__all__ = ["Engine", "EngineSettings", "Engines", "described", "identify"]
