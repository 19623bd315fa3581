"""Where cells run: the launcher of a sweep, and its options for each cell."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost.errors import ConfigError, nearest
from fscost.plan.compose import raw_file, typed_file
from fscost.plan.plain import Tree, resolved

LAUNCHERS = {"local": "hydra/launcher/local", "slurm": "hydra/launcher/submitit_slurm", "ray": "hydra/launcher/ray"}
"""The launchers, each with the file that holds all of its options; those of plugins say of which types."""

_PLUGINS = {"slurm": "hydra-submitit-launcher", "ray": "hydra-ray-launcher"}

_OPEN = ("additional_parameters", "ray.init", "ray.remote")
"""Options whose keys are Slurm's and Ray's own, which their files do not list."""


def check_launcher(name: str) -> None:
    """Refuse a launcher that there is not."""
    if name not in LAUNCHERS:
        close = nearest(name, LAUNCHERS)
        raise ConfigError(f"hydra/launcher={name}: no such launcher{close}; there are {', '.join(LAUNCHERS)}")


def check_file_of(error: MissingConfigException) -> None:
    """Say which launcher there is not, or which package it needs, if it is the file of one that is missing."""
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
