"""Refusing names that nobody knows, with the nearest ones: knobs, options of groups, launchers and their options."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost.errors import ConfigError, nearest
from fscost.plan.axes import check_within, values_of
from fscost.plan.hydra_config import (
    ABSENT,
    GROUPS,
    WORDS,
    composed,
    config_of,
    group_options,
    parse,
    raw_file,
    typed_file,
)
from fscost.plan.plain_config import Tree, has, resolved
from fscost.protocol import fs_options
from fscost.protocol.codecs import CODECS, NONE
from fscost.resources import conf

_NULLABLE = (
    "alpha", "resize", "course", "shapes", "parameters", "lora_rank",
    "fs_config", "fs_client_config", "config_dir",
    "engine.python", "engine.timeout_min", "engine.memory_gb", "network.uplink_mbps", "network.downlink_mbps",
    "codec.error_feedback", "table.across", "table.baseline", "table.decimals", "table.better", "table.top",
    "table.cited", "table.sections",
)  # fmt: skip

_PLUGINS = {"slurm": "hydra-submitit-launcher", "ray": "hydra-ray-launcher"}
"""The packages that bring the options of launchers."""

LAUNCHERS = {
    file.stem: f"hydra/launcher/{file.stem}" for file in sorted((conf() / "hydra" / "launcher").glob("*.yaml"))
}
LAUNCHERS |= {"slurm": "hydra/launcher/submitit_slurm", "ray": "hydra/launcher/ray"}
"""The launchers, each with the file that holds all of its options; those of plugins say of which types."""

_OPEN = ("additional_parameters", "ray.init", "ray.remote")
"""Options whose keys are Slurm's and Ray's own, which their files do not list."""


def check_name(override: Override, *, any_word: bool = False) -> None:
    """Refuse a name that is no knob, no group, no option of a group and no option of FederatedScope.

    With `any_word` methods, models and data may be called as one likes.
    """
    key = override.key_or_group
    check_form(override)
    check_within(override)
    if key == "codec" and not isinstance(override.value(), dict):
        raise ConfigError(f"{override.input_line}: give a direction, codec.uplink=NAME, codec.downlink=NAME or both")
    if key in GROUPS:
        for option in _values(override):
            _check_option(key, option, any_word=any_word)
    elif key.startswith(("fs.", "args.", "sizes.")):
        return  # which options there are is the engine's to say, and that of a cell
    elif re.match(r"hydra\b", key):
        _check_hydra(override)
    elif not _exists(key):
        raise ConfigError(f"{override.input_line}: there is no {key}{nearest(key, _all_names())}; see fscost --help")


def check_form(override: Override) -> None:
    """Refuse an override that no name could make right."""
    key = override.key_or_group
    if override.is_delete():
        raise ConfigError(f"{override.input_line}: nothing can be deleted from the configuration; set it instead")
    if override.type not in (OverrideType.CHANGE, OverrideType.ADD, OverrideType.FORCE_ADD):
        raise ConfigError(f"{override.input_line}: sets no value; a list is set as a whole, KEY=[a,b]")
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


def _check_option(group: str, option: str, *, any_word: bool) -> None:
    options = group_options(group)
    if any_word and group in WORDS:
        return
    if option not in options:
        close = nearest(option, options) or nearest(option.rpartition("/")[2], options)  # torchvision/resnet18
        listed = f"there are {', '.join(sorted(options))}{_OTHERWISE.get(group, '')}"
        raise ConfigError(f"{group}={option}: no such {group}{close}; {listed}")


_OTHERWISE = {
    "model": "; any other is counted from its shapes or its number of parameters: engine=estimate model=spec "
    "data=samples and shapes=FILE or parameters=COUNT"
}
"""What to do where none of a group's options is meant."""


def _exists(key: str) -> bool:
    if has(raw_file("config"), key):  # nothing need be composed to know it
        return True
    is_set = has(config_of([]), key) or OmegaConf.select(composed(()), key, default=ABSENT) is not ABSENT
    return is_set or key in _engine_knobs() or key in _knobs()


def _knobs() -> list[str]:
    """Return every name that can stand before ``=``: knobs, groups and FederatedScope's options."""
    knobs = {str(key) for key in composed(()) if key not in ("fs", "hydra")}
    knobs |= {*GROUPS, "hydra/launcher"} | _engine_knobs() | _data_knobs()
    return [*knobs, *(f"fs.{option}" for option in fs_options.known())]


def _all_names() -> list[str]:
    """Return every name that can be set, those within sections too: ``table.measure``."""
    leaves = (name for name, _ in fs_options.leaves(config_of([])))
    return [*_knobs(), *(name for name in leaves if not name.startswith(("fs.", "hydra", "table.labels.")))]


