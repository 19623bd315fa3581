"""How the server makes a new global model of the clients' updates."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fscost.engine.builtin.payloads import Entries
from fscost.engine.builtin.training import make_optimizer
from fscost.protocol.course_options import Options


@dataclass(frozen=True)
class Update:
    """What a client uploaded of one model, and how many rounds its base is behind."""

    sample_size: float
    entries: Entries
    staleness: int = 0


Combine = Callable[[Sequence[Update], Options], Entries]
"""What makes the entries of one model of the clients' updates."""


class Keeping(Protocol):
    """A `Combine` that keeps something between rounds; it is made with the global model, before the first."""

    def __init__(self, model: nn.Module) -> None: ...

    def __call__(self, updates: Sequence[Update], options: Options) -> Entries:
        """Return the entries."""


class Aggregator:
    """Moves one global model to the aggregate of updates.

    FedAvg (McMahan et al., 2017) averages them; FedOpt (Reddi et al., 2021) takes the average as a gradient for the
    server's optimizer; pFedMe (Dinh et al., 2020) moves by ``personalization.beta`` of the way. Robust rules and
    asynchronous aggregation (FedBuff, Nguyen et al., 2022) combine differences to the model that clients received.
    `unpacked` returns the entries that an aggregate stands for, where it is packed.
    """

    def __init__(
        self, model: nn.Module, options: Options, unpacked: Callable[[Entries], Entries] = lambda aggregate: aggregate
    ) -> None:
        self.model, self.options, self.unpacked = model, options, unpacked
        arguments = options.server_optimizer
        self.optimizer = make_optimizer(model.parameters(), arguments) if arguments else None
        own = [AGGREGATIONS[method.name] for method in options.used_methods if method.name in AGGREGATIONS]
        combine = (own or [_mean])[0]
        self.combine = combine(model) if isinstance(combine, type) else combine

    def aggregate(self, updates: Sequence[Update]) -> None:
        """Aggregate at least one update into the global model."""
        if not updates[0].entries:
            return  # everything is local
        new = self.unpacked(self.combine(updates, self.options))
        if self.options.uploads_differences:
            state = self.model.state_dict()
            new = {name: state[name] + value for name, value in new.items()}
        if self.optimizer is not None:
            self._step(new)
        else:
            self.model.load_state_dict(self._interpolated(new), strict=False)

    def _interpolated(self, new: Entries) -> Entries:
        beta = self.options["personalization.beta"] if self.options.method == "pfedme" else 1.0
        if beta == 1:
            return new
        old = self.model.state_dict()
        return {name: (1 - beta) * old[name] + beta * value for name, value in new.items()}

    @torch.no_grad()
    def _step(self, new: Entries) -> None:
        """Take the aggregate's difference as a gradient: one step of the server's optimizer."""
        assert self.optimizer is not None
        for name, parameter in self.model.named_parameters():
            parameter.grad = parameter - new[name] if name in new else None
        self.optimizer.step()


def _mean(updates: Sequence[Update], options: Options) -> Entries:
    """Return the mean weighted by sample_size, unless ``ignore_weight``; stale updates count less.

    An update that is τ rounds behind is discounted by (1 + τ)^-factor (FedAsync, Xie et al., 2019).
    """
    weights = [1.0 if options["federate.ignore_weight"] else float(update.sample_size) for update in updates]
    factor = options["asyn.staleness_discount_factor"]
    shares = [
        weight / sum(weights) / (1 + update.staleness) ** factor
        for weight, update in zip(weights, updates, strict=True)
    ]
    return {
        name: sum(share * u.entries[name] for share, u in zip(shares, updates, strict=True))
        for name in updates[0].entries
    }


def _stacked(updates: Sequence[Update]) -> dict[str, Tensor]:
    return {name: torch.stack([u.entries[name].float() for u in updates]) for name in updates[0].entries}


def _median(updates: Sequence[Update], _options: Options) -> Entries:
    """Return the coordinate-wise median (Yin et al., 2018)."""
    return {name: values.median(0).values for name, values in _stacked(updates).items()}


def _trimmed_mean(updates: Sequence[Update], options: Options) -> Entries:
    """Return the coordinate-wise mean without the largest and smallest share of values (Yin et al., 2018)."""
    cut = int(len(updates) * _argument(options, "trimmedmean_excluded_ratio"))
    return _between(updates, cut)


def _between(updates: Sequence[Update], cut: int) -> Entries:
    return {name: v.sort(0).values[cut : len(updates) - cut].mean(0) for name, v in _stacked(updates).items()}


