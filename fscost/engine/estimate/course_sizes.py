"""The values of the sizes that a course names: those of the course, and those that the cell has by itself."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from fscost.engine.estimate.message_contents import Contents
from fscost.engine.estimate.sample_counts import Alike, classes_of
from fscost.errors import ConfigError
from fscost.formula import Formula
from fscost.protocol.course_options import Options
from fscost.protocol.courses import Course

_MOST = 2**63


class NamedSizes:
    """The sizes of each group of clients; a size is None where it depends on who is sampled."""

    def __init__(self, course: Course, options: Options, contents: Contents, groups: Sequence[Alike]) -> None:
        self.course, self.options, self.contents, self.groups = course, options, contents, groups
        self._own: Mapping[str, Callable[[Alike], Any]] = {
            "clients": lambda _: options.clients,
            "sampled": lambda _: options.clients_per_round,
            "rounds": lambda _: options.rounds,
            "batch": lambda _: options["dataloader.batch_size"],
            "params": lambda _: contents.header["params"],
            "dimension": lambda _: self._dimension,
            "labels": lambda _: self._labels,
            "samples": lambda one: one.samples["train"],
            "sample_size": lambda one: options.local_steps.sample_size(one.samples["train"]),
            "steps": lambda one: sum(options.local_steps.batches(one.samples["train"])),
            "short_steps": lambda one: options.local_steps.short_batches(one.samples["train"]),
            "short_batch": lambda one: one.samples["train"] % options["dataloader.batch_size"],
            "classes": self._classes,
        }

    def whole(self, formula: Formula, one: Alike, where: str) -> int | None:
        """Return the value of a formula for a client of a group, None where nobody knows it.

        Raises ConfigError, naming `where`, for a value that no number of things can have.
        """
        try:
            value = self._value(formula, one)
        except (ConfigError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from error
        if value is None:
            return None
        if value < 0 or isinstance(value, float) and not (value <= 2**53 and value.is_integer()):
            raise ConfigError(f"{where}={formula.text}: is {value}, and must be a whole number of at least 0")
        if value >= _MOST:
            raise ConfigError(f"{where}={formula.text}: is larger than 2^63")
        return int(value)

    def number(self, formula: Formula, one: Alike, where: str) -> Any:
        """Return the value of a formula that may be a fraction, as a codec's ratio."""
        try:
            return self._value(formula, one)
        except (ConfigError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from error

    def _value(self, formula: Formula, one: Alike) -> Any:
        return formula.value({name: self._named(name, one) for name in formula.names})

    def _named(self, name: str, one: Alike) -> Any:
        base, _, end = name.rpartition(".")
        if end == "max" and base:
            values = [self._named(base, other) for other in self.groups]
            return None if None in values else max(values)
        if end == "sum" and base:
            return self._sum(base)
        size = self.course.sizes.get(name)
        if isinstance(size, Formula):
            return self.whole(size, one, f"sizes.{name}")
        return self._own[name](one) if size is None else size[one.kind % len(size)]

    def _sum(self, name: str) -> Any:
        """Return the sum over the clients that train in a round."""
        values = [self._named(name, one) for one in self.groups]
        if None in values:
            return None
        if len({*values}) == 1:
            return values[0] * self.options.clients_per_round
        if self.options.clients_per_round < self.options.clients:
            return None
        return sum(one.clients * value for one, value in zip(self.groups, values, strict=True))

    def _classes(self, one: Alike) -> int:
        if one.classes is None:
            raise ConfigError(f"data={self.options['data.type']} has no labels; give sizes.classes=NUMBER")
        return one.classes

    @cached_property
    def _labels(self) -> int | None:
        """How many classes all clients of a round have together."""
        if not (found := {*classes_of(self.options).values()}):
            raise ConfigError(f"data={self.options['data.type']} has no labels; give sizes.labels=NUMBER")
        if len(found) > 1 and self.options.clients_per_round < self.options.clients:
            return None
        return len(frozenset.union(*found))

    @cached_property
    def _dimension(self) -> int:
        """What the last layer takes: the columns of the last matrix."""
        matrices = [
            value.shape[1]
            for name, value in self.contents.state_dict.items()
            if name in self.contents.trainable and len(value.shape) == 2 and "lora_" not in name
        ]
        if not matrices:
            raise ConfigError("which layer of the model is its last is not known; give sizes.dimension=NUMBER")
        return int(matrices[-1])
