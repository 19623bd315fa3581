"""Over how many pairs of a client and a round bytes are spread, against sets of pairs made from recorded messages.

`golden_sequences.json` holds the messages of real FederatedScope runs in the order in which they were sent: type,
sender, receivers, the state that the message tells, and the bytes of one copy: of tensors, and of numbers and text.
"""

import json
from collections import defaultdict
from collections.abc import Iterator

import pytest

from fscost.cells.measure import SERVER, Link, Traffic, link_between, traffic_of
from fscost.metering import Ledger, Message, Sizes
from fscost.metering.ledger import Tally
from tests.conftest import DATA

Sent = tuple[str, int, list[int], int]
"""Type, sender, receivers and state of a message."""

RECORDED: dict[str, list[Sent]] = {
    name: [(kind, sender, receivers, state) for kind, sender, receivers, state, *_ in messages]
    for name, messages in json.loads((DATA / "golden_sequences.json").read_text()).items()
}
TWO_TYPES: list[Sent] = [
    ("join_in", 1, [0], 0), ("join_in", 2, [0], 0), ("join_in", 3, [0], 0),
    *(
        message
        for state in range(3)
        for message in (
            ("model_para", 0, [1, 2], state), ("emulator", 0, [2, 3], state), ("model_para", 0, [1], state),
            ("model_para", 1, [0], state), ("gradient", 1, [0], state), ("gradient", 3, [0], state),
            ("model_para", 2, [1, 0, 3], state),
        )
    ),
    ("finish", 0, [1, 2, 3], 3),
]  # fmt: skip
"""Clients that get two types of training message in a round, one of them twice; one sends to the server and others."""

COURSES = RECORDED | {"two_types": TWO_TYPES}


def pairs_of(messages: list[Sent]) -> dict[tuple[Traffic, Link], set[tuple[int, int]]]:
    """The pairs of a client and a round by traffic class and link; on links between clients, those that sent."""
    found: dict[tuple[Traffic, Link], set[tuple[int, int]]] = defaultdict(set)
    named = -1
    for kind, sender, receivers, state in messages:
        named = state if sender == SERVER else named
        for receiver in receivers:
            client = receiver if sender == SERVER else sender
            of = state if state >= 0 else named
            found[traffic_of(kind), link_between(sender, receiver)].add((client, of))
    return found


def rows_of(messages: list[Sent]) -> Iterator[dict[str, int]]:
    ledger = Ledger({})
    for kind, sender, receivers, state in messages:
        ledger.record(Message(kind, sender, tuple(receivers), state, None), Sizes(4, 8, 48, 100))
    yield from (row for row in map(json.loads, ledger.lines()) if "type" in row)


@pytest.mark.parametrize("course", COURSES)
def test_a_ledger_counts_pairs_of_a_client_and_a_round(course: str) -> None:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows_of(COURSES[course]):
        sums[traffic_of(str(row["type"])), str(row["link"])] += row["client_rounds"]
    assert dict(sums) == {key: len(pairs) for key, pairs in pairs_of(COURSES[course]).items()}


@pytest.mark.parametrize(
    ("course", "up", "down", "peer"),
    [
        ("vfl_lr_c2_r5__py39", 5, 10, 10),  # only the client with the labels uploads
        ("xgb_bc_c2_t2__py39", 0, 2, 4),  # two clients, two trees; the server starts both of them once
        ("asyn_goal_afterreceiving_mlp64_c5_r4", 12, 12, 0),  # 13 messages each way, two of one client in round 0
        ("ss_toylr_c3_r3", 9, 9, 9),
        ("fedavg_mlp64_c10_r4_num3", 12, 12, 0),
        ("two_types", 9, 9, 3),  # all of three clients in three rounds, whatever they get or send
    ],
)
def test_what_these_courses_are_spread_over(course: str, up: int, down: int, peer: int) -> None:
    found = pairs_of(COURSES[course])
    assert [len(found[Traffic.TRAINING, link]) for link in Link] == [up, down, peer]


def test_a_message_to_nobody_is_none() -> None:
    assert [*rows_of([("model_para", 0, [], 0)])] == []


def test_a_closed_form_counts_a_client_of_several_types_once() -> None:
    ledger, one = Ledger({}), Tally(messages=3)
    for kind, clients in (("model_para", 2), ("emulator", 3), ("model_para", 1)):
        ledger.add((0, kind, Link.DOWNLINK), one, clients)
    ledger.add((0, "nothing", Link.PEER), Tally(), 5)
    assert {key[1]: tally.client_rounds for key, tally in ledger.by_type.items()} == {
        "model_para": 2,
        "emulator": 1,
        "nothing": 0,
    }
