"""Columns of one's own: factors, savings, means per round and client, shares and bits, against sums over ledgers."""

import re
from pathlib import Path
from typing import Any

import pytest

from fscost.collect import gather, runs_below
from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.store.store import Store
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.physical_unit import Unit
from tests.conftest import cells_of, execute
from tests.tables.recorded import ROUNDS, entries, evaluated, runs_of, sent, table_of, unpacked


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


def test_rows_of_unlike_numbers_leave_room_for_each(paper: Path) -> None:
    """A factor's sign stands behind it, and a deviation has as many decimals as its column."""
    columns = ["total", "factor", "final"]
    table = table_of(paper, columns=columns, rows=["model", "method", "clients"], transpose=True, unit="B")
    (spec,) = (line for line in table.to_latex().splitlines() if "table-format" in line)
    formats = re.findall(r"table-format=(\S+?\(\d\)),table-space-text-post=\{\$\\times\$\}", spec)
    assert {*formats} == {"6.2(3)", "7.2(3)", "8.2(3)"}


def test_a_table_in_two_units_has_its_raw_numbers_once(paper: Path) -> None:
    table = table_of(paper, columns=["total", {"quantity": "total", "unit": "Mbit", "head": "Bits"}, "final"])
    names = table.to_csv().splitlines()[0].split(",")
    assert names.count("total_payload_bytes") == 1 and len(names) == len({*names})


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
    assert heads == ["Reduction ↑", f"vs {baseline} ↓", "Reduction, uplink ↑", "Saved (%) ↑"]
    assert f"Saved: how much less the uplink is than that of {baseline}." in table.reading
    assert f"Reduction: how many times smaller the total is than that of {baseline}." in table.reading
    for row, entry in _by_head(table, "Reduction ↑").items():
        model, clients, method = row.split()
        own, base = (
            {link: sent(runs_of(paper, name, model, int(clients))[0], "training", link=link) for link in ("", "uplink")}
            for name in (method, baseline)
        )
        assert entry.value == base[""] / own[""]
        assert entry.text.endswith("×")
        assert _by_head(table, f"vs {baseline} ↓")[row].value == own["uplink"] / base["uplink"]
        assert _by_head(table, "Reduction, uplink ↑")[row].value == base["uplink"] / own["uplink"]
        assert _by_head(table, "Saved (%) ↑")[row].value == pytest.approx(100 * (1 - own["uplink"] / base["uplink"]))


def _by_head(table: Any, head: str) -> dict[str, Any]:
    (number,) = [i for i, column in enumerate(table.columns) if column.full_head == head]
    return {" ".join(entry.text for entry in row.entries[:3]): row.entries[number] for row in table.rows}


def test_a_factor_has_the_digits_that_tell_it_from_one(paper: Path, tmp_path: Path) -> None:
    near = _by_head(table_of(paper, columns=["factor"]), "Reduction ↑")
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


# --- formulas -------------------------------------------------------------------------------------


def of(text: str, **more: str) -> dict[str, str]:
    return {"formula": text, **more}


def test_a_formula_is_computed_for_each_run(paper: Path) -> None:
    columns = [
        of("total_uplink / params", unit="B/param", head="Each"),
        of("total * 8 * 2e-9", unit="J", head="Energy"),
    ]
    table = table_of(paper, rows=["model", "params", "clients", "method"], columns=columns)
    assert [column.full_head for column in table.columns[4:]] == ["Each (B/param)", "Energy (J)"]
    assert {"Each: total uplink / params.", "Energy: total * 8 * 2e-9."} <= {*table.reading}
    for row in table.rows:
        model, params, clients, method = (entry.value for entry in row.entries[:4])
        run = runs_of(paper, method, model, clients)[0]
        assert row.entries[4].value == pytest.approx(sent(run, "training", link="uplink") / params)
        assert row.entries[5].value == pytest.approx(sent(run, "training") * 8 * 2e-9)


