"""A file of FederatedScope's ``--client_cfg``: options of single clients, laid over those of all of them."""

from collections.abc import Mapping
from typing import Any

from fscost.cells.engine_kinds import engine_kind
from fscost.errors import ConfigError
from fscost.plan.plain_config import read_yaml
from fscost.protocol import fs_options
from fscost.protocol.client_options import client_of
from fscost.protocol.known_options import KnownOptions


def client_leaves(path: str, engine: str, options: KnownOptions, clients: Any) -> dict[str, Any]:
    """Return the options in it by dotted name, as ``client_1.model.hidden``.

    Raises ConfigError for an engine that has none, and for a file that names no clients, or more than the cell has;
    `clients` is 0 where nobody knows yet how many these are.
    """
    shown = f"fs_client_config={path}"
    if not engine_kind(engine).has_interpreter:
        raise ConfigError(f"{shown}: engine={engine} has one configuration for all clients; take engine=federatedscope")
    tree = read_yaml("fs_client_config", path)
    if not isinstance(tree, dict) or not tree:
        raise ConfigError(f"{shown}: no options of single clients: expected sections as client_1: {{model: {{…}}}}")
    flat: dict[str, Any] = {}
    for section, own in tree.items():
        _check_section(section, own, clients, shown)
        given = options.read(dict(fs_options.leaves(own)))
        options.check_all(given, shown=f"{shown}: {section}.")
        flat |= {f"{section}.{name}": value for name, value in given.items()}
    return flat


def _check_section(section: Any, own: Any, clients: Any, shown: str) -> None:
    number = client_of(str(section))
    if number is None:
        raise ConfigError(f"{shown}: {section}: no client; expected sections client_1, client_2, …")
    if isinstance(clients, int) and 0 < clients < number:
        raise ConfigError(
            f"{shown}: {section}: clients={clients} has no such client; leave it out, or take clients={number}"
        )
    if not isinstance(own, Mapping) or not all(isinstance(key, str) for key in own):
        raise ConfigError(f"{shown}: {section}: expected sections with options of this client, as {{model: {{…}}}}")
