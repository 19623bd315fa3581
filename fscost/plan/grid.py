"""Expanding a grid: every combination becomes a cell, all are checked, none is there twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost.cell import Cell
from fscost.errors import ConfigError
from fscost.plan.compose import config_of, configuration, parse, sweep_params
from fscost.plan.names import check_name
from fscost.plan.tree import Identify, cell_from


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
    engine: dict[str, Any]


def plan(overrides: Sequence[str], identify: Identify) -> Plan:
    """Expand overrides into cells, all of them checked, none twice.

    `identify` returns the engine and the message protocol of an ``engine`` section. Raises ConfigError in one line.
    """
    try:
        with configuration(_config_dir(overrides)):
            return _plan(list(overrides), identify)
    except yaml.YAMLError as error:
        raise ConfigError(f"a configuration file is no YAML: {' '.join(str(error).split())}") from error
    except (HydraException, OmegaConfBaseException) as error:
        if (own := _raised_by_resolver(error)) is not None:
            raise own from None
        first, *_ = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{first.rstrip('.')}; see python -m fscost --help") from error


def _raised_by_resolver(error: BaseException | None) -> ConfigError | None:
    """Return the error of one of our own resolvers, however often OmegaConf has wrapped it."""
    while error is not None and not isinstance(error, ConfigError):
        error = error.__context__
    return error


def _plan(lines: list[str], identify: Identify) -> Plan:
    given = list({override.key_or_group: override for override in parse(lines)}.values())  # the last word wins
    for override in given:
        check_name(override)
    swept_by_file = sweep_params(given)
    named = {override.key_or_group for override in given}
    parsed = parse([f"{key}={value}" for key, value in swept_by_file.items() if key not in named]) + given
    for override in parsed:
        check_name(override)
    combinations = BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]
    configs = [config_of(parse(list(combination))) for combination in combinations]
    planned = [
        Planned(cell_from(config, parse(list(combination)), identify), tuple(combination))
        for config, combination in zip(configs, combinations, strict=True)
    ]
    _refuse_twins(planned)
    return Plan(
        cells=tuple(planned),
        name=next((str(o.value()) for o in given if o.key_or_group == "sweeps"), configs[0].table.name),
        store=Path(configs[0].store),
        out=Path(configs[0].out),
        table=cast(dict[str, Any], OmegaConf.to_container(configs[0].table, resolve=True)),
        engine=cast(dict[str, Any], OmegaConf.to_container(configs[0].engine, resolve=True)),
    )


def _config_dir(overrides: Sequence[str]) -> Path | None:
    """Return the folder of more options: it must be known before anything can be composed."""
    named = [o.split("=", 1)[1] for o in overrides if o.startswith("config_dir=")]
    return Path(named[-1]) if named and named[-1] not in ("", "null") else None


def _refuse_twins(planned: list[Planned]) -> None:
    seen: dict[str, Planned] = {}
    for cell in planned:
        if twin := seen.get(cell.cell.id):
            a, b = " ".join(twin.overrides), " ".join(cell.overrides)
            raise ConfigError(f"'{a}' and '{b}' are the same cell; take one of them out of the grid")
        seen[cell.cell.id] = cell


def _quoted(override: str) -> str:
    return f"'{override}'" if set(override) & set(' {}[]()$&|;<>*?"') else override
