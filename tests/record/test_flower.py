"""Flower's messages are counted as they pass the grid; the example is Flower itself, where that is installed."""

import io
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fscost
from fscost.collect import gather, runs_below
from fscost.errors import FscostError
from fscost.store.ledger_file import read_ledger

PYTHON = os.environ.get("FSCOST_TEST_FLOWER_PYTHON") or (sys.executable if find_spec("flwr") else "")
APP = Path(fscost.__file__).parent.parent / "examples" / "flower" / "app.py"


def stored(array: np.ndarray) -> Any:
    file = io.BytesIO()
    np.save(file, array)
    return SimpleNamespace(dtype=str(array.dtype), shape=array.shape, stype="numpy.ndarray", data=file.getvalue())


def message(node: int, kind: str = "train", round: Any = 1, reply_to: str = "", **records: Any) -> Any:
    settings = {} if round is None else {"server-round": round}
    content = SimpleNamespace(
        array_records={"arrays": records.get("arrays", {})},
        metric_records={"metrics": records.get("metrics", {})},
        config_records={"config": settings | records.get("config", {})},
    )
    metadata = SimpleNamespace(
        message_type=kind, src_node_id=node, dst_node_id=node, group_id="", reply_to_message_id=reply_to
    )
    error = records.get("error")
    return SimpleNamespace(content=content, metadata=metadata, has_error=lambda: error is not None, error=error)


MODEL = {"w": stored(np.zeros((10, 64), "float32")), "b": stored(np.zeros(10, "float32"))}


class Wire:
    """A grid as Flower's: takes messages and has the replies of its nodes."""

    def __init__(self, replies: Iterable[Any] = ()) -> None:
        self.replies = [*replies]

    def push_messages(self, messages: Iterable[Any]) -> list[Any]:
        nodes = [sent.metadata.dst_node_id for sent in messages]
        return [None if node < 0 else f"m{node}" for node in nodes]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Any]:
        return [reply for reply in self.replies if reply.metadata.reply_to_message_id in {*message_ids}]

    def send_and_receive(self, messages: Iterable[Any]) -> list[Any]:
        return self.pull_messages(self.push_messages([*messages]))


def recorded(here: Path) -> list[dict[str, Any]]:
    (path,) = (here / "runs").glob("fedavg-*")
    return read_ledger(path / "ledger.jsonl").messages


def recording(clients: int = 2) -> Any:
    return fscost.record(method="fedavg", model="lr", clients=clients, rounds=1)


def test_messages_are_counted_both_ways(here: Path) -> None:
    replies = [
        message(node, arrays=MODEL, metrics={"loss": 0.5}, round=None, reply_to=f"m{node}") for node in (7, 2**63)
    ]
    grid = Wire(replies)
    with recording() as run:
        assert fscost.record.flower(grid) is grid
        assert grid.send_and_receive(message(node, arrays=MODEL) for node in (7, 2**63)) == replies
        assert run.framework == "Flower"
    down, up = recorded(here)
    assert (down["type"], down["link"], down["round"], down["messages"]) == ("train", "downlink", 0, 2)
    assert down["payload_bytes"] == up["payload_bytes"] == 2 * 2600
    assert (down["scalar_bytes"], up["scalar_bytes"]) == (2 * 8, 2 * 8)  # the round; the loss


def test_evaluations_are_evaluation_and_own_types_training(here: Path) -> None:
    grid = Wire([message(7, "evaluate", None, "m7", metrics={"acc": 0.5, "per_class": [0.5] * 10})])
    with recording():
        fscost.record.flower(grid)
        grid.push_messages([message(7, "train.fine", arrays=MODEL), message(7, "query", arrays=MODEL)])
        grid.send_and_receive([message(7, "evaluate", arrays=MODEL)])
    (cell,) = gather(runs_below(here / "runs")).cells.to_dict("records")
    assert cell["training_downlink_messages"] == 2 and cell["evaluation_downlink_payload_bytes"] == 2600
    assert recorded(here)[-1]["scalar_bytes"] == 11 * 8


def test_what_was_not_sent_counts_as_nothing(here: Path) -> None:
    failed = message(7, round=None, reply_to="m7", error=SimpleNamespace(reason="node is gone"))
    with recording():
        grid = fscost.record.flower(Wire([failed]))
        grid.send_and_receive([message(7, arrays=MODEL), message(-1, arrays=MODEL)])
    assert [(row["link"], row["messages"]) for row in recorded(here)] == [("downlink", 1)]
    (path,) = (here / "runs").glob("fedavg-*")
    assert "node is gone" in read_ledger(path / "ledger.jsonl").header["warnings"][0]


def test_an_array_in_another_format_is_unknown(here: Path) -> None:
    other = SimpleNamespace(dtype="bfloat16", shape=(10,), stype="own", data=b"0" * 20)
    with recording():
        fscost.record.flower(Wire()).push_messages([message(7, arrays={"w": other})])
    assert recorded(here)[0]["payload_bytes"] is None


@pytest.mark.parametrize(
    ("nodes", "round", "said"),
    [([1, 2, 3], 1, "clients=2: another node of Flower appears"), ([1], None, "no server-round"), ([1], 5, "round=5")],
)
def test_what_cannot_be_is_told(here: Path, nodes: list[int], round: Any, said: str) -> None:
    with pytest.raises(FscostError, match=said), recording():
        fscost.record.flower(Wire()).push_messages([message(node, round=round, arrays=MODEL) for node in nodes])


def test_a_grid_is_counted_once_and_inside_a_recording(here: Path) -> None:
    grid = Wire()
    with pytest.raises(FscostError, match="no recording is open"):
        fscost.record.flower(grid)
    with pytest.raises(FscostError, match="counted already"), recording():
        fscost.record.flower(fscost.record.flower(grid))


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="needs Flower: pip install 'fscost[flower]', or FSCOST_TEST_FLOWER_PYTHON")
@pytest.mark.parametrize("method", ["fedavg", "fedprox"])
def test_the_example_runs_flower(here: Path, method: str) -> None:
    """Flower may train fewer clients than there are in its first round; what is counted is what really happened."""
    env = os.environ | {"PYTHONPATH": str(APP.parents[2])}
    done = subprocess.run([PYTHON, APP, "--method", method], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = (here / "runs").glob(f"{method}-*")
    rows = read_ledger(path / "ledger.jsonl").messages
    sent = [row for row in rows if (row["type"], row["link"]) != ("evaluate", "uplink")]
    assert all(row["payload_bytes"] == row["messages"] * 2600 for row in sent)
    assert all(0 < row["payload_bytes"] < row["wire_bytes"] for row in sent)
    assert {row["round"] for row in rows} == {0, 1, 2} and 32 <= sum(row["messages"] for row in rows) <= 36
    (cell,) = gather(runs_below(here / "runs")).cells.to_dict("records")
    assert cell["final_test_acc"] > 0.85 and cell["rounds_trained"] == 3
