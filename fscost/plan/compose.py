"""Composing with Hydra: the configuration folder, the options of its groups, and one configuration per combination."""

import math
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import yaml
from hydra import compose, version
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from fscost.errors import ConfigError
from fscost.plan.plain import Tree, computed, has, merged, with_value
from fscost.plan.read import read_yaml
from fscost.plan.shapes import read_shapes, spec_of
from fscost.protocol.datasets import type_of
from fscost.resources import conf

OWN_LAYOUT = "own"
"""The option of the group ``table`` that a layout file becomes."""

GROUPS = ("method", "model", "data", "engine", "table", "sweeps")
_CHOICES = (*GROUPS, "hydra/launcher")

ABSENT: Any = object()
"""What `select` returns for a key the configuration does not have."""


@contextmanager
def configuration(config_dir: Path | None, layout: str | None = None) -> Iterator[None]:
    """Open the configuration folder; the options in `config_dir` and a table's `layout` file are added to its groups.

    The layout is the option ``table=own``; what it leaves out is as the shipped layouts have it.
    """
    for name, resolver in _RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    folders = create_config_search_path(str(conf()))
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"config_dir={config_dir}: no such folder; give one with method/, model/ or data/ in it")
        folders.prepend("command-line", f"file://{config_dir.resolve()}", anchor="schema")
    with TemporaryDirectory() as folder:
        if layout is not None:
            _write_layout(layout, Path(folder) / "table" / f"{OWN_LAYOUT}.yaml")
            folders.prepend("layout", f"file://{folder}", anchor="schema")
        yield from _opened(folders)


def _write_layout(path: str, to: Path) -> None:
    content = read_yaml("table", path)
    if not isinstance(content, dict):
        raise ConfigError(f"table={path}: must be a mapping, as conf/table/comm_cost.yaml is")
    shared = ["shared/layout@_here_", "shared/labels@_here_", "_self_"]
    to.parent.mkdir()
    to.write_text(yaml.safe_dump({"defaults": shared, "name": Path(path).stem} | content, sort_keys=False))


def _opened(folders: Any) -> Iterator[None]:
    """Make these folders Hydra's until it is done."""
    for cached in (composed, _own_part, _parsed, _files, computed, raw_file, read_shapes):
        cast(Any, cached).cache_clear()
    version.setbase("1.3")
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2(task_name="fscost", config_search_path=folders)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


HOW = "an axis is KEY=a,b or KEY=range(0,10), of a group KEY=glob(a*) too"
"""How axes are written, in words."""


def group_options(group: str) -> list[str]:
    """Return the names of a group's options."""
    return list(GlobalHydra.instance().config_loader().get_group_options(group))


def parse(lines: list[str]) -> list[Override]:
    """Parse overrides in Hydra's grammar."""
    return [_parsed(line) for line in lines]


@cache
def _parsed(line: str) -> Override:
    """Parse one override, once: the cells of a grid share theirs."""
    loader = GlobalHydra.instance().config_loader()
    try:
        override = OverridesParser.create(config_loader=loader).parse_override(line)
    except HydraException as error:
        first = (str(error).strip().splitlines() or ["None"])[0].split(" expecting ")[0]
        why = "" if first == "None" else f": {first.rstrip('.')}"
        raise ConfigError(f"{line}: cannot be read{why}; {HOW}") from error
    override.config_loader = loader  # which knows the options that glob(…) chooses from
    return override


@cache
def composed(groups: tuple[str, ...]) -> DictConfig:
    """Compose with Hydra's own section, against which a sweep file's is checked."""
    config = compose("config", list(groups), return_hydra_config=True)
    OmegaConf.set_struct(config, False)
    return config


@cache
def _own_part(groups: tuple[str, ...]) -> Tree:
    """Lay the files of one combination of group choices over each other, once: most of the work, and no cell's.

    Hydra says which files and in which order; laying them over each other as plain dicts takes a tenth of its time.
    """
    chosen = create_defaults_list(_files(), "config", parse([*groups]), prepend_hydra=True, skip_missing=False)
    tree: Tree = {}
    for part in chosen.defaults:
        content = raw_file(str(part.config_path))
        tree = with_value(tree, part.package, content) if part.package else merged(tree, content)
    return with_value(tree, "hydra.runtime.choices", dict(chosen.overrides.known_choices))


