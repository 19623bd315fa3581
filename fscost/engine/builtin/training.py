"""What is done with a model and samples: steps of an optimizer, and evaluation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fscost.engine.builtin.client_data import Samples
from fscost.protocol.course_options import LocalSteps, Options

Metrics = dict[str, float | int]


@dataclass(frozen=True)
class Pull:
    """Adds strength/2 · |w - anchor|² to the loss: keeps parameters near others, given in the same order."""

    strength: float
    anchor: Sequence[Tensor]

    def loss(self, parameters: Iterable[Tensor]) -> Tensor | float:
        """Return the term."""
        pairs = zip(parameters, self.anchor, strict=True)
        return self.strength / 2 * sum(((p - p0) ** 2).sum() for p, p0 in pairs)


@dataclass(frozen=True)
class Tilt:
    """Adds ⟨slope, w⟩ to the loss, so that every gradient is larger by the slope; in the order of the parameters."""

    slope: Sequence[Tensor]

    def loss(self, parameters: Iterable[Tensor]) -> Tensor | float:
        """Return the term."""
        return sum((slope * p).sum() for slope, p in zip(self.slope, parameters, strict=True))


class Term(Protocol):
    """What a method adds to the loss."""

    def loss(self, parameters: Iterable[Tensor]) -> Tensor | float:
        """Return it, for the model's parameters."""


def anchored(model: nn.Module, strength: float) -> Pull | None:
    """Return the pull towards the model as it is now, None if it has no strength."""
    return Pull(strength, [p.detach().clone() for p in model.parameters()]) if strength else None


class Trainer:
    """Takes steps on batches of samples, as one cell's options say."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clip = options["grad.grad_clip"]
        self.criterion = getattr(nn, options["criterion.type"])(reduction="none")

    def fit(
        self,
        model: nn.Module,
        samples: Samples,
        batches: Iterable[Tensor],
        optimizer: torch.optim.Optimizer,
        pull: Term | None = None,
        weights: Tensor | None = None,
    ) -> int:
        """Train `model` in place, one step per batch of indices, and return how many samples were seen.

        `weights` (n,) weigh the loss of each sample. Raises ValueError for a batch too small for batch norm.
        """
        needs_two = any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
        model.train()
        seen = 0
        for batch in batches:
            if needs_two and len(batch) < 2:
                raise ValueError("batch norm cannot train on a batch of one sample; set fs.dataloader.drop_last=true")
            self.step(model, samples, batch, optimizer, pull, weights)
            seen += len(batch)
        return seen

    def step(
        self,
        model: nn.Module,
        samples: Samples,
        batch: Tensor,
        optimizer: torch.optim.Optimizer,
        pull: Term | None = None,
        weights: Tensor | None = None,
    ) -> None:
        """Take one step on one batch of indices."""
        optimizer.zero_grad()
        losses = self.criterion(model(samples.x[batch]), samples.y[batch])
        loss = (losses if weights is None else losses.reshape(len(batch), -1).mean(1) * weights[batch]).mean()
        if pull is not None:
            loss = loss + pull.loss(model.parameters())
        loss.backward()
        if self.clip > 0:
            nn.utils.clip_grad_norm_(model.parameters(), self.clip)
        optimizer.step()

    @torch.no_grad()
    def losses(self, model: nn.Module, samples: Samples) -> Tensor:
        """Return the loss (n,) of each sample; running statistics stay as they are."""
        model.eval()
        losses: Tensor = self.criterion(model(samples.x), samples.y)
        return losses.reshape(len(samples), -1).mean(1)


def make_optimizer(parameters: Iterable[Tensor], arguments: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return the torch optimizer ``type`` with the other arguments."""
    rest = {key: value for key, value in arguments.items() if key != "type"}
    optimizer: torch.optim.Optimizer = getattr(torch.optim, arguments["type"])(parameters, **rest)
    return optimizer


def passes(samples: int, steps: LocalSteps, *, shuffle: bool, generator: torch.Generator) -> Iterator[list[Tensor]]:
    """Yield the indices of the batches of each pass over the samples, drawn anew for every pass."""
    for count in steps.batches(samples):
        order = torch.randperm(samples, generator=generator) if shuffle else torch.arange(samples)
        yield list(torch.split(order, steps.batch_size))[:count]


def batches(samples: int, options: Options, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of each batch of a local update."""
    for one in passes(samples, options.local_steps, shuffle=options["dataloader.shuffle"], generator=generator):
        yield from one


@torch.no_grad()
def evaluate(
    models: Sequence[nn.Module],
    splits: Mapping[str, Samples],
    options: Options,
    generator: torch.Generator | None = None,
    mixture: Tensor | None = None,
) -> Metrics:
    """Return ``<split>_<metric>`` for every split that has samples; types as in FederatedScope's messages.

    On ``train`` FederatedScope evaluates the batches of one local update, drawn here from `generator`. Of several
    models the outputs are mixed with the weights `mixture`.
    """
    parts = dict(_evaluated(splits, options, generator))
    if not parts:
        return {}
    x = torch.cat([samples.x for samples in parts.values()])
    together = _mixed([model.eval()(x) for model in models], mixture, options)
    outputs = together.split([len(samples) for samples in parts.values()])
    found: Metrics = {}
    for (split, samples), output in zip(parts.items(), outputs, strict=True):
        found |= {f"{split}_{name}": value for name, value in _metrics(output, samples, options).items()}
    return found


def _evaluated(
    splits: Mapping[str, Samples], options: Options, generator: torch.Generator | None
) -> Iterator[tuple[str, Samples]]:
    """Yield each split that is evaluated and has samples."""
    for split in options["eval.split"]:
        if (samples := splits.get(split)) is None or len(samples) == 0:
            continue
        if split == "train" and generator is not None:
            batch = torch.cat(list(batches(len(samples), options, generator)))
            samples = Samples(samples.x[batch], samples.y[batch])
        yield split, samples


def _mixed(outputs: Sequence[Tensor], mixture: Tensor | None, options: Options) -> Tensor:
    """Return the output (n, outputs) for each sample; of several classifiers, the logarithm of mixed probabilities."""
    if mixture is None:
        return outputs[0]
    is_classified = options["criterion.type"] == "CrossEntropyLoss"
    parts = torch.stack([output.softmax(1) if is_classified else output for output in outputs])
    mixed: Tensor = torch.tensordot(mixture, parts, 1)
    return mixed.log() if is_classified else mixed


def _metrics(output: Tensor, samples: Samples, options: Options) -> Metrics:
    loss = float(getattr(nn, options["criterion.type"])()(output, samples.y)) * len(samples)
    always: Metrics = {"loss": loss, "avg_loss": loss / len(samples), "total": len(samples)}
    return always | {name: _metric(name, output, samples.y) for name in options["eval.metrics"] if name not in always}


def _metric(name: str, output: Tensor, target: Tensor) -> float:
    match name:
        case "correct":  # a numpy number in FederatedScope too: its asizeof is another
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
