"""fscost: communication-cost tables of federated-learning sweeps.

``fscost.run("method=fedavg,fedprox", "clients=3,10")`` computes a sweep, ``fscost.table()`` shows it; `fscost.api` says
what each function takes and returns. ``with fscost.record(method=…, model=…, clients=…) as run:`` counts what any
training code sends. Nothing but this file is imported until one of them is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING:
    from fscost.api import collect, explain, plan, plot, reconcile, report, rerun, run, table
    from fscost.errors import FscostError, FscostWarning
    from fscost.record import record

__version__ = "0.1.0"

_HELD_BY = {
    "plan": "fscost.api",
    "run": "fscost.api",
    "rerun": "fscost.api",
    "collect": "fscost.api",
    "table": "fscost.api",
    "plot": "fscost.api",
    "explain": "fscost.api",
    "reconcile": "fscost.api",
    "report": "fscost.api",
    "record": "fscost.record",
    "FscostError": "fscost.errors",
    "FscostWarning": "fscost.errors",
}

__all__ = [
    "FscostError",
    "FscostWarning",
    "collect",
    "explain",
    "plan",
    "plot",
    "reconcile",
    "record",
    "report",
    "rerun",
    "run",
    "table",
]


def __getattr__(name: str) -> object:
    if name not in _HELD_BY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_HELD_BY[name]), name))


def __dir__() -> list[str]:
    return sorted([*__all__, *globals()])


class _Package(ModuleType):
    """The package; importing the rooms ``plan``, ``collect`` and ``report`` leaves what can be called so as it is."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HELD_BY and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
