"""What the server learns beside models, or instead of them, and sends: control variates and prototypes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import nn

from fscost.engine.builtin.payloads import Entries
from fscost.protocol.course_options import Options


class Beside(Protocol):
    """What the server keeps of a method whose messages carry more than models."""

    def sent(self) -> Entries:
        """Return what the server sends of it."""

    def aggregate(self, uploads: Sequence[Entries]) -> None:
        """Take what the clients of a round uploaded of it."""


class ControlVariate:
    """SCAFFOLD's control variate of the server (Karimireddy et al., 2020): the mean of those of all clients."""

    def __init__(self, options: Options, model: nn.Module) -> None:
        self.clients = options.participants
        self.values = {name: torch.zeros_like(p) for name, p in model.named_parameters() if p.requires_grad}

    def sent(self) -> Entries:
        """Return it, by the names of parameters."""
        return self.values

    def aggregate(self, uploads: Sequence[Entries]) -> None:
        """Move it by the differences of the clients that trained; those of the others are 0."""
        self.values = {
            name: old + sum(one[name] for one in uploads) / self.clients for name, old in self.sent().items()
        }


class Prototypes:
    """FedProto's global prototypes (Tan et al., 2022): of each class, the mean of those that clients have."""

    def __init__(self, _options: Options, _model: nn.Module) -> None:
        self.values: Entries = {}

    def sent(self) -> Entries:
        """Return those of all classes that somebody had so far."""
        return self.values

    def aggregate(self, uploads: Sequence[Entries]) -> None:
        """Take the mean of each class over the clients that have it; of a class that none has, the old one stays."""
        names = sorted({name for one in uploads for name in one})
        new = {name: torch.stack([one[name] for one in uploads if name in one]).mean(0) for name in names}
        self.values = {**self.values, **new}


BESIDE: Mapping[str, type[ControlVariate] | type[Prototypes]] = {"scaffold": ControlVariate, "fedproto": Prototypes}
"""Methods, by their name in `fscost.protocol.methods`, whose server keeps more than models."""


def make_beside(options: Options, model: nn.Module) -> Beside | None:
    """Return what the server keeps beside models, None with most methods."""
    own = [BESIDE[method.name] for method in options.used_methods if method.name in BESIDE]
    return own[0](options, model) if own else None
