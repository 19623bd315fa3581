"""Wire bytes of somebody's own training code are its own; what a network carries of them nobody knows."""

from pathlib import Path

import pytest

import fscost


@pytest.fixture
def runs(here: Path) -> Path:
    with fscost.record(method="fedavg", model="lr", clients=1, rounds=1) as run:
        run.uplink(payload_bytes=1000, wire_bytes=1200, client=1, round=0)
    return here / "runs"


def test_wire_says_whose_encoding_it_is(runs: Path) -> None:
    text = fscost.table(runs, measure="wire").to_text()
    assert "1.20" in text and "Wire: a message as the training code says that it serialises it." in text
    assert "FederatedScope" not in text


def test_network_bytes_are_not_known_and_never_an_estimate(runs: Path) -> None:
    frame = fscost.table(runs, measure="network").to_frame()
    assert frame.filter(like="network").isna().all(axis=None)
    assert "how this training code's messages travel is not known" in fscost.table(runs, measure="network").to_text()
