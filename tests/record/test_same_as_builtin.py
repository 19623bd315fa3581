"""A plain FedAvg loop is counted as the builtin engine counts its own: message by message, training traffic.

FederatedScope's clients upload how many samples they have beside the parameters, and no buffers of batch norm.
"""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import fscost
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.builtin.client_data import load_federation
from fscost.engine.builtin.modules import build_model
from fscost.protocol.course_options import Options
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from tests.conftest import cell_of

pytestmark = pytest.mark.pipeline


def training(path: Path) -> list[dict[str, Any]]:
    found = [row for row in read_ledger(path).messages if row["type"] == "model_para"]
    keys = ("round", "type", "link", "messages", "client_rounds", "payload_bytes", "scalar_bytes")
    return [{key: row[key] for key in keys} for row in found]


@pytest.mark.parametrize(("model", "clients", "rounds"), [("lr", 3, 3), ("convnet2", 5, 2), ("mlp_s", 1, 1)])
def test_a_plain_loop_is_counted_alike(
    here: Path, monkeypatch: pytest.MonkeyPatch, model: str, clients: int, rounds: int
) -> None:
    cell = cell_of(f"model={model}", f"clients={clients}", f"rounds={rounds}", "engine=builtin")
    theirs = RunDir(here / "builtin")
    theirs.write_cell(cell)
    BuiltinEngine().run(cell, theirs)
    options = Options(cell)
    net = build_model(options, load_federation(options).clients[1]["train"].x[0])
    with fscost.record(method="fedavg", model=model, clients=clients, rounds=rounds) as run:
        for number in range(rounds):
            run.downlink(net.state_dict(), round=number)
            for client in range(1, clients + 1):
                run.uplink((500, dict(net.named_parameters())), client=client, round=number)
    (ours,) = (here / "runs").glob("fedavg-*")
    expected = training(theirs.ledger)
    if model == "lr":
        assert sum(row["payload_bytes"] for row in expected) == 2 * 3 * 3 * 2600
    assert training(RunDir(ours).ledger) == expected


def test_workers_sent_and_got_alike(here: Path) -> None:
    """Downlink and uplink of each client, which builtin's evaluation and control messages add to."""
    with fscost.record(method="fedavg", model="lr", clients=2, rounds=1) as run:
        run.downlink([0.5], round=0)
        run.uplink([0.5, 1.5], client=2, round=0)
    (ours,) = (here / "runs").glob("fedavg-*")
    workers = {row["worker"]: row for row in read_ledger(ours / "ledger.jsonl").workers}
    assert workers[0]["sent"]["messages"] == 2 and workers[0]["received"]["scalar_bytes"] == 16
    assert workers[1]["sent"]["messages"] == 0 and workers[2]["sent"]["scalar_bytes"] == 16
