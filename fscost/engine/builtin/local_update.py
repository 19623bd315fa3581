"""What clients do with the models they receive: the local update and the evaluation, method by method.

All clients are simulated in turn on one model; between turns each keeps only what the server does not know.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fscost.engine.builtin.client_data import Samples
from fscost.engine.builtin.payloads import Entries
from fscost.engine.builtin.training import (
    Metrics,
    Pull,
    Tilt,
    Trainer,
    anchored,
    batches,
    evaluate,
    make_optimizer,
    passes,
)
from fscost.protocol.course_options import LocalSteps, Options

Splits = Mapping[str, Samples]


class Local(Protocol):
    """One method's client side; `received` and what is returned are entries of one state_dict per model."""

    def update(self, client: int, received: Sequence[Entries], samples: Samples) -> tuple[int | float, list[Entries]]:
        """Do a local update and return sample_size and the entries to upload."""

    def evaluate(self, client: int, received: Sequence[Entries], splits: Splits) -> Metrics:
        """Return the metrics of what this client would use, on its own samples."""


class Average:
    """FedAvg (McMahan et al., 2017), and what differs from it only in what is shared or how long it trains.

    FedProx (Li et al., 2020) pulls the local model towards the one received. FedBN (Li et al., 2021) and FedPer
    (Arivazhagan et al., 2019) keep some entries local. NbAFL (Wei et al., 2020) adds noise before the upload.
    """

    def __init__(self, options: Options, model: nn.Module, shared: Sequence[str]) -> None:
        self.options, self.model, self.shared = options, model, shared
        self.state = model.state_dict()  # the model's own tensors, not copies
        self.own = sorted(self.state.keys() - set(shared))
        self.trainer = Trainer(options)
        self.clients = range(1, options.clients + 1)
        self.generator = {c: torch.Generator().manual_seed(options["seed"] * 1_000_003 + c) for c in self.clients}
        self.kept: dict[int, Entries] = dict.fromkeys(self.clients, self._own())

    def update(self, client: int, received: Sequence[Entries], samples: Samples) -> tuple[int | float, list[Entries]]:
        """Train the model received, as far as it is accepted."""
        self._receive(client, received[0])
        sample_size = self._fit(client, samples)
        self.kept[client] = self._own()
        self._add_noise(client, len(samples))
        return sample_size, [_copied(self.state, self.shared)]

    def evaluate(self, client: int, received: Sequence[Entries], splits: Splits) -> Metrics:
        """Evaluate the model received together with the client's own entries."""
        self._receive(client, received[0])
        if self.options["finetune.before_eval"]:
            self._finetune(client, splits["train"])
        return evaluate([self.model], splits, self.options, self.generator[client])

    def _receive(self, client: int, received: Entries) -> None:
        """Make the model the client's: what the server sent, but for the entries the client keeps to itself."""
        kept = {} if self.options["federate.share_local_model"] else self.kept[client]
        _load(self.state, received | kept)

    def _own(self) -> Entries:
        return _copied(self.state, self.own)

    def _fit(self, client: int, samples: Samples) -> int:
        optimizer = make_optimizer(self.model.parameters(), self.options.optimizer)
        pull = anchored(self.model, self.options["fedprox.mu"] if self.options["fedprox.use"] else 0.0)
        return self.trainer.fit(self.model, samples, self._batches(client, samples), optimizer, pull)

    def _batches(self, client: int, samples: Samples) -> Iterator[Tensor]:
        return batches(len(samples), self.options, self.generator[client])

    def _passes(self, client: int, samples: Samples, steps: LocalSteps) -> Iterator[list[Tensor]]:
        """Yield the batches of each pass over the client's samples."""
        shuffle = self.options["dataloader.shuffle"]
        return passes(len(samples), steps, shuffle=shuffle, generator=self.generator[client])

    def _finetune(self, client: int, samples: Samples) -> None:
        """Train a little before an evaluation; nothing of it is kept but what the client keeps anyway."""
        optimizer = make_optimizer(self.model.parameters(), self.options.finetune_optimizer)
        drawn = passes(len(samples), self.options.finetune_steps, shuffle=True, generator=self.generator[client])
        self.trainer.fit(self.model, samples, (batch for one in drawn for batch in one), optimizer)
        self.kept[client] = self._own()

    @torch.no_grad()
    def _add_noise(self, client: int, samples: int) -> None:
        """Add NbAFL's Gaussian noise of the uplink: w_clip · rounds · constant / (samples · epsilon)."""
        o = self.options
        if not o["nbafl.use"]:
            return
        scale = o["nbafl.w_clip"] * o.rounds * o["nbafl.constant"] / samples / o["nbafl.epsilon"]
        for parameter in self.model.parameters():
            parameter.data += scale * torch.randn(parameter.shape, generator=self.generator[client])


