"""Network bytes against kernel counters, and communication times against arithmetic by hand."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fscost.cells.measure import BACK, BOTH_WAYS, COLUMNS, FORTH, Traffic
from fscost.collect import gather
from fscost.engine.estimate import EstimateEngine
from fscost.store.store import Store
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.column import ColumnSpec
from fscost.tables.comparison import Comparison
from fscost.tables.lines import course_of
from fscost.tables.network_model import Connection
from tests.conftest import Result, cell_of, cells_of, execute

MLP = ("engine=estimate", "model=mlp_m", "clients=3", "rounds=10")
SHARING = ("engine=estimate", "data=toy", "model=lr", "clients=3", "rounds=10", "fs.federate.use_ss=true")
LINK = ("network.uplink_mbps=10", "network.downlink_mbps=50", "network.latency_ms=20")

Row = dict[str, str]


def rows(fscost: Callable[..., Result], *words: str) -> list[Row]:
    """The rows of the table in bytes; its cells are computed before."""
    assert fscost(*words).code == 0
    done = fscost("table", *words, "--format", "csv")
    assert done.code == 0, done.err
    found = csv.DictReader(io.StringIO(done.out))
    return [{_short(name): value for name, value in line.items()} for line in found]


def _short(name: str) -> str:
    """Without the traffic and the measure, which the test names."""
    return re.sub(r"^(evaluation_|control_)?(.+?)_(payload|scalar|wire|network)_bytes$", r"\2_B", name)


def row(fscost: Callable[..., Result], *words: str) -> Row:
    (only,) = rows(fscost, *words)
    return only


def totals(name: str = "comm_cost") -> dict[str, float]:
    """The only cell's totals, as the frames have them."""
    (cell,) = pd.read_csv(f"tables/{name}.frames/cells.csv").to_dict("records")
    return {str(key): value for key, value in cell.items()}


# --- the model --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire_kb", "messages", "kernel_kb"),
    [
        ((5.0, 4.9), (9, 7), (20.6, 20.0)),
        ((340.4, 94.4), (9, 7), (371.7, 117.1)),
        ((375.4, 141.9), (9, 7), (408.6, 166.8)),
        ((3871, 1132), (8, 7), (4071, 1233)),
    ],
    ids=["toy_lr", "mlp64_master", "mlp64_v0.3.0", "convnet2_one_finish"],
)
def test_the_model_hits_what_the_kernel_counted(
    wire_kb: tuple[float, float], messages: tuple[int, int], kernel_kb: tuple[float, float]
) -> None:
    """Three rounds of one client in gRPC mode, kB and messages down and up.

    Down: assign_client_id, 3 model_para, 3 evaluate, 2 finish (1 where the second was refused). Up: join_in,
    3 model_para, 3 metrics.
    """
    (down_kb, up_kb), (down, up) = wire_kb, messages
    both_kb = BOTH_WAYS.of(1e3 * (down_kb + up_kb), down + up) / 1e3
    assert both_kb == pytest.approx(sum(kernel_kb), rel=0.01)
    down_there_kb = (FORTH.of(1e3 * down_kb, down) + BACK.of(1e3 * up_kb, up)) / 1e3
    up_there_kb = (FORTH.of(1e3 * up_kb, up) + BACK.of(1e3 * down_kb, down)) / 1e3
    assert (down_there_kb, up_there_kb) == pytest.approx(kernel_kb, rel=0.01)
    assert down_there_kb + up_there_kb == pytest.approx(both_kb, rel=6e-4)


