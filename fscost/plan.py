"""From overrides to cells: the only place where grids are expanded, and where Hydra ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost import vocabulary
from fscost.cell import Cell
from fscost.errors import ConfigError, nearest
from fscost.paths import conf

GROUPS = ("method", "model", "data", "engine", "table", "sweeps")

_ALWAYS = (
    "seed",
    "federate.client_num",
    "federate.total_round_num",
    "federate.method",
    "model.type",
    "model.hidden",
    "data.type",
)
"""Options a cell always spells out, because they name its axes."""


@dataclass(frozen=True)
class Planned:
    """A cell and the overrides that compute it alone."""

    cell: Cell
    overrides: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command line that computes this cell."""
        return " ".join(["python -m fscost", *(_quoted(o) for o in self.overrides)])


@dataclass(frozen=True)
class Plan:
    """The cells of a grid, and what else its configuration says."""

    cells: tuple[Planned, ...]
    name: str
    store: Path
    out: Path
    table: dict[str, Any]
    auto_engine: bool


@contextmanager
def configuration() -> Iterator[None]:
    """Open the configuration folder for `plan`; every plan of one process runs inside one such block."""
    for name, resolver in _RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    _composed.cache_clear()
    with initialize_config_dir(str(conf()), version_base="1.3", job_name="fscost"):
        yield


def plan(overrides: Sequence[str], engine_named: Callable[[str], str]) -> Plan:
    """Expand overrides into cells, all of them checked, none twice.

    `engine_named` turns ``auto`` into the engine that will run. Raises ConfigError in one line.
    """
    try:
        return _plan(list(overrides), engine_named)
    except (HydraException, OmegaConfBaseException) as error:
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        first, *_ = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{first.rstrip('.')}; see python -m fscost --help") from error


def _plan(lines: list[str], engine_named: Callable[[str], str]) -> Plan:
    given = list({override.key_or_group: override for override in _parse(lines)}.values())  # the last word wins
    for override in given:
        _check_name(override)
    swept_by_file = _sweep_params(given)
    named = {override.key_or_group for override in given}
    parsed = _parse([f"{key}={value}" for key, value in swept_by_file.items() if key not in named]) + given
    for override in parsed:
        _check_name(override)
    combinations = BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]
    configs = [_config(_parse(list(combination))) for combination in combinations]
    planned = [
        Planned(_cell(config, _parse(list(combination)), engine_named), tuple(combination))
        for config, combination in zip(configs, combinations, strict=True)
    ]
    _refuse_twins(planned)
    return Plan(
        cells=tuple(planned),
        name=next((str(o.value()) for o in given if o.key_or_group == "sweeps"), configs[0].table.name),
        store=Path(configs[0].store),
        out=Path(configs[0].out),
        table=cast(dict[str, Any], OmegaConf.to_container(configs[0].table, resolve=True)),
        auto_engine=any(config.engine.name == "auto" for config in configs),
    )


# --- names ----------------------------------------------------------------------------------------


def _parse(lines: list[str]) -> list[Override]:
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    return parser.parse_overrides(lines)


def _check_name(override: Override) -> None:
    """Refuse a name that is no knob, no group, no option of a group and no option of FederatedScope."""
    key = override.key_or_group
    if override.is_delete():
        raise ConfigError(f"{override.input_line}: nothing can be deleted from the configuration; set it instead")
    if key in GROUPS:
        for option in _values(override):
            _check_option(key, option)
    elif key.startswith("hydra"):
        raise ConfigError(f"{override.input_line}: fscost runs cells one after another; leave hydra.* out")
    elif key.startswith("fs."):
        _check_fs(key.removeprefix("fs."))
    elif not _exists(key):
        raise ConfigError(f"{override.input_line}: there is no {key}{nearest(key, _knobs())}; see fscost --help")


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        return [str(value) for value in override.sweep_string_iterator()]
    return [str(override.value())]


def _check_option(group: str, option: str) -> None:
    options = GlobalHydra.instance().config_loader().get_group_options(group)
    if option not in options and option not in ("null", "None"):
        close = nearest(option, options)
        raise ConfigError(f"{group}={option}: no such {group}{close}; there are {', '.join(sorted(options))}")


def _check_fs(name: str) -> None:
    sections = tuple(option for option in vocabulary.options() if option.startswith(f"{name}."))
    if not sections and name not in vocabulary.options() and not vocabulary.is_open(name):
        vocabulary.check(name, None)


def _exists(key: str) -> bool:
    return OmegaConf.select(_composed(()), key, default=_ABSENT) is not _ABSENT or key in _knobs()


def _knobs() -> list[str]:
    """Return every name that can stand before ``=``: knobs, groups and FederatedScope's options."""
    composed = [str(key) for key in _composed(()) if key not in ("fs", "hydra")]
    return [*{*composed, *GROUPS, *_data_knobs()}, *(f"fs.{option}" for option in vocabulary.options())]


def _data_knobs() -> set[str]:
    """Return the knobs that single options bring along, as data=digits brings alpha."""
    loader = GlobalHydra.instance().config_loader()
    raw = (_raw(group, option) for group in GROUPS[:3] for option in loader.get_group_options(group))
    return {str(key) for option in raw for key in option if key not in ("fs", "defaults")}


_ABSENT: Any = object()


# --- composing ------------------------------------------------------------------------------------