class Representation(Average):
    """FedRep (Collins et al., 2021): first the local head is trained with the shared body frozen, then the body.

    The head are the modules named in ``personalization.local_param``, each a first-level module of the model. Raises
    ValueError where that leaves no head or no body.
    """

    def _fit(self, client: int, samples: Samples) -> int:
        o, seen = self.options, 0
        head = [
            p for name, p in self.model.named_parameters() if name.split(".")[0] in o["personalization.local_param"]
        ]
        body = [p for p in self.model.parameters() if all(p is not other for other in head)]
        if not head or not body:
            modules = ", ".join(name for name, _ in self.model.named_children())
            raise ValueError(f"FedRep needs a head and a body: personalization.local_param must name some of {modules}")
        decay = o["personalization.weight_decay"]
        steps = [
            make_optimizer(part, {"type": "SGD", "lr": o[f"personalization.lr_{name}"], "weight_decay": decay})
            for name, part in (("linear", head), ("feature", body))
        ]
        drawn = self._passes(client, samples, o.local_steps)
        for number, one in enumerate(drawn):
            optimizer = steps[number >= o["personalization.epoch_linear"]]
            seen += self.trainer.fit(self.model, samples, one, optimizer)
        return seen


class Ditto(Average):
    """Ditto (Li et al., 2021): beside the global model each client trains a personal one, pulled towards it.

    Only the global model travels; the personal one, regularised by ``personalization.regular_weight``, is evaluated.
    """

    def __init__(self, options: Options, model: nn.Module, shared: Sequence[str]) -> None:
        super().__init__(options, model, shared)
        self.personal: dict[int, Entries] = dict.fromkeys(self.clients, _copied(self.state, self.state))

    def update(self, client: int, received: Sequence[Entries], samples: Samples) -> tuple[int | float, list[Entries]]:
        """Train the personal model towards the global one, then the global one as FedAvg does."""
        self._receive(client, received[0])
        pull = anchored(self.model, self.options["personalization.regular_weight"])
        _load(self.state, self.personal[client])
        optimizer = make_optimizer(self.model.parameters(), self.options.optimizer)
        drawn = self._passes(client, samples, self.options.personal_steps)
        self.trainer.fit(self.model, samples, (batch for one in drawn for batch in one), optimizer, pull)
        self.personal[client] = _copied(self.state, self.state)
        return super().update(client, received, samples)

    def evaluate(self, client: int, received: Sequence[Entries], splits: Splits) -> Metrics:
        """Evaluate the personal model."""
        _load(self.state, self.personal[client])
        return evaluate([self.model], splits, self.options, self.generator[client])


class Envelope(Average):
    """pFedMe (Dinh et al., 2020): the local model follows personal ones, each found in K steps on one batch.

    The personal model minimises its loss + regular_weight/2 · |θ - w|²; then w moves by lr · regular_weight · (w - θ).
    What is uploaded is w. Evaluated is the model received, as FederatedScope does.
    """

    def _fit(self, client: int, samples: Samples) -> int:
        o = self.options
        strength, lr = o["personalization.regular_weight"], o["train.optimizer.lr"]
        w = [p.detach().clone() for p in self.model.parameters()]
        optimizer = make_optimizer(self.model.parameters(), o.optimizer | {"lr": o.personal_lr})
        seen = 0
        for number, batch in enumerate(self._drawn(client, samples), start=1):
            seen += self.trainer.fit(self.model, samples, [batch], optimizer, Pull(strength, w))
            if number % o["personalization.K"] == 0:
                w = [
                    old - lr * strength * (old - p.detach()) for old, p in zip(w, self.model.parameters(), strict=True)
                ]
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), w, strict=True):
                parameter.copy_(value)
        return seen

    def _drawn(self, client: int, samples: Samples) -> Iterator[Tensor]:
        """Yield each batch K times in a row; a pass ends after as many steps as it has batches."""
        o, step = self.options, 0
        batch = torch.empty(0, dtype=torch.int64)
        for one in self._passes(client, samples, o.local_steps):
            fresh = iter(one)
            for _ in one:
                if step % o["personalization.K"] == 0:
                    batch = next(fresh)
                step += 1
                yield batch


