"""Courses as data: which messages a method sends, who sends them to whom, how often, and what is in them.

A course is a mapping, as a YAML file holds it; ``docs/courses.md`` explains its keys.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fscost.cells.measure import Traffic
from fscost.errors import ConfigError
from fscost.formula import Formula
from fscost.protocol.codecs import Codec, make_codec

SERVER, SAMPLED, ALL, ONE = WORKERS = ("server", "sampled", "all", "one")
"""Who can send and receive: the server, the clients that train in a round, all clients, or one client."""

START, FIRST, LATER, LAST, EVALUATION, END = MOMENTS = ("start", "first", "later", "last", "evaluation", "end")
"""When a message is sent that is not sent in every round."""

OF_MODEL = ("model", "parameters", "state_dict")
"""What can travel of the cell's model: what FederatedScope sends of it, what is trained, and all entries."""

SAMPLE_SIZE, METRICS = "sample_size", "metrics"
"""The numbers that FederatedScope's clients send: how many samples they trained with, and what they evaluated."""

FIXED_SIZES = ("clients", "sampled", "rounds")
CLIENT_SIZES = ("samples", "sample_size", "steps", "short_steps", "short_batch", "classes")
KNOWN_SIZES = (*FIXED_SIZES, "batch", "params", "dimension", "labels", *CLIENT_SIZES)
"""Sizes that the cell itself has; all but the fixed ones can be set otherwise."""

_OVER_CLIENTS = (".sum", ".max")


@dataclass(frozen=True)
class TensorRule:
    """A tensor by formula, or `repeat` of them: then the ``*`` in its name is a number."""

    name: str
    shape: tuple[Formula, ...]
    dtype: str = "float32"
    repeat: Formula | None = None

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """What is to be computed."""
        return (*self.shape, *([self.repeat] if self.repeat else []))


Part = str | Mapping[str, Any] | tuple[TensorRule, ...]
"""Tensors of a message: of the cell's model by a word of `OF_MODEL`, the spec of another one, or by formula."""


@dataclass(frozen=True)
class MessageRule:
    """A type of message: `sender` and `receiver` are of `WORKERS`, `when` is of `MOMENTS` or empty for every round.

    Between two workers `times` of them travel, each time; with `every` in each so many-th round alone. `only` and
    `without` are patterns of names of entries; `lora_rank` replaces the rank of LoRA's matrices. `numbers` stand beside
    the tensors. `where` is what errors call it.
    """

    where: str
    type: str
    sender: str
    receiver: str
    when: str = ""
    every: Formula | None = None
    times: Formula | None = None
    parts: tuple[Part, ...] | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    lora_rank: Formula | None = None
    numbers: str | Formula | None = None
    codec: Mapping[str, Any] | None = None
    traffic: Traffic | None = None

    @property
    def formulas(self) -> Iterator[tuple[str, Formula]]:
        """Yield what is to be computed, each with its key."""
        for key in ("every", "times", "lora_rank", "numbers"):
            if isinstance(formula := getattr(self, key), Formula):
                yield key, formula
        for part in self.parts or ():
            if isinstance(part, tuple):
                yield from ((f"tensors.{one.name}", formula) for one in part for formula in one.formulas)
        for key, value in (self.codec or {}).items():
            if isinstance(value, Formula):
                yield f"codec.{key}", value

    def coded(self, settings: Mapping[str, Any]) -> Codec | None:
        """Return its codec with settings that were computed; raises ConfigError for settings that make none."""
        if self.codec is None:
            return None
        try:
            return make_codec(**{**self.codec, **settings})
        except ConfigError as error:
            raise ConfigError(f"{self.where}.codec: {error}") from error


Size = Formula | tuple[int, ...]
"""A size that follows from others, or its values, which clients have in turn: one for all, or one for each kind."""


@dataclass(frozen=True)
class Course:
    """The messages of a method, and the sizes that their formulas name."""

    name: str
    messages: tuple[MessageRule, ...]
    sizes: Mapping[str, Size] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"course {self.name}"

    @property
    def kinds(self) -> int:
        """After how many clients the sizes start over."""
        return max((len(size) for size in self.sizes.values() if isinstance(size, tuple)), default=1)

    @property
    def names(self) -> set[str]:
        """The sizes that its formulas name."""
        return {base_of(name) for _, formula in all_formulas(self) for name in formula.names}


def all_formulas(course: Course) -> Iterator[tuple[str, Formula]]:
    """Yield all formulas of a course, each with where it stands."""
    for rule in course.messages:
        yield from ((f"{rule.where}.{key}", formula) for key, formula in rule.formulas)
    yield from ((f"sizes.{name}", size) for name, size in course.sizes.items() if isinstance(size, Formula))


def base_of(name: str) -> str:
    """Return the size that ``NAME.sum`` and ``NAME.max`` are of."""
    return next((name.removesuffix(end) for end in _OVER_CLIENTS if name.endswith(end)), name)
