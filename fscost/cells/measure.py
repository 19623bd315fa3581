"""What is counted: links, traffic classes, measures and units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple


class Word(str, Enum):
    """An enumeration whose members are, and print as, their values; `enum.StrEnum` needs Python 3.11."""

    def __str__(self) -> str:
        return str(self.value)


class Link(Word):
    """Who sends to whom."""

    UPLINK = "uplink"
    DOWNLINK = "downlink"
    PEER = "peer"


SERVER: Final = 0
"""The server's worker id; clients are 1, 2, … in the order in which they join."""


def link_between(sender: int, receiver: int) -> Link:
    """Return the link of a message; its direction is who sent it, whatever its type."""
    if sender == SERVER:
        return Link.DOWNLINK
    return Link.UPLINK if receiver == SERVER else Link.PEER


class Traffic(Word):
    """Why a message is sent."""

    TRAINING = "training"
    EVALUATION = "evaluation"
    CONTROL = "control"


_EVALUATION: Final = (
    "evaluate", "metrics", "eval_metric", "pred_result", "enc_pred_result", "global_loss",
    "feature_importance", "ask_for_feature_importance",
)  # fmt: skip
_CONTROL: Final = (
    "join_in", "assign_client_id", "ask_for_join_in_info", "join_in_info", "address", "converged", "finish", "setup",
    "public_keys", "feat_engr_public_keys", "vertical_dims", "feat_dim",
)  # fmt: skip


def traffic_of(msg_type: str) -> Traffic:
    """Return the traffic class of one of FederatedScope's message types.

    A type of somebody's own is training: left out of a table, it would be missed.
    """
    if msg_type in _EVALUATION:
        return Traffic.EVALUATION
    return Traffic.CONTROL if msg_type in _CONTROL else Traffic.TRAINING


@dataclass(frozen=True)
class Measure:
    """One way to count the bytes of a message's content; with `made_of` it is computed from others when it is shown."""

    key: str
    meaning: str
    made_of: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The measure's name in ledgers and frames; always plain bytes."""
        return f"{self.key}_bytes"

    @property
    def parts(self) -> tuple[str, ...]:
        """The measures in ledgers that it is, or is made of."""
        return self.made_of or (self.key,)


class Overhead(NamedTuple):
    """What a network link carries for messages: `factor` times their wire bytes, and `message_bytes` for each."""

    factor: float
    message_bytes: int

    def of(self, wire_bytes: float, messages: float) -> float:
        """Return the bytes on the link, Ethernet headers included."""
        return self.factor * wire_bytes + self.message_bytes * messages

    def __str__(self) -> str:
        return f"{self.factor} × wire + {self.message_bytes:,} B per message"


BOTH_WAYS: Final = Overhead(1.0555, 1871)
"""What both directions of a client's link carry for a message: the `network` measure, an estimate.

Fitted to the kernel's counters of FederatedScope's gRPC mode: a network namespace per client, MTU 1500, offloads off,
a TCP connection per message, no compression. The factor is headers of full segments and their acknowledgements, the
rest what a connection costs. Over 50 runs its rms error is 0.8 %; for models of 5,000 parameters or more it is at most
2 %. Jumbo frames, segmentation offload and `grpc_compression` make other factors. What only FederatedScope's
distributed mode sends (`assign_client_id`, a second `finish`) is not in it.
"""

FORTH: Final = Overhead(1.0465, 1070)
"""What the direction that a message goes carries of `BOTH_WAYS` (rms error 0.7 % downlink, 1.7 % uplink)."""

BACK: Final = Overhead(0.0089, 802)
"""What the other direction carries of it: acknowledgements and answers.

Fitted apart from `BOTH_WAYS`, so that both directions add up to it but for 0.01 % and 1 B per message.
"""

NETWORK: Final = "network"

MEASURES: Final = {
    m.key: m
    for m in (
        Measure("payload", "tensors only, elements × bytes per element"),
        Measure("scalar", "numbers (8 bytes each) and strings beside the tensors"),
        Measure("reported", "pympler's asizeof of the content, as FederatedScope counts it: blind to tensor storage"),
        Measure("wire", "the protobuf message of FederatedScope's distributed mode"),
        Measure("content", "payload and scalar: every number and text of the message", ("payload", "scalar")),
        Measure(NETWORK, f"an estimate of what Ethernet, TCP and gRPC carry, {BOTH_WAYS}", ("wire",)),
    )
}
COLUMNS: Final = tuple(m.column for m in MEASURES.values() if not m.made_of)

BITS: Final = {"bit": 0.125, "kbit": 125, "Mbit": 125_000, "Gbit": 125_000_000}
"""Bytes per unit of bits: an eighth of as many bytes."""

UNITS: Final = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, **BITS,
}  # fmt: skip
"""Bytes per unit; text never mixes the decimal with the binary ones."""


def binary_text(size: float) -> str:
    """Return a size as FederatedScope prints it: 1024-based, two decimals, ``11.69K``."""
    if size <= 0:
        return str(size)
    power = min(math.floor(math.log(size, 1024)), 6)
    return f"{round(size / 1024**power, 2)}{['', 'K', 'M', 'G', 'T', 'P', 'E'][power]}"


def total_column(traffic: str, link: str, measure: str) -> str:
    """Return the name of a total in the frames, as ``training_uplink_payload_bytes``."""
    return f"{traffic}_{link}_{MEASURES[measure].column}"
