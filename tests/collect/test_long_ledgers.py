"""A ledger of many rounds is never held: its lines are read where they are asked for, and the numbers are the same."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.collect import Frames, gather, runs_below
from fscost.collect.ledgers import messages_of, totals, with_bytes
from fscost.engine.estimate import EstimateEngine
from fscost.errors import CollectError
from fscost.store.ledger_file import LongMessages, read_ledger
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.conftest import cell_of, execute, resealed

ROUNDS = 6000
COUNTS = ("messages", "payload_bytes", "scalar_bytes", "reported_bytes", "wire_bytes")
TRAFFIC = {"model_para": "training", "evaluate": "evaluation", "metrics": "evaluation"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long ledger between short ones."""
    made = Store(tmp_path_factory.mktemp("long") / "runs")
    for seed, rounds in enumerate((2, ROUNDS, 3)):
        cell = cell_of("engine=estimate", "model=lr", "clients=3", f"seed={seed}", f"rounds={rounds}")
        execute(cell, made, EstimateEngine())
    return made.path


@pytest.fixture(scope="module")
def frames(store: Path) -> Frames:
    return gather(runs_below(store))


def long_run(store: Path) -> RunDir:
    return max(
        (RunDir(path.parent) for path in store.glob("*/ledger.jsonl")), key=lambda run: run.ledger.stat().st_size
    )


def lines_of(run: RunDir) -> list[dict[str, Any]]:
    return [row for line in run.ledger.read_text().splitlines() if "type" in (row := json.loads(line))]


def rewritten(run: RunDir, lines: list[str]) -> None:
    """Other lines, with the digest of these."""
    text = "".join(f"{line}\n" for line in lines)
    digest = json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest()})
    run.ledger.write_text(f"{text}{digest}\n")
    resealed(run.path)


def test_its_lines_are_read_each_time_and_are_all(store: Path, tmp_path: Path) -> None:
    run = long_run(Path(shutil.copytree(store, tmp_path / "runs")))
    sums = dict.fromkeys(COUNTS, 1)
    workers = [json.dumps({"worker": number, "sent": sums, "received": sums}) for number in range(4)]
    rewritten(run, [*run.ledger.read_text().splitlines()[:-1], *workers])
    found = read_ledger(run.ledger)
    assert isinstance(found.messages, LongMessages)
    assert [*found.messages] == lines_of(run) == [*found.messages]
    assert [row["worker"] for row in found.workers] == [0, 1, 2, 3]


def test_totals_are_the_sums_of_its_lines(store: Path, frames: Frames) -> None:
    run = long_run(store)
    values: dict[str, list[int | None]] = {}
    for row in lines_of(run):
        for count in COUNTS:
            values.setdefault(f"{TRAFFIC.get(row['type'], 'control')}_{row['link']}_{count}", []).append(row[count])
    (cell,) = frames.cells[frames.cells["id"] == run.read_cell().id].to_dict("records")
    for name, all_of_it in values.items():
        known = [value for value in all_of_it if value is not None]
        if len(known) < len(all_of_it):
            assert pd.isna(cell[name]), name
        else:
            assert cell[name] == sum(known), name
    assert cell["rounds_trained"] == ROUNDS


def test_the_bytes_until_an_evaluation_are_those_of_lines_before_it(store: Path) -> None:
    """A training message of round r is before the evaluation after r + 1 rounds, and so is that one's request."""
    run = long_run(store)
    messages, evaluated = messages_of(read_ledger(run.ledger), run.read_cell()), (1, 40, ROUNDS)
    found = [*with_bytes([{"round": number} for number in evaluated], messages, run.read_cell())]
    for number, row in zip(evaluated, found, strict=True):
        sent = [line for line in lines_of(run) if line["type"] == "model_para" and line["round"] < number]
        up = [line["payload_bytes"] for line in sent if line["link"] == "uplink"]
        assert len(up) == number
        assert row["training_uplink_payload_bytes"] == sum(up)


def test_the_frame_of_messages_is_made_when_it_is_asked_for_in_the_order_of_cells(store: Path, frames: Frames) -> None:
    assert callable(frames.made)
    of_cell = {run.read_cell().id: run for _, run in runs_below(store) if isinstance(run, RunDir)}
    expected = [(id, row) for id in frames.cells["id"] for row in lines_of(of_cell[id])]
    found = frames.messages
    assert [*found["cell"]] == [id for id, _ in expected]
    for name in ("round", "type", "link", *COUNTS):
        values = [None if pd.isna(value) else value for value in found[name]]
        assert values == [row[name] for _, row in expected]
    assert found["round"].dtype == "Int64"
    alone = frames.of(expected[0][0])
    pd.testing.assert_frame_equal(alone.messages, found[found["cell"] == expected[0][0]])


def test_a_file_that_was_written_since_is_not_taken_for_what_it_was(store: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(store, tmp_path / "runs"))
    frames, run = gather(runs_below(own)), long_run(own)
    head, _, *others, _ = run.ledger.read_text().splitlines()
    rewritten(run, [head, *others])
    with pytest.raises(CollectError, match="was written while it was read; try once more"):
        _ = frames.messages
    run.ledger.unlink()
    with pytest.raises(CollectError, match="cannot be read"):
        _ = frames.messages


def test_a_line_that_is_none_is_named(store: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(store, tmp_path / "runs"))
    run = long_run(own)
    lines = run.ledger.read_text().splitlines()[:-1]
    place = len(lines) - 10  # behind those that are read at once
    rewritten(
        run,
        [
            *lines[:place],
            lines[place].replace('"uplink"', '"upward"').replace('"downlink"', '"upward"'),
            *lines[place + 1 :],
        ],
    )
    with pytest.raises(CollectError, match=rf"ledger.jsonl:{place + 1}: .*link"):
        read_ledger(run.ledger)


@pytest.mark.parametrize(
    "rounds",
    [
        [],
        [-1, -1],
        [0],
        [3, 1, 1, 2],
        [0, 2, 4],
        [7, 8, 0, 1, 3, -1],
        [0, 2**62],
        [*range(30_000)] * 2,
        [*range(10_000), *[5] * 10_000, 8],
    ],
)
def test_each_round_is_counted_once_however_many_lines_name_it(store: Path, rounds: list[int]) -> None:
    ledger = read_ledger(long_run(store).ledger)
    like = next(row for row in messages_of(ledger, long_run(store).read_cell()) if row["type"] == "model_para")
    assert totals(ledger, [like | {"round": number} for number in rounds])["rounds_trained"] == len({*rounds} - {-1})
