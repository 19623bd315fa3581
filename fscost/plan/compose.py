"""Composing with Hydra: the configuration folder, the options of its groups, and one configuration per combination."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from fscost.digits import type_of
from fscost.errors import ConfigError
from fscost.paths import conf

GROUPS = ("method", "model", "data", "engine", "table", "sweeps")

ABSENT: Any = object()
"""What `select` returns for a key the configuration does not have."""


@contextmanager
def configuration(config_dir: Path | None) -> Iterator[None]:
    """Open the configuration folder, with the options in `config_dir` added to its groups."""
    for name, resolver in _RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    folders = create_config_search_path(str(conf()))
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"config_dir={config_dir}: no such folder; give one with method/, model/ or data/ in it")
        folders.prepend("command-line", f"file://{config_dir.resolve()}", anchor="schema")
    for cached in (composed, _own_part, _parsed):
        cached.cache_clear()
    raw_option.cache_clear()
    version.setbase("1.3")
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2(task_name="fscost", config_search_path=folders)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


def group_options(group: str) -> list[str]:
    """Return the names of a group's options."""
    return list(GlobalHydra.instance().config_loader().get_group_options(group))


def parse(lines: list[str]) -> list[Override]:
    """Parse overrides in Hydra's grammar."""
    return [_parsed(line) for line in lines]


@cache
def _parsed(line: str) -> Override:
    """Parse one override, once: the cells of a grid share theirs."""
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    return parser.parse_override(line)


@cache
def composed(groups: tuple[str, ...]) -> DictConfig:
    """Compose once per combination of group choices; values are set on copies."""
    config = compose("config", list(groups), return_hydra_config=True)
    OmegaConf.set_struct(config, False)
    return config


@cache
def _own_part(groups: tuple[str, ...]) -> DictConfig:
    """Return a composed configuration without Hydra's own section, most of it, which no cell needs a copy of."""
    config = composed(groups).copy()
    del config["hydra"]
    return config


def config_of(parsed: list[Override]) -> DictConfig:
    """Return the configuration of one combination of overrides, without a sweep in it."""
    groups = tuple(str(o.input_line) for o in parsed if o.key_or_group in GROUPS)
    config = _own_part(groups).copy()
    for override in parsed:
        key = override.key_or_group
        if key in GROUPS:
            continue
        if not key.startswith("fs.") and OmegaConf.select(config, key, default=ABSENT) is ABSENT:
            raise ConfigError(f"{override.input_line}: has no effect with the other choices; leave it out")
        OmegaConf.update(config, key, override.value(), force_add=True)
    return config


def sweep_params(given: list[Override]) -> dict[str, str]:
    """Return the axes of the sweep file, if one was named."""
    chosen = tuple(str(o.input_line) for o in given if o.key_or_group == "sweeps")
    params = OmegaConf.to_container(composed(chosen).hydra.sweeper.params or OmegaConf.create({}))
    for key, value in cast(dict[str, Any], params).items():
        if value is None:
            raise ConfigError(f"{chosen[0]}: {key}: has no values in the sweep file")
        if isinstance(value, list):
            raise ConfigError(f"{chosen[0]}: {key}: write the values as one string, '{','.join(map(str, value))}'")
    return cast(dict[str, str], params)


@cache
def raw_option(group: str, option: str) -> dict[str, Any]:
    """Return an option's own file, nothing resolved."""
    loader: Any = GlobalHydra.instance().config_loader()
    result = loader.repository.load_config(f"{group}/{option}")
    return cast(dict[str, Any], OmegaConf.to_container(result.config, resolve=False))


def _alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"alpha={value}: must be a number above 0, or null for an iid split")
    return float(value)


_RESOLVERS: dict[str, Callable[..., Any]] = {
    "splitter_for": lambda alpha: "iid_fixed" if alpha is None else "lda",
    "splitter_args_for": lambda alpha: [] if alpha is None else [{"alpha": _alpha(alpha)}],
    "type_of": type_of,
    "data_args_for": lambda resize: [] if resize is None else [{"resize": resize}],
}