def _norm_bounded(updates: Sequence[Update], options: Options) -> Entries:
    """Return the mean of updates scaled down to a norm (Sun et al., 2019)."""
    bound = _argument(options, "normbounding_norm_bound")
    bounded = []
    for update in updates:
        scale = min(1.0, bound / max(float(_flat(update).norm()), 1e-12))
        entries = {name: scale * value for name, value in update.entries.items()}
        bounded.append(Update(update.sample_size, entries, update.staleness))
    return _mean(bounded, options)


def _krum(updates: Sequence[Update], options: Options) -> Entries:
    """Return the mean of the updates closest to their neighbours (Krum and multi-Krum, Blanchard et al., 2017)."""
    return _mean(_closest(updates, options, int(_argument(options, "krum_agg_num"))), options)


def _bulyan(updates: Sequence[Update], options: Options) -> Entries:
    """Return the trimmed mean of the updates that multi-Krum selects (El Mhamdi et al., 2018)."""
    byzantine = int(options["aggregator.byzantine_node_num"])
    return _between(_closest(updates, options, len(updates) - 2 * byzantine), byzantine)


def _closest(updates: Sequence[Update], options: Options, count: int) -> list[Update]:
    """Return the `count` updates with the smallest sum of squared distances to their n - f - 2 nearest others."""
    flat = torch.stack([_flat(update) for update in updates])
    distances = torch.cdist(flat, flat).square().sort(1).values[:, 1:]  # without the one to itself
    near = max(1, len(updates) - int(options["aggregator.byzantine_node_num"]) - 2)
    order = distances[:, :near].sum(1).argsort(stable=True)
    return [updates[i] for i in order[:count].tolist()]


def _flat(update: Update) -> Tensor:
    return torch.cat([value.float().flatten() for value in update.entries.values()])


def _argument(options: Options, name: str) -> float:
    return float(options[f"aggregator.BFT_args.{name}"])


class Swa:
    """FedSWA: the running mean of the global models after some rounds (SWA, Izmailov et al., 2018).

    The first are taken after ``fedswa.start_rnd`` rounds, then some every ``fedswa.freq`` rounds.
    """

    def __init__(self, options: Options, models: Sequence[nn.Module]) -> None:
        self.start, self.every = options["fedswa.start_rnd"], options["fedswa.freq"]
        self.taken = 0
        self.models = [deepcopy(model) for model in models]

    @torch.no_grad()
    def after(self, state: int, models: Sequence[nn.Module]) -> None:
        """Take the models after `state` rounds into the mean if it is their turn."""
        if state < self.start or (state - self.start) % self.every:
            return
        for mean, model in zip(self.models, models, strict=True):
            old, new = mean.state_dict(), model.state_dict()
            mean.load_state_dict({n: (old[n] * self.taken + new[n]) / (self.taken + 1) for n in new})
        self.taken += 1


# --- secret sharing -------------------------------------------------------------------------------

_FIXED_POINT = 2**16
_MODULUS = 2**50
"""Shares are whole numbers below this, which doubles and sums of a few of them hold exactly."""


Share = dict[str, NDArray[np.float64]]
"""A share of every uploaded entry, as FederatedScope sends it: doubles, whatever the model is made of."""


def secret_shares(entries: Entries, sample_size: int, parties: int, rng: np.random.Generator) -> list[Share]:
    """Return additive shares of the entries times sample_size: their sum gives them, fewer of them say nothing."""
    shares: list[Share] = [{} for _ in range(parties)]
    for name, value in entries.items():
        rest = np.rint(value.double().numpy() * sample_size * _FIXED_POINT).astype(np.int64)
        for share in shares[:-1]:
            noise = rng.integers(_MODULUS, size=value.shape)
            share[name], rest = noise.astype(np.float64), rest - noise
        shares[-1][name] = (rest % _MODULUS).astype(np.float64)
    return shares


def summed(shares: Sequence[Share]) -> Share:
    """Return the sum of shares, again a share."""
    return {name: np.sum([share[name] for share in shares], axis=0) % _MODULUS for name in shares[0]}


def _recovered(updates: Sequence[Update], _options: Options) -> Entries:
    """Return the mean of which the server has all shares, each already times its sample_size."""
    total = summed([cast(Share, update.entries) for update in updates])
    size = sum(update.sample_size for update in updates)
    signed = {name: np.where(value >= _MODULUS / 2, value - _MODULUS, value) for name, value in total.items()}
    return {name: torch.from_numpy(np.asarray(value / _FIXED_POINT / size)).float() for name, value in signed.items()}


AGGREGATIONS: dict[str, Combine | type[Keeping]] = {
    "krum": _krum,
    "median": _median,
    "trimmedmean": _trimmed_mean,
    "normbounding": _norm_bounded,
    "bulyan": _bulyan,
    "ss": _recovered,
}
"""Methods, by their name in `fscost.protocol.methods`, whose server combines updates otherwise than by their mean."""