def test_bytes_by_formula_have_the_units_of_bytes(paper: Path) -> None:
    table = table_of(
        paper, columns=[of("total / clients / rounds", better="lower"), of("total", unit="GiB", head="All")]
    )
    assert [column.full_head for column in table.columns[3:]] == ["total / clients / rounds (kB) ↓", "All (GiB)"]
    found = _by_head(table, "total / clients / rounds (kB) ↓")
    assert found["mlp_s 3 fedper"].emphasis == "best"
    run = runs_of(paper, "fedper", "mlp_s", 3)[0]
    assert found["mlp_s 3 fedper"].text == f"{sent(run, 'training') / 3 / ROUNDS / 1000:.2f}"
    assert not _by_head(table, "All (GiB)")["mlp_s 3 fedper"].emphasis


def test_a_formula_with_the_baseline_is_of_means(paper: Path) -> None:
    table = table_of(paper, columns=["saving", of("1 - total / baseline.total", unit="%")], baseline="fedper")
    for row in table.rows:
        assert row.entries[-1].text == row.entries[-2].text
        assert row.entries[-1].runs == row.entries[-2].runs


def test_of_the_baseline_a_formula_takes_the_mean_over_its_seeds(paper: Path) -> None:
    table = table_of(
        paper, columns=[of("final / baseline.final")], baseline="fedper", rows=["model", "clients", "method"]
    )
    means = {row: _mean_accuracy(paper, *row.split()) for row in entries(table, "final_baseline_final")}
    for row, entry in entries(table, "final_baseline_final").items():
        baseline = means[row.rpartition(" ")[0] + " fedper"]
        assert entry.value == pytest.approx(means[row] / baseline, rel=1e-12)
    first = [evaluated(runs_of(paper, *_named(row))[0])[-1] for row in means]
    assert [*means.values()] != first


def _named(row: str) -> tuple[str, str, int]:
    model, clients, method = row.split()
    return method, model, int(clients)


def _mean_accuracy(paper: Path, model: str, clients: str, method: str) -> float:
    last = [evaluated(run)[-1] for run in runs_of(paper, method, model, int(clients))]
    return sum(last) / len(last)


@pytest.mark.parametrize("factor", [1, 100])
def test_accuracies_are_shares_however_they_are_logged(paper: Path, factor: int) -> None:
    run = runs_of(paper, "fedavg", "mlp_s", 3)[0]
    frames = gather([pair for pair in runs_below(paper) if pair[1].path == run])
    frames.cells["final_test_acc"] *= factor
    frames.rounds["test_acc"] *= factor
    spec = TableSpec(columns=[of("final / total", unit="%/MB")])
    table = build(Comparison(frames.cells, frames.rounds), spec, label="t")
    expected = evaluated(run)[-1] * 100 / (sent(run, "training") / 1e6)
    assert only(table, "final_total") == pytest.approx(expected * 0.01 / 1e6)
    assert table.rows[0].entries[-1].text == f"{expected:.0f}"


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (of("total / uplink_messages"), None),
        (of("bytes_to / params", unit="B/param"), "—"),
        (of("total / (clients - 3)"), "n/a"),
    ],
)
def test_where_a_part_is_not_known_the_whole_is_not(paper: Path, column: dict[str, str], why: str | None) -> None:
    if why is None:
        with pytest.raises(TableError, match="uplink_messages is nothing to compute with"):
            table_of(paper, columns=[column])
        return
    found = _by_head(table_of(paper, columns=[column], target=0.999, unit="B"), _head(column))
    assert found["mlp_s 3 fedavg"].text == why


