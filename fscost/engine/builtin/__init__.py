"""The builtin engine: federated training with torch that follows FederatedScope's message protocol."""

from fscost.engine.builtin.engine import BuiltinEngine

__all__ = ["BuiltinEngine"]
