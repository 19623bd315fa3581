"""Several selections side by side: ``table sweeps=a + sweeps=b + runs``, each of which is a sweep of its own."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fscost.api.selection import Selection, Word, named, sweep_names
from fscost.cells.cell import Cell
from fscost.errors import ConfigError
from fscost.plan import Plan, Planned
from fscost.store.run import Run

if TYPE_CHECKING:
    from fscost.collect import Frames

JOINT = "+"
"""The word between selections."""

_SHOWING = ("table", "network.", "out=")
"""Overrides that say how all of them are shown, wherever they stand."""


class SideBySide(Selection):
    """Selections whose runs stand in one table; a run that is in several of them stands there once for each.

    What is shown, and how, is as the first one has it, with the `settings` that were given anywhere.
    """

    def __init__(self, parts: Sequence[Selection], settings: Sequence[str]) -> None:
        folders = [folder for part in parts for folder in part.folders] if all(part.folders for part in parts) else []
        super().__init__(parts[0].overrides, folders)
        self._parts, self._settings = (*parts,), (*settings,)
        own = ([word for word in part.words if word not in settings] for part in parts)
        joined = [word for words in own for word in (JOINT, *words)][1:]
        self.words = (*joined, *settings)

    @property
    def parts(self) -> Sequence[Selection]:
        """The selections, in the order in which they were named."""
        return self._parts

    @cached_property
    def plan(self) -> Plan:
        """What the first selection plans: how its cells are shown."""
        return self.parts[0].plan

    @cached_property
    def planned(self) -> dict[str, Planned]:
        """The cells of all grids by their ids."""
        return {id: one for part in self.parts for id, one in part.planned.items()}

    @cached_property
    def runs(self) -> tuple[tuple[Cell | None, Run], ...]:
        """The runs of all selections, each once."""
        found: dict[Path, tuple[Cell | None, Run]] = {}
        for cell, run in (pair for part in self.parts for pair in part.runs):
            found.setdefault(run.path.resolve(), (cell, run))
        return tuple(found.values())

    @cached_property
    def sweeps(self) -> Mapping[Path, Sequence[str]]:
        """The names of the selections that each run is in."""
        grids = [{*part.grid_words} for part in self.parts if part.grid_words]
        shared = set.intersection(*grids) if len(grids) > 1 else set[str]()
        names = sweep_names([part.label_without(shared) for part in self.parts])
        found: dict[Path, list[str]] = {}
        for name, part in zip(names, self.parts, strict=True):
            for _, run in part.runs:
                found.setdefault(run.path.resolve(), []).append(name)
        return {run.path: found[run.path.resolve()] for _, run in self.runs}

    @cached_property
    def model(self) -> Mapping[str, Any] | None:
        """The spec of the model of runs that fscost did not launch, told for any of the selections."""
        return next((part.model for part in self.parts if part.model), None)

    @cached_property
    def release(self) -> str | None:
        """The release that runs which fscost did not launch are said to have run on."""
        return next((part.release for part in self.parts if part.release), None)

    def renewed(self) -> "SideBySide":
        """Return the same selections; which runs there are is looked up anew."""
        return SideBySide([part.renewed() for part in self.parts], self._settings)

    def shown(self, settings: Sequence[str]) -> "SideBySide":
        """Return the same runs with other settings of how they are shown."""
        return SideBySide([part.shown(settings) for part in self.parts], [*self._settings, *settings])

    def to_do(self, frames: "Frames") -> list[str]:
        """Return the commands that would compute what is not done, selection by selection."""
        return [*dict.fromkeys(command for part in self.parts for command in part.to_do(frames))]


def joined(words: Sequence[Word], *, checked: bool = True) -> Selection:
    """Return what words select, side by side where a ``+`` stands between them; settings hold for all."""
    settings = [word for word in words if isinstance(word, str) and word.startswith(_SHOWING)]
    parts = [[*own] for is_joint, own in groupby(words, lambda word: word == JOINT) if not is_joint]
    if len(parts) < 2 or words[-1] == JOINT:
        raise ConfigError(
            f"{' '.join(map(str, words))}: a + stands between two selections, as runs + sweeps=quickstart"
        )
    of_cells = [[word for word in own if word not in settings] for own in parts]
    made = [Selection(*named([*own, *settings]), checked=checked) for own in of_cells]
    return SideBySide(made, settings)
