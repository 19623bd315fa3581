"""What a printed figure of communication may mean: every way in which the bytes of one run can be counted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, Final

from fscost.cells.measure import MEASURES, Link, Traffic, total_column
from fscost.tables.lines import Record, is_missing

DIRECTIONS: Final = {"up": (Link.UPLINK,), "down": (Link.DOWNLINK,), "up + down": (Link.UPLINK, Link.DOWNLINK)}
TAKING_PART, ON_AVERAGE, ALL = "a client", "a client on average", "all clients"
MESSAGE, ROUND, EPOCH, TOTAL = "one message", "a round", "an epoch", "all rounds"
AS_SENT, PARAMETERS, STATE_DICT = "as sent", "parameters only", "with buffers"
ELEMENT_BYTES: Final = {"float32": 4, "float16": 2, "int8": 1}
_MEASURES: Final = ("payload", "wire", "content")

Words = tuple[str, ...]


@dataclass(frozen=True)
class Convention:
    """One way to count: its `words`, and the bytes that it comes to; `also` are words that make no difference here."""

    words: Words
    size: Fraction
    also: Words = ()

    def __str__(self) -> str:
        also = f" (the same: {'; '.join(self.also)})" if self.also else ""
        return f"{', '.join(filter(None, self.words))}{also}"


@dataclass(frozen=True)
class Sent:
    """What one link of a run carried: bytes None where they are not known."""

    size: Fraction | None
    messages: int
    client_rounds: int


Content = tuple[Words, Mapping[Link, Sent]]
"""How contents are counted, in words: the measure, what is in it, its elements. And what each link carried, so."""


def conventions_of(row: Record, steps: int | None = None) -> tuple[list[Convention], list[str]]:
    """Return the conventions for a cell of `fscost.collect`, and in words which could not be counted.

    Only training is counted. `steps` are the rounds of an epoch. Those that are the same number are there once.
    """
    contents, left_out = _contents(row)
    found = [one for content in contents for one in _spread(content, row, steps)]
    return _told_once(found), left_out


def _contents(row: Record) -> tuple[list[Content], list[str]]:
    contents, left_out = list[Content](), list[str]()
    for measure in _MEASURES:
        sent = {link: _sent(row, link, measure) for link in (Link.UPLINK, Link.DOWNLINK)}
        contents.append(((measure, AS_SENT, ""), sent))
        unknown = [link for link, one in sent.items() if one.size is None]
        if unknown:
            left_out.append(f"{measure} bytes of {' and '.join(unknown)} are not known")
    plain = {link: sent for link, sent in contents[0][1].items() if _is_plain(sent, row)}
    if len(plain) < 2:
        others = " and ".join(str(link) for link in contents[0][1] if link not in plain)
        left_out.append(f"{others}: its messages are not the trained parameters, so no other elements are tried")
    if plain:
        contents += _of_model(plain, row)
        left_out.append("other elements of wire and content, and of buffers")
    return contents, left_out


def _sent(row: Record, link: Link, measure: str) -> Sent:
    parts: list[Any] = [row.get(total_column(Traffic.TRAINING, link, part)) for part in MEASURES[measure].parts]
    size = None if any(map(is_missing, parts)) else Fraction(sum(map(int, parts)))
    return Sent(size, *(_count(row, f"{Traffic.TRAINING}_{link}_{key}") for key in ("messages", "client_rounds")))


def _count(row: Record, key: str) -> int:
    value: Any = row.get(key)
    return 0 if is_missing(value) else int(value)


def _is_plain(sent: Sent, row: Record) -> bool:
    """Return whether every message of a link is the model: its trained parameters, with its buffers or without."""
    trained, whole = _count(row, "trainable_bytes"), _count(row, "state_dict_bytes")
    return bool(sent.size and trained and sent.size in (sent.messages * trained, sent.messages * whole))


def _of_model(plain: Mapping[Link, Sent], row: Record) -> Iterator[Content]:
    """Yield the model as it could have been sent: with its buffers or without, and its parameters of other types."""
    trained, whole, params = (_count(row, key) for key in ("trainable_bytes", "state_dict_bytes", "params"))
    sizes = {name: width * params for name, width in ELEMENT_BYTES.items() if width * params not in (0, trained)}
    for elements, size in {"": trained, **sizes}.items():
        buffers = {STATE_DICT: size + whole - trained} if whole > trained else {}
        for name, each in {PARAMETERS: size, **buffers}.items():
            sent = {link: replace(one, size=Fraction(each * one.messages)) for link, one in plain.items()}
            yield ("payload", name, elements), sent


def _spread(content: Content, row: Record, steps: int | None) -> Iterator[Convention]:
    """Yield contents counted in each direction, over a message, a round, an epoch or all, of a client or of all."""
    (measure, *words), sent = content
    for direction, links in DIRECTIONS.items():
        parts = [_by_extent(sent[link], row, steps) if link in sent else {} for link in links]
        for extent in parts[0]:
            size = sum((part.get(extent, Fraction(0)) for part in parts), Fraction(0))
            if size and all(extent in part for part in parts):
                yield Convention((measure, direction, extent, *words), size)


def _by_extent(sent: Sent, row: Record, steps: int | None) -> dict[str, Fraction]:
    """Return the bytes of one link by whose they are and over how long, nothing where they are not known.

    A client is one that takes part in every round counted; on average, all are counted, whether sampled or not.
    """
    rounds, clients = _count(row, "rounds_trained") or _count(row, "rounds"), _count(row, "clients")
    if sent.size is None or not (sent.messages and sent.client_rounds and rounds and clients):
        return {}
    lengths = {ROUND: 1} | ({EPOCH: steps} if steps else {}) | ({TOTAL: rounds} if rounds > 1 else {})
    shares = {TAKING_PART: sent.client_rounds, ON_AVERAGE: rounds * clients, ALL: rounds}
    found = {f"{span} of {who}": sent.size * lengths[span] / shares[who] for span, who in product(lengths, shares)}
    if clients == 1:
        found = {span: sent.size * length / rounds for span, length in lengths.items()}
    return {MESSAGE: sent.size / sent.messages} | found


def _told_once(found: Iterable[Convention]) -> list[Convention]:
    """Return conventions without those that are the same number; of these the first one says what else it is."""
    alike: dict[Fraction, list[Convention]] = {}
    for one in found:
        alike.setdefault(one.size, []).append(one)
    return [replace(same[0], also=_also(same[0], same[1:])) for same in alike.values()]


def _also(first: Convention, others: Sequence[Convention]) -> Words:
    """Return the words that can stand in the place of one of the first one's, and what more than one make another."""
    differing = [_differing(first, other) for other in others]
    single = dict.fromkeys(word for words in differing for word in words if len(words) == 1)
    more = list[Convention]()
    for other, words in zip(others, differing, strict=True):
        is_told = single.keys() >= {*words} or any(single.keys() >= {*_differing(one, other)} for one in more)
        more += [] if is_told or words[0].endswith(ON_AVERAGE) else [other]
    found = [word for word in single if word and not word.endswith(ON_AVERAGE)]  # of a client is then on average too
    return (*found, *map(str, more))


def _differing(first: Convention, other: Convention) -> Words:
    return tuple(theirs for ours, theirs in zip(first.words, other.words, strict=True) if ours != theirs)
