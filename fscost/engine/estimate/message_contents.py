"""What each message carries, as a content of the right shape and without any data in it."""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import count
from math import prod
from typing import Any

import numpy as np

from fscost.errors import ConfigError
from fscost.metering.content import tensor_bytes
from fscost.protocol.adapters import FROZEN, Base, adapters_of, arguments_of
from fscost.protocol.course_options import Options
from fscost.protocol.datasets import DATA_TYPES
from fscost.protocol.model_shapes import ITEM_BYTES, is_count, shapes_of
from fscost.protocol.models import Shape, state_dict_of
from fscost.protocol.no_effect import is_quantised, without_effect

_LARGEST_ARRAY = 10**6
"""Elements of an array that is made to be measured: secret sharing sends arrays, and asizeof counts what is in them."""

_LARGEST_BYTES = 2**63 - 1
"""What torch counts the bytes of a tensor with is a 64-bit integer."""

_SIZED_BYTES, _GC_BYTES = 144, 16
"""What asizeof counts for a tensor of torch with its empty ``__dict__``; Python adds the part of its collector.

That is so in FederatedScope's Pythons. Since 3.12 Python has a larger ``__dict__``, with its tensor 376 B in 3.13: what
the builtin engine then reports is no longer FederatedScope's count.
"""


class MetaTensor:
    """A tensor without data, as those on torch's device ``meta``; metering takes it for a tensor of torch.

    Raises ValueError for a shape that torch makes no tensor of.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Iterable[int], dtype: str = "float32") -> None:
        self.shape, self.dtype = tuple(shape), dtype
        if min(self.shape, default=0) < 0 or self.numel() * self.element_size() > _LARGEST_BYTES:
            raise ValueError(f"torch makes no tensor of the shape {list(self.shape)}")

    @property
    def is_meta(self) -> bool:
        """Whether it has no values; a counter has one, as it decides how the counter is encoded."""
        return self.dtype != "int64" or self.shape != ()

    def numel(self) -> int:
        """Return the number of elements."""
        return prod(self.shape)

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return ITEM_BYTES[self.dtype]

    def is_floating_point(self) -> bool:
        """Return whether its elements are floats of any size."""
        return "float" in self.dtype

    def tolist(self) -> int:
        """Return the value of a counter of batches before the first one."""
        return 0

    def __sizeof__(self) -> int:
        return _SIZED_BYTES - _GC_BYTES


del MetaTensor.__slots__  # they stay; asizeof would count what they hold, as it cannot with torch's


class Contents:
    """The contents of a cell's messages."""

    def __init__(self, options: Options) -> None:
        self.options = options
        base = _base_of(options)
        adapter = arguments_of(options)
        shapes = base if adapter is None else adapters_of(Base(base, options["model.spec"].get("config")), adapter)
        sizes = {one.name.removeprefix(f"{FROZEN}."): prod(one.shape) for one in (*base, *shapes) if one.trainable}
        self.model_size = sum(sizes.values())
        self.state_dict = Entries((one.name, _meta(one, halved=options.halves_all)) for one in shapes)
        self.trainable = {one.name for one in shapes if one.trainable}
        self.is_alone, self.models = options.is_alone, options.models

    @property
    def is_count(self) -> bool:
        """Whether only the number of parameters is known: what depends on how they are cut into tensors is not."""
        return is_spec(self.options) and is_count(self.options["model.spec"])

    @property
    def header(self) -> dict[str, int]:
        """The model's size as the ledger's header has it."""
        trained = [value for name, value in self.state_dict.items() if name in self.trainable]
        return {
            "params": sum(value.numel() for value in trained),
            "trainable_bytes": sum(tensor_bytes(value) for value in trained),
            "state_dict_bytes": sum(tensor_bytes(value) for value in self.state_dict.values()),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the options do not do with this model."""
        if self.is_count:
            return ()
        o = self.options
        names, local = self.state_dict, o["personalization.local_param"]
        return tuple(without_effect(names, local, o["quantization.method"], method=o.method))

    @property
    def has_counters(self) -> bool:
        """Whether the state_dict counts batches, as batch norm does."""
        return any(not value.is_floating_point() for value in self.state_dict.values())

    def shared(self) -> dict[str, Any]:
        """Return the entries of the state_dict that a client uploads, in half precision where it trained in that."""
        names = self.options.uploaded(self.state_dict, self.trainable)
        return {
            name: _in_half(self.state_dict[name]) if self.options.trains_half else self.state_dict[name]
            for name in names
        }

    @property
    def begins_in_full(self) -> bool:
        """Whether the first broadcast for training is another than later ones, which are differences to it."""
        codec = self.options.codec("downlink")
        return codec is not None and not codec.downlink_takes_model

    def downloaded_first(self) -> Any:
        """Return what the server broadcasts for the first round of training, where it begins in full."""
        return self._times(self._travelling)

    @property
    def _travelling(self) -> Any:
        """The state_dict without the entries that never travel."""
        names = self.options.downloaded(self.state_dict)
        return (
            self.state_dict if len(names) == len(self.state_dict) else {name: self.state_dict[name] for name in names}
        )

    def downloaded(self) -> Any:
        """Return what the server broadcasts for training."""
        return {} if self.is_alone else self._times(self._compressed("downlink", self._travelling))

    def evaluated(self) -> Any:
        """Return what the server broadcasts for evaluation; it is never quantised or packed."""
        return {} if self.is_alone else self._times(self._travelling)

    def finished(self) -> Any:
        """Return what the server sends at the end: the model in full, but for what never travels."""
        return self._times(self._travelling)

    def uploaded(self, sample_size: int) -> Any:
        """Return what a client sends after a local update."""
        if self.is_alone:
            return sample_size, {}
        if self.options["federate.use_ss"]:
            return sample_size, self.secret_share()
        content = self._times(self._compressed("uplink", self.shared()))
        return (np.float64(sample_size) if self.models > 1 else sample_size), content

    def secret_share(self) -> dict[str, Any]:
        """Return what clients send to each other: doubles, whatever the model is made of.

        Raises ValueError for a model whose shares are too large to be made for measuring them.
        """
        if any(value.numel() > _LARGEST_ARRAY for value in self.shared().values()):
            raise ValueError(f"secret shares of more than {_LARGEST_ARRAY:,} elements are not estimated; run them")
        return {name: np.zeros(tuple(value.shape))[()] for name, value in self.shared().items()}  # a counter: a number

    def metrics(self, totals: dict[str, int]) -> dict[str, Any]:
        """Return an evaluation's answer; `totals` are the samples of each split.

        No two numbers are one object, but for small integers, which Python has once: asizeof counts an object once.
        """
        found: dict[str, Any] = {}
        numbers = count(0.5)
        if self.options.evaluates_loss_alone:
            for split in self.options["eval.split"]:
                seen = totals.get(split, 0)
                found |= {f"{split}_loss": next(numbers), f"{split}_total": int(str(seen))}
                found[f"{split}_avg_loss"] = next(numbers) if seen else 0  # FederatedScope divides by no 0
            return found
        for split in self.options["eval.split"]:
            if total := totals.get(split):
                found |= {f"{split}_{name}": next(numbers) for name in ("loss", "avg_loss")}
                found[f"{split}_total"] = int(str(total))
                others = (name for name in self.options["eval.metrics"] if name not in ("loss", "avg_loss", "total"))
                found |= {f"{split}_{name}": np.float64(1) if name == "correct" else next(numbers) for name in others}
        return found

    def _compressed(self, link: str, entries: Any) -> Any:
        """Return entries as they travel over a link for training."""
        if (codec := self.options.codec(link)) is None:
            return self._quantised(entries)
        shapes = (Shape(n, value.shape, value.dtype, n in self.trainable) for n, value in entries.items())
        return {one.name: MetaTensor(one.shape, one.dtype) for one in codec.sent(shapes)}

    def _quantised(self, entries: Any) -> Any:
        """Return entries with int8 or int16 weights and a float scale each for layers named fc or conv."""
        if self.options["quantization.method"] != "uniform":
            return entries
        if (bits := self.options["quantization.nbits"]) not in (8, 16):
            raise ConfigError(f"quantization.nbits={bits}: FederatedScope quantises to 8 or 16 bits")
        found: dict[str, Any] = {}
        for name, value in entries.items():
            if is_quantised(name):
                found[f"{name}_quant"] = MetaTensor(value.shape, f"int{bits:.0f}")
                found[f"{name}_scale"] = MetaTensor(())
            else:
                found[name] = value
        return found

    def _times(self, entries: Any) -> Any:
        if self.models == 1:
            return entries
        return [_copied(entries) for _ in range(self.models)]


Entries = OrderedDict[str, MetaTensor]
"""A state_dict without data."""


def is_spec(options: Options) -> bool:
    """Return whether the model is known by its shapes alone."""
    return bool(options["model.type"] == "spec")


def _base_of(options: Options) -> list[Shape]:
    """Return the entries of the model as it is without adapters."""
    if is_spec(options):
        return shapes_of(options["model.spec"], pads=options.release.adapts)
    return state_dict_of(options, _input_shape(options))


def _meta(one: Shape, *, halved: bool) -> MetaTensor:
    tensor = MetaTensor(one.shape, one.dtype)
    return _in_half(tensor) if halved else tensor


def _in_half(tensor: MetaTensor) -> MetaTensor:
    """Return a tensor as ``half()`` makes it: what is no float stays."""
    return MetaTensor(tensor.shape, "float16") if tensor.is_floating_point() else tensor


def _copied(entries: Any) -> Any:
    """Return the entries of another model: nothing is the same object, as asizeof counts an object once."""
    return type(entries)(
        (name.encode().decode(), MetaTensor(value.shape, value.dtype)) for name, value in entries.items()
    )


def _input_shape(options: Options) -> tuple[int, ...]:
    if options["data.type"] == "toy":
        return (5,)
    if options["data.type"] == "samples":
        return tuple(options["data.sample_shape"])
    return DATA_TYPES[options["data.type"]].shape(options.argument("data.args", "resize"))
