"""What messages carry: which entries of a state_dict travel in which direction, and how they are packed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fscost.protocol.course_options import Options
from fscost.protocol.no_effect import is_quantised

Entries = dict[str, Tensor]
"""Entries of a state_dict by name."""

_DTYPES = {8: torch.int8, 16: torch.int16}


class Exchange:
    """Packs the state_dicts of the server's models, and entries of the clients', into contents of messages.

    There is one model, or with FedEM a list of several: then every content is a list too.
    """

    def __init__(self, model: nn.Module, options: Options) -> None:
        trainable = {name for name, p in model.named_parameters() if p.requires_grad}
        self.shared = options.uploaded(model.state_dict(), trainable)
        self.several, self.alone = options.models > 1, options.is_alone
        self.dtype = _DTYPES[options["quantization.nbits"]] if options["quantization.method"] == "uniform" else None

    def for_training(self, models: Sequence[nn.Module]) -> Any:
        """Return what the server broadcasts for a local update."""
        return self._one_or_several([self._quantised(entries) for entries in self._sent(models)])

    def for_evaluation(self, models: Sequence[nn.Module]) -> Any:
        """Return what the server broadcasts for an evaluation; it is never quantised."""
        return self._one_or_several(self._sent(models))

    def final(self, models: Sequence[nn.Module]) -> Any:
        """Return what the server sends at the end: always the models in full."""
        return self._one_or_several([model.state_dict() for model in models])

    def upload(self, sample_size: int | float, updated: Sequence[Entries]) -> Any:
        """Return what a client sends after a local update."""
        return sample_size, self._one_or_several([self._quantised(entries) for entries in updated])

    def unpacked(self, content: Any) -> list[Entries]:
        """Return the entries of each model in a content, in full precision again."""
        return [self._in_full(entries) for entries in (content if self.several else [content])]

    def _sent(self, models: Sequence[nn.Module]) -> list[Entries]:
        return [{} if self.alone else model.state_dict() for model in models]

    def _one_or_several(self, entries: Sequence[Entries]) -> Any:
        return list(entries) if self.several else entries[0]

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

    def _in_full(self, entries: Mapping[str, Tensor]) -> Entries:
        if self.dtype is None:
            return dict(entries)
        found: Entries = {}
        for name, value in entries.items():
            if name.endswith("_quant"):
                found[name.removesuffix("_quant")] = value * entries[f"{name.removesuffix('_quant')}_scale"]
            elif not name.endswith("_scale"):
                found[name] = value
        return found
