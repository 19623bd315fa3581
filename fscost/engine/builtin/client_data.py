"""The data of the federation: handwritten digits, split over clients, and FederatedScope's toy regression."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fscost.protocol.course_options import Options
from fscost.protocol.datasets import DATA_TYPES
from fscost.protocol.splits import split_digits


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
    federation = _toy(options) if options["data.type"] == "toy" else _digits(options)
    return _merge_test_data(federation) if options["federate.merge_test_data"] else federation


def _merge_test_data(federation: Federation) -> Federation:
    """Give the server the clients' test samples and nothing else, as ``federate.merge_test_data`` does."""
    merged = _joined(splits["test"] for splits in federation.clients.values())
    return Federation({"test": merged}, federation.clients)


def _joined(parts: Iterable[Samples]) -> Samples:
    parts = list(parts)
    return Samples(torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts]))


def _digits(options: Options) -> Federation:
    x, y = DATA_TYPES[options["data.type"]].load(options.argument("data.args", "resize"))
    parts = split_digits(y, options.split)
    tensors = Samples(torch.from_numpy(x), torch.from_numpy(y))
    clients = {c: {name: _take(tensors, index) for name, index in own.items()} for c, own in parts.clients.items()}
    return Federation({name: _take(tensors, index) for name, index in parts.server.items()}, clients)


def _take(samples: Samples, index: NDArray[np.int64]) -> Samples:
    return Samples(samples.x[index], samples.y[index])


def _toy(options: Options) -> Federation:
    """Return noiseless linear regressions on 5 features; client k's inputs have a standard deviation of k/2.

    1,000 samples each; all workers share one val and one test split (FederatedScope's ``data.type: toy``).
    """
    rng = np.random.RandomState(options["seed"])
    weights, bias = rng.normal(size=5), rng.normal()

    def draw(scale: float) -> Samples:
        x = rng.normal(scale=scale, size=(1000, 5))
        y = (x @ weights + bias)[:, None]
        return Samples(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))

    train = {client: draw(0.5 * client) for client in range(1, options["federate.client_num"] + 1)}
    shared = {"test": draw(1.0), "val": draw(1.0)}
    if options.method == "global":  # one client has what all would have, their shared splits as often as they
        return Federation(
            shared, {1: {"train": _joined(train.values())} | {n: _joined([s] * len(train)) for n, s in shared.items()}}
        )
    return Federation(shared, {client: {"train": samples, **shared} for client, samples in train.items()})