@pytest.mark.parametrize(
    ("protocol", "wire_kb", "kernel_kb"),
    [("master", (340.4, 94.4), (371.7, 117.1)), ("v0.3.0", (375.4, 141.9), (408.6, 166.8))],
)
def test_from_a_cell_to_what_the_kernel_counted(
    here: Path,
    fscost: Callable[..., Result],
    protocol: str,
    wire_kb: tuple[float, float],
    kernel_kb: tuple[float, float],
) -> None:
    """The messages of a cell, and those that only gRPC mode sends: a second finish, and joining with an address."""
    assert fscost("engine=estimate", f"engine.protocol={protocol}", "model=mlp_m", "clients=3", "rounds=3").code == 0
    sums = totals()
    finish = sums["control_downlink_wire_bytes"]
    down = (sums["training_downlink_wire_bytes"] + sums["evaluation_downlink_wire_bytes"] + 2 * finish) / 3 + 124
    up = (sums["training_uplink_wire_bytes"] + sums["evaluation_uplink_wire_bytes"]) / 3 + 160
    assert (down / 1e3, up / 1e3) == pytest.approx(wire_kb, abs=0.1)
    assert BOTH_WAYS.of(down + up, 9 + 7) / 1e3 == pytest.approx(sum(kernel_kb), rel=0.01)


# --- the measure ------------------------------------------------------------------------------------


@pytest.mark.pipeline
@pytest.mark.parametrize("protocol", ["master", "v0.3.0", "v0.2.0"])
def test_network_is_made_of_wire_bytes_and_messages(here: Path, fscost: Callable[..., Result], protocol: str) -> None:
    grid = (*MLP, "rounds=3", f"engine.protocol={protocol}")
    wire = row(fscost, *grid, "table.measure=wire")
    up, down = float(wire["uplink_B"]), float(wire["downlink_B"])
    found = row(fscost, *grid, "table.measure=network")
    assert float(found["uplink_B"]) == pytest.approx(1.0465 * up + 1070 + 0.0089 * down + 802, rel=1e-12)
    assert float(found["downlink_B"]) == pytest.approx(1.0465 * down + 1070 + 0.0089 * up + 802, rel=1e-12)
    assert float(found["total_B"]) == pytest.approx(1.0555 * 9 * (up + down) + 1871 * 18, rel=1e-12)
    both = 9 * (float(found["uplink_B"]) + float(found["downlink_B"]))
    assert both == pytest.approx(float(found["total_B"]), rel=6e-4)