def _data_knobs() -> set[str]:
    """Return the knobs that single options bring along, as data=digits brings alpha."""
    raw = (raw_file(f"{group}/{option}") for group in GROUPS[:4] for option in group_options(group))
    return {str(key) for option in raw for key in option if key not in ("fs", "hydra", "defaults")}


def _engine_knobs() -> set[str]:
    """Return the knobs of single engines; few files say them, and many all knobs."""
    raw = (raw_file(f"engine/{option}") for option in group_options("engine"))
    return {f"engine.{key}" for option in raw for key in option}


def check_launcher(name: str) -> None:
    """Refuse a name that is no launcher's."""
    if name not in LAUNCHERS:
        close = nearest(name, LAUNCHERS)
        raise ConfigError(f"hydra/launcher={name}: no such launcher{close}; there are {', '.join(LAUNCHERS)}")


def check_file_of(error: MissingConfigException) -> None:
    """Refuse the launcher whose file is missing: it is unknown, or its package is not installed."""
    file = str(error.missing_cfg_file)
    for name, package in _PLUGINS.items():
        if file == LAUNCHERS[name]:
            cure = f"{package} is not installed; pip install 'fscost[{name}]'"
            raise ConfigError(f"hydra/launcher={name}: {cure}") from error
    if file.startswith("hydra/launcher/"):
        check_launcher(file.removeprefix("hydra/launcher/"))


def name_of(config: Tree) -> str:
    """Return the launcher that a configuration chooses, its options' names checked; raises ConfigError."""
    name = str(config["hydra"]["runtime"]["choices"]["hydra/launcher"])
    check_launcher(name)
    known = raw_file(LAUNCHERS[name])
    for option in _unknown(config["hydra"]["launcher"], known):
        close = nearest(option, _names(known))
        raise ConfigError(f"hydra.launcher.{option}: hydra/launcher={name} has no such option{close}; {_listed(name)}")
    return name


def _listed(name: str) -> str:
    return f"python -m fscost --cfg hydra -p hydra.launcher hydra/launcher={name} lists its options"


def _unknown(options: Tree, known: Tree, within: str = "") -> Iterator[str]:
    for key, value in options.items():
        name = f"{within}{key}"
        if key not in known:
            yield name
        elif name not in _OPEN and isinstance(value, dict) and isinstance(known[key], dict):
            yield from _unknown(value, known[key], f"{name}.")


def _names(known: Tree, within: str = "") -> Iterator[str]:
    for key, value in known.items():
        if key != "_target_":
            yield f"{within}{key}"
        if isinstance(value, dict):
            yield from _names(value, f"{within}{key}.")


def launcher_of(config: Tree) -> Mapping[str, Any]:
    """Return the launcher's options for one cell, resolved, with the launcher as ``name``.

    hydra-submitit-launcher has an option of that name too, what Slurm calls the job: it is here ``job_name``. Raises
    ConfigError for an option that the launcher does not have, and for a value that it cannot be.
    """
    name = name_of(config)
    return _checked(name, json.dumps(resolved(config, "hydra.launcher"), default=str))


@cache
def _checked(launcher: str, text: str) -> Mapping[str, Any]:
    """Check the values of a launcher's options, once for all cells that share them."""
    options: Tree = json.loads(text)
    try:
        OmegaConf.merge(typed_file(LAUNCHERS[launcher]), {k: v for k, v in options.items() if v is not None})
    except OmegaConfBaseException as error:
        option = ".".join(filter(None, ("hydra.launcher", error.full_key)))
        raise ConfigError(f"{option}: {str(error).splitlines()[0]}; {_listed(launcher)}") from error
    if launcher == "local" and (problems := [*_local_problems(options)]):
        raise ConfigError(*problems)
    own = {"job_name" if key == "name" else key: value for key, value in options.items() if key != "_target_"}
    return {"name": launcher} | own


def _local_problems(options: Mapping[str, Any]) -> Iterator[str]:
    n_jobs, gpus = options.get("n_jobs"), options.get("gpus")
    if n_jobs is not None and (not isinstance(n_jobs, int) or isinstance(n_jobs, bool) or n_jobs < 1):
        yield f"hydra.launcher.n_jobs={n_jobs}: must be a whole number of at least 1, or null for as many as fit"
    if gpus is not None and not (isinstance(gpus, list) and all(type(gpu) in (int, str) for gpu in gpus)):
        yield f"hydra.launcher.gpus={gpus}: must be a list of devices, as [0,1], or null for those there are"


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
        return [*group_options(name)]
    if name == "hydra/launcher":
        return [*LAUNCHERS]
    if name in ("codec.uplink", "codec.downlink"):
        return [NONE, *CODECS]
    default = dict(fs_options.leaves(config)).get(name)
    if isinstance(default, bool):
        return ["true", "false"]
    return [str(default)] if default is not None and re.fullmatch(r"[-\w.]+", str(default)) else []
