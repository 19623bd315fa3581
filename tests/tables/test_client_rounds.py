"""Bytes per client and round, from recorded messages through a ledger of either format into a table."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.cells.measure import SERVER, Link, Traffic, link_between, traffic_of
from fscost.cells.outcome import Outcome, Status
from fscost.collect import gather
from fscost.metering import Ledger, Message, Sizes
from fscost.store.rundir import RunDir
from fscost.tables import TableSpec
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.network_model import Connection
from tests.conftest import DATA, cell_of

COURSES = {
    name: [dict(zip(("type", "sender", "receivers", "state", "payload", "scalar"), m, strict=True)) for m in messages]
    for name, messages in json.loads((DATA / "golden_sequences.json").read_text()).items()
}
COURSES["two_types"] = [
    {"type": kind, "sender": sender, "receivers": receivers, "state": state, "payload": payload, "scalar": 0}
    for state in range(3)
    for kind, sender, receivers, payload in (
        ("model_para", 0, [1, 2, 3], 400), ("emulator", 0, [1, 2], 1000),
        ("model_para", 1, [0], 100), ("gradient", 1, [0], 10), ("gradient", 3, [0], 10),
    )
]  # fmt: skip
COURSES["twice"] = [
    {"type": "model_para", "sender": 0, "receivers": [1, 2], "state": 0, "payload": 100, "scalar": 0} for _ in range(2)
]
COURSES["never_told"] = [
    {"type": "model_para", "sender": sender, "receivers": [1 - sender], "state": state, "payload": 100, "scalar": 0}
    for named in range(2)
    for sender, state in ((0, named), (1, -1))
]

OPTIONS = {
    "vfl_lr_c2_r5__py39": ("fs.vertical.use=true", "clients=2"),
    "xgb_bc_c2_t2__py39": ("fs.vertical.use=true", "clients=2"),
    "rf_bc_c2_t2__py39": ("fs.vertical.use=true", "clients=2"),
    "asyn_goal_afterreceiving_mlp64_c5_r4": ("method=asyn", "clients=10", "fs.asyn.broadcast_manner=after_receiving"),
    "twice": ("clients=3",),
    "ss_toylr_c3_r3": ("method=ss", "clients=3"),
    "fedavg_mlp64_c10_r4_num3": ("clients=10", "clients_per_round=3"),
}
LINKS = ("uplink", "downlink", "peer")


def cell_for(course: str) -> Cell:
    return cell_of("engine=builtin", *OPTIONS.get(course, ("clients=10",)))


def run_of(course: str, folder: Path, version: int = 2) -> tuple[Cell, RunDir]:
    """A run with the ledger of these messages; of format 1, without what that did not tell."""
    cell, run = cell_for(course), RunDir(folder / course)
    run.write_cell(cell)
    ledger = Ledger({"clients": cell.axes["clients"]})
    for m in COURSES[course]:
        sizes = Sizes(m["payload"], m["scalar"], 48, m["payload"] + m["scalar"] + 40)
        ledger.record(Message(m["type"], m["sender"], tuple(m["receivers"]), m["state"], None), sizes)
    rows = [json.loads(line) for line in ledger.lines()][:-1]
    if version == 1:
        rows = [{key: value for key, value in row.items() if key != "client_rounds"} for row in rows]
        rows[0]["format"] = 1
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    run.ledger.write_text(f"{text}{json.dumps({'sha256': hashlib.sha256(text.encode()).hexdigest()})}\n")
    for log in (run.system_metrics, run.eval_results):
        log.touch()
    run.write_outcome(Outcome(status=Status.DONE))
    return cell, run


def row_of(course: str, folder: Path, version: int = 2, **settings: Any) -> dict[str, float | str]:
    """The only row of a table: numbers in bytes, and marks."""
    frames = gather([run_of(course, folder, version)])
    assert not frames.warnings
    spec = TableSpec(rows=["method"], columns=[*LINKS, "total", "round_time"], **settings)
    table = build(Comparison(frames.cells), spec, label="t")
    (row,) = table.rows
    return {
        column.raw.rpartition("_")[0].removesuffix(f"_{spec.measure}"): entry.value if entry.text[0] != "n" else "n/a"
        for column, entry in zip(table.columns, row.entries, strict=True)
        if column.is_number
    }


def by_hand(course: str, *, content: bool = False) -> dict[str, float]:
    """Training bytes by link over the pairs of a client and a round, all from the messages alone."""
    size, pairs = dict.fromkeys(Link, 0), {link: set() for link in Link}  # type: ignore[var-annotated]
    named = -1
    for m in COURSES[course]:
        named = m["state"] if m["sender"] == SERVER else named
        if traffic_of(m["type"]) != Traffic.TRAINING:
            continue
        for receiver in m["receivers"]:
            link = link_between(m["sender"], receiver)
            size[link] += m["payload"] + content * m["scalar"]
            client = receiver if m["sender"] == SERVER else m["sender"]
            pairs[link].add((client, m["state"] if m["state"] >= 0 else named))
    return {link: size[link] / len(pairs[link]) if pairs[link] else 0.0 for link in Link}


@pytest.mark.parametrize("course", COURSES)
@pytest.mark.parametrize("measure", ["payload", "content"])
def test_bytes_per_client_and_round(course: str, measure: str, tmp_path: Path) -> None:
    expected = by_hand(course, content=measure == "content")
    row = row_of(course, tmp_path, measure=measure)
    assert {link: row.get(link, 0.0) for link in LINKS} == pytest.approx(expected, rel=1e-12)


def test_only_the_label_holder_uploads_in_vertical_learning(tmp_path: Path) -> None:
    """It uploads a gradient of 5 doubles for each of 50 samples in each of 5 rounds; both clients get their part."""
    messages = COURSES["vfl_lr_c2_r5__py39"]
    uploads = [m["payload"] for m in messages if m["type"] == "encryped_gradient"]
    assert row_of("vfl_lr_c2_r5__py39", tmp_path)["uplink"] == sum(uploads) / 5 == uploads[0]


def test_two_types_in_one_round_are_one_round(tmp_path: Path) -> None:
    row = row_of("two_types", tmp_path)
    assert row["downlink"] == (3 * 400 + 2 * 1000) / 3
    assert row["uplink"] == (100 + 10 + 10) / 2


EXACT = {"ss_toylr_c3_r3", "fedavg_mlp64_c10_r4_num3", "fedswa_mlp64_c3_r4", "fedavg_mlp64_c10_r3_unseen02"}
"""Courses that are known to have one training message per client, round and link."""


@pytest.mark.parametrize("course", COURSES)
def test_a_ledger_of_format_1_is_exact_or_not_known(course: str, tmp_path: Path) -> None:
    old, new = (row_of(course, tmp_path / str(version), version) for version in (1, 2))
    assert old["total"] == new["total"]
    if course in EXACT:
        assert old == new
    for link in LINKS:
        assert old.get(link) in (new.get(link), "n/a")


@pytest.mark.parametrize(
    ("course", "unknown"),
    [
        ("asyn_goal_afterreceiving_mlp64_c5_r4", {"uplink", "downlink"}),
        ("two_types", {"uplink", "downlink"}),
        ("twice", {"downlink"}),
        ("never_told", {"uplink"}),
        ("vfl_lr_c2_r5__py39", {"uplink", "peer"}),
        ("xgb_bc_c2_t2__py39", {"peer"}),
    ],
)
def test_what_format_1_does_not_tell(course: str, unknown: set[str], tmp_path: Path) -> None:
    row = row_of(course, tmp_path, 1)
    assert {link for link in LINKS if row.get(link) == "n/a"} == unknown


@pytest.mark.parametrize("measure", ["payload", "network"])
def test_what_is_not_known_says_why(measure: str, tmp_path: Path) -> None:
    frames = gather([run_of("two_types", tmp_path, 1)])
    table = build(
        Comparison(frames.cells), TableSpec(rows=["method"], columns=["uplink", "total"], measure=measure), label="t"
    )
    (note,) = [note for note in table.notes if note.mark == "n/a"]
    assert "how many clients took part" in note.meaning


def test_a_round_lasts_as_long_as_a_client_of_all_its_links(tmp_path: Path) -> None:
    """A client gets 3,200 B / 3 and sends 60 B, each at 1 Mbit/s and 1 ms away."""
    row = row_of("two_types", tmp_path, connection=Connection(1, 1, 1))
    assert row["round_time"] == pytest.approx(((3200 / 3) + 60) * 8 / 1e6 + 2 * 1e-3)


def test_the_frame_says_over_how_many(tmp_path: Path) -> None:
    (row,) = gather([run_of("two_types", tmp_path)]).cells.to_dict("records")
    found = {name.removesuffix("_client_rounds"): row[name] for name in row if str(name).endswith("_client_rounds")}
    assert found == {
        "training_uplink": 6, "training_downlink": 9, "training_peer": 0,
        "evaluation_uplink": 0, "evaluation_downlink": 0, "evaluation_peer": 0,
    }  # fmt: skip
    assert not any(name.endswith("client_rounds") for name in gather([run_of("two_types", tmp_path)]).messages)


def test_of_traffic_that_was_not_there_no_message_has_a_mean(tmp_path: Path) -> None:
    row = row_of("two_types", tmp_path, traffic="evaluation")
    assert row == {"evaluation_uplink": "n/a", "evaluation_downlink": "n/a", "evaluation_total": 0}
