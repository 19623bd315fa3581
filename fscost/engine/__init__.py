"""Engines: each turns a cell into a run directory with a ledger."""

from fscost.engine.choose import Engine, engine_for, engine_named

__all__ = ["Engine", "engine_for", "engine_named"]
