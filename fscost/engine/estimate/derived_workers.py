"""What each worker of a course in closed form sent and received, as far as its own log tells how often it trained."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from fscost.cells.measure import COLUMNS, SERVER, Link
from fscost.engine.estimate.evidence import Evidence, Way, converged_bytes, downloads_are_alike

Row = Mapping[str, Any]
Part = dict[str, Any]

_SAME_FOR_ALL = ("payload_bytes",)
"""What all copies of an upload have in common: ids and numbers of samples have different lengths in others."""


def workers_of(rows: Sequence[Row], way: Way, log: Evidence) -> list[Part]:
    """Return the rows of a ledger's workers, bytes that are not known None.

    `rows` are the messages as far as they are known. Clients of which it is not known how often they were sampled are
    left out.
    """
    by_type: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_type.setdefault((row["type"], row["link"]), []).append(row)
    down, up, peer = ([own for (_, at), own in by_type.items() if at == link] for link in _LINKS)
    found: list[Part] = [{"worker": SERVER, "sent": _sum(map(_all, down)), "received": _sum(map(_all, up))}]
    for client, trained in _times_trained(way, log).items():
        ways = {"sent": [*up, *peer], "received": [*down, *peer]}
        sums = {name: _sum(_share(own, trained, way) for own in parts) for name, parts in ways.items()}
        found.append({"worker": client, **sums})
    return found


_LINKS = (Link.DOWNLINK, Link.UPLINK, Link.PEER)


def _times_trained(way: Way, log: Evidence) -> dict[int, int]:
    """Return in how many rounds each client trained: in all, or as often as it logged the bytes of one message."""
    clients = way.options.clients
    trained = [row for row in way.rows if row["type"] == "model_para" and row["link"] == Link.DOWNLINK]
    if way.options.clients_per_round == clients:
        return dict.fromkeys(range(1, clients + 1), len(trained))
    copies, evaluations = sum(row["messages"] for row in trained), way.copies("evaluate") // clients
    last = converged_bytes(way)
    each = (log.download_bytes - clients * last) / (copies + evaluations * clients)
    if not each or not downloads_are_alike(way):
        return {}
    logged = {int(row["worker"]): row.get("total_download_bytes") or 0 for row in log.clients}
    times = {client: (size - last) / each - evaluations for client, size in logged.items()}
    is_right = sum(times.values()) == copies and all(time in range(len(trained) + 1) for time in times.values())
    return {client: int(time) for client, time in times.items()} if is_right else {}


def _all(rows: Sequence[Row]) -> Part:
    """Return the messages of one type and link together."""
    return {name: _known_sum(row[name] for row in rows) for name in ("messages", *COLUMNS)} | {"type": rows[0]["type"]}


def _share(rows: Sequence[Row], trained: int, way: Way) -> Part:
    """Return a client's part of the messages of one type and link; of training, as many as the rounds it trained in."""
    every, clients = _all(rows), way.options.clients
    is_sampled = every["type"] == "model_para" and way.options.clients_per_round < clients
    copies = trained if is_sampled else every["messages"] // clients
    shares = {name: copies * each for name in COLUMNS if (each := _each(rows, name, is_sampled)) is not None}
    return every | dict.fromkeys(COLUMNS) | shares | {"messages": copies}


def _each(rows: Sequence[Row], name: str, is_sampled: bool) -> Fraction | None:
    """Return the bytes of one copy, the mean of the rounds where a client was in all; None where copies differ."""
    if any(row[name] is None for row in rows) or (rows[0]["link"] == Link.UPLINK and name not in _SAME_FOR_ALL):
        return None
    sizes = [Fraction(row[name], row["messages"]) for row in rows]
    return None if is_sampled and len({*sizes}) > 1 else sum(sizes, Fraction()) / len(sizes)


def _sum(parts: Iterable[Part]) -> Part:
    """Return what a worker sent or received, as a ledger tells it."""
    found = [*parts]
    known = [part["wire_bytes"] for part in found if part["type"] not in _UNSENT]
    sums = {name: _known_sum(part[name] for part in found) for name in ("messages", *COLUMNS)}
    return {name: None if value is None else int(value) for name, value in sums.items()} | {
        "wire_known_bytes": _known_sum(known)
    }


_UNSENT = ("join_in", "address")
"""Messages of standalone mode that FederatedScope cannot encode: a worker's wire bytes are known but for these."""


def _known_sum(values: Iterable[Any]) -> Any:
    found = [*values]
    return None if None in found else sum(found)
