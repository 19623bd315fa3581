"""What a verb is about, the same for all of them: overrides, folders, or nothing for the last sweep."""

import json
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import engine_kind
from fscost.cells.outcome import Status
from fscost.collect import runs_below
from fscost.engine import Engines, EngineSettings, identify, refusals, unasked
from fscost.errors import ConfigError, StoreError, for_each_cell, nearest
from fscost.files import text_of, write_whole
from fscost.outputs import remove_left
from fscost.plan import Plan, Planned, plan, store_of
from fscost.protocol.release import NAMES
from fscost.store.json_lines import NoJson, loads, problem_of
from fscost.store.run import Run
from fscost.store.store import Store
from fscost.tables import TableSpec
from fscost.tables.shown_columns import check_direction, check_target

if TYPE_CHECKING:
    from fscost.collect import Frames  # with pandas, which nothing here needs

Word = str | PathLike[str]
"""An override, as ``clients=3,10``, or a folder."""

_NOT_ABOUT_CELLS = ("store=", "out=", "table", "network", "hydra", "retries=", "fail_fast=", "engine.python=",
                    "engine.threads=", "engine.timeout_min=", "engine.memory_gb=")  # fmt: skip
"""Overrides that say how cells are run and shown, and not which."""


_RELEASE = "engine.protocol="
_OF_FOREIGN = ("shapes=", "parameters=", "lora_rank=", _RELEASE)
"""What can be told of runs in a folder that fscost did not launch."""

_MOST_TO_DO = 5


