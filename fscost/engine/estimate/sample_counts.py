"""How many samples each client has, from the split alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from fscost.protocol.course_options import Options
from fscost.protocol.datasets import DATA_TYPES, Split, split_sizes
from fscost.protocol.splits import split_digits

_TOY_SAMPLES = 1000
ONE_BYTE = 127
"""Integers up to this are one byte long in a message, so that it does not matter which clients are named."""


@dataclass(frozen=True)
class Alike:
    """Clients whose messages are equally long: how many there are, one of their ids, and their samples by split.

    They are of one `kind`, a number from 0, and have samples of so many `classes`, None where nobody knows labels.
    """

    clients: int
    one: int
    samples: dict[str, int]
    kind: int = 0
    classes: int | None = None


def groups_of(options: Options, kinds: int = 1, *, by_classes: bool = False) -> Iterator[Alike]:
    """Yield the clients in groups of equal samples whose ids are equally long in a message.

    Clients are of so many `kinds` in turn, and each group of one; `by_classes` also of one number of classes.
    """
    if samples := _same_for_all(options):
        dealt = (ids[kind::kinds] for ids in equally_long(options.clients) for kind in range(kinds))
        yield from (Alike(len(ids), ids[0], samples, (ids[0] - 1) % kinds) for ids in dealt if ids)
        return
    classes = {client: len(own) for client, own in classes_of(options).items()} if by_classes else {}
    found: dict[tuple[int | None, ...], Alike] = {}
    for client, samples in _digits(options):
        kind, own = (client - 1) % kinds, classes.get(client)
        key = (client > ONE_BYTE, kind, own, *samples.values())
        before = found.get(key, Alike(0, client, samples, kind, own))
        found[key] = Alike(before.clients + 1, before.one, samples, kind, own)
    yield from found.values()


@lru_cache(maxsize=64)
def _classes(data_type: str, split: Split) -> dict[int, frozenset[int]]:
    labels = _labels(data_type)
    parts = split_digits(labels, split).clients
    return {client: frozenset(labels[splits["train"]].tolist()) for client, splits in parts.items()}


def classes_of(options: Options) -> dict[int, frozenset[int]]:
    """Return the labels that each client has among its training samples; nothing where the data have none."""
    return _classes(options["data.type"], options.split) if options["data.type"] in DATA_TYPES else {}


def _same_for_all(options: Options) -> dict[str, int]:
    """Return the samples that every client has, nothing where they differ; with ``global`` one has those of all."""
    share = options["federate.client_num"] // options.clients
    if options["data.type"] == "toy":
        return dict.fromkeys(("train", "val", "test"), _TOY_SAMPLES * share)
    if options["data.type"] == "samples":
        return {split: options[f"data.{split}_samples"] * share for split in ("train", "val", "test")}
    return {}


def _digits(options: Options) -> Iterator[tuple[int, dict[str, int]]]:
    """Yield each client with its samples by split; an iid split deals them out evenly, the first ones get one more."""
    if options.split.alpha is None:
        sizes = split_sizes(options["data.splits"], DATA_TYPES[options["data.type"]].source.samples)
        clients = options.clients
        for client in range(1, clients + 1):
            yield client, {name: size // clients + (client <= size % clients) for name, size in sizes.items()}
        return
    yield from _by_label(options["data.type"], options.split).items()


@lru_cache(maxsize=1024)
def _by_label(data_type: str, split: Split) -> dict[int, dict[str, int]]:
    """Return each client with its samples of a Dirichlet split, drawn once for the cells of all models and methods."""
    clients = split_digits(_labels(data_type), split).clients
    return {client: {name: len(index) for name, index in splits.items()} for client, splits in clients.items()}


@cache
def _labels(data_type: str) -> NDArray[np.int64]:
    return DATA_TYPES[data_type].source.labels()


def equally_long(clients: int) -> Iterator[range]:
    """Yield the ids 1…clients in ranges of equally long varints: seven bits per byte."""
    first = 1
    while first <= clients:
        last = (1 << 7 * ((first.bit_length() + 6) // 7)) - 1
        yield range(first, min(last, clients) + 1)
        first = last + 1
