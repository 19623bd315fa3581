"""What clients do with a model: the local update and the evaluation."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fscost.engine.builtin.data import Samples
from fscost.engine.builtin.options import Options

Metrics = dict[str, float | int]


def local_update(model: nn.Module, samples: Samples, options: Options, generator: torch.Generator) -> int:
    """Train `model` in place on one client's samples and return sample_size, the samples seen.

    FedProx (Li et al., 2020) adds mu/2·|w - w_global|² to the loss; w_global is what the model starts from.
    """
    optimizer = make_optimizer(model, options.optimizer)
    criterion = getattr(nn, options["criterion.type"])()
    mu = options["fedprox.mu"] if options["fedprox.use"] else 0.0
    start = [p.detach().clone() for p in model.parameters()] if mu else []
    clip = options["grad.grad_clip"]
    needs_two = any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
    model.train()
    seen = 0
    for batch in batches(len(samples), options, generator):
        if needs_two and len(batch) < 2:
            raise ValueError("batch norm cannot train on a batch of one sample; set fs.dataloader.drop_last=true")
        optimizer.zero_grad()
        loss = criterion(model(samples.x[batch]), samples.y[batch])
        if mu:
            pairs = zip(model.parameters(), start, strict=True)
            loss = loss + mu / 2 * sum(((p - p0) ** 2).sum() for p, p0 in pairs)
        loss.backward()
        if clip > 0:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        seen += len(batch)
    return seen


def make_optimizer(model: nn.Module, arguments: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return the torch optimizer ``type`` with the other arguments."""
    rest = {key: value for key, value in arguments.items() if key != "type"}
    optimizer: torch.optim.Optimizer = getattr(torch.optim, arguments["type"])(model.parameters(), **rest)
    return optimizer


def batches(samples: int, options: Options, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of each batch of a local update.

    ``batch``: ``local_update_steps`` batches, shuffled anew when the data is used up; ``epoch``: as many passes.
    """
    size, steps = options["dataloader.batch_size"], options["train.local_update_steps"]
    per_epoch = samples // size if options["dataloader.drop_last"] else math.ceil(samples / size)
    if per_epoch == 0:
        raise ValueError(f"a client has {samples} samples, less than a batch of {size}, and drop_last is set")
    left = steps * per_epoch if options["train.batch_or_epoch"] == "epoch" else steps
    while left > 0:
        order = torch.randperm(samples, generator=generator) if options["dataloader.shuffle"] else torch.arange(samples)
        yield from torch.split(order, size)[: min(left, per_epoch)]
        left -= min(left, per_epoch)


@torch.no_grad()
def evaluate(
    model: nn.Module, splits: Mapping[str, Samples], options: Options, generator: torch.Generator | None = None
) -> Metrics:
    """Return ``<split>_<metric>`` for every split that has samples; types as in FederatedScope's messages.

    On ``train`` FederatedScope evaluates the batches of one local update, drawn here from `generator`.
    """
    model.eval()
    found: Metrics = {}
    for split in options["eval.split"]:
        if (samples := splits.get(split)) is None or len(samples) == 0:
            continue
        if split == "train" and generator is not None:
            batch = torch.cat(list(batches(len(samples), options, generator)))
            samples = Samples(samples.x[batch], samples.y[batch])
        found |= {f"{split}_{name}": value for name, value in _evaluate(model, samples, options).items()}
    return found


def _evaluate(model: nn.Module, samples: Samples, options: Options) -> Metrics:
    output = model(samples.x)
    loss = float(getattr(nn, options["criterion.type"])()(output, samples.y)) * len(samples)
    always: Metrics = {"loss": loss, "avg_loss": loss / len(samples), "total": len(samples)}
    return always | {name: _metric(name, output, samples.y) for name in options["eval.metrics"] if name not in always}


def _metric(name: str, output: Tensor, target: Tensor) -> float:
    match name:
        case "correct":  # a numpy number in FederatedScope too: its asizeof tells the difference
            return np.float64((output.argmax(1) == target).sum().item())
        case "acc":
            return float((output.argmax(1) == target).double().mean())
        case "f1":
            from sklearn.metrics import f1_score

            return float(f1_score(target.numpy(), output.argmax(1).numpy(), average="macro"))
        case "mse":
            return float(((output - target) ** 2).mean())
        case "rmse":
            return float(((output - target) ** 2).mean().sqrt())
        case _:  # loss_regular: the regularizer takes no part in an evaluation
            return float(0 * len(target))
