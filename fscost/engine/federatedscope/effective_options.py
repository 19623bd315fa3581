"""What FederatedScope finally used against what the cell asked: it rewrites options without an error."""

from collections.abc import Iterator, Mapping
from typing import Any

from fscost.cells import provenance_options
from fscost.cells.cell import Cell
from fscost.protocol import fs_options

_DERIVED = {"federate.sample_client_num", "asyn.min_received_num"}
"""Options that FederatedScope computes from others where nobody names them."""


def broken_claims(cell: Cell, used: Mapping[str, Any]) -> Iterator[str]:
    """Yield each option that the cell names and that FederatedScope used otherwise: the run is not that cell's."""
    for name, asked in fs_options.leaves(cell.fs):
        if name not in used or provenance_options.is_host(name) or _same(asked, used[name]):
            continue
        if not _is_one_client(cell, name, used[name]) and not _are_all_clients(cell, name, asked):
            yield f"fs.{name}={asked}: FederatedScope used {used[name]}"


def own_choices(cell: Cell, used: Mapping[str, Any]) -> Iterator[str]:
    """Yield each option that nobody named and that FederatedScope set to something else than its default."""
    named = dict(fs_options.leaves(cell.fs))
    for name, value in fs_options.asked(used).items():
        known = (
            name in fs_options.options()
            and not provenance_options.is_host(name)
            and fs_options.default(name) is not None
            and value is not None
        )
        if known and name not in named and name not in _DERIVED and not _same(fs_options.default(name), value):
            yield f"FederatedScope set fs.{name}={value} by itself"
    clients, sampled = cell.get("federate.client_num"), cell.get("federate.sample_client_num", -1)
    if 0 < clients < sampled:
        yield f"clients_per_round={sampled}: there are no more than {clients} clients, and all of them train"
    if _is_one_client(cell, "federate.client_num", used.get("federate.client_num")):
        yield "federate.method=global: FederatedScope gave the data of all clients to one, the only one there was"


def _is_one_client(cell: Cell, name: str, used: Any) -> bool:
    """Return whether this is the centralised training of ``federate.method: global``, which has one client."""
    is_global = str(cell.get("federate.method")).lower() == "global"
    return is_global and name == "federate.client_num" and used == 1 != cell.get(name)


def _are_all_clients(cell: Cell, name: str, asked: Any) -> bool:
    """Return whether more clients are to be sampled than there are: FederatedScope takes all of them then."""
    return name == "federate.sample_client_num" and asked > cell.get("federate.client_num")


def _same(asked: Any, used: Any) -> bool:
    """Return whether `used` is what was asked; FederatedScope completes lists and mappings of arguments in place."""
    if isinstance(asked, Mapping) and isinstance(used, Mapping):
        return all(key in used and _same(value, used[key]) for key, value in asked.items())
    if isinstance(asked, (list, tuple)) and isinstance(used, (list, tuple)):
        more = used[len(asked) :]
        return len(used) >= len(asked) and all(map(_same, asked, used)) and not any(more)
    return bool(asked == used)