@cache
def _composed(groups: tuple[str, ...]) -> DictConfig:
    """Compose once per combination of group choices; values are set on copies."""
    config = compose("config", list(groups), return_hydra_config=True)
    OmegaConf.set_struct(config, False)
    return config


def _config(parsed: list[Override]) -> DictConfig:
    """Return the configuration of one combination of overrides, without a sweep in it."""
    groups = tuple(str(o.input_line) for o in parsed if o.key_or_group in GROUPS)
    config = _composed(groups).copy()
    for override in parsed:
        key = override.key_or_group
        if key in GROUPS:
            continue
        if not key.startswith("fs.") and OmegaConf.select(config, key, default=_ABSENT) is _ABSENT:
            raise ConfigError(f"{override.input_line}: has no effect with the other choices; leave it out")
        OmegaConf.update(config, key, override.value(), force_add=True)
    return config


def _sweep_params(given: list[Override]) -> dict[str, str]:
    """Return the axes of the sweep file, if one was named."""
    chosen = tuple(str(o.input_line) for o in given if o.key_or_group == "sweeps")
    params = OmegaConf.to_container(_composed(chosen).hydra.sweeper.params or OmegaConf.create({}))
    for key, value in cast(dict[str, Any], params).items():
        if isinstance(value, list):
            raise ConfigError(f"{chosen[0]}: {key}: write the values as one string, '{','.join(map(str, value))}'")
    return cast(dict[str, str], params)


@cache
def _raw(group: str, option: str) -> dict[str, Any]:
    """Return an option's own file, nothing resolved."""
    loader: Any = GlobalHydra.instance().config_loader()
    result = loader.repository.load_config(f"{group}/{option}")
    return cast(dict[str, Any], OmegaConf.to_container(result.config, resolve=False))


# --- cells ----------------------------------------------------------------------------------------


def _cell(config: DictConfig, parsed: list[Override], engine_named: Callable[[str], str]) -> Cell:
    resolved = cast(dict[str, Any], OmegaConf.to_container(config.fs, resolve=True))
    flat = dict(vocabulary.leaves(resolved))
    if config.fs_config is not None:
        flat = _file_leaves(str(config.fs_config)) | {name: flat[name] for name in _named(config, parsed, flat)}
    for name, value in flat.items():
        vocabulary.check(name, value)
    engine = engine_named(str(config.engine.name))
    return Cell(engine=engine, protocol=str(config.engine.protocol), fs=vocabulary.nested(_sparse(flat)))


def _sparse(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from FederatedScope's defaults, so that spelling one out does not change a cell."""
    always = {name: flat.get(name, vocabulary.default(name)) for name in _ALWAYS}
    if always["model.type"] == "lr":
        del always["model.hidden"]
    if flat.get("federate.sample_client_num") == always["federate.client_num"]:
        flat = {name: value for name, value in flat.items() if name != "federate.sample_client_num"}
    differing = {
        name: value
        for name, value in vocabulary.asked(flat).items()
        if name not in vocabulary.options() or value != vocabulary.default(name)
    }
    return dict(sorted((differing | always).items()))


def _file_leaves(path: str) -> dict[str, Any]:
    """Read a FederatedScope YAML; raises ConfigError naming the file for one that is none."""
    try:
        tree = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"fs_config={path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise ConfigError(f"fs_config={where}: no YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"fs_config={path}: no FederatedScope configuration: expected sections with options")
    flat = dict(vocabulary.leaves(tree))
    for name, value in flat.items():
        vocabulary.check(name, value, shown=f"fs_config={path}: ")
    return flat


def _named(config: DictConfig, parsed: list[Override], flat: Mapping[str, Any]) -> list[str]:
    """Return the options that the command line names: by themselves, by a group, or by a knob they are made from."""
    own = [_raw(o.key_or_group, str(o.value())) for o in parsed if o.key_or_group in GROUPS and o.value() is not None]
    knobs = {o.key_or_group for o in parsed} | {key for option in own for key in option if key != "fs"}
    of_groups = {name for option in own for name, _ in vocabulary.leaves(option.get("fs", {}))}
    sections = tuple(o.key_or_group.removeprefix("fs.") for o in parsed if o.key_or_group.startswith("fs."))
    raw = cast(dict[str, Any], OmegaConf.to_container(config.fs, resolve=False))
    of_knobs = {name for name, value in vocabulary.leaves(raw) if any(f"${{{knob}}}" in str(value) for knob in knobs)}
    by_itself = {name for name in flat if name in sections or name.startswith(tuple(f"{s}." for s in sections))}
    return [name for name in flat if name in of_groups | of_knobs | by_itself]


def _refuse_twins(planned: list[Planned]) -> None:
    seen: dict[str, Planned] = {}
    for cell in planned:
        if twin := seen.get(cell.cell.id):
            a, b = " ".join(twin.overrides), " ".join(cell.overrides)
            raise ConfigError(f"'{a}' and '{b}' are the same cell; take one of them out of the grid")
        seen[cell.cell.id] = cell


def _quoted(override: str) -> str:
    return f"'{override}'" if set(override) & set(' {}[]()$&|;<>*?"') else override


def _alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ConfigError(f"alpha={value}: must be a number above 0, or null for an iid split")
    return float(value)


_RESOLVERS: dict[str, Callable[..., Any]] = {
    "splitter_for": lambda alpha: "iid_fixed" if alpha is None else "lda",
    "splitter_args_for": lambda alpha: [] if alpha is None else [{"alpha": _alpha(alpha)}],
}
