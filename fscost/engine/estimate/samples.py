"""How many samples each client has, from the split alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fscost.digits import DATA_TYPES, split_digits, split_sizes
from fscost.engine.builtin.options import Options

_TOY_SAMPLES = 1000
_ONE_BYTE = 127


@dataclass(frozen=True)
class Alike:
    """Clients whose messages are equally long: how many there are, one of their ids, and their samples by split."""

    clients: int
    one: int
    samples: dict[str, int]


def groups_of(options: Options, clients: int) -> Iterator[Alike]:
    """Yield the clients in groups of equal samples whose ids are equally long in a message."""
    if options["data.type"] == "toy":
        samples = dict.fromkeys(("train", "val", "test"), _TOY_SAMPLES)
        yield from (Alike(len(ids), ids[0], samples) for ids in equally_long(clients))
        return
    if clients < options.clients:  # federate.method=global: one client has everything
        yield Alike(1, 1, _in_all(options))
        return
    found: dict[tuple[int, ...], Alike] = {}
    for client, samples in _digits(options):
        key = (client > _ONE_BYTE, *samples.values())
        before = found.get(key, Alike(0, client, samples))
        found[key] = Alike(before.clients + 1, before.one, samples)
    yield from found.values()


def _digits(options: Options) -> Iterator[tuple[int, dict[str, int]]]:
    """Yield each client with its samples by split; an iid split deals them out evenly, the first ones get one more."""
    if options.split.alpha is None:
        sizes = _in_all(options)
        for client in range(1, options.clients + 1):
            yield client, {n: size // options.clients + (client <= size % options.clients) for n, size in sizes.items()}
        return
    for client, splits in split_digits(_labels(options["data.type"]), options.split).clients.items():
        yield client, {name: len(index) for name, index in splits.items()}


def _in_all(options: Options) -> dict[str, int]:
    return split_sizes(options["data.splits"], DATA_TYPES[options["data.type"]].source.samples)


@cache
def _labels(data_type: str) -> NDArray[np.int64]:
    return DATA_TYPES[data_type].load()[1]


def equally_long(clients: int) -> Iterator[range]:
    """Yield the ids 1…clients in ranges of equally long varints: seven bits per byte."""
    first = 1
    while first <= clients:
        last = (1 << 7 * ((first.bit_length() + 6) // 7)) - 1
        yield range(first, min(last, clients) + 1)
        first = last + 1


def batches(options: Options, samples: int) -> int:
    """Return how many batches one local update of a client with this many samples has."""
    size, steps = options["dataloader.batch_size"], options["train.local_update_steps"]
    per_epoch = samples // size if options["dataloader.drop_last"] else -(-samples // size)
    return int(steps * per_epoch if options["train.batch_or_epoch"] == "epoch" else steps)


def trained(options: Options, samples: int) -> int:
    """Return sample_size, the samples seen in one local update of a client with this many."""
    size, steps = options["dataloader.batch_size"], options["train.local_update_steps"]
    whole = samples - samples % size if options["dataloader.drop_last"] else samples
    per_epoch = -(-whole // size)
    if options["train.batch_or_epoch"] == "epoch":
        return int(steps * whole)
    return int(steps // per_epoch * whole + min(steps % per_epoch * size, whole)) if per_epoch else 0
