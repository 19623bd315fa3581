"""What FederatedScope finally used against what the cell asked: it rewrites options without an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fscost.cells import provenance_options
from fscost.printable import plural
from fscost.protocol import fs_options

_DERIVED = {"federate.sample_client_num", "asyn.min_received_num"}
"""Options that FederatedScope computes from others where nobody names them."""


def broken_claims(asked: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[str]:
    """Yield each option that a cell names, by dotted name, and that FederatedScope used otherwise: it is another cell.

    That fewer clients train than were asked for is none of these: see `too_few_clients` and `own_choices`.
    """
    for name, value in asked.items():
        if name not in used or provenance_options.is_host(name) or _same(value, used[name]):
            continue
        if not _is_about_clients(name, value, used):
            yield f"fs.{name}={value}: FederatedScope used {used[name]}"


def too_few_clients(asked: Mapping[str, Any], there: int) -> Iterator[str]:
    """Yield that the data have fewer clients than a cell asks for; `there` is what loading them made of the number."""
    clients = asked.get("federate.client_num") or there
    if there < clients:
        yield f"clients={clients}: the data have {there}; ask for no more, or for clients=0, which takes all there are"


def own_choices(asked: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[str]:
    """Yield each option that nobody named and that FederatedScope set to something else than its default."""
    for name, value in fs_options.asked(used).items():
        known = (
            name in fs_options.options()
            and not provenance_options.is_host(name)
            and fs_options.default(name) is not None
            and value is not None
        )
        if known and name not in asked and name not in _DERIVED and not _same(fs_options.default(name), value):
            yield f"FederatedScope set fs.{name}={value} by itself"
    yield from _choices_of_clients(asked, used)


def _choices_of_clients(asked: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[str]:
    clients, sampled = asked["federate.client_num"], asked.get("federate.sample_client_num", -1)
    there = used.get("federate.client_num", clients)
    if 0 < clients < sampled:
        yield f"clients_per_round={sampled}: there are no more than {plural(clients, 'client')}, and all of them train"
    if _is_global(asked) and there == 1 != clients:
        yield "federate.method=global: FederatedScope gave the data of all clients to one, the only one there was"
    elif there < clients:
        yield f"clients={clients}: FederatedScope's main.py left {there} of them"


def _is_global(asked: Mapping[str, Any]) -> bool:
    """Return whether this is the centralised training of ``federate.method: global``, which has one client."""
    return str(asked.get("federate.method")).lower() == "global"


def _is_about_clients(name: str, value: Any, used: Mapping[str, Any]) -> bool:
    """Return whether a difference is only in how many clients there are, which is told elsewhere.

    FederatedScope samples all of them where more are to be sampled than there are.
    """
    if name == "federate.client_num":
        return bool(value == 0 or used[name] < value)
    return name == "federate.sample_client_num" and bool(value > used["federate.client_num"])


def _same(asked: Any, used: Any) -> bool:
    """Return whether `used` is what was asked; FederatedScope completes lists and mappings of arguments in place."""
    if isinstance(asked, Mapping) and isinstance(used, Mapping):
        return all(key in used and _same(value, used[key]) for key, value in asked.items())
    if isinstance(asked, (list, tuple)) and isinstance(used, (list, tuple)):
        more = used[len(asked) :]
        return len(used) >= len(asked) and all(map(_same, asked, used)) and not any(more)
    return bool(asked == used)
