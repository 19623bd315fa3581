"""Compressing what travels: which entries are packed, and what both sides remember of what was lost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from fscost.cells.measure import SERVER
from fscost.engine.builtin.packing import Known, pack, unpack
from fscost.protocol.codecs import Codec
from fscost.protocol.codecs.count_sketch import NAME, CountSketch
from fscost.protocol.course_options import Options

Entries = dict[str, Tensor]
"""Entries of a state_dict by name."""


@dataclass
class Compression:
    """Packs entries that look like `entries`: of those that are `trainable`, what the codec does not leave.

    `feedback` is whether the sender remembers what was lost.
    """

    codec: Codec
    entries: Mapping[str, Tensor]
    trainable: frozenset[str]
    seed: int
    feedback: bool

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(self.seed)
        packed = (name for name, value in self.entries.items() if name in self.trainable and not self._is_left(value))
        self.places = {name: place for place, name in enumerate(packed)}

    def _is_left(self, value: Tensor) -> bool:
        return self.codec.leaves(value.shape, _name(value.dtype))

    def packed(self, given: Entries, state: int) -> Entries:
        """Return what is sent of entries in round `state`."""
        content: Entries = {}
        for name, value in given.items():
            if name not in self.places:
                content[name] = value
                continue
            arrays = pack(self.codec, value, self._known(name, state), self._generator)
            content.update({f"{name}_{key}": array for key, array in arrays.items()})
        return content

    def unpacked(self, content: Entries, state: int) -> Entries:
        """Return the entries that a content of round `state` tells."""
        return {name: self._unpacked(name, content, state) for name in self.entries}

    def _unpacked(self, name: str, content: Entries, state: int) -> Tensor:
        if name not in self.places:
            return content[name]
        value = self.entries[name]
        keys = [array.name for array in self.codec.packed(value.shape, _name(value.dtype))]
        return unpack(self.codec, {key: content[f"{name}_{key}"] for key in keys}, self._known(name, state))

    def _known(self, name: str, state: int) -> Known:
        value, seed = self.entries[name], (self.seed * 1_000_003 + state) * 1_000_003 + self.places[name]
        return Known(tuple(value.shape), value.dtype, seed % 2**63, is_unbiased=not self.feedback)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# --- up -------------------------------------------------------------------------------------------


class Uplink(Protocol):
    """Clients' updates, packed by them and unpacked by the server; several models are numbered from 0."""

    def packed(self, entries: Entries, state: int, client: int, model: int) -> Entries:
        """Return what a client sends of entries after the local update of round `state`."""

    def unpacked(self, content: Entries, state: int) -> Entries:
        """Return what the server aggregates of it."""

    def aggregated(self, mean: Entries, model: int) -> Entries:
        """Return the entries that an aggregate stands for."""


@dataclass
class Updates:
    """Updates that the server unpacks one by one; with feedback, a client adds what one lost to its next one."""

    compression: Compression
    _lost: dict[tuple[int, int], Entries] = field(default_factory=dict)

    def packed(self, entries: Entries, state: int, client: int, model: int) -> Entries:
        """Return what a client sends."""
        lost = self._lost.get((client, model), {})
        entries = {name: value + lost[name] if name in lost else value for name, value in entries.items()}
        content = self.compression.packed(entries, state)
        if self.compression.feedback:
            told = self.compression.unpacked(content, state)
            self._lost[client, model] = {name: entries[name] - told[name] for name in self.compression.places}
        return content

    def unpacked(self, content: Entries, state: int) -> Entries:
        """Return the entries that a content tells."""
        return self.compression.unpacked(content, state)

    def aggregated(self, mean: Entries, model: int) -> Entries:
        """Return the aggregate, which is one of entries."""
        return mean


