"""From overrides to cells: the only place where grids are expanded, and where Hydra ends."""

from fscost.plan.grid import Plan, Planned, override_completions, plan, store_of

__all__ = ["Plan", "Planned", "override_completions", "plan", "store_of"]