class Partial(Average):
    """FedPT (Sidahmed et al., 2021): some entries are frozen at their first values, which a seed gives to all.

    They are those that ``personalization.local_param`` names, and travel in no direction; of LoRA's matrices with A
    among them this is FFA-LoRA (Sun et al., 2024). Raises ValueError where nothing is left to train.
    """

    def __init__(self, options: Options, model: nn.Module, shared: Sequence[str]) -> None:
        for name, parameter in model.named_parameters():
            if any(word in name for word in options["personalization.local_param"]):
                parameter.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ValueError("FedPT freezes all parameters: personalization.local_param must leave some")
        super().__init__(options, model, shared)


class Controlled(Average):
    """SCAFFOLD (Karimireddy et al., 2020): each step is corrected by the server's control variate less the client's.

    The client's new one is what its steps were on average (option II), and the difference to the old one travels
    beside the model. The server's step is 1, and models count by their samples, as with FedAvg.
    """

    def __init__(self, options: Options, model: nn.Module, shared: Sequence[str]) -> None:
        super().__init__(options, model, shared)
        zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
        self.control: dict[int, Entries] = dict.fromkeys(self.clients, zeros)

    def update(self, client: int, received: Sequence[Entries], samples: Samples) -> tuple[int | float, list[Entries]]:
        """Train the model received with corrected steps."""
        self._receive(client, received[0])
        before = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        server, own = received[1], self.control[client]
        drawn = list(self._batches(client, samples))
        optimizer = make_optimizer(self.model.parameters(), self.options.optimizer)
        tilt = Tilt([server[name] - own[name] for name in before])
        sample_size = self.trainer.fit(self.model, samples, drawn, optimizer, tilt)
        self.kept[client] = self._own()
        scale = len(drawn) * self.options.optimizer["lr"]
        moved = {name: (before[name] - p.detach()) / scale - server[name] for name, p in self.model.named_parameters()}
        self.control[client] = {name: own[name] + value for name, value in moved.items()}
        return sample_size, [_copied(self.state, self.shared), moved]


class Prototypical(Average):
    """FedProto (Tan et al., 2022): clients share the mean feature of each class they have, and keep their models.

    Features are what the last linear layer takes. They are pulled towards the global prototypes by
    ``personalization.regular_weight`` times the mean squared difference. Evaluated is the client's own model.
    """

    def __init__(self, options: Options, model: nn.Module, shared: Sequence[str]) -> None:
        super().__init__(options, model, shared)
        self.near = Nearness(options["personalization.regular_weight"])
        *_, last = (module for module in model.modules() if isinstance(module, nn.Linear))
        last.register_forward_pre_hook(lambda _module, inputs: self.near.sees(inputs[0]))

    def update(self, client: int, received: Sequence[Entries], samples: Samples) -> tuple[int | float, list[Entries]]:
        """Train the client's own model, and return the prototypes of its classes."""
        self._receive(client, {})
        optimizer = make_optimizer(self.model.parameters(), self.options.optimizer)
        seen = 0
        for batch in self._batches(client, samples):
            self.near.target = [received[0].get(f"prototype.{label}") for label in samples.y[batch].tolist()]
            seen += self.trainer.fit(self.model, samples, [batch], optimizer, self.near)
        self.kept[client] = self._own()
        return seen, [self._prototypes(samples)]

    def evaluate(self, client: int, received: Sequence[Entries], splits: Splits) -> Metrics:
        """Evaluate the client's own model."""
        return super().evaluate(client, [{}], splits)

    def _prototypes(self, samples: Samples) -> Entries:
        self.trainer.losses(self.model, samples)
        features = self.near.features
        return {f"prototype.{label}": features[samples.y == label].mean(0) for label in sorted({*samples.y.tolist()})}


