"""The digits, registered as FederatedScope's own data sets are; and a splitter in the place of one that crashes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fscost.protocol.datasets import DATA_TYPES, SPLITTERS, Split
from fscost.protocol.splits import split_digits


def register(file: str | None) -> None:
    """Make every ``data.type`` of digits and ``data.splitter: iid_fixed`` known to FederatedScope.

    `file` holds the data of the cell, None if they are none of fscost's.
    """
    from federatedscope.register import register_data, register_splitter

    register_data("digits", partial(_digits, Path(file) if file else None))
    register_splitter("iid_fixed", _iid_fixed)


def _digits(file: Path | None, config: Any, client_cfgs: Any = None) -> Any:
    """Return (data, config) with the split that the builtin engine makes, None for another data set."""
    if config.data.type not in DATA_TYPES:
        return None
    if config.data.splitter not in SPLITTERS:
        raise ValueError(f"data.splitter={config.data.splitter}: the digits are split by {' or '.join(SPLITTERS)}")
    arguments = {key: value for item in config.data.args for key, value in item.items()}
    x, y = DATA_TYPES[config.data.type].load(arguments.get("resize"), file)
    samples = _samples(x, y)
    parts = split_digits(y, _split(config))
    workers = {0: parts.server, **parts.clients}
    taken = {
        worker: {name: [samples[i] for i in index] for name, index in splits.items()}
        for worker, splits in workers.items()
    }
    loaded = _in_loaders(taken, config)
    _restore_seed(config.seed)
    return loaded, config


def _restore_seed(seed: int) -> None:
    """Seed all generators anew: since v0.3.0 a constant seed is set before a registered loader, and stays behind it."""
    try:
        import federatedscope.core.data  # noqa: F401 - came with that
        from federatedscope.core.auxiliaries.utils import setup_seed
    except ImportError:
        return
    setup_seed(seed)


def _samples(x: Any, y: Any) -> list[tuple[Any, int]]:
    import torch

    return [(torch.from_numpy(image), int(label)) for image, label in zip(x, y)]


def _split(config: Any) -> Split:
    arguments = {key: value for item in config.data.splitter_args for key, value in item.items()}
    return Split(
        clients=config.federate.client_num,
        shares=tuple(config.data.splits[:2]),
        alpha=arguments.get("alpha", 0.5) if config.data.splitter == "lda" else None,
        consistent=config.data.consistent_label_distribution,
        seed=config.seed,
    )


def _in_loaders(taken: dict[int, dict[str, Any]], config: Any) -> Any:
    """Return the samples as this release wants them: ClientData since v0.3.0, DataLoaders before."""
    try:
        from federatedscope.core.data import ClientData, StandaloneDataDict
    except ImportError:
        from federatedscope.core.auxiliaries.dataloader_builder import get_dataloader

        return {
            worker: {name: get_dataloader(samples, config) for name, samples in splits.items() if samples}
            for worker, splits in taken.items()
        }
    return StandaloneDataDict({worker: ClientData(config, **splits) for worker, splits in taken.items()}, config)


class _IidFixed:
    """Splits any data set into equal shares at random; FederatedScope's ``iid`` calls what numpy does not have."""

    def __init__(self, clients: int) -> None:
        self.clients = clients

    def __call__(self, dataset: Any, prior: Any = None, **_ignored: Any) -> Any:
        from torch.utils.data import Dataset, Subset

        shares = np.array_split(np.random.permutation(len(dataset)), self.clients)
        if isinstance(dataset, Dataset):
            return [Subset(dataset, share.tolist()) for share in shares]
        return [[dataset[i] for i in share] for share in shares]


def _iid_fixed(asked: Any, client_num: int = 0, **_arguments: Any) -> _IidFixed | None:
    """Return the splitter if it is the one `asked` for: by name, or, in v0.2.0, by the whole configuration."""
    if not isinstance(asked, str):
        asked, client_num = asked.data.splitter, asked.federate.client_num
    return _IidFixed(client_num) if asked == "iid_fixed" else None
