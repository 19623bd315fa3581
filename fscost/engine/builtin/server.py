"""The server's model: which entries travel up, and how they are aggregated."""

from typing import Any

import torch
from torch import Tensor, nn

from fscost.engine.builtin.options import Options
from fscost.engine.builtin.training import make_optimizer

Update = tuple[int, dict[str, Tensor]]
"""sample_size and the uploaded entries of the local model's state_dict."""


class Aggregator:
    """Averages local models into the global one, FedAvg (McMahan et al., 2017) or FedOpt (Reddi et al., 2021)."""

    def __init__(self, model: nn.Module, options: Options) -> None:
        self.model, self.options = model, options
        arguments = options.server_optimizer
        self.optimizer = make_optimizer(model, arguments) if arguments else None

        trainable = {name for name, p in model.named_parameters() if p.requires_grad}
        self.shared = set(model.state_dict()) if options.uploads_buffers else trainable
        """What a client uploads and what it accepts: parameters, on older releases running statistics too."""

    def uploaded(self, local: nn.Module) -> dict[str, Tensor]:
        """Return the entries of its state_dict that a client uploads."""
        return {name: value for name, value in local.state_dict().items() if name in self.shared}

    def kept(self, local: nn.Module) -> dict[str, Tensor]:
        """Return copies of the entries a client keeps to itself; the server's are dropped on receipt."""
        return {name: value.clone() for name, value in local.state_dict().items() if name not in self.shared}

    def aggregate(self, updates: list[Update]) -> None:
        """Move the global model to the average of the updates, weighted by sample_size unless ``ignore_weight``."""
        weights = [1.0 if self.options["federate.ignore_weight"] else float(size) for size, _ in updates]
        shares = [weight / sum(weights) for weight in weights]
        average = {
            name: sum(share * update[name] for share, (_, update) in zip(shares, updates, strict=True))
            for name in updates[0][1]
        }
        if self.optimizer is None:
            self.model.load_state_dict(average, strict=False)
        else:
            self._server_step(average)

    @torch.no_grad()
    def _server_step(self, average: dict[str, Any]) -> None:
        """Take the averaged update as a gradient: one step of the server's optimizer."""
        assert self.optimizer is not None
        for name, parameter in self.model.named_parameters():
            parameter.grad = parameter - average[name]
        self.optimizer.step()
