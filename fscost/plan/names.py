"""Refusing names that nobody knows, with the nearest ones."""

import re
from collections.abc import Iterator

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from fscost.errors import ConfigError, nearest
from fscost.plan.axes import check_within, values_of
from fscost.plan.compose import ABSENT, GROUPS, composed, config_of, group_options, parse, raw_file
from fscost.plan.launcher import LAUNCHERS, check_launcher
from fscost.plan.plain import Tree, has
from fscost.protocol import fs_options

_NULLABLE = (
    "alpha", "resize", "shapes", "parameters", "lora_rank", "fs_config", "config_dir", "sweeps", "engine.python",
    "engine.timeout_min", "engine.memory_gb", "network.uplink_mbps", "network.downlink_mbps",
    "table.across", "table.baseline", "table.decimals", "table.better",
)  # fmt: skip


def check_name(override: Override) -> None:
    """Refuse a name that is no knob, no group, no option of a group and no option of FederatedScope."""
    key = override.key_or_group
    _check_form(override)
    check_within(override)
    if key in GROUPS:
        for option in _values(override):
            _check_option(key, option)
    elif key.startswith("fs."):
        return  # which options there are is the engine's to say, and that of a cell
    elif re.match(r"hydra\b", key):
        _check_hydra(override)
    elif not _exists(key):
        raise ConfigError(f"{override.input_line}: there is no {key}{nearest(key, _knobs())}; see fscost --help")


def _check_form(override: Override) -> None:
    key = override.key_or_group
    if override.is_delete():
        raise ConfigError(f"{override.input_line}: nothing can be deleted from the configuration; set it instead")
    if override.package is not None:
        raise ConfigError(f"{override.input_line}: options have one place each; leave @{override.package} out")
    if key == "sweeps" and override.is_sweep_override():
        raise ConfigError(f"{override.input_line}: a sweep file is no axis of a grid; name one")
    if not key:
        raise ConfigError(f"{override.input_line}: names nothing to set")
    if override.value() is None and key not in _NULLABLE and not key.startswith(("fs.", "hydra.launcher.")):
        raise ConfigError(f"{override.input_line}: needs a value")


def _check_hydra(override: Override) -> None:
    key, line = override.key_or_group, override.input_line
    if key != "hydra/launcher" and not key.startswith("hydra.launcher."):
        taken = "hydra/launcher=NAME and hydra.launcher.KEY=VALUE"
        raise ConfigError(f"{line}: of Hydra's own settings only {taken} can be given; leave it out")
    if override.is_sweep_override():
        raise ConfigError(f"{line}: where cells run is no axis of a grid; give one value")
    if key == "hydra/launcher":
        check_launcher(str(override.value()))


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        single = parse([f"{override.key_or_group}={value}" for value in values_of(override)])
        return [str(one.value()) for one in single]
    return [str(override.value())]


def _check_option(group: str, option: str) -> None:
    options = group_options(group)
    if option not in options and option not in ("null", "None"):
        close = nearest(option, options)
        raise ConfigError(f"{group}={option}: no such {group}{close}; there are {', '.join(sorted(options))}")


def _exists(key: str) -> bool:
    return (
        has(config_of([]), key) or OmegaConf.select(composed(()), key, default=ABSENT) is not ABSENT or key in _knobs()
    )


def _knobs() -> list[str]:
    """Return every name that can stand before ``=``: knobs, groups and FederatedScope's options."""
    knobs = [str(key) for key in composed(()) if key not in ("fs", "hydra")]
    return [*{*knobs, *GROUPS, "hydra/launcher", *_data_knobs()}, *(f"fs.{option}" for option in fs_options.known())]


def _data_knobs() -> set[str]:
    """Return the knobs that single options bring along, as data=digits brings alpha."""
    raw = (raw_file(f"{group}/{option}") for group in GROUPS[:3] for option in group_options(group))
    return {str(key) for option in raw for key in option if key not in ("fs", "hydra", "defaults")}


def completions(word: str, chosen: list[Override]) -> Iterator[str]:
    """Yield what the beginning of an override may become, with the groups that are `chosen`.

    Names end with the ``.`` or ``=`` that is next; values are the options of a group, or what the configuration has.
    """
    name, is_whole, value = word.partition("=")
    config = config_of(chosen)
    if not is_whole:
        knobs = (knob for knob in _knobs() if knob in GROUPS or not isinstance(config.get(knob), dict))
        launchers = (f"hydra.launcher.{option}" for option, _ in fs_options.leaves(config["hydra"]["launcher"]))
        own = (option for option, _ in fs_options.leaves(config) if not option.startswith("hydra"))
        names = {f"{known}=" for known in (*knobs, *own, *launchers) if not known.endswith("_target_")}
        yield from sorted({_next_part(known, word) for known in names if known.startswith(word)})
        return
    last = value.rpartition(",")[2]
    for option in _values_of(name, config):
        if option.startswith(last):
            yield word.removesuffix(last) + option


def _next_part(name: str, word: str) -> str:
    """Return the word, completed up to the next part of this name."""
    return word + (re.match(r"[^.]*\.?", name.removeprefix(word)) or [""])[0]


def _values_of(name: str, config: Tree) -> list[str]:
    if name in GROUPS:
        return group_options(name)
    if name == "hydra/launcher":
        return [*LAUNCHERS]
    default = dict(fs_options.leaves(config)).get(name)
    if isinstance(default, bool):
        return ["true", "false"]
    return [str(default)] if default is not None and re.fullmatch(r"[-\w.]+", str(default)) else []
