"""What FederatedScope counted, summed up: its clients together, and its server apart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fscost.cells.measure import SERVER
from fscost.collect.fs_logs import are_counts, is_count

Row = Mapping[str, Any]

_COUNTERS = {f"{way}_bytes": f"total_{way}_bytes" for way in ("upload", "download")}


def counters(workers: Sequence[Row]) -> dict[str, Any]:
    """Return the columns ``logged_…`` of the frame of cells: how many clients logged, and what they and the server did.

    Nothing where a client is there twice, as of two runs in one log; a sum is None where a part of it is missing.
    """
    clients = [row for row in workers if row["worker"] != SERVER]
    if not workers or any(row["run"] > 1 for row in clients):
        return {}
    found: dict[str, Any] = {"logged_clients": len(clients)}
    for name, counter in _COUNTERS.items():
        found[f"logged_client_{name}"] = _sum(row.get(counter) for row in clients) if clients else None
        found[f"logged_server_{name}"] = _only(row.get(counter) for row in workers if row["worker"] == SERVER)
    return found


def _sum(values: Iterable[Any]) -> int | None:
    found = [*values]
    return sum(found) if are_counts(found) else None


def _only(values: Iterable[Any]) -> int | None:
    """Return what the server logged; in distributed mode it writes its line twice."""
    found = [*values]
    return found[0] if found and is_count(found[0]) and all(value == found[0] for value in found) else None
