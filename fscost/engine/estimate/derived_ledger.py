"""The ledger of a course that nobody metered: from its configuration, where that agrees with what was logged.

What neither says, as which release it was or how many samples clients have, is computed in every possible way; a
number in which the ways differ is unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.measure import COLUMNS, SERVER, Link, Traffic, traffic_of
from fscost.engine.estimate.closed_form_conditions import timing_problems
from fscost.engine.estimate.evidence import Evidence, Way, converged_bytes, disagreements, downloads_are_alike, way_of
from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.protocol.course_options import Options
from fscost.protocol.datasets import DATA_TYPES
from fscost.protocol.pretrained import is_language_model, spec_of_type
from fscost.protocol.release import Release, release_of
from fscost.store.ledger_file import LedgerFile

Row = Mapping[str, Any]

_SHAPES = {
    "femnist": [1, 28, 28], "mnist": [1, 28, 28], "celeba": [3, 84, 84], "cifar10": [3, 32, 32],
    "cifar100": [3, 32, 32], "shakespeare": [80], "subreddit": [10], "synthetic": [60], "adult": [14],
}  # fmt: skip
"""FederatedScope's own data sets and the shape of a sample; the logged number of parameters shows if it was another."""

_MANY = 10**9
"""Samples of a client, where nobody knows: what does not depend on them is the same with few and with so many."""


def derive(
    cell: Cell, workers: Sequence[Row], evaluations: Sequence[Row], releases: Sequence[str], model: Row | None = None
) -> LedgerFile:
    """Return the ledger of a course that ended, from its configuration and what its workers logged.

    `releases` are the names of those that it may have run on (`fscost.protocol.release.NAMES`); ``protocol`` in the
    header is the one it was, None where that is not known. `model` is a spec (``fs.model.spec``) of a model that is not
    known here. Bytes that are not known are None. Raises ConfigError where its messages have no closed form, and where
    it disagrees with the log.
    """
    if timing := [*timing_problems(cell)]:
        raise ConfigError(*timing)
    log = Evidence(workers, evaluations)
    ways, problems = [], list[list[str]]()
    for release, some in _possible(cell, releases, log.stopped, model):
        try:
            found = [way_of(release, options) for options in some]
        except (ConfigError, ValueError) as error:  # a release may lack a method, a model may be too large
            problems.append([*map(str, error.args)])
            continue
        problems.append([problem for way in found for problem in disagreements(way, log)])
        ways += [] if problems[-1] else found
    if not ways:
        raise ConfigError(*min(problems, key=len))  # of the one that comes nearest
    protocols = {way.release.name for way in ways}
    is_told = all(way.metrics == log.metrics for way in ways) or not log.metrics
    rows = [_agreed(same, is_told, cell) for same in _side_by_side([way.rows for way in ways])]
    header = dict(ways[0].header) | {"protocol": protocols.pop() if len(protocols) == 1 else None}
    return LedgerFile(header, rows, workers_of(rows, ways[0], log))


def _possible(
    cell: Cell, releases: Sequence[str], stopped: int, model: Row | None
) -> Iterator[tuple[Release, list[Options]]]:
    """Yield what the cell may have been by release, as cells that the estimate engine knows: all of them are possible.

    Raises ConfigError where no model can be made for its data.
    """
    known = dict(fs_options.leaves(cell.fs))
    known |= {"early_stop.stopped_after": stopped} if stopped else {"early_stop.patience": 0}
    if model is None and is_language_model(known["model.type"]):
        model = spec_of_type(known["model.type"])
    is_here = model is None and known["data.type"] in (*DATA_TYPES, "toy")
    some = [known] if is_here else [*_of_samples(known, model)]
    for release in map(release_of, releases):
        cells = (fs_options.nested(fs_options.sparse({**flat, **release.as_cell})) for flat in some)
        yield release, [Options(Cell(engine="estimate", protocol=release.protocol, fs=fs)) for fs in cells]


def _of_samples(known: Row, model: Row | None) -> Iterator[dict[str, Any]]:
    """Yield options with few and with many samples that are only counted.

    Raises ConfigError where no model can be made for them.
    """
    few = known.get("dataloader.batch_size", fs_options.default("dataloader.batch_size"))
    least = {"data.train_samples": few if known.get("dataloader.drop_last") else 1, "data.test_samples": 0}
    for samples in (least, {f"data.{split}_samples": _MANY for split in ("train", "val", "test")}):
        yield _with_model(known, model) | samples


def _with_model(known: Row, model: Row | None) -> dict[str, Any]:
    data = known["data.type"]
    shape = known.get("model.input_shape") or _SHAPES.get(str(data).lower())
    if model is None and not shape:
        raise ConfigError(
            f"fs.data.type={data}: the shape of its samples is not known here, give the model with shapes=FILE"
        )
    kept = {name: value for name, value in known.items() if not name.startswith(("data.", "model.input_shape"))}
    if model is None:
        return kept | {"data.type": "samples", "data.sample_shape": list(shape or ())}
    kept = {name: value for name, value in kept.items() if not name.startswith("model.") or name in _NOT_OF_A_MODEL}
    return kept | {"data.type": "samples", "model.type": "spec", "model.spec": dict(model)}


_NOT_OF_A_MODEL = ("model.model_num_per_trainer",)


def _side_by_side(ways: Sequence[Sequence[Row]]) -> Iterator[list[Row]]:
    """Yield the rows of one round, type and link in all ways; raises ConfigError where one way has others."""
    by_key = [{(row["round"], row["type"], row["link"]): row for row in rows} for rows in ways]
    for other in by_key[1:]:
        if other.keys() != by_key[0].keys():
            raise ConfigError(
                "releases number evaluations differently; name the one that ran with engine.protocol=NAME"
            )
    for key in by_key[0]:
        yield [rows[key] for rows in by_key]


def _agreed(same: Sequence[Row], metrics_are_told: bool, cell: Cell) -> dict[str, Any]:
    """Return one row in which bytes that are not the same are None; what another Python reports is never known."""
    row = dict(same[0])
    unknown = {name for name in COLUMNS if len({one[name] for one in same}) > 1} | {"reported_bytes"}
    if row["type"] == "metrics" and not metrics_are_told:
        unknown |= {"scalar_bytes", "wire_bytes"}
    if cell.get("federate.mode") == "distributed" and traffic_of(row["type"]) is Traffic.CONTROL:
        unknown |= {*COLUMNS}  # it has others, and sends finish twice
    return row | dict.fromkeys(unknown)


# --- workers --------------------------------------------------------------------------------------

Part = dict[str, Any]

_SAME_FOR_ALL = ("payload_bytes",)
"""What all copies of an upload have in common: ids and numbers of samples have different lengths in others."""


def workers_of(rows: Sequence[Row], way: Way, log: Evidence) -> list[Part]:
    """Return the rows of a ledger's workers, bytes that are not known None.

    `rows` are the messages as far as they are known. Clients of which it is not known how often they were sampled are
    left out, and so are all where a configuration says that there are more than `_MOST_CLIENTS`.
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
    if (clients := way.options.clients) > _MOST_CLIENTS:
        return {}
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


_MOST_CLIENTS = 1_000_000


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
    """Return what a worker sent or received, as a ledger has it."""
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
