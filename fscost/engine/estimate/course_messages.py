"""The ledger of a course that is data: each of its messages in every round that has it, in closed form."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from fscost.cells import measure
from fscost.cells.measure import Link, traffic_of
from fscost.engine.estimate.closed_form import Estimate, Parts
from fscost.engine.estimate.course_sizes import NamedSizes
from fscost.engine.estimate.message_contents import MetaTensor
from fscost.engine.estimate.sample_counts import ONE_BYTE, Alike, groups_of
from fscost.errors import ConfigError
from fscost.metering import Ledger, Message, Sizes, enclosed, meter_content
from fscost.protocol.course_options import Options
from fscost.protocol.courses import (
    ALL,
    END,
    EVALUATION,
    FIRST,
    LAST,
    LATER,
    METRICS,
    ONE,
    SAMPLE_SIZE,
    SAMPLED,
    SERVER,
    START,
    Course,
    MessageRule,
    Part,
    TensorRule,
)
from fscost.protocol.model_shapes import shapes_of
from fscost.protocol.models import Shape

_MOST_TENSORS = 10**5
"""Tensors, or numbers, of one message: each is looked at."""

_UNKNOWN = Sizes(None, None, None, None)


class CourseEstimate(Estimate):
    """The messages of one cell whose method is a course that is data."""

    def __init__(self, options: Options, course: Course) -> None:
        super().__init__(options)
        self.course = course
        self.groups = list(groups_of(options, self.course.kinds, by_classes="classes" in self.course.names))
        self.sizes = NamedSizes(self.course, options, self.contents, self.groups)
        self._known: dict[Any, Sizes] = {}
        types = {rule.type: rule.traffic for rule in self.course.messages if rule.traffic}
        self.found.traffic.update({kind: one for kind, one in types.items() if one is not traffic_of(kind)})

    def check(self) -> None:
        """Raise ConfigError, naming the message and its key, for one that cannot be computed."""
        try:
            for rule in self.course.messages:
                self._states(rule)
                self._parts(rule, 0)
        except ConfigError as error:
            raise ConfigError(f"{self.course.where}: {error}") from error

    def ledger(self) -> Ledger:
        """Return the ledger: a line per round, type and link."""
        for rule in self.course.messages:
            link, clients, _ = self._sending(rule)
            if not any(self._times(rule, one) for one in self.groups):
                continue
            self._add(rule.type, link, self._states(rule), partial(self._parts, rule), clients)
        return self.found

    def _states(self, rule: MessageRule) -> Sequence[int]:
        """Return the rounds of a message, as FederatedScope numbers them in messages."""
        rounds = self.options.rounds
        if rule.every is not None:
            if not (every := self.sizes.whole(rule.every, self.groups[0], f"{rule.where}.every")):
                raise ConfigError(f"{rule.where}.every={rule.every.text}: must be at least 1 round")
            return range(every - 1, rounds, every)
        if rule.when == EVALUATION:
            return self._evaluation_states()
        moments = {START: range(1), FIRST: range(1), LATER: range(1, rounds), LAST: range(rounds - 1, rounds)}
        return {**moments, END: range(rounds, rounds + 1)}.get(rule.when, range(rounds))

    # --- who sends to whom ------------------------------------------------------------------------

    def _sending(self, rule: MessageRule) -> tuple[Link, int, int]:
        """Return the link, how many clients send or receive over it, and to how many others each of them sends."""
        number = {SERVER: 0, SAMPLED: self.per_round, ALL: self.clients, ONE: 1}
        senders, receivers = number[rule.sender], number[rule.receiver]
        if rule.sender == SERVER:
            return Link.DOWNLINK, receivers, 1
        if rule.receiver == SERVER:
            return Link.UPLINK, senders, 1
        if self.clients < 2:
            raise ConfigError(f"{rule.where}: goes between clients, and clients={self.clients} has no two")
        if rule.receiver == ONE:
            return Link.PEER, senders, 1
        return Link.PEER, min(senders, receivers), max(senders, receivers) - 1

    def _parts(self, rule: MessageRule, state: int) -> Parts:
        link, clients, each = self._sending(rule)
        keys = [self._key(rule, one) for one in self.groups]
        if link is Link.DOWNLINK and len({*keys}) == 1:
            return self._to_all_alike(rule, state, clients)
        times = [self._times(rule, one) for one in self.groups]
        sizes = [self._sized(rule, one, link, state) for one in self.groups]
        if clients == self.clients:
            return [(one.clients * each * n, size) for one, n, size in zip(self.groups, times, sizes, strict=True)]
        if len({*times}) > 1:
            raise ConfigError(
                f"{rule.where}.times: how many messages there are depends on which clients are sampled; "
                "take clients_per_round=-1, or data=samples"
            )
        columns = [{*column} for column in zip(*sizes, strict=True)]
        alike = Sizes(*(column.pop() if len(column) == 1 else None for column in columns))
        return [(clients * each * times[0], alike)]

    def _to_all_alike(self, rule: MessageRule, state: int, receivers: int) -> Parts:
        """Return one message to several clients; every copy carries the list of receivers."""
        one = self.groups[0]
        to = range(1, receivers + 1)
        sizes = self._enclosed(rule, measure.SERVER, to, state, self._metered(rule, one))
        depends = receivers < self.clients and self.clients > ONE_BYTE
        return [(receivers * self._times(rule, one), sizes._replace(wire_bytes=None) if depends else sizes)]

    def _sized(self, rule: MessageRule, one: Alike, link: Link, state: int) -> Sizes:
        """Return the bytes of one message from or to one client of a group."""
        found = self._metered(rule, one)
        if link is Link.DOWNLINK:
            return self._enclosed(rule, measure.SERVER, (one.one,), state, found)
        to = measure.SERVER if link is Link.UPLINK else 1
        sizes = self._enclosed(rule, one.one, (to,), state, found)
        is_unknown = link is Link.PEER and self.clients > ONE_BYTE  # the ids of receivers are of several lengths
        return sizes._replace(wire_bytes=None) if is_unknown else sizes

    def _enclosed(
        self, rule: MessageRule, sender: int, to: tuple[int, ...] | range, state: int, content: Sizes
    ) -> Sizes:
        sizes = enclosed(Message(rule.type, sender, to, state, None), content)
        return sizes._replace(wire_bytes=None) if self._has_long_counters(rule, state) else sizes

    def _has_long_counters(self, rule: MessageRule, state: int) -> bool:
        is_pickled = rule.type == "model_para" and self.release.pickles
        has_buffers = any(part in ("model", "state_dict") for part in rule.parts or () if isinstance(part, str))
        return has_buffers and not is_pickled and self._counters_may_be_long(state)

    # --- what is in a message ---------------------------------------------------------------------

    def _times(self, rule: MessageRule, one: Alike) -> int:
        if rule.times is None:
            return 1
        if (times := self.sizes.whole(rule.times, one, f"{rule.where}.times")) is None:
            raise ConfigError(f"{rule.where}.times: how many messages there are depends on which clients are sampled")
        return times

    def _key(self, rule: MessageRule, one: Alike) -> tuple[Any, ...]:
        """Return what of a group of clients decides a message: equal keys have equal messages."""
        values = (self.sizes.number(formula, one, f"{rule.where}.{key}") for key, formula in rule.formulas)
        totals = tuple(sorted(self._totals(one).items())) if rule.numbers == METRICS else ()
        return *values, self._sample_size(one) if rule.numbers == SAMPLE_SIZE else 0, *totals

    def _sample_size(self, one: Alike) -> int:
        return self.options.local_steps.sample_size(one.samples["train"])

    def _metered(self, rule: MessageRule, one: Alike) -> Sizes:
        key = rule.where, self._key(rule, one)
        if key not in self._known:
            content = self._content(rule, one)
            if content is None and (rule.parts is not None or rule.numbers is not None):
                self._known[key] = _UNKNOWN
                return _UNKNOWN
            message = Message(rule.type, measure.SERVER, (), 0, content)
            sizes = meter_content(message, pickled=self.release.pickles)
            is_cut = self.contents.is_count and any(isinstance(part, str) for part in rule.parts or ())
            self._known[key] = sizes._replace(wire_bytes=None, reported_bytes=None) if is_cut else sizes
        return self._known[key]

    def _content(self, rule: MessageRule, one: Alike) -> Any:
        """Return the content of a message without any data in it: None where there is none, or nobody knows it."""
        if rule.numbers == METRICS:
            return self.contents.metrics(self._totals(one))
        entries = [self._entries(rule, part, one) for part in rule.parts or ()]
        if None in entries:
            return None
        tensors = None if rule.parts is None else entries[0] or [] if len(entries) == 1 else list(entries)
        if rule.numbers is None:
            return tensors
        numbers = self._sample_size(one) if rule.numbers == SAMPLE_SIZE else self._list_of_numbers(rule, one)
        return numbers if tensors is None or numbers is None else (numbers, tensors)

    def _list_of_numbers(self, rule: MessageRule, one: Alike) -> list[float] | None:
        assert rule.numbers is not None and not isinstance(rule.numbers, str)
        count = self.sizes.whole(rule.numbers, one, f"{rule.where}.numbers")
        if count is not None and count > _MOST_TENSORS:
            raise ConfigError(f"{rule.where}.numbers: more than {_MOST_TENSORS:,} belong in a tensor: {{values: [n]}}")
        return None if count is None else [0.5] * count

    def _entries(self, rule: MessageRule, part: Part, one: Alike) -> Mapping[str, MetaTensor] | None:
        """Return the tensors of a part of a message by name, None where a size is not known."""
        if part in ("model", "state_dict") and rule.sender == SERVER and not self._is_changed(rule):
            return self.contents.downloaded() if part == "model" else self.contents.state_dict
        if isinstance(part, tuple):
            shapes = self._by_formula(rule, part, one)
        else:
            shapes = self._chosen(rule, self._of_model(rule, part) if isinstance(part, str) else shapes_of(part), one)
        if shapes is None:
            return None
        if codec := rule.coded(self._settings(rule, one)):
            shapes = [*codec.sent(shapes)]
        named = ((shape.name.encode().decode(), shape) for shape in shapes)  # asizeof counts an object once
        return {name: MetaTensor(shape.shape, shape.dtype) for name, shape in named}

    def _is_changed(self, rule: MessageRule) -> bool:
        return bool(rule.only or rule.without or rule.lora_rank or rule.codec)

    def _settings(self, rule: MessageRule, one: Alike) -> dict[str, Any]:
        formulas = {key.removeprefix("codec."): formula for key, formula in rule.formulas if key.startswith("codec.")}
        return {key: self.sizes.number(value, one, f"{rule.where}.codec.{key}") for key, value in formulas.items()}

    def _of_model(self, rule: MessageRule, source: str) -> list[Shape]:
        """Return what a message has of the cell's model: of a client the entries that FederatedScope's uploads."""
        entries: Mapping[str, MetaTensor] = self.contents.state_dict
        trainable = self.contents.trainable
        if source == "model":
            entries = self.contents.downloaded() if rule.sender == SERVER else self.contents.shared()
        return [
            Shape(name, value.shape, value.dtype, name in trainable)
            for name, value in entries.items()
            if source != "parameters" or name in trainable
        ]

    def _chosen(self, rule: MessageRule, shapes: list[Shape], one: Alike) -> list[Shape] | None:
        """Return the entries that the patterns of a message choose, with its rank where it has one."""
        if (patterns := (*rule.only, *rule.without)) and self.contents.is_count:
            raise ConfigError(f"{rule.where}: chooses tensors by name, which model=spec parameters=N has not")
        for pattern in patterns:
            if not any(fnmatchcase(shape.name, pattern) for shape in shapes):
                some = ", ".join(shape.name for shape in shapes[:4])
                raise ConfigError(f"{rule.where}: {pattern}: no tensor is called so; there are {some}, …")
        chosen = [s for s in shapes if not rule.only or any(fnmatchcase(s.name, p) for p in rule.only)]
        chosen = [s for s in chosen if not any(fnmatchcase(s.name, p) for p in rule.without)]
        return chosen if rule.lora_rank is None else self._ranked(rule, chosen, one)

    def _ranked(self, rule: MessageRule, shapes: list[Shape], one: Alike) -> list[Shape] | None:
        """Return entries with another rank of LoRA's matrices A (rank, in) and B (out, rank)."""
        assert rule.lora_rank is not None
        rank = self.sizes.whole(rule.lora_rank, one, f"{rule.where}.lora_rank")
        if not any("lora_A" in shape.name or "lora_B" in shape.name for shape in shapes):
            raise ConfigError(
                f"{rule.where}.lora_rank: the model has no matrices lora_A and lora_B; take model=mistral_7b_lora, "
                "adapter=lora, or model=spec with lora_rank=8"
            )
        if rank == 0:
            raise ConfigError(f"{rule.where}.lora_rank={rule.lora_rank.text}: is 0, and must be at least 1")
        return None if rank is None else [_with_rank(shape, rank) for shape in shapes]

    def _by_formula(self, rule: MessageRule, part: tuple[TensorRule, ...], one: Alike) -> list[Shape] | None:
        found = [shape for tensor in part for shape in self._tensors(rule, tensor, one)]
        if None in found:
            return None
        shapes = [shape for shape in found if shape is not None]
        if again := [name for name, number in Counter(shape.name for shape in shapes).items() if number > 1]:
            raise ConfigError(f"{rule.where}.tensors.{again[0]}: there is more than one tensor of this name")
        return shapes

    def _tensors(self, rule: MessageRule, tensor: TensorRule, one: Alike) -> Iterator[Shape | None]:
        where = f"{rule.where}.tensors.{tensor.name}"
        sizes = [self.sizes.whole(size, one, where) for size in tensor.shape]
        repeat = 1 if tensor.repeat is None else self.sizes.whole(tensor.repeat, one, where)
        if repeat is None or None in sizes:
            yield None
            return
        if repeat > _MOST_TENSORS:
            raise ConfigError(f"{where}: repeat is {repeat:,}; of more than {_MOST_TENSORS:,} make one larger tensor")
        shape = tuple(size for size in sizes if size is not None)
        try:
            MetaTensor(shape, tensor.dtype)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from error
        for number in range(repeat):
            yield Shape(tensor.name.replace("*", str(number)), shape, tensor.dtype)


def _with_rank(shape: Shape, rank: int) -> Shape:
    if len(shape.shape) != 2 or not ("lora_A" in shape.name or "lora_B" in shape.name):
        return shape
    rows, columns = shape.shape
    size = (rank, columns) if "lora_A" in shape.name else (rows, rank)
    return Shape(shape.name, size, shape.dtype, shape.trainable)