@dataclass
class SummedUpdates:
    """Updates in sketches that the server adds up before it unpacks the sum; it remembers what that lost (FetchSGD)."""

    compression: Compression
    codec: CountSketch
    _lost: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = [*self.compression.places]
        self._sizes = [self.compression.entries[name].numel() for name in self._names]
        self._known = Known((sum(self._sizes),), torch.float32)

    def packed(self, entries: Entries, state: int, client: int, model: int) -> Entries:
        """Return what is left as it is, and one sketch of the rest."""
        return {n: value for n, value in entries.items() if n not in self._names} | self._sketched(entries)

    def unpacked(self, content: Entries, state: int) -> Entries:
        """Return the content as it is, to be added up."""
        return content

    def aggregated(self, mean: Entries, model: int) -> Entries:
        """Return the largest elements of the mean sketch and what was left of former ones; of the others, zeros."""
        if not self._names:
            return mean
        whole = mean[NAME] + self._lost.get(model, 0)
        told = unpack(self.codec, {NAME: whole}, self._known)
        largest = told.abs().topk(self.codec.unpacked_elements(self._known.n)).indices
        moved = dict(self._split(torch.zeros_like(told).index_copy_(0, largest, told[largest])))
        if self.compression.feedback:
            self._lost[model] = whole - self._sketched(moved)[NAME]
        return {name: value for name, value in mean.items() if name != NAME} | moved

    def _sketched(self, entries: Entries) -> Entries:
        if not self._names:
            return {}
        vector = torch.cat([entries[name].flatten().float() for name in self._names])
        packed = pack(self.codec, vector, self._known, torch.Generator())
        return {name.encode().decode(): array for name, array in packed.items()}  # asizeof counts a name once

    def _split(self, vector: Tensor) -> Iterator[tuple[str, Tensor]]:
        for name, part in zip(self._names, torch.split(vector, self._sizes), strict=True):
            like = self.compression.entries[name]
            yield name, part.reshape(like.shape).to(like.dtype)


# --- down -----------------------------------------------------------------------------------------


@dataclass
class Broadcasts:
    """The server's models as clients get them.

    Where the codec packs differences, the first broadcast is in full, and later ones are the difference to what all
    clients hold, so that errors are made good later. Without feedback the server itself goes on from what they hold.
    """

    compression: Compression
    _held: dict[int, list[Entries]] = field(default_factory=dict)

    def packed(self, models: Sequence[nn.Module], state: int) -> Sequence[Entries]:
        """Return the content of the broadcast of each model in round `state`."""
        entries: list[Entries] = [model.state_dict() for model in models]
        if self.compression.codec.downlink_takes_model:
            return [self.compression.packed(one, state) for one in entries]
        if SERVER not in self._held:
            return self._hold(SERVER, entries)
        pairs = zip(entries, self._held[SERVER], strict=True)
        moves = [one | {name: one[name] - value for name, value in held.items()} for one, held in pairs]
        contents = [self.compression.packed(move, state) for move in moves]
        moved = [*self._moved(SERVER, contents, state)]
        if not self.compression.feedback:
            for model, own in zip(models, moved, strict=True):
                model.load_state_dict(own)
        return contents

    def unpacked(self, contents: Sequence[Entries], state: int, client: int) -> Sequence[Entries]:
        """Return the entries of each model that a client has once it got a broadcast."""
        if self.compression.codec.downlink_takes_model:
            return [self.compression.unpacked(one, state) for one in contents]
        if client not in self._held:
            return self._hold(client, contents)
        return [*self._moved(client, contents, state)]

    def _hold(self, worker: int, contents: Sequence[Entries]) -> Sequence[Entries]:
        self._held[worker] = [{name: one[name].clone() for name in self.compression.places} for one in contents]
        return contents

    def _moved(self, worker: int, contents: Sequence[Entries], state: int) -> Iterator[Entries]:
        for content, held in zip(contents, self._held[worker], strict=True):
            told = self.compression.unpacked(content, state)
            held.update({name: value + told[name] for name, value in held.items()})
            yield told | held


# --- what a cell asks for -------------------------------------------------------------------------


def uplink_of(options: Options, entries: Entries, trainable: frozenset[str]) -> Uplink | None:
    """Return how updates of such entries are compressed, None where they are not."""
    if (found := _compression_of(options, "uplink", entries, trainable)) is None:
        return None
    return SummedUpdates(found, found.codec) if isinstance(found.codec, CountSketch) else Updates(found)


def downlink_of(options: Options, entries: Entries, trainable: frozenset[str]) -> Broadcasts | None:
    """Return how broadcasts for training of such entries are compressed, None where they are not."""
    found = _compression_of(options, "downlink", entries, trainable)
    return Broadcasts(found) if found else None


def _compression_of(options: Options, link: str, entries: Entries, trainable: frozenset[str]) -> Compression | None:
    if (codec := options.codec(link)) is None:
        return None
    shapes = {name: torch.empty_like(value, device="meta") for name, value in entries.items()}
    seed = 2 * options["seed"] + (link == "downlink")  # no draw is the same both ways
    return Compression(codec, shapes, trainable, seed, options.has_feedback(link))
