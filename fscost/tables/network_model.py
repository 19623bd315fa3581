"""What the clients' links carry, and how long a round of it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from fscost.cells.measure import BACK, BOTH_WAYS, FORTH, NETWORK, Link
from fscost.errors import TableError, nearest
from fscost.tables.numbers import as_set

_RATES = ("uplink_mbps", "downlink_mbps")
_RATE = 1e-6, 1e9, "Mbit/s above 0, from 0.000001 to 10^9"
_RANGES = {"uplink_mbps": _RATE, "downlink_mbps": _RATE, "latency_ms": (0, 1e6, "milliseconds from 0 to 10^6")}
FOR_EXAMPLE = "network.uplink_mbps=10 network.downlink_mbps=50"


@dataclass(frozen=True)
class Sent:
    """What one run sent over one kind of link, and over how many pairs of a client and a round that is spread.

    A client that gets two messages in one round is there once. None: not known.
    """

    size_bytes: float
    messages: float
    client_rounds: float | None = None

    @property
    def share(self) -> tuple[float, float] | None:
        """The bytes and messages of a client in a round in which it took part, None where that is not known."""
        if not self.messages:
            return 0.0, 0.0
        if not self.client_rounds:
            return None
        return self.size_bytes / self.client_rounds, self.messages / self.client_rounds


@dataclass(frozen=True)
class Course:
    """What one run sent over each kind of link; bytes are the table's `measure`, and wire bytes where that is network.

    A message between two clients is on both their links: the uplink of one and the downlink of the other.
    """

    measure: str
    rounds: float
    uplink: Sent
    downlink: Sent
    peer: Sent

    @property
    def links(self) -> tuple[Sent, Sent, Sent]:
        """Uplink, downlink and peer."""
        return self.uplink, self.downlink, self.peer

    @property
    def messages(self) -> float:
        """All messages; one to several receivers counts for each."""
        return sum(sent.messages for sent in self.links)

    @property
    def total_bytes(self) -> float:
        """All bytes; of network, what all clients' links carry, and so a message between clients twice."""
        both = sum(sent.size_bytes for sent in self.links)
        if self.measure != NETWORK:
            return both
        return BOTH_WAYS.of(both + self.peer.size_bytes, self.messages + self.peer.messages)

    @property
    def carried_bytes(self) -> float:
        """What all clients send and receive: a message between two of them is sent by one and received by another."""
        return self.total_bytes + (0 if self.measure == NETWORK else self.peer.size_bytes)

    def share_bytes(self, direction: Link) -> float | None:
        """Return what the uplink or downlink carries in one round of a client that takes part on each link in use.

        None where nothing is sent at all, or where it is not known how many clients took part.
        """
        shares = [sent.share for sent in self.links]
        known = [share for share in shares if share is not None]
        if not self.messages or len(known) < len(shares):
            return None
        up, down, peer = known
        own, other = (up, down) if direction is Link.UPLINK else (down, up)
        if self.measure != NETWORK:
            return own[0] + peer[0]
        return FORTH.of(own[0] + peer[0], own[1] + peer[1]) + BACK.of(other[0] + peer[0], other[1] + peer[1])

    @property
    def legs(self) -> int:
        """How many links are in use, one after another in a round: downlink, uplink, and between clients."""
        return sum(sent.messages > 0 for sent in self.links)


@dataclass(frozen=True)
class Connection:
    """The link between a client and the server, the same for all: rates in Mbit/s (10^6 bit/s), latency one way."""

    uplink_mbps: float
    downlink_mbps: float
    latency_ms: float = 0

    @classmethod
    def from_config(cls, network: Any) -> Self | None:
        """Return the link of a configuration's ``network`` section, None for one without rates.

        Raises TableError for a number out of its range, and for one rate without the other.
        """
        if not isinstance(network, Mapping):
            raise TableError(f"network={network}: must be a mapping; set {FOR_EXAMPLE}")
        for key, value in network.items():
            _check(key, value)
        missing = [key for key in _RATES if network.get(key) is None]
        given = [key for key in network if key not in missing and network[key]]
        if missing and given:
            unset = " and ".join(f"network.{key}" for key in missing)
            raise TableError(f"network.{given[0]}={network[given[0]]}: gives no time without {unset}; set that too")
        return None if missing else cls(**network)

    def round_s(self, course: Course) -> float | None:
        """Return the seconds that one synchronous round of training communicates, None where nothing is sent.

        A round lasts as long as its slowest client, all have this link, and the server's own is no bottleneck:
        downlink bytes per client / downlink rate + uplink bytes per client / uplink rate + latency × links in use.
        Training, aggregation and the round trips that set up a connection are not in it.
        The bytes are the mean client's: it is for courses whose clients' messages differ by a few bytes only.
        """
        down, up = course.share_bytes(Link.DOWNLINK), course.share_bytes(Link.UPLINK)
        if down is None or up is None:
            return None
        sending_s = (down / self.downlink_mbps + up / self.uplink_mbps) * 8 / 1e6
        return sending_s + course.legs * self.latency_ms / 1000

    def total_s(self, course: Course) -> float | None:
        """Return the seconds that all rounds of training communicate."""
        each = self.round_s(course)
        return None if each is None else each * course.rounds

    def sums(self, measure: str) -> str:
        """Return the sum that a round's time is, for bytes of `measure`."""
        latency = f" + {as_set(self.latency_ms)} ms per link in use" if self.latency_ms else ""
        down, up = (f"{as_set(rate)} Mbit/s" for rate in (self.downlink_mbps, self.uplink_mbps))
        return f"{measure} bytes of the downlink at {down} + of the uplink at {up}{latency}"


def _check(key: str, value: Any) -> None:
    known = [field.name for field in fields(Connection)]
    if key not in known:
        raise TableError(f"network.{key}: a link has no such setting{nearest(key, known)}")
    if value is None and key in _RATES:
        return
    least, most, rule = _RANGES[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise TableError(f"network.{key}={value}: must be a number of {rule}")