def config_of(parsed: list[Override]) -> Tree:
    """Return the configuration of one combination of overrides, not resolved."""
    config = _own_part(tuple(str(o.input_line) for o in parsed if o.key_or_group in _CHOICES))
    for override in parsed:
        key = override.key_or_group
        if key in _CHOICES:
            continue
        if not key.startswith(("fs.", "hydra.launcher.")) and not has(config, key):
            raise ConfigError(f"{override.input_line}: has no effect with the other choices; leave it out")
        config = with_value(config, key, override.value())
    return config


def grids_of(given: list[Override]) -> list[list[str]]:
    """Return the grids of the sweep file as overrides, one without any where no file was named.

    A file holds one grid, ``hydra.sweeper.params``, or the list ``grids``, whose cells follow one another.
    """
    file = next((str(o.input_line) for o in given if o.key_or_group == "sweeps"), "")
    if not file and not _has_grid(config_of([])):
        return [[]]
    config = composed(tuple(str(o.input_line) for o in given if o.key_or_group in ("sweeps", "hydra/launcher")))
    axes = _axes(config, file)
    if "grids" not in config:
        return [axes]
    if axes:
        raise ConfigError(f"{file}: has both grids and hydra.sweeper.params; write these as one more of the grids")
    lines = OmegaConf.to_container(config.grids) if OmegaConf.is_list(config.grids) else None
    if not lines or not all(isinstance(line, str) for line in lines):
        raise ConfigError(f"{file}: grids: must be a list of strings, as ['model=lr,mlp_s clients=3', 'model=…']")
    return [_words(str(line), file) for line in lines]


def _has_grid(config: Tree) -> bool:
    """Return whether a configuration without a sweep file has axes or grids all the same, from a folder of options."""
    return bool(config["hydra"]["sweeper"].get("params")) or "grids" in config


def _axes(config: DictConfig, file: str) -> list[str]:
    params = OmegaConf.to_container(config.hydra.sweeper.params or OmegaConf.create({}))
    for key, value in cast(dict[str, Any], params).items():
        if value is None:
            raise ConfigError(f"{file}: {key}: has no values in the sweep file")
        if isinstance(value, list):
            raise ConfigError(f"{file}: {key}: write the values as one string, '{','.join(map(str, value))}'")
    return [f"{key}={value}" for key, value in cast(dict[str, Any], params).items()]


def _words(line: str, file: str) -> list[str]:
    """Return the overrides in a line; those that are not about cells would silently hold for all grids."""
    try:
        words = [word.lstrip("+") for word in shlex.split(line)]
    except ValueError as error:
        raise ConfigError(f"{file}: grids: {line}: {error}") from error
    for word in words:
        if "=" not in word:
            raise ConfigError(f"{file}: grids: {word}: is no override like clients=3,10")
        if word.split("=")[0] in _OF_ALL_CELLS or word.startswith(("table.", "network.")):
            raise ConfigError(f"{file}: grids: {word}: holds for all cells; set it in the file, outside grids")
    return words


_OF_ALL_CELLS = (
    "sweeps", "grid", "config_dir", "store", "out", "table", "network", "engine.python", "hydra/launcher",
    "retries", "fail_fast",
)  # fmt: skip


@cache
def raw_file(path: str) -> Tree:
    """Return a configuration file as it is, nothing resolved; an option's is ``GROUP/OPTION``."""
    content = OmegaConf.to_container(typed_file(path))
    if not isinstance(content, dict):
        raise ConfigError(f"{path}.yaml: must be a mapping from names to values")
    return cast(Tree, content)


def typed_file(path: str) -> DictConfig:
    """Return a configuration file with the types of its values, where it is one of a plugin's that has such."""
    return cast(DictConfig, cast(Any, _files().load_config(path)).config)


@cache
def _files() -> CachingConfigRepository:
    """Return the configuration files, each read once."""
    return CachingConfigRepository(cast(Any, GlobalHydra.instance().config_loader()).repository)


def _alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"alpha={value}: must be a number above 0, or null for an iid split")
    return float(value)


_RESOLVERS: dict[str, Callable[..., Any]] = {
    "splitter_for": lambda alpha: "iid_fixed" if alpha is None else "lda",
    "splitter_args_for": lambda alpha: [] if alpha is None else [{"alpha": _alpha(alpha)}],
    "spec_of": spec_of,
    "type_of": type_of,
    "data_args_for": lambda resize: [] if resize is None else [{"resize": resize}],
}
