"""scikit-learn's handwritten digits and their split over clients.

Every engine that trains uses this one module, FederatedScope's interpreter included, so that runs of one cell are
comparable; hence it keeps to Python 3.8 and numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA_TYPES = ("digits", "digits_flat")
"""``data.type``: images (1, 8, 8), or vectors of 64 numbers."""

SAMPLES = 1797
SPLITTERS = ("iid_fixed", "lda")
_MAX_DRAWS = 1000


@dataclass(frozen=True)
class Split:
    """How the samples are split: the shares of train and val, the rest being test, and how clients get theirs.

    `alpha` is the parameter of a Dirichlet split over labels, None for an iid split. With `consistent`, val and test
    follow each client's labels in train.
    """

    clients: int
    shares: tuple[float, float]
    alpha: float | None
    consistent: bool
    seed: int


@dataclass(frozen=True)
class Parts:
    """Indices of samples: of the server, by split, and of each client 1…N, by split."""

    server: dict[str, NDArray[np.int64]]
    clients: dict[int, dict[str, NDArray[np.int64]]]


def split_sizes(shares: Sequence[float]) -> dict[str, int]:
    """Return the samples in train, val and test before they are split over clients."""
    train, val = (int(share * SAMPLES) for share in shares[:2])
    return {"train": train, "val": val, "test": SAMPLES - train - val}


def load_digits(*, flat: bool, resize: int | None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the digits in [0, 1] as (n, 1, h, w) images or (n, h·w) vectors, scaled up to `resize` if asked."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16.0).astype(np.float32)
    if resize:
        nearest = np.arange(resize) * images.shape[1] // resize
        images = images[:, nearest][:, :, nearest]
    x = images.reshape(len(images), -1) if flat else images[:, None]
    return np.ascontiguousarray(x), bunch.target.astype(np.int64)


def split_digits(y: NDArray[np.int64], split: Split) -> Parts:
    """Split the samples with labels `y`; equal seeds give equal splits.

    The order of the draws is that of FederatedScope's own translator and splitters. Raises ValueError where `alpha`
    leaves a client without samples.
    """
    rng = np.random.RandomState(split.seed)
    order = rng.permutation(np.arange(len(y)))
    sizes = split_sizes(split.shares)
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