class Selection:
    """The runs that a verb is about, and the plan they come from; each is looked up when it is first asked for.

    `words` name them again: folders, or the overrides of a grid. A grid's cells are checked by the engines that would
    run them, unless it is not `checked`. Folders and the store are those of the folder that was the current one when it
    was made, `at_home`, also where the process has changed to another one.
    """

    def __init__(
        self, overrides: Sequence[str], folders: Sequence[Path] = (), *, checked: bool = True, home: Path | None = None
    ) -> None:
        self.overrides, self.folders, self._checked = (*overrides,), (*folders,), checked
        self.words = (*map(str, folders), *overrides)
        self._home = home or Path.cwd()
        self._known: Mapping[Path, Run] = {}

    @cached_property
    def plan(self) -> Plan:
        """The cells of the grid; of folders, how their cells would be run again, and how they are shown."""
        if self.folders:
            return plan([o for o in self.overrides if not o.startswith(_OF_FOREIGN)], unasked)
        return planned(self.overrides) if self._checked else plan(self.overrides, identify)

    @property
    def parts(self) -> Sequence["Selection"]:
        """The selections that stand side by side: this one alone."""
        return (self,)

    @property
    def label(self) -> str:
        """What these runs are called where they are one sweep among several: as they were named."""
        return self.label_without(())

    def label_without(self, shared: Collection[str]) -> str:
        """Return what these runs are called beside grids that have some words too."""
        grid = [word for word in self.grid_words if word not in shared] or self.grid_words
        sweep = self._sweep or " ".join(grid).replace("=", " ")  # so that it can be labelled
        return ", ".join(map(_folder_name, self.folders)) or sweep

    @property
    def grid_words(self) -> list[str]:
        """The overrides that say which cells are meant, where neither a folder nor a sweep file does."""
        return [] if self.folders or self._sweep else [o for o in self.overrides if is_about_cells(o)]

    @property
    def _sweep(self) -> str:
        return next((o.removeprefix("sweeps=") for o in reversed(self.overrides) if o.startswith("sweeps=")), "")

    @cached_property
    def sweeps(self) -> Mapping[Path, Sequence[str]]:
        """The name of the sweep that each run is in: of runs in folders, the first of these that it lies below."""
        if len(self.folders) < 2:
            return {run.path: [self.label] for _, run in self.runs}
        places = [self.at_home(folder).resolve() for folder in self.folders]
        names = sweep_names([*map(_folder_name, self.folders)], [*map(str, self.folders)])
        paths = [(run.path, run.path.resolve()) for _, run in self.runs]
        found: dict[Path, list[str]] = {}
        for name, place in zip(names, places, strict=True):
            found |= {path: [name] for path, whole in paths if path not in found and whole.is_relative_to(place)}
        return found | {path: [""] for path, _ in paths if path not in found}

    @cached_property
    def store(self) -> Store:
        """Where the runs of a grid are."""
        return Store(self.at_home(self.plan.store))

    @cached_property
    def planned(self) -> dict[str, Planned]:
        """The cells of a grid by their ids, none where folders are selected."""
        return {} if self.folders else {one.cell.id: one for one in self.plan.cells}

    @cached_property
    def runs(self) -> tuple[tuple[Cell | None, Run], ...]:
        """The runs, each with its cell, None where the run does not tell it; those of a grid in its order."""
        if self.folders:
            return tuple(runs_below(*map(self.at_home, self.folders)))
        store, known = self.store, self._known
        found = ((one.cell, store.of(one.cell)) for one in self.plan.cells)
        return tuple((cell, known.get(run.path, run)) for cell, run in found)

    @cached_property
    def model(self) -> Mapping[str, Any] | None:
        """The spec of the model (as ``fs.model.spec``) of runs that fscost did not launch, None where none is given."""
        return _model_told(self.overrides) if self.folders else None

    @cached_property
    def release(self) -> str | None:
        """The release that runs which fscost did not launch are said to have run on."""
        return _release_told(self.overrides) if self.folders else None

    def at_home(self, path: Path) -> Path:
        """Return a path as it was meant when the selection was made."""
        return path if Path.cwd() == self._home else self._home / path

    def look_up(self) -> None:
        """Look up all of it now: what cannot be is refused before anything is done."""
        _ = self.runs, self.plan, self.model, self.release

    def refuse_impossible(self) -> None:
        """Raise ConfigError for cells that no engine would run, as a plan does, unless something of them is there."""
        cells = self.plan.cells if not self.folders else ()
        check([one for one in cells if self.store.has_nothing_of(one.cell)])

    def renewed(self) -> "Selection":
        """Return the same folders or cells; which runs there are is looked up anew, and nothing is planned twice.

        Runs of a grid that are where they were keep what was read of them.
        """
        again = Selection(self.overrides, self.folders, checked=self._checked, home=self._home)
        again._known = {} if self.folders else {run.path: run for _, run in self.runs}
        again.__dict__.update({name: self.__dict__[name] for name in ("plan", "planned") if name in self.__dict__})
        return again

    def shown(self, settings: Sequence[str]) -> "Selection":
        """Return the same runs with other settings of how they are shown."""
        if not settings:
            return self
        return Selection([*self.overrides, *settings], self.folders, checked=self._checked, home=self._home)

    @property
    def command(self) -> str:
        """The command that makes the table of these runs again."""
        return self.command_of("table")

    def command_of(self, *verb: str) -> str:
        """Return the command that does something with these runs."""
        return shlex.join(["python", "-m", "fscost", *verb, *self.words])

    def commands(self, frames: "Frames") -> dict[str, str]:
        """Return for each cell that `frames` has not done what would compute it; fscost cannot what it did not launch.

        The keys are the names of the cells in `frames`.
        """
        rows = frames.cells.filter(["cell", "status"]).itertuples(index=False, name=None)
        left = {cell for cell, status in rows if status != Status.DONE}
        return {
            cell.id: self.planned[cell.id].command if cell.id in self.planned else f"python -m fscost rerun {run.path}"
            for cell, run in self.runs
            if cell and cell.id in left and run.can_be_rerun
        }

    def to_do(self, frames: "Frames") -> list[str]:
        """Return the commands that would compute what is not done; of many cells one for all, which leaves the rest."""
        commands = self.commands(frames)
        if len(commands) > _MOST_TO_DO:
            verb, flags = ([], []) if self.planned else (["rerun"], ["--failed", "--missing"])
            return [shlex.join(["python", "-m", "fscost", *verb, *self.words, *flags])]
        return list(commands.values())


def planned(overrides: Sequence[str]) -> Plan:
    """Expand overrides; every cell is checked by the engine that would run it."""
    made = plan(overrides, identify)
    check(made.cells)
    spec = TableSpec.from_config(made.table, made.network)
    # What may be a fork of FederatedScope may log accuracies in percent.
    is_fork = any(engine_kind(one.cell.engine).has_interpreter for one in made.cells)
    for column in spec.column_specs():
        check_direction(column)
        if not is_fork:
            check_target(column)
    spec.check_options([one.cell for one in made.cells])
    return made


def check(cells: Sequence[Planned]) -> None:
    """Raise ConfigError for cells that the engine that would run them does not take."""
    with Engines() as engines:
        for_each_cell(lambda one: engines.of(one.cell, settings_of(one)).check(one.cell), cells)
    for_each_cell(_check, _with_refusals(cells))


def _with_refusals(cells: Sequence[Planned]) -> list[tuple[Planned, str]]:
    """Return each cell with why the program that is to run it does not take it; it is asked of all in one go."""
    of_engines: dict[str, list[Planned]] = {}
    for one in cells:
        of_engines.setdefault(f"{one.cell.engine} {one.engine}", []).append(one)
    words: dict[str, str] = {}
    for own in of_engines.values():
        found = refusals(own[0].engine, [one.cell for one in own])
        words |= zip((one.cell.id for one in own), found, strict=True)
    return [(one, words[one.cell.id]) for one in cells]


