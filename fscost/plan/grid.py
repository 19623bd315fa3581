"""Expanding a grid: every combination becomes a cell, all are checked, none is there twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fscost.cell import Cell
from fscost.errors import ConfigError
from fscost.plan.compose import config_of, configuration, grids_of, parse
from fscost.plan.names import check_name
from fscost.plan.plain import resolved
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
    network: dict[str, Any]
    engine: dict[str, Any]
    launcher: Any = field(default_factory=lambda: {"name": "local"})
    retries: int = 0
    fail_fast: bool = False


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
        if own := [cause for cause in _causes(error) if isinstance(cause, ConfigError)]:  # of one of our resolvers
            raise own[0] from None
        first, *_ = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        cure = "an option of your own must set it" if "Interpolation key" in first else "see python -m fscost --help"
        raise ConfigError(f"{first.rstrip('.')}; {cure}") from error


def _plan(lines: list[str], identify: Identify) -> Plan:
    given = _last_words(lines)
    grids = _grids(given)
    configs = [[config_of(parse(words)) for words in grid] for grid in grids]
    cells: dict[str, Planned] = {}
    for grid, of_grid in zip(grids, configs, strict=True):
        planned = [
            Planned(cell_from(config, parse(words), identify), tuple(words))
            for config, words in zip(of_grid, grid, strict=True)
        ]
        _refuse_twins(planned)
        for one in planned:
            cells.setdefault(one.cell.id, one)  # grids of a union may overlap
    store, out, table, network, engine = (
        resolved(configs[0][0], section) for section in ("store", "out", "table", "network", "engine")
    )
    return Plan(
        cells=tuple(cells.values()),
        name=next((str(o.value()) for o in given if o.key_or_group == "sweeps"), table["name"]),
        store=Path(store),
        out=Path(out),
        table=table,
        network=network,
        engine=engine,
    )


def _last_words(lines: list[str]) -> list[Override]:
    """Return the overrides, their names checked, of each name the last."""
    last = list({override.key_or_group: override for override in parse(lines)}.values())
    for override in last:
        check_name(override)
    return last


def _grids(given: list[Override]) -> list[list[list[str]]]:
    """Return the overrides of each cell, grid by grid; what is `given` holds in all grids, instead of their own."""
    found = grids_of(given)
    numbers = _numbers(given, len(found))
    named = {override.key_or_group for override in given}
    grids = []
    for number in numbers:
        own = [override for override in _last_words(found[number - 1]) if override.key_or_group not in named]
        place = parse([f"grid={number}"]) if len(numbers) > 1 else []
        grids.append(BasicSweeper.split_arguments(own + given + place, max_batch_size=None)[0])
    return grids


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


def _refuse_twins(planned: list[Planned]) -> None:
    seen: dict[str, Planned] = {}
    for cell in planned:
        if twin := seen.get(cell.cell.id):
            a, b = " ".join(twin.overrides), " ".join(cell.overrides)
            raise ConfigError(f"'{a}' and '{b}' are the same cell; take one of them out of the grid")
        seen[cell.cell.id] = cell


def _quoted(override: str) -> str:
    return f"'{override}'" if set(override) & set(' {}[]()$&|;<>*?"') else override


def _causes(error: BaseException) -> Iterator[BaseException]:
    while cause := error.__cause__ or error.__context__:
        yield (error := cause)
