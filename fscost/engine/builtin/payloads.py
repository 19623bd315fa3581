"""What messages carry: which entries of a state_dict travel in which direction, and how they are packed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fscost.engine.builtin.compression import Entries, downlink_of, uplink_of
from fscost.protocol.course_options import Options
from fscost.protocol.no_effect import is_quantised

__all__ = ["Entries", "Exchange"]

_DTYPES = {8: torch.int8, 16: torch.int16}


class Exchange:
    """Packs the state_dicts of the server's models, and entries of the clients', into contents of messages.

    There is one model, or with FedEM a list of several: then every content is a list too. Codecs pack what travels for
    training; evaluations and the end carry the models in full, as with FederatedScope's own quantisation.
    """

    def __init__(self, model: nn.Module, options: Options) -> None:
        trainable = frozenset(name for name, p in model.named_parameters() if p.requires_grad)
        state = model.state_dict()
        self.shared = options.uploaded(state, trainable)
        self.several_models, self.alone, self.sends_models = options.models > 1, options.is_alone, options.sends_models
        self.several = self.several_models or (self.sends_models and options.sends_beside)
        self.sent_names = options.downloaded(state)
        self.differs = options.uploads_differences
        self.dtype = _DTYPES[options["quantization.nbits"]] if options["quantization.method"] == "uniform" else None
        self.uplink = uplink_of(options, {name: state[name] for name in self.shared}, trainable)
        self.downlink = downlink_of(options, dict(state), trainable)

    def for_training(self, models: Sequence[nn.Module], state: int, beside: Sequence[Entries] = ()) -> Any:
        """Return what the server broadcasts for the local update of round `state`, with what goes `beside` models."""
        if self.downlink:
            return self._one_or_several(self.downlink.packed(models, state))
        return self._one_or_several([*(self._quantised(entries) for entries in self._sent(models)), *beside])

    def for_evaluation(self, models: Sequence[nn.Module]) -> Any:
        """Return what the server broadcasts for an evaluation; it is never compressed."""
        return self._of_models(self._sent(models))

    def final(self, models: Sequence[nn.Module], beside: Sequence[Entries] = ()) -> Any:
        """Return what the server sends at the end: the models in full, or what travels instead of them."""
        if not self.sends_models:
            return self._of_models(beside)
        return self._of_models([self._travelling(model) for model in models])

    def received(self, client: int, content: Any, state: int) -> Sequence[Entries]:
        """Return the entries of each model that a client has once it got the broadcast for round `state`."""
        if self.downlink:
            return self.downlink.unpacked(self._each(content), state, client)
        return [self._in_full(entries) for entries in self._each(content)]

    def evaluated(self, content: Any) -> list[Entries]:
        """Return the entries of each model in a broadcast for an evaluation."""
        return [self._in_full(entries) for entries in (content if self.several_models else [content])]

    def upload(
        self, client: int, sample_size: int | float, updated: Sequence[Entries], received: Sequence[Entries], state: int
    ) -> Any:
        """Return what a client sends after the local update of round `state`, of the entries that it received."""
        sent = updated
        if self.differs:
            pairs = zip(updated, received, strict=True)
            sent = [{name: value - old[name] for name, value in new.items()} for new, old in pairs]
        if self.uplink:
            packed = [self.uplink.packed(one, state, client, number) for number, one in enumerate(sent)]
            return sample_size, self._one_or_several(packed)
        return sample_size, self._one_or_several([self._quantised(entries) for entries in sent])

    def uploaded(self, content: Any, state: int) -> list[Entries]:
        """Return what the server aggregates of each model in an upload of round `state`."""
        if self.uplink:
            return [self.uplink.unpacked(entries, state) for entries in self._each(content)]
        return [self._in_full(entries) for entries in self._each(content)]

    def aggregated(self, mean: Entries, model: int) -> Entries:
        """Return the entries of one model that an aggregate of uploads stands for."""
        return self.uplink.aggregated(mean, model) if self.uplink else mean

    def _each(self, content: Any) -> list[Entries]:
        return list(content) if self.several else [content]

    def _sent(self, models: Sequence[nn.Module]) -> list[Entries]:
        if not self.sends_models:
            return []
        return [{} if self.alone else self._travelling(model) for model in models]

    def _travelling(self, model: nn.Module) -> Entries:
        """Return the state_dict without the entries that never travel."""
        state: Entries = model.state_dict()
        return state if len(self.sent_names) == len(state) else {name: state[name] for name in self.sent_names}

    def _one_or_several(self, entries: Sequence[Entries]) -> Any:
        return list(entries) if self.several else self._of_models(entries)

    def _of_models(self, entries: Sequence[Entries]) -> Any:
        """Return the entries of one model or the list of several; an empty list for what sends none.

        FederatedScope encodes an empty list, and no empty mapping.
        """
        if self.several_models:
            return list(entries)
        return entries[0] if entries and (entries[0] or self.alone or self.sends_models) else []

    def _quantised(self, entries: Entries) -> Entries:
        """Return weights as int8 or int16 with one float32 scale each: w ≈ scale · q, symmetric around 0."""
        if self.dtype is None:
            return entries
        found: Entries = {}
        for name, value in entries.items():
            if is_quantised(name):
                largest = float(torch.iinfo(self.dtype).max)
                scale = value.abs().max() / largest if value.numel() else torch.zeros(())
                found[f"{name}_quant"] = (value / scale.clamp_min(1e-38)).round().to(self.dtype)
                found[f"{name}_scale"] = scale
            else:
                found[name] = value
        return found

    def _in_full(self, entries: Entries) -> Entries:
        if self.dtype is None:
            return dict(entries)
        found: Entries = {}
        for name, value in entries.items():
            if name.endswith("_quant"):
                found[name.removesuffix("_quant")] = value * entries[f"{name.removesuffix('_quant')}_scale"]
            elif not name.endswith("_scale"):
                found[name] = value
        return found
