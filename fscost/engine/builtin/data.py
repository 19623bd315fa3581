"""The data of the federation: scikit-learn's digits, split over clients, and FederatedScope's toy regression."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fscost.engine.builtin.options import Options

_MAX_DRAWS = 1000


@dataclass(frozen=True)
class Samples:
    """Inputs (n, …) and targets (n,) or (n, 1) of one split of one worker."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Federation:
    """The splits (train, val, test) of the server, which holds all data, and of each client 1…N."""

    server: dict[str, Samples]
    clients: dict[int, dict[str, Samples]]


def load_federation(options: Options) -> Federation:
    """Return the data of a cell; the seed decides the split, so equal seeds give equal splits."""
    rng = np.random.RandomState(options["seed"])
    federation = _toy(options, rng) if options["data.type"] == "toy" else _digits(options, rng)
    return _merge_test_data(federation) if options["federate.merge_test_data"] else federation


def _merge_test_data(federation: Federation) -> Federation:
    """Give the server the clients' test samples and nothing else, as ``federate.merge_test_data`` does."""
    parts = [splits["test"] for splits in federation.clients.values()]
    merged = Samples(torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts]))
    return Federation({"test": merged}, federation.clients)


def _digits(options: Options, rng: np.random.RandomState) -> Federation:
    x, y = _digit_arrays(options)
    order = rng.permutation(np.arange(len(y)))
    sizes = options.split_sizes
    assert sizes is not None
    bounds = np.cumsum([sizes["train"], sizes["val"]])
    parts = dict(zip(("train", "val", "test"), np.split(order, bounds), strict=True))
    shares = dict(_shares(options, parts, y, rng))
    tensors = Samples(torch.from_numpy(x), torch.from_numpy(y))
    clients = {
        client: {split: _take(tensors, shares[split][client - 1]) for split in shares}
        for client in range(1, options.clients + 1)
    }
    return Federation({split: _take(tensors, index) for split, index in parts.items()}, clients)


def _digit_arrays(options: Options) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the digits in [0, 1] as (n, 1, h, w) images or (n, h·w) vectors, scaled up to ``resize`` if asked."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16.0).astype(np.float32)
    if size := options.argument("data.args", "resize"):
        nearest = np.arange(size) * images.shape[1] // size
        images = images[:, nearest][:, :, nearest]
    flat = options["data.type"] == "digits_flat"
    x = images.reshape(len(images), -1) if flat else images[:, None]
    return np.ascontiguousarray(x), bunch.target.astype(np.int64)


def _take(samples: Samples, index: NDArray[np.int64]) -> Samples:
    return Samples(samples.x[index], samples.y[index])


def _shares(
    options: Options, parts: dict[str, NDArray[np.int64]], y: NDArray[np.int64], rng: np.random.RandomState
) -> Iterator[tuple[str, list[NDArray[np.int64]]]]:
    """Yield each split with the samples of every client; val and test follow the labels of train under ``lda``."""
    if options["data.splitter"] != "lda":
        for split, index in parts.items():
            yield split, np.array_split(rng.permutation(index), options.clients)
        return
    alpha = float(options.argument("data.splitter_args", "alpha", 0.5))
    train = _by_dirichlet(y[parts["train"]], options.clients, alpha, rng)
    counts = np.stack([np.bincount(y[parts["train"]][index], minlength=y.max() + 1) for index in train])
    yield "train", [parts["train"][index] for index in train]
    for split in ("val", "test"):
        labels = y[parts[split]]
        consistent = options["data.consistent_label_distribution"]
        local = _by_counts(labels, counts, rng) if consistent else _by_dirichlet(labels, options.clients, alpha, rng)
        yield split, [parts[split][index] for index in local]


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
            for share, part in zip(shares, np.split(index, cuts), strict=True):
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
        for share, part in zip(shares, np.split(index, np.cumsum(wanted)[:-1]), strict=True):
            share.append(part)
    return _shuffled([np.concatenate(share) for share in shares], rng)


def _shuffled(shares: list[NDArray[np.int64]], rng: np.random.RandomState) -> list[NDArray[np.int64]]:
    return [rng.permutation(share) for share in shares]


def _toy(options: Options, rng: np.random.RandomState) -> Federation:
    """Return noiseless linear regressions on 5 features; client k's inputs have a standard deviation of k/2.

    1,000 samples each; all workers share one val and one test split (FederatedScope's ``data.type: toy``).
    """
    weights, bias = rng.normal(size=5), rng.normal()

    def draw(scale: float) -> Samples:
        x = rng.normal(scale=scale, size=(1000, 5))
        y = (x @ weights + bias)[:, None]
        return Samples(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))

    train = {client: draw(0.5 * client) for client in range(1, options.clients + 1)}
    shared = {"test": draw(1.0), "val": draw(1.0)}
    return Federation(shared, {client: {"train": samples, **shared} for client, samples in train.items()})
