"""Lists of messages that somebody else counted become runs: bytes as reported, directions by who is the server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fscost
from fscost.errors import CollectError

PRESCRIBED = """federated_round,sender,receiver,amount_of_bytes
1,server,alice,100
1,server,bob,100
1,alice,server,60
2,server,alice,100
"""


@pytest.fixture
def listed(here: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (here / "messages.csv").write_text(text)
        return here / "messages.csv"

    return write


def sums(file: Path) -> pd.DataFrame:
    frames = fscost.collect(file)
    assert frames.warnings == []
    return frames.cells.set_index("method")


def test_bytes_are_reported_and_nothing_else_is_known(listed: Callable[[str], Path]) -> None:
    row = sums(listed(PRESCRIBED)).loc["messages"]
    assert row["training_downlink_reported_bytes"] == 300 and row["training_downlink_messages"] == 3
    assert row["training_uplink_reported_bytes"] == 60 and row["training_peer_messages"] == 0
    assert row["clients"] == 2 and row["rounds_trained"] == 2
    assert pd.isna(row["training_uplink_payload_bytes"]) and pd.isna(row["training_uplink_wire_bytes"])


def test_a_table_shows_it_as_reported_and_payload_as_not_known(listed: Callable[[str], Path]) -> None:
    file = listed(PRESCRIBED)
    text = fscost.table(file, measure="reported").to_text()
    assert "0.360" in text and "what a list of messages says" in text and "asizeof" not in text
    assert "n/a" in fscost.table(file).to_text()


def test_the_command_line_takes_it(listed: Callable[[str], Path], fscost: Callable[..., Any]) -> None:
    listed(PRESCRIBED)
    assert fscost("collect", "messages.csv").code == 0
    assert "100" in fscost("table", "messages.csv", "table.measure=reported").out


def test_types_runs_peers_and_what_is_not_known(listed: Callable[[str], Path]) -> None:
    file = listed("""\ufeffRun, Type ,sender,Receiver,Bytes,round,note
a,model_para,0,1,10,0,
a,evaluate,0,1,20,0,x
b,gossip,0,1,5,3,

b,gossip,1,2,7,3,
b,gossip,2,0,,4,
""")
    cells = sums(file)
    assert cells["training_downlink_reported_bytes"]["a"] == 10
    assert cells["evaluation_downlink_reported_bytes"]["a"] == 20
    assert cells["training_peer_reported_bytes"]["b"] == 7
    assert pd.isna(cells["training_uplink_reported_bytes"]["b"]) and cells["rounds_trained"]["b"] == 2


@pytest.mark.parametrize("name", ["server", "Server", "0"])
def test_the_server_is_called_so(listed: Callable[[str], Path], name: str) -> None:
    row = sums(listed(f"round,sender,receiver,bytes\n1,{name},a,5\n1,a,b,3\n")).loc["messages"]
    assert row["training_downlink_reported_bytes"] == 5 and row["training_peer_reported_bytes"] == 3


def test_or_is_in_every_message(listed: Callable[[str], Path]) -> None:
    row = sums(listed("round,sender,receiver,bytes\n1,hub,a,5\n1,b,hub,3\n")).loc["messages"]
    assert (row["training_downlink_reported_bytes"], row["training_uplink_reported_bytes"]) == (5, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "messages.csv:1: no column round, sender, receiver, bytes"),
        ("round,sender,bytes\n1,a,5\n", "messages.csv:1: no column receiver"),
        ("round,sender,receiver,bytes\n", "messages.csv:1: no message"),
        ("round,sender,receiver,bytes\n1,server,a,5.5\n", "messages.csv:2: bytes=5.5: must be a whole number"),
        ("round,sender,receiver,bytes\n1,server,a,-5\n", "messages.csv:2: bytes=-5"),
        ("round,sender,receiver,bytes\n1,server,a,²\n", "messages.csv:2: bytes=²"),
        ("round,sender,receiver,bytes\n1,server,a,5\n\nx,server,a,5\n", "messages.csv:4: round=x"),
        ("round,sender,receiver,bytes\n1,server,a," + "9" * 5000, "messages.csv:2: bytes=9999"),
        ("round,sender,receiver,bytes\n" + "9" * 16 + ",server,a,5", "messages.csv:2: round=9999999999999999: must"),
        ('round,sender,receiver,bytes,type\n1,server,a,5,"two\nlines"\n2,a,server,x,t\n', "messages.csv:4: bytes=x"),
        ("round,sender,receiver,bytes\n1,server,a\n", "messages.csv:2: has 3 fields, the first line has 4"),
        ("round,sender,receiver,bytes\n1,,a,5\n", "messages.csv:2: sender is empty"),
        ("round,sender,receiver,bytes\n1,server,server,5\n", "messages.csv:2: server sends to itself"),
        ("round,sender,receiver,bytes\n1,a,b,5\n", "is the server is not known; call it server, or 0"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(listed: Callable[[str], Path], text: str, said: str) -> None:
    with pytest.raises(CollectError) as told:
        fscost.collect(listed(text))
    assert said in str(told.value) and "\n" not in str(told.value)


def test_bytes_that_are_no_text_are_told(here: Path) -> None:
    (here / "messages.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CollectError, match="cannot be read"):
        fscost.collect(here / "messages.csv")