def _head(column: dict[str, str]) -> str:
    unit = column.get("unit", "B")
    until = " until 99.9 % accuracy" if "bytes_to" in column["formula"] else ""
    return f"{column['formula']}{until} ({unit})"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (of("total + total_time"), "total + total_time: has no value (B and s are not the same kind)"),
        (of("total + params"), "total + params: has no value (B and a plain number are not the same kind)"),
        (of("max(total, params)"), "max(total, params): has no value (B and a plain number are not the same kind)"),
        (of("total / params", unit="MB/s"), "total / params: is B, which cannot be printed in MB/s"),
        (of("final / total"), "final / total: is 1/B; say in which unit, as unit: 1/B"),
        (of("total / total_time", unit="MB"), "total / total_time: is B/s, which cannot be printed in MB"),
        (of("params", unit="MB"), "params: is a plain number, which cannot be printed in MB"),
        (of("total / 1e9", unit="GB"), "total / 1e9: GB converts already; leave out 1e+09"),
        (of("total * 8 / 1e6", unit="Mbit"), "total * 8 / 1e6: Mbit converts already; leave out "),
        (of("100 * final", unit="%"), "100 * final: % converts already; leave out 100"),
        (of("total", unit="kWh"), "total: is B, not kWh; multiply it by how many kWh one is"),
        (of("total * 3e-11", unit="kWh/GB"), "unit: kWh/GB: nobody knows kWh, so GB cannot be converted"),
        (of("3 * 4"), "3 * 4: names no quantity; there are uplink, "),
        (of("totl / params"), "totl / params: totl is nothing to compute with (did you mean total?); there are "),
        (of("ratio * 2"), "ratio * 2: ratio is nothing to compute with"),
        (of("__import__('os').system('ls')"), "__import__('os').system('ls') is no part of"),
        (of("total ** total"), "total ** total: has no value (exponents go from -64 to 64)"),
        (of("total", better="up"), "better=up: must be one of higher, lower"),
        (of("total", unt="MB"), "unt: a formula has no such setting (did you mean unit?)"),
        ({"formula": 3}, "formula=3: must be text"),
    ],
)  # fmt: skip
def test_what_is_no_formula_is_told(column: dict[str, Any], words: str) -> None:
    with pytest.raises(TableError) as caught:
        TableSpec(columns=[column])
    assert str(caught.value).startswith("table.columns.") and words in str(caught.value)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        ("MB", 1e6),
        ("Mbit/s", 125_000),
        ("kB/client", 1000),
        ("B/param", 1),
        ("%/GB", 1e-11),
        ("GB·h", 3.6e12),
        ("kWh", 1),
    ],
)
def test_units(unit: str, scale: float) -> None:
    assert Unit.of(unit).scale == pytest.approx(scale)


# --- shown and hidden -----------------------------------------------------------------------------


def test_columns_are_added_and_taken_away_and_stay_in_csv(paper: Path) -> None:
    settings = {"columns": ["uplink", "total", "ratio", "final"], "only": {"model": ["mlp_s"]}}
    table = table_of(paper, **settings, show=["best", {"quantity": "saving", "head": "Less"}], hide=["ratio"])
    shown = [column.quantity for column in table.columns if column.is_number]
    assert shown == ["uplink", "total", "final", "best", "saving"]
    assert not any("vs FedAvg" in sentence for sentence in table.reading)
    assert ",ratio," in table.to_csv()
    assert not [
        c for c in table_of(paper, **settings, show=["saving"], hide=["saving"]).columns if c.quantity == "saving"
    ]


def test_a_label_is_hidden_where_it_tells_nothing_apart(paper: Path) -> None:
    runs = [(cell, run) for cell, run in runs_below(paper) if cell and cell.axes["model"] == "mlp_s"]
    table = table_of(runs, hide=["model", "params"], rows=["model", "params", "clients", "method"])
    assert [column.key for column in table.columns if not column.is_number] == ["clients", "method"]
    assert any("model mlp_s" in sentence for sentence in table.reading)
    with pytest.raises(
        TableError, match=r"^table\.hide=clients: tells rows apart; show some of its values, as table\.on"
    ):
        table_of(runs, hide=["clients"])


@pytest.mark.parametrize(
    ("hide", "words"),
    [
        (["totl"], r"^table\.hide=totl: must be one of .*\(did you mean total\?\)"),
        (["total"], r"^table\.hide=\[total\]: a table has at least one column; leave one of them out"),
        ("total", r"^table\.hide=total: must be a list"),
    ],
)
def test_what_cannot_be_hidden_is_told(paper: Path, hide: list[str], words: str) -> None:
    with pytest.raises(TableError, match=words):
        table_of(paper, hide=hide)


def test_other_layouts_have_columns_of_their_own() -> None:
    for setting, value in {"show": ["total"], "hide": ["total"], "across": "clients", "sections": "data"}.items():
        with pytest.raises(
            TableError, match=rf"^table\.{setting}: the layout audit has its own .*; take {setting} out$"
        ):
            TableSpec(layout="audit", rows=["model"], **{setting: value})
    with pytest.raises(TableError, match=r"^table\.only: published figures are rows of their own"):
        TableSpec(layout="published", figures=[{}], only={"model": "lr"})