@pytest.mark.pipeline
def test_network_is_in_no_frame(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost(*MLP, "table.measure=network", *LINK).code == 0
    for frame in Path("tables/comm_cost.frames").glob("*.csv"):
        assert "network" not in frame.read_text()
    assert COLUMNS == ("payload_bytes", "scalar_bytes", "reported_bytes", "wire_bytes")


@pytest.mark.pipeline
def test_of_sampled_clients_only_those_in_a_round_count(here: Path, fscost: Callable[..., Result]) -> None:
    grid = (*MLP[:2], "clients=10", "clients_per_round=4", "rounds=10")
    wire = row(fscost, *grid, "table.measure=wire")
    each = float(wire["uplink_B"]) + float(wire["downlink_B"])
    found = row(fscost, *grid, "table.measure=network")
    assert float(found["total_B"]) == pytest.approx(1.0555 * 4 * 10 * each + 1871 * 2 * 4 * 10, rel=1e-12)
    assert float(found["uplink_B"]) + float(found["downlink_B"]) == pytest.approx(1.0554 * each + 2 * 1872, rel=1e-12)


@pytest.mark.pipeline
def test_messages_between_clients_are_on_both_links(here: Path, fscost: Callable[..., Result]) -> None:
    found = row(fscost, *SHARING, "table.measure=network")
    sums = totals()
    up, down, peer = (sums[f"training_{link}_wire_bytes"] / 30 for link in ("uplink", "downlink", "peer"))
    assert sums["training_peer_messages"] == 10 * 3 * 2  # each client sends 2 in a round, and gets 2
    one_way = 1.0465 * (up + peer) + 1070 * 3 + 0.0089 * (down + peer) + 802 * 3
    assert float(found["uplink_B"]) == pytest.approx(one_way, rel=1e-12)
    assert float(found["total_B"]) == pytest.approx(30 * (1.0555 * (up + down + 2 * peer) + 1871 * 6), rel=1e-12)
    text = fscost("table", *SHARING, "table.measure=network").out
    assert "between clients are on the sender's uplink and the receiver's downlink" in text
    assert "between clients" not in fscost("table", *SHARING).out


@pytest.mark.pipeline
def test_what_has_no_wire_bytes_has_no_network_bytes(here: Path, fscost: Callable[..., Result]) -> None:
    """Since counters of batches travel as numbers of varying length, v0.3.0's bytes depend on training."""
    grid = (*MLP, "engine.protocol=v0.3.0")
    found = row(fscost, *grid, *LINK, "table.measure=network")
    columns = ("uplink_B", "downlink_B", "total_B", "ratio", "round_time_s", "total_time_s")
    assert {found[name] for name in columns} == {"n/a"}
    assert float(row(fscost, *grid, *LINK)["round_time_s"]) > 0.04
    assert (
        "network (estimate) training:     not known, as the wire bytes of model_para are not"
        in fscost("explain", *grid).out
    )


@pytest.mark.pipeline
def test_network_of_other_traffic(here: Path, fscost: Callable[..., Result]) -> None:
    wire = row(fscost, *MLP, "table.traffic=evaluation", "table.measure=wire")
    found = row(fscost, *MLP, "table.traffic=evaluation", "table.measure=network")
    up, down = float(wire["uplink_B"]), float(wire["downlink_B"])
    assert float(found["uplink_B"]) == pytest.approx(1.0465 * up + 0.0089 * down + 1872, rel=1e-12)
    text = fscost("table", *MLP, "table.traffic=evaluation", "table.measure=network").out
    assert "Per client and evaluation (kB)" in text
    control = row(fscost, *MLP, "table.traffic=control", "table.measure=network")
    assert (control["uplink_B"], control["downlink_B"], control["total_B"]) == ("n/a",) * 3  # join_in has no wire


@pytest.mark.pipeline
def test_explain_gives_the_factors(here: Path, fscost: Callable[..., Result]) -> None:
    total = round(float(row(fscost, *MLP, "table.measure=network")["total_B"]))
    sums = totals()
    wire = int(sums["training_uplink_wire_bytes"] + sums["training_downlink_wire_bytes"])
    shown = fscost("explain", *MLP).out
    line = f"network (estimate) training:     1.0555 × {wire:,} B wire + 1,871 B × 60 messages = {total:,} B"
    assert line in shown
    assert "network (estimate) control:      not known, as the wire bytes of join_in are not" in shown
    total = round(float(row(fscost, *SHARING, "table.measure=network")["total_B"]))
    assert f"1,871 B × 180 messages, those between clients twice = {total:,} B" in fscost("explain", *SHARING).out


# --- times ------------------------------------------------------------------------------------------


@pytest.mark.pipeline
def test_a_round_of_mlp_by_hand(here: Path, fscost: Callable[..., Result]) -> None:
    """Down 20,440 B at 50 Mbit/s, up 19,832 B at 10 Mbit/s, twice 20 ms; ten rounds, however many clients."""
    found = row(fscost, *MLP, *LINK)
    assert float(found["round_time_s"]) == pytest.approx(0.0032704 + 0.0158656 + 0.04, rel=1e-12)
    assert float(found["total_time_s"]) == pytest.approx(0.59136, rel=1e-12)
    sampled = row(fscost, *MLP, "clients=10", "clients_per_round=4", *LINK)
    assert float(sampled["total_time_s"]) == pytest.approx(0.59136, rel=1e-12)
    without = row(fscost, *MLP, *LINK, "network.latency_ms=0")
    assert float(without["total_time_s"]) == pytest.approx(0.19136, rel=1e-12)


def test_a_round_with_secret_sharing_by_hand(here: Path, fscost: Callable[..., Result]) -> None:
    """Six parameters: 24 B down, 48 B up, and shares of 48 B to and from two others; three legs."""
    found = row(fscost, *SHARING, *LINK)
    down_s, up_s = 8 * (24 + 2 * 48) / 50e6, 8 * (48 + 2 * 48) / 10e6
    assert float(found["round_time_s"]) == pytest.approx(down_s + up_s + 0.06, rel=1e-12)
    assert (found["uplink_B"], found["downlink_B"]) == ("48", "24")  # payload counts messages, not links


@pytest.mark.pipeline
def test_a_round_of_network_bytes_is_that_of_the_columns(here: Path, fscost: Callable[..., Result]) -> None:
    for grid in (MLP, SHARING):
        found = row(fscost, *grid, *LINK, "network.latency_ms=0", "table.measure=network")
        sending_s = 8 * (float(found["downlink_B"]) / 50e6 + float(found["uplink_B"]) / 10e6)
        assert float(found["round_time_s"]) == pytest.approx(sending_s, rel=1e-12)
        assert float(found["total_time_s"]) == pytest.approx(10 * sending_s, rel=1e-12)


def test_an_exchange_that_not_every_round_has_is_as_often_as_its_most_frequent_message() -> None:
    """A message that comes with a part of the exchanges takes its share of the time of each."""
    sent = {f"evaluation_{link}_wire_bytes": size for link, size in (("uplink", 600), ("downlink", 60), ("peer", 0))}
    sent |= {f"evaluation_{link}_messages": number for link, number in (("uplink", 6), ("downlink", 3), ("peer", 0))}
    course = course_of(sent, 2, ColumnSpec(quantity="total", traffic=Traffic.EVALUATION, measure="wire"))
    assert course is not None
    assert (course.uplink.share, course.downlink.share) == ((100.0, 1.0), (10.0, 0.5))


def test_asynchronous_courses_have_bytes_and_no_times(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    cells = [cell_of(*MLP), cell_of(*MLP, "fs.asyn.use=true")]
    frames = gather([(cell, execute(cell, store, EstimateEngine())[1]) for cell in cells])
    columns = ["total", "round_time", "total_time"]
    spec = TableSpec(columns=columns, measure="network", connection=Connection(10, 50))
    table = build(Comparison(frames.cells), spec, label="x")
    keys = [column.key for column in table.columns]
    texts = [dict(zip(keys, (entry.text for entry in found.entries), strict=True)) for found in table.rows]
    assert [(found["method"], found["round_time_s"] == "n/a", found["total_time_s"] == "n/a") for found in texts] == [
        ("fedavg", False, False),
        ("asyn", True, True),
    ]
    assert texts[0]["total_network_bytes"] == texts[1]["total_network_bytes"] != "n/a"
    assert "Asynchronous and vertical courses have no such rounds." in table.reading


def test_clients_of_unequal_messages_have_bytes_and_no_times(here: Path, fscost: Callable[..., Result]) -> None:
    """Of ranks 4, 8, 16 and 32 the mean is 15: a round lasts as long as that of 32 does."""
    lora = ("engine=estimate", "model=mistral_7b_lora", "data=samples", "clients=4", "method=hetlora")
    uneven, even = rows(fscost, *lora, "sizes.rank=[8,32],[8,8]", *LINK)
    assert (uneven["round_time_s"], uneven["total_time_s"]) == ("n/a", "n/a")
    assert float(uneven["uplink_B"]) == 2.5 * float(even["uplink_B"])
    assert float(even["round_time_s"]) > 0
    assert "the slowest client, of which the mean tells nothing: clients differ in rank" in fscost("table", *LINK).out


def test_a_cell_that_is_not_done_has_no_time(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost(*MLP).code == 0
    done = fscost("table", *MLP, "clients=3,5", *LINK, "--format", "csv")
    found = list(csv.DictReader(io.StringIO(done.out)))
    assert [each["round_time_s"] == "missing" for each in found] == [False, True]
    assert found[1]["total_time_s"] == "missing"


# --- the knobs --------------------------------------------------------------------------------------


def test_no_cell_depends_on_the_link() -> None:
    assert [cell.id for cell in cells_of(*MLP, *LINK)] == [cell.id for cell in cells_of(*MLP)]


@pytest.mark.pipeline
def test_the_link_goes_with_a_grid_a_folder_and_the_last_sweep(here: Path, fscost: Callable[..., Result]) -> None:
    assert "Time" not in fscost(*MLP).out
    by_grid = fscost("table", *MLP, *LINK).out
    assert by_grid.count("Time/round") == 1
    assert fscost("table", "runs", *LINK).out == by_grid
    assert fscost("table", *LINK).out == by_grid
    assert fscost("table", "runs", "network={uplink_mbps: 10, downlink_mbps: 50, latency_ms: 20}").out == by_grid
    assert "above 0" in fscost("table", "runs", "network.uplink_mbps=0").err
    assert "set network.uplink_mbps=10" in fscost("table", "runs", "table=time").err
    for verb in ("plan", "explain", "rerun", "collect"):
        assert fscost(verb, *LINK).code == 0
    assert "1 cell: 1 done, 0 to run" in fscost(*MLP, *LINK).err


@pytest.mark.pipeline
def test_another_table_of_the_last_sweep_has_its_own_settings(here: Path, fscost: Callable[..., Result]) -> None:
    """The audit, and explain with it, have no measure, and would refuse the one that the sweep's table had."""
    assert fscost(*MLP, *LINK, "table.measure=network").code == 0
    assert "estimated network bytes" in fscost("table").out
    assert fscost("table", "table=audit").code == 0
    assert "1.0555 ×" in fscost("explain").out


BAD = [
    (["network=5"], "network=5: must be a mapping; set network.uplink_mbps=10"),
    (["network.uplink_mbps=10"], "gives no time without network.downlink_mbps"),
    (["network.downlink_mbps=10"], "gives no time without network.uplink_mbps"),
    (["network.latency_ms=20"], "gives no time without network.uplink_mbps and network.downlink_mbps"),
    (["network.uplink_mbps=0"], "network.uplink_mbps=0: must be a number of Mbit/s above 0"),
    (["network.uplink_mbps=-1"], "above 0"),
    (["network.uplink_mbps=fast"], "above 0"),
    (["network.downlink_mbps=nan"], "above 0"),
    (["network.downlink_mbps=true"], "above 0"),
    (["network.latency_ms=-1"], "network.latency_ms=-1: must be a number of milliseconds"),
    (["network.latency_ms=null"], "needs a value"),
    (["network.mbps=3"], "there is no network.mbps"),
    (["network={uplink: 3}"], "did you mean uplink_mbps"),
    (["table=time"], "set network.uplink_mbps=10 network.downlink_mbps=50"),
    ([*LINK, "table.traffic=evaluation"], "communication times are those of training rounds"),
    (["table=time", "table.needs_network=2"], "must be true or false"),
]


@pytest.mark.parametrize(("words", "sentence"), BAD, ids=lambda value: value[-1] if isinstance(value, list) else "")
def test_a_link_that_cannot_be_is_refused_in_one_line(
    here: Path, fscost: Callable[..., Result], words: list[str], sentence: str
) -> None:
    done = fscost(*MLP, *words)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()
    assert line.startswith("fscost: ") and sentence in line
    assert not list(here.iterdir())


# --- what a table says ------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["latex", "markdown", "text"])
def test_each_format_says_that_it_is_an_estimate_and_how_good(
    here: Path, fscost: Callable[..., Result], format: str
) -> None:
    assert fscost(*MLP).code == 0
    shown = fscost("table", *MLP, *LINK, "table=time", "--format", format).out
    assert "Communication time: estimated network bytes of training messages" in shown
    assert "B per message" in shown and "1.0555" in shown
    assert "rms" in shown and "models of 5,000 parameters or more" in shown
    assert "network bytes of the downlink at 50 Mbit/s + of the uplink at 10 Mbit/s + 20 ms per link in use" in shown
    assert "A round lasts as long as its slowest client" in shown
    assert "0.0740" in shown and "0.740" in shown  # s per round and in all


@pytest.mark.pipeline
def test_a_table_of_payload_says_whose_bytes_its_times_are(here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost(*MLP).code == 0
    assert "Time: of communication alone, payload bytes of the downlink" in fscost("table", *MLP, *LINK).out
    assert "round_time_s,total_time_s" in fscost("table", *MLP, *LINK, "--format", "csv").out.splitlines()[0]
    assert "time" not in fscost("table", *MLP, "--format", "csv").out