class Nearness:
    """Adds strength · the mean squared difference of features (n, width) to their `target`, where they have one."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.features = torch.empty(0)
        self.target: list[Tensor | None] = []

    def sees(self, inputs: Tensor) -> None:
        """Keep what the last layer takes; of a sequence, what it takes at its end."""
        self.features = inputs if inputs.dim() == 2 else inputs[:, -1]

    def loss(self, _parameters: Iterable[Tensor]) -> Tensor | float:
        """Return the term for the batch that went through the model last."""
        known = zip(self.features, self.target, strict=True)
        gaps = [((own - near) ** 2).sum() for own, near in known if near is not None]
        return self.strength * torch.stack(gaps).sum() / self.features.numel() if gaps else 0.0


class Mixture:
    """FedEM (Marfoq et al., 2021): every client's data is a mixture of M distributions, with a model for each.

    Expectation: how likely each sample is of each distribution, from the losses and the client's mixture weights.
    Maximisation: the weights are the means of that, and every model trains on all samples so weighted.
    """

    def __init__(self, options: Options, models: Sequence[nn.Module], shared: Sequence[str]) -> None:
        self.options, self.models = options, models
        self.parts = [Average(options, model, shared) for model in models]
        even = torch.full((len(models),), 1 / len(models))
        self.weights: dict[int, Tensor] = dict.fromkeys(self.parts[0].clients, even)

    def update(self, client: int, received: Sequence[Entries], samples: Samples) -> tuple[int | float, list[Entries]]:
        """Train all models, each on samples weighted by how likely they are its own."""
        self._receive(client, received)
        losses = torch.stack([part.trainer.losses(part.model, samples) for part in self.parts])
        likely = (self.weights[client].log()[:, None] - losses).softmax(0)
        self.weights[client] = likely.mean(1).clamp_min(1e-12)
        drawn = list(batches(len(samples), self.options, self.parts[0].generator[client]))
        for part, weights in zip(self.parts, likely, strict=True):
            optimizer = make_optimizer(part.model.parameters(), self.options.optimizer)
            part.trainer.fit(part.model, samples, drawn, optimizer, weights=weights)
            part.kept[client] = part._own()
        sample_size = np.float64(sum(len(batch) for batch in drawn))  # a mean over models in FederatedScope: a double
        return sample_size, [_copied(part.state, part.shared) for part in self.parts]

    def evaluate(self, client: int, received: Sequence[Entries], splits: Splits) -> Metrics:
        """Evaluate the mixture."""
        self._receive(client, received)
        generator = self.parts[0].generator[client]
        return evaluate(self.models, splits, self.options, generator, self.weights[client])

    def _receive(self, client: int, received: Sequence[Entries]) -> None:
        for part, entries in zip(self.parts, received, strict=True):
            part._receive(client, entries)


LOCAL_UPDATES: Mapping[str, type[Average]] = {
    "fedrep": Representation,
    "ditto": Ditto,
    "pfedme": Envelope,
    "fedpt": Partial,
    "scaffold": Controlled,
    "fedproto": Prototypical,
}
"""Methods, by their name in `fscost.protocol.methods`, whose clients do something else than FedAvg's."""


def make_local(options: Options, models: Sequence[nn.Module], shared: Sequence[str]) -> Local:
    """Return the client side of a cell's methods; clients start with copies of `models`."""
    if len(models) > 1:
        return Mixture(options, models, shared)
    own = [LOCAL_UPDATES[method.name] for method in options.used_methods if method.name in LOCAL_UPDATES]
    return (own or [Average])[0](options, models[0], shared)


def _copied(state: Entries, names: Collection[str]) -> Entries:
    """Return copies of entries; their names are this model's own strings, as asizeof counts an object once."""
    return {name: value.clone() for name, value in state.items() if name in names}


@torch.no_grad()
def _load(state: Entries, entries: Entries) -> None:
    """Copy entries into a model's own tensors, as load_state_dict does, which takes six times as long."""
    for name, own in state.items():
        own.copy_(entries[name])
