"""Counting what anybody's training code sends: ``with fscost.record(method=…, model=…, clients=…) as run:``."""

from __future__ import annotations

from typing import Any

from fscost.record.flower_messages import counted
from fscost.record.recording import Recording, the_open_one
from fscost.record.settings import Settings

__all__ = ["record"]


class _Record:
    """What ``fscost.record`` is: called, it returns a recording; ``flower`` counts in the one that is open."""

    def __call__(
        self,
        *,
        method: str | None = None,
        model: str | None = None,
        clients: Any = None,
        rounds: int | None = None,
        seed: int | None = None,
        data: str | None = None,
        framework: str | None = None,
        **args: Any,
    ) -> Recording:
        """Return a recording for a ``with`` around a training loop.

        `clients` is how many there are, called 1, 2, …, or their names. `rounds` is how many rounds are to be; without
        it, as many as are recorded. `args` are further settings that tell runs apart, as ``lr=0.1``. In a command of
        ``engine=command`` all are those of its cell, and naming one says that it must be. Raises ConfigError for
        settings that cannot be, or that are others than the cell's.
        """
        named = {"method": method, "model": model, "data": data, "clients": clients, "rounds": rounds, "seed": seed}
        return Recording(Settings.of(named, framework, args))

    def flower(self, grid: Any) -> Any:
        """Return a Flower app's `grid`, whose messages the recording that is open counts from now on."""
        return counted(grid, the_open_one())


record = _Record()