def _check(refused: tuple[Planned, str]) -> None:
    if refused[1]:
        raise ConfigError(refused[1])


def select(words: Sequence[Word], *, checked: bool = True) -> Selection:
    """Return the runs named by overrides, by folders, or, with neither, by the last sweep; a ``+`` joins several."""
    if "+" in words:
        from fscost.api.side_by_side import joined

        selection = joined(words, checked=checked)
    else:
        selection = Selection(*named(words), checked=checked)
    if checked:
        selection.look_up()
    return selection


def _model_told(overrides: Sequence[str]) -> Mapping[str, Any] | None:
    """Return the spec of the model of runs whose model is not known here, None where none is given."""
    told = [o for o in overrides if o.startswith(_OF_FOREIGN) and not o.startswith(_RELEASE)]
    if not told:
        return None
    cells = plan(["engine=estimate", "model=spec", "data=samples", *told], unasked).cells
    if len(cells) > 1:
        raise ConfigError(f"{' '.join(told)}: the runs of a folder have one model; give one value")
    spec: Mapping[str, Any] = cells[0].cell.get("model.spec")
    return spec


def _release_told(overrides: Sequence[str]) -> str | None:
    """Return the release that runs are said to have run on."""
    told = [o.removeprefix(_RELEASE) for o in overrides if o.startswith(_RELEASE)]
    if told and told[-1] not in NAMES:
        known = ", ".join(NAMES)
        raise ConfigError(f"{_RELEASE}{told[-1]}: must be one of {known}{nearest(told[-1], NAMES)}")
    return told[-1] if told else None


def settings_of(one: Planned) -> EngineSettings:
    """Return how a cell's engine is to run it."""
    return EngineSettings.from_config(one.engine)


def named(words: Sequence[Word]) -> tuple[list[str], list[Path]]:
    """Return the overrides and the folders of a selection, of the last sweep where no cell is named.

    Raises ConfigError for overrides that name cells beside a folder, and where there was no last sweep.
    """
    overrides = [w for w in words if isinstance(w, str) and "=" in w]
    folders = [Path(w) for w in words if not isinstance(w, str) or "=" not in w]
    if folders:
        allowed = (*_NOT_ABOUT_CELLS, *_OF_FOREIGN)
        if lost := [o for o in overrides if not o.startswith(allowed) or o.startswith("store=")]:
            raise ConfigError(
                f"{lost[0]}: a folder names its runs itself; only how they are run (engine.…, hydra…, retries, "
                "fail_fast) and shown (table…, network.…, out=…), and of runs that fscost did not launch their model "
                "(shapes=FILE, parameters=COUNT, lora_rank=RANK) and release (engine.protocol=NAME) go with it"
            )
    elif not names_cells(overrides):
        remembered, another_table = _last_sweep(overrides), any(o.startswith("table=") for o in overrides)
        overrides = [*(o for o in remembered if not (another_table and o.startswith("table"))), *overrides]
    return overrides, folders


def is_about_cells(word: str) -> bool:
    """Return whether an override says which cells are meant, and not how they are run or shown."""
    return not word.startswith(_NOT_ABOUT_CELLS)


def _folder_name(folder: Path) -> str:
    return folder.name or folder.resolve().name or str(folder)


def sweep_names(names: Sequence[str], longer: Sequence[str] = ()) -> list[str]:
    """Return names such that no two are the same: the `longer` ones, or with a number behind them."""
    if longer and len({*names}) < len(names):
        names = longer
    return [name if names.index(name) == i else f"{name} ({i + 1})" for i, name in enumerate(names)]


def names_cells(words: Sequence[Word]) -> bool:
    """Return whether words select anything, by a folder or an override about cells; else the last sweep is meant."""
    return not all(isinstance(word, str) and word.startswith(_NOT_ABOUT_CELLS) for word in words)


def remember(store: Store, overrides: Sequence[str]) -> None:
    """Make these overrides the last sweep."""
    try:
        file = store.path / "last_sweep.json"
        remove_left(file)
        write_whole(file, [json.dumps({"format": 1, "overrides": list(overrides)})])
    except OSError as error:
        raise StoreError(f"store={store.path}: cannot be written: {error.strerror}") from error


def _last_sweep(overrides: Iterable[str]) -> list[str]:
    store = store_of([o for o in overrides if o.startswith("store=")])
    try:
        content = loads(text_of(store / "last_sweep.json", _MOST_BYTES))
    except (OSError, NoJson):
        content = None
    if problem_of(content, "LastSweepFile") or not content:
        raise ConfigError(f"no sweep was run in {store} yet; name a grid, as method=fedavg,fedprox")
    return [*content["overrides"]]


_MOST_BYTES = 2**24
