"""Columns of one's own: factors, savings, means per round and client, shares and bits, against sums over ledgers."""

from pathlib import Path
from typing import Any

import pytest

from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.store.store import Store
from tests.conftest import cells_of, execute
from tests.tables.recorded import ROUNDS, entries, runs_of, sent, table_of, unpacked


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose clients send to each other."""
    folder = tmp_path_factory.mktemp("peers")
    for cell in cells_of("engine=estimate", "model=lr", "rounds=2", "method=ss", "clients=4"):
        execute(cell, Store(folder), EstimateEngine())
    return folder


def only(table: Any, key: str) -> float:
    """The number of the only row."""
    (entry,) = entries(table, key).values()
    return float(entry.value)


def test_means_per_round_and_client_and_the_share_of_the_uplink(paper: Path) -> None:
    table = table_of(paper, columns=["per_round", "per_client", "uplink_share"])
    for row, entry in entries(table, "per_round").items():
        model, clients, method = row.split()
        run = runs_of(paper, method, model, int(clients))[0]
        total = sent(run, "training")
        assert entry.value == total / ROUNDS
        assert entries(table, "per_client")[row].value == total / int(clients)
        assert entries(table, "uplink_share")[row].value == pytest.approx(
            100 * sent(run, "training", link="uplink") / total, rel=1e-12
        )


def test_a_message_between_clients_is_one_of_each(peers: Path) -> None:
    table = table_of(peers, columns=["total_uplink", "total_downlink", "total", "per_client"])
    up, down, total = (only(table, key) for key in ("total_uplink", "total_downlink", "total_payload"))
    assert total > up + down
    assert only(table, "per_client") == (up + down + 2 * (total - up - down)) / 4


def test_what_is_not_known_is_not_made_up(peers: Path) -> None:
    """Each direction of network bytes carries what answers the other; bytes that a link carries have no part up."""
    table = table_of(peers, columns=["uplink_share", "per_client"], measure="network")
    (row,) = table.rows
    assert row.entries[-2].mark and row.entries[-2].mark.why == "each direction also carries what answers the other"
    assert row.entries[-1].value > 0


@pytest.mark.parametrize("baseline", ["fedavg", "fedper"])
def test_factors_and_savings_of_what_is_named(paper: Path, baseline: str) -> None:
    of_uplink: list[Any] = [{"quantity": key, "of": "uplink"} for key in ("ratio", "factor", "saving")]
    table = table_of(paper, columns=["factor", *of_uplink], baseline=baseline)
    heads = [column.full_head for column in table.columns if column.is_number]
    assert heads == ["Reduction", f"vs {baseline}", "Reduction, uplink", "Saved (%)"]
    assert f"Saved: how much less the uplink is than that of {baseline}." in table.reading
    assert f"Reduction: how many times smaller the total is than that of {baseline}." in table.reading
    for row, entry in _by_head(table, "Reduction").items():
        model, clients, method = row.split()
        own, base = (
            {link: sent(runs_of(paper, name, model, int(clients))[0], "training", link=link) for link in ("", "uplink")}
            for name in (method, baseline)
        )
        assert entry.value == base[""] / own[""]
        assert entry.text.endswith("×")
        assert _by_head(table, f"vs {baseline}")[row].value == own["uplink"] / base["uplink"]
        assert _by_head(table, "Reduction, uplink")[row].value == base["uplink"] / own["uplink"]
        assert _by_head(table, "Saved (%)")[row].value == pytest.approx(100 * (1 - own["uplink"] / base["uplink"]))


def _by_head(table: Any, head: str) -> dict[str, Any]:
    (number,) = [i for i, column in enumerate(table.columns) if column.full_head == head]
    return {" ".join(entry.text for entry in row.entries[:3]): row.entries[number] for row in table.rows}


def test_a_factor_has_the_digits_that_tell_it_from_one(paper: Path, tmp_path: Path) -> None:
    near = _by_head(table_of(paper, columns=["factor"]), "Reduction")
    assert near["mlp_s 3 fedper"].text == "1.07×"
    for cell in cells_of("engine=estimate", "model=convnet2", "rounds=2", "clients=3", "method=fedavg,fedprox,quant8"):
        execute(cell, Store(tmp_path), EstimateEngine())
    found = entries(table_of(tmp_path, columns=[{"quantity": "factor", "of": "downlink"}]), "factor")
    assert [entry.text.rstrip("†") for entry in found.values()] == ["1.0×", "1.0×", "3.9×"]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"quantity": "total", "of": "uplink"}, "table.columns=total: must be one of ratio, factor, saving"),
        ({"quantity": "speedup", "of": "uplink"}, "table.columns=speedup: must be one of ratio, factor, saving"),
        ({"quantity": "factor", "of": "uplnk"}, "table.columns.of=uplnk: must be one of uplink, "),
        ({"quantity": "factor", "of": "final"}, "table.columns.of=final: must be one of uplink, "),
        ({"quantity": "factor", "of": "bytes_to"}, "table.columns.of=bytes_to: must be one of uplink, "),
    ],
)
def test_what_cannot_be_compared_is_refused(paper: Path, column: dict[str, Any], words: str) -> None:
    with pytest.raises(TableError, match=f"^{words}"):
        table_of(paper, columns=[column])


@pytest.mark.parametrize(
    ("unit", "text", "said"),
    [
        ("bit", "1,981,440", None),
        ("kbit", "1,981", "kbit = 10³ bits."),
        ("Mbit", "1.98", "Mbit = 10⁶ bits."),
        ("Gbit", "0.00198", "Gbit = 10⁹ bits."),
        ("auto_bits", "1.98", "Mbit = 10⁶ bits."),
    ],
)
def test_bits(paper: Path, unit: str, text: str, said: str | None) -> None:
    table = table_of(paper, columns=["total"], unit=unit)
    entry = entries(table, "total_payload_bytes")["mlp_s 3 fedavg"]
    assert entry.text == text
    assert entry.value == sent(runs_of(paper, "fedavg", "mlp_s", 3)[0], "training")  # in CSV they stay bytes
    assert [sentence for sentence in table.reading if "= 10" in sentence] == ([said] if said else [])
