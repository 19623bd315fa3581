"""Expanding a grid: every combination becomes a cell, all are checked, none is there twice."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import engine_kind
from fscost.errors import ConfigError, for_each_cell
from fscost.files import fitting
from fscost.plan.axes import combinations, values_of
from fscost.plan.cell_from import cell_from, resolvers
from fscost.plan.command_cell import refuse_unknowing
from fscost.plan.hydra_config import OWN_LAYOUT, config_of, configuration, grids_of, parse, raw_file, strays
from fscost.plan.name_checks import check_file_of, check_form, check_name, completions, launcher_of, name_of
from fscost.plan.plain_config import of_environment, resolved, with_value
from fscost.protocol.known_options import KnownOptions

Identify = Callable[[Mapping[str, Any]], tuple[str, str, KnownOptions]]
"""Turns the ``engine`` section of a configuration into the engine's name, its message protocol and its options."""

Labels = dict[str, str | dict[str, str] | None]

_LABEL = "table.labels."
_ONLY = "table.only."
_ARGUMENT = re.compile(r"\{(args(?:\.\w+)+)\}")


@dataclass(frozen=True)
class Planned:
    """A cell, the overrides that compute it alone, and how and where it is to be run.

    `engine` is its configuration's ``engine`` section; `launcher` holds the options of its launcher, whose name is
    ``name`` there. Neither is part of the cell. `of_environment` are the options whose values are of the environment.
    """

    cell: Cell
    overrides: tuple[str, ...]
    engine: Mapping[str, Any]
    launcher: Mapping[str, Any]
    of_environment: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command line that computes this cell."""
        return " ".join(["python -m fscost", *(map(shlex.quote, self.overrides) if self.overrides else ["-m"])])


@dataclass(frozen=True)
class Plan:
    """The cells of a grid, and what else its configuration says; `engine` and `launcher` are those of the first cell.

    `retries` is how often a cell whose process died is tried again, `fail_fast` ends the sweep at the first failure.
    """

    cells: tuple[Planned, ...]
    name: str
    store: Path
    out: Path
    table: dict[str, Any]
    network: dict[str, Any]
    engine: Mapping[str, Any]
    launcher: Mapping[str, Any]
    retries: int
    fail_fast: bool

    @property
    def warnings(self) -> list[str]:
        """What is odd about the cells and can be computed all the same."""
        names = dict.fromkeys(name for one in self.cells for name in one.of_environment)
        return [f"{name}: its value is of the environment, and the store keeps it in cell.json" for name in names]

    def as_planned(self, cell: Cell) -> Planned:
        """Return another cell, one that was named by its folder, to be run as the first one of this plan."""
        return Planned(cell, (), self.engine, self.launcher)


def plan(overrides: Sequence[str], identify: Identify) -> Plan:
    """Expand overrides into cells, all of them checked, none twice.

    `identify` returns engine, message protocol and options of an ``engine`` section. Raises ConfigError in one line, or
    in one for each problem where cells have several.
    """
    layout = _layout(overrides)
    own = [f"table={OWN_LAYOUT}" if layout and o == f"table={layout}" else o for o in overrides]
    with _in_our_words(), configuration(_config_dir(overrides), layout, resolvers()):
        made = _plan(own, identify)
    return replace(made, cells=tuple(_as_named(one, layout) for one in made.cells)) if layout else made


def _as_named(one: Planned, layout: str) -> Planned:
    """Return a cell whose overrides name the layout file that was given."""
    words = (f"table={layout}" if word == f"table={OWN_LAYOUT}" else word for word in one.overrides)
    return replace(one, overrides=tuple(words))


def store_of(overrides: Sequence[str]) -> Path:
    """Return the folder of run directories that ``store=`` overrides name, or the default; nothing else is composed."""
    with _in_our_words(), configuration(None):
        config = raw_file("config")
        for override in parse([*overrides]):
            check_form(override)
            if override.is_sweep_override():
                raise ConfigError(f"{override.input_line}: a sweep has one store; give one value")
            config = with_value(config, override.key_or_group, override.value())
        return Path(str(resolved(config, "store")))


def override_completions(word: str, before: Sequence[str]) -> list[str]:
    """Return what the beginning of an override may become behind these words; raises ConfigError."""
    with _in_our_words(), configuration(_config_dir(before)):
        known = completions(word, parse([one for one in before if one.startswith("hydra/launcher=")]))
        arguments = (f"{name}=" for name in dict.fromkeys(_ARGUMENT.findall(" ".join(before))))
        return [*known, *(name for name in arguments if name.startswith(word) and word)]


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn what Hydra, OmegaConf and YAML raise into a ConfigError."""
    try:
        yield
    except yaml.YAMLError as error:
        raise ConfigError(f"a configuration file is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(_TOO_DEEP) from error
    except (HydraException, OmegaConfBaseException) as error:
        if own := [cause for cause in _causes(error) if isinstance(cause, ConfigError)]:  # of one of our resolvers
            raise own[0] from None
        if isinstance(error, MissingConfigException):
            check_file_of(error)
        first, *_ = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        if first.startswith(RecursionError.__name__):
            raise ConfigError(_TOO_DEEP) from error
        cure = "an option of your own must set it" if "Interpolation key" in first else "see python -m fscost --help"
        raise ConfigError(f"{first.rstrip('.')}; {cure}") from error


_TOO_DEEP = "a configuration file leads back to itself; look at its defaults and its ${…}, or is nested too deeply"


def _plan(lines: list[str], identify: Identify) -> Plan:
    labels, lines = labels_of(lines)
    only, lines = only_of(lines)
    given = _last_words(lines)
    # before all cells: the launcher and its options are the sweep's
    name_of(config_of([o for o in given if o.key_or_group == "sweeps" or o.key_or_group.startswith("hydra")]))
    grids = _grids(given)
    planned = iter(for_each_cell(lambda words: _planned(words, identify), [words for grid in grids for words in grid]))
    cells = _union([[next(planned) for _ in grid] for grid in grids])
    refuse_unknowing(one.cell for one in cells)
    if len(names := dict.fromkeys(one.launcher["name"] for one in cells)) > 1:
        raise ConfigError(
            f"hydra/launcher={','.join(names)}: a sweep has one launcher, and no option may choose another"
        )
    config = config_of(parse(grids[0][0]))
    store, out, table, network = (resolved(config, section) for section in ("store", "out", "table", "network"))
    own_name = str(table.get("name") or "table")
    return Plan(
        cells=cells,
        name=fitting(next((str(o.value()) for o in given if o.key_or_group == "sweeps"), own_name), 120),
        store=Path(str(store)),
        out=Path(str(out)),
        table=_with(_with(table, "labels", labels), "only", only),
        network=network,
        engine=cells[0].engine,
        launcher=cells[0].launcher,
        retries=_retries(resolved(config, "retries")),
        fail_fast=_fail_fast(resolved(config, "fail_fast")),
    )


def _with(table: dict[str, Any], name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return a layout with more labels or the like; what is no mapping there is refused where tables are checked."""
    own = table.get(name) or {}
    return table | {name: own | given} if given and isinstance(own, dict) else table


def _planned(words: list[str], identify: Identify) -> Planned:
    with _in_our_words():
        parsed = parse(words)
        config = config_of(parsed)
        engine = resolved(config, "engine")
        return Planned(
            cell_from(config, parsed, *identify(engine)),
            tuple(words),
            engine,
            launcher_of(config),
            of_environment(config),
        )


def _retries(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"retries={value}: must be a whole number of at least 0")
    return value


def _fail_fast(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"fail_fast={value}: must be true or false")
    return value


def _last_words(lines: list[str], given: Sequence[Override] = ()) -> list[Override]:
    """Return the overrides, their names checked, of each name the last."""
    last = list({override.key_or_group: override for override in parse(lines)}.values())
    any_word = _takes_any_word([*given, *last])
    for override in last:
        check_name(override, any_word=any_word)
    return last


def _takes_any_word(given: Sequence[Override]) -> bool:
    """Return whether one of the engines that are chosen runs code that nobody here knows."""
    named = {override.key_or_group: override for override in given}
    if (chosen := named.get("engine")) is None:
        sweep = [one for key, one in named.items() if key == "sweeps" or key.startswith("hydra")]
        for override in sweep:
            check_name(override)
        return engine_kind(str(config_of(sweep)["engine"]["name"])).takes_any_word
    engines = values_of(chosen) if chosen.is_sweep_override() else [str(chosen.value())]
    return any(engine_kind(engine).takes_any_word for engine in engines)


def _grids(given: list[Override]) -> list[list[list[str]]]:
    """Return the overrides of each cell, grid by grid; what is `given` holds in all grids, instead of their own."""
    found = grids_of(given)
    numbers = _numbers(given, len(found))
    named = {override.key_or_group for override in given}
    grids = []
    for number in numbers:
        own = [override for override in _last_words(found[number - 1], given) if override.key_or_group not in named]
        place = parse([f"grid={number}"]) if len(numbers) > 1 else []
        grids.append(_without_strays(combinations(own + given + place)))
    return grids


def _without_strays(grid: list[list[str]]) -> list[list[str]]:
    """Return the overrides of each cell without the knobs that its options lack, where other cells have them.

    A rank is an axis of LoRA's cells, and the prefix beside them is one cell. What no cell has stays, to be refused.
    """
    parsed = [parse(words) for words in grid]
    lacking = [strays(cell) for cell in parsed]
    nowhere = set.intersection(*lacking) if lacking else set()
    left, seen = [], set()
    for words, cell, stray in zip(grid, parsed, lacking, strict=True):
        own = tuple(word for word, o in zip(words, cell, strict=True) if o.key_or_group not in stray - nowhere)
        if len(own) == len(words) or own not in seen:
            left.append([*own])
        seen.add(own)
    return left


def _numbers(given: list[Override], grids: int) -> list[int]:
    """Return which of the sweep file's grids are meant, counted from 1: all, or the one that ``grid`` names."""
    if (chosen := next((o for o in given if o.key_or_group == "grid"), None)) is None:
        return [*range(1, grids + 1)]
    if str(chosen.value()) not in map(str, range(1, grids + 1)):
        raise ConfigError(f"{chosen.input_line}: must be the number of one of the sweep file's grids, 1 to {grids}")
    return [int(str(chosen.value()))]


def _config_dir(overrides: Sequence[str]) -> Path | None:
    """Return the folder of more options: it must be known before anything can be composed."""
    named = [o.split("=", 1)[1] for o in overrides if o.startswith("config_dir=")]
    return Path(named[-1]) if named and named[-1] not in ("", "null") else None


def _layout(overrides: Sequence[str]) -> str | None:
    """Return the file that ``table`` names instead of an option, if it does."""
    named = [o.split("=", 1)[1] for o in overrides if o.startswith("table=")]
    return named[-1] if named and named[-1].endswith((".yaml", ".yml")) else None


def _union(grids: list[list[Planned]]) -> tuple[Planned, ...]:
    """Return the cells of all grids: they may overlap, but not within themselves or in how a cell is to be run."""
    cells: dict[str, Planned] = {}
    for grid in grids:
        own: dict[str, Planned] = {}
        for one in grid:
            _refuse_twins(own.setdefault(one.cell.id, one), one)
            first = cells.setdefault(one.cell.id, one)
            if (first.engine, first.launcher) != (one.engine, one.launcher):
                _refuse_twins(first, one)
    return tuple(cells.values())


def _refuse_twins(first: Planned, second: Planned) -> None:
    if first is not second:
        a, b = " ".join(first.overrides), " ".join(second.overrides)
        raise ConfigError(f"'{a}' and '{b}' are the same cell; take one of them out of the grid")


def _causes(error: BaseException) -> Iterator[BaseException]:
    while cause := error.__cause__ or error.__context__:
        yield (error := cause)


def labels_of(lines: Sequence[str]) -> tuple[Labels, list[str]]:
    """Return the labels that overrides give, by what they are labels of, and the other overrides.

    Of ``table.labels.fedprox+quant8=Ours (8 bit)`` the name is all up to the first ``=``, and the text what Hydra makes
    of the rest, or else the rest as it is; ``null`` takes a label away.
    """
    labels: Labels = {}
    for line in lines:
        if line.startswith(_LABEL):
            name, _, text = line.removeprefix(_LABEL).partition("=")
            if not name:
                raise ConfigError(f"{line}: names nothing to label; write {_LABEL}KEY=TEXT, as {_LABEL}mlp_s=MLP-16")
            labels[name] = _text(text)
    return labels, [line for line in lines if not line.startswith(_LABEL)]


def only_of(lines: Sequence[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """Return which values of which keys are to be shown, and the other overrides: ``table.only.method=[fedavg,local]``.

    Values with a comma between them are a list too, and no axis.
    """
    only: dict[str, list[Any]] = {}
    for line in lines:
        if line.startswith(_ONLY):
            key, _, text = line.removeprefix(_ONLY).partition("=")
            if not key or not text:
                raise ConfigError(
                    f"{line}: names no rows; write {_ONLY}KEY=[VALUE,…], as {_ONLY}method=[fedavg,fedprox]"
                )
            (override,) = parse([f"only={text}"])
            value = values_of(override) if override.is_sweep_override() else override.value()
            only[key] = value if isinstance(value, list) else [value]
    return only, [line for line in lines if not line.startswith(_ONLY)]


def _text(text: str) -> str | dict[str, str] | None:
    try:
        (override,) = parse([f"label={text}"])
    except (HydraException, ConfigError):
        return text
    return _value(override, text)


def _value(override: Override, text: str) -> str | dict[str, str] | None:
    if override.is_sweep_override():  # a text with a comma is no axis
        return text
    value = override.value()
    if isinstance(value, dict) and {"latex", "text"} >= {*map(str, value)}:
        return {str(key): str(own) for key, own in value.items()}
    return value if isinstance(value, str | None) else text
