"""The split of the digits over clients, by chance or by label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fscost.protocol.datasets import Split, split_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_DRAWS = 1000


@dataclass(frozen=True)
class Parts:
    """Indices of samples: of the server, by split, and of each client 1…N, by split."""

    server: dict[str, NDArray[np.int64]]
    clients: dict[int, dict[str, NDArray[np.int64]]]


def split_digits(y: NDArray[np.int64], split: Split) -> Parts:
    """Split the samples with labels `y`; equal seeds give equal splits.

    The order of the draws is that of FederatedScope's own translator and splitters. Raises ValueError where `alpha`
    leaves a client without samples.
    """
    rng = np.random.RandomState(split.seed)
    order = rng.permutation(np.arange(len(y)))
    sizes = split_sizes(split.shares, len(y))
    bounds = np.cumsum([sizes["train"], sizes["val"]])
    server = dict(zip(("train", "val", "test"), np.split(order, bounds)))
    over_clients = _by_chance(server, split, rng) if split.alpha is None else _by_label(server, y, split, rng)
    clients = {c: {name: parts[c - 1] for name, parts in over_clients.items()} for c in range(1, split.clients + 1)}
    return Parts(server, clients)


def _by_chance(
    server: dict[str, NDArray[np.int64]], split: Split, rng: np.random.RandomState
) -> dict[str, list[NDArray[np.int64]]]:
    return {name: np.array_split(rng.permutation(index), split.clients) for name, index in server.items()}


def _by_label(
    server: dict[str, NDArray[np.int64]], y: NDArray[np.int64], split: Split, rng: np.random.RandomState
) -> dict[str, list[NDArray[np.int64]]]:
    assert split.alpha is not None
    train = _by_dirichlet(y[server["train"]], split.clients, split.alpha, rng)
    counts = np.stack([np.bincount(y[server["train"]][index], minlength=y.max() + 1) for index in train])
    parts = {"train": [server["train"][index] for index in train]}
    for name in ("val", "test"):
        labels = y[server[name]]
        if split.consistent:
            local = _by_counts(labels, counts, rng)
        else:
            local = _by_dirichlet(labels, split.clients, split.alpha, rng)
        parts[name] = [server[name][index] for index in local]
    return parts


def _by_dirichlet(
    labels: NDArray[np.int64], clients: int, alpha: float, rng: np.random.RandomState
) -> list[NDArray[np.int64]]:
    """Split each label over clients in proportions drawn from a symmetric Dirichlet distribution (Hsu et al., 2019).

    Draws again until every client has a sample. Raises ValueError when that does not happen.
    """
    for _ in range(_MAX_DRAWS):
        shares: list[list[NDArray[np.int64]]] = [[] for _ in range(clients)]
        for label in np.unique(labels):
            index = np.flatnonzero(labels == label)
            rng.shuffle(index)
            cuts = (np.cumsum(rng.dirichlet(np.full(clients, alpha))) * len(index)).astype(int)[:-1]
            for share, part in zip(shares, np.split(index, cuts)):
                share.append(part)
        merged = [np.concatenate(share) for share in shares]
        if min(len(share) for share in merged) > 0:
            return _shuffled(merged, rng)
    raise ValueError(f"alpha={alpha} leaves a client of {clients} without samples; raise alpha or take fewer clients")


def _by_counts(
    labels: NDArray[np.int64], counts: NDArray[np.int64], rng: np.random.RandomState
) -> list[NDArray[np.int64]]:
    """Split each label in the proportions of `counts` (clients, labels), such that every sample is given once."""
    shares: list[list[NDArray[np.int64]]] = [[] for _ in range(len(counts))]
    for label in np.unique(labels):
        index = np.flatnonzero(labels == label)
        rng.shuffle(index)
        wanted = np.ceil(counts[:, label] / counts[:, label].sum() * len(index)).astype(int)
        while wanted.sum() > len(index):
            client = rng.choice(range(len(counts)))
            wanted[client] -= wanted[client] > 0
        for share, part in zip(shares, np.split(index, np.cumsum(wanted)[:-1])):
            share.append(part)
    return _shuffled([np.concatenate(share) for share in shares], rng)


def _shuffled(shares: list[NDArray[np.int64]], rng: np.random.RandomState) -> list[NDArray[np.int64]]:
    return [rng.permutation(share) for share in shares]
