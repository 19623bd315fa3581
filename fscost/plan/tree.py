"""From a composed configuration to the FederatedScope options of one cell."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from fscost import vocabulary
from fscost.cell import Cell
from fscost.errors import ConfigError
from fscost.plan.compose import GROUPS, raw_option


def cell_from(config: DictConfig, parsed: list[Override], engine_named: Callable[[str], str]) -> Cell:
    """Return the cell of one configuration; `parsed` are the overrides that made it.

    With ``fs_config`` that file is the base, and only the options that the overrides name are laid over it.
    """
    resolved = cast(dict[str, Any], OmegaConf.to_container(config.fs, resolve=True))
    flat = dict(vocabulary.leaves(resolved))
    if config.fs_config is not None:
        flat = _file_leaves(str(config.fs_config)) | {name: flat[name] for name in _named(config, parsed, flat)}
    for name, value in flat.items():
        vocabulary.check(name, value)
    engine = engine_named(str(config.engine.name))
    return Cell(engine=engine, protocol=str(config.engine.protocol), fs=vocabulary.nested(vocabulary.sparse(flat)))


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
    own = [
        raw_option(o.key_or_group, str(o.value())) for o in parsed if o.key_or_group in GROUPS and o.value() is not None
    ]
    knobs = {o.key_or_group for o in parsed} | {key for option in own for key in option if key != "fs"}
    of_groups = {name for option in own for name, _ in vocabulary.leaves(option.get("fs", {}))}
    sections = tuple(o.key_or_group.removeprefix("fs.") for o in parsed if o.key_or_group.startswith("fs."))
    raw = cast(dict[str, Any], OmegaConf.to_container(config.fs, resolve=False))
    of_knobs = {name for name, value in vocabulary.leaves(raw) if any(f"${{{knob}}}" in str(value) for knob in knobs)}
    by_itself = {name for name in flat if name in sections or name.startswith(tuple(f"{s}." for s in sections))}
    return [name for name in flat if name in of_groups | of_knobs | by_itself]
