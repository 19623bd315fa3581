"""What a training loop says becomes a run directory; what cannot be is told, and never believed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fscost
from fscost.cells.outcome import Status
from fscost.collect import gather, runs_below
from fscost.errors import FscostError
from fscost.record.recording import Recording
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir

WEIGHTS = {"w": np.zeros((10, 64), "float32"), "b": np.zeros(10, "float32")}
BYTES = 2600
_NUMBERS = count()


@pytest.fixture(autouse=True)
def store(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FSCOST_STORE", str(here / "runs"))
    monkeypatch.delenv("FSCOST_RUN_DIR", raising=False)
    return here / "runs"


def recording(**others: Any) -> Recording:
    axes: dict[str, Any] = {"method": "FedAvg", "model": "lr", "clients": 3, "rounds": 2}
    return fscost.record(**axes | others)


def the_run(store: Path) -> RunDir:
    (path,) = [path for path in store.iterdir() if not path.name.startswith(".")]
    return RunDir(path)


def rows(store: Path) -> list[dict[str, Any]]:
    return read_ledger(the_run(store).ledger).messages


def trained(run: Recording, rounds: int = 2, first: int = 0) -> None:
    for number in range(first, first + rounds):
        run.downlink(WEIGHTS, round=number)
        for client in (1, 2, 3):
            run.uplink(WEIGHTS, client=client, round=number)
        run.evaluated(round=number, test_acc=0.5 + number / 10)


@pytest.mark.parametrize("first", [0, 1])
def test_a_loop_becomes_a_run_whether_it_counts_from_0_or_1(store: Path, first: int) -> None:
    with recording() as run:
        trained(run, first=first)
    assert the_run(store).status() is Status.DONE
    assert [(row["round"], row["link"], row["messages"], row["payload_bytes"]) for row in rows(store)] == [
        (number, link, 3, 3 * BYTES) for number in (0, 1) for link in ("downlink", "uplink")
    ]
    frames = gather(runs_below(store))
    assert frames.warnings == []
    (row,) = frames.cells.to_dict("records")
    assert row["method"] == "fedavg" and row["engine"] == "recorded" and row["rounds_trained"] == 2
    assert row["training_uplink_payload_bytes"] == 6 * BYTES
    assert row["final_test_acc"] == 0.5 + (first + 1) / 10
    assert [*frames.rounds["round"]] == [1, 2]
    assert [*frames.rounds["training_uplink_payload_bytes"]] == [3 * BYTES, 6 * BYTES]


def test_a_table_shows_it(store: Path, fscost: Callable[..., Any]) -> None:
    with recording() as run:
        trained(run)
    shown = fscost("table", "runs")
    assert "FedAvg" in shown.out and "2.60" in shown.out and "60.00" in shown.out


def test_only_its_own_program_can_record_it_again(store: Path, fscost: Callable[..., Any]) -> None:
    with recording() as run:
        trained(run)
    again = fscost("rerun", "runs")
    assert again.code == 2 and "a program of your own recorded this run" in again.err
    assert the_run(store).status() is Status.DONE


def test_rounds_that_nobody_announced_are_counted(store: Path) -> None:
    with recording(rounds=None) as run:
        trained(run, rounds=3)
    assert the_run(store).read_cell().axes["rounds"] == 3


def test_fewer_rounds_than_announced_are_a_warning_and_no_final_metric(store: Path) -> None:
    with recording(rounds=5) as run:
        trained(run)
    assert "2 of 5 rounds were recorded" in the_run(store).warnings()
    assert np.isnan(gather(runs_below(store)).cells["final_test_acc"][0])


def test_peers_types_and_traffic(store: Path) -> None:
    with recording(clients=["a", "b", "c"]) as run:
        run.peer(WEIGHTS, sender="a", receivers=["b", "c"], round=1, type="gossip")
        run.downlink({"acc": 0.5}, clients="b", round=1, type="asked", traffic="evaluation")
        run.uplink(payload_bytes=100, wire_bytes=140, client="c", round=1, type="sketch")
        run.downlink({}, round=3, type="finish")
    found = {row["type"]: row for row in rows(store)}
    assert found["gossip"]["link"] == "peer" and found["gossip"]["payload_bytes"] == 2 * BYTES
    assert found["asked"] | {"traffic": "evaluation", "scalar_bytes": 8, "payload_bytes": 0} == found["asked"]
    assert found["sketch"] | {"payload_bytes": 100, "scalar_bytes": None, "wire_bytes": 140} == found["sketch"]
    assert found["finish"]["round"] == 2
    (cell,) = gather(runs_below(store)).cells.to_dict("records")
    assert cell["evaluation_downlink_messages"] == 1 and cell["control_downlink_messages"] == 3
    assert cell["training_peer_payload_bytes"] == 2 * BYTES and cell["training_uplink_payload_bytes"] == 100


def test_a_type_of_evaluation_does_not_count_a_client_twice(store: Path) -> None:
    with recording() as run:
        run.uplink(WEIGHTS, client=1, round=0)
        run.uplink({"acc": 0.5}, client=1, round=0, type="score", traffic="evaluation")
        run.uplink({"acc": 0.5}, client=1, round=0, type="rank", traffic="evaluation")
    assert [row["client_rounds"] for row in rows(store)] == [1, 1, 0]


# --- what is not known ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ((value for value in [1, 2]), "generator"),
        (object(), "object"),
        ({"weights": [np.zeros(3), object()]}, "object"),
        (b"\x80\x05" + bytes(5000), "encoded"),
        ([{"model": bytearray(5000)}], "encoded"),
        (np.array([1, object()], dtype=object), "object"),
    ],
)
def test_content_that_cannot_be_metered_is_unknown_and_not_0(store: Path, content: Any, why: str) -> None:
    with recording() as run:
        trained(run)
        run.uplink(content, client=1, round=1, type="odd")
    row = rows(store)[-1]
    assert row["payload_bytes"] is None and row["scalar_bytes"] is None
    assert any(
        "odd: the bytes of 1 message are not known" in line and why in line for line in the_run(store).warnings()
    )


def test_a_generator_is_not_used_up(store: Path) -> None:
    values = (value for value in [1, 2])
    with recording() as run:
        run.uplink(values, client=1, round=0)
    assert [*values] == [1, 2]


def test_a_model_of_numbers_in_lists_is_told(store: Path) -> None:
    with recording() as run:
        run.downlink([0.5] * 1000, round=0)
    assert any("payload leaves them out" in line for line in the_run(store).warnings())
    assert rows(store)[0]["scalar_bytes"] == 3 * 8000


def test_an_evaluation_before_any_training_is_left_out_with_a_word(store: Path) -> None:
    with recording() as run:
        run.evaluated(round=0, test_acc=0.1)
        trained(run, first=1)
    assert [*gather(runs_below(store)).rounds["round"]] == [1, 2]
    assert any("before any training" in line for line in the_run(store).warnings())


def test_a_round_of_no_clients_counts_as_nothing(store: Path) -> None:
    with recording() as run:
        trained(run)
        run.downlink(WEIGHTS, clients=[], round=1)
    assert sum(row["messages"] for row in rows(store)) == 12
    assert any("to no client" in line for line in the_run(store).warnings())


# --- what cannot be -------------------------------------------------------------------------------

WRONG: list[tuple[Callable[[Recording], Any], str]] = [
    (lambda run: run.uplink(WEIGHTS, client=4, round=1), "client 4: there is none; clients are 1, 2, 3"),
    (lambda run: run.uplink(WEIGHTS, client=0, round=1), "client 0"),
    (lambda run: run.uplink(WEIGHTS, client=np.zeros(2), round=1), "client"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=0), "round=0: comes after round 1; rounds never go back"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=2), "round=2: there are rounds=2"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=1.0), "round=1.0: must be a whole number"),
    (lambda run: run.uplink(None, client=1, round=1), "the content is None"),
    (lambda run: run.uplink(client=1, round=1), "a message needs its content"),
    (lambda run: run.uplink(client=1, round=1, payload_bytes=-1), "payload_bytes=-1: must be at least 0 B"),
    (lambda run: run.uplink(client=1, round=1, payload_bytes=2.5), "payload_bytes=2.5: must be a whole number"),
    (lambda run: run.uplink(client=1, round=1, payload_bytes=True), "payload_bytes=True"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=1, payload_bytes=9), "payload_bytes=9: the content says its own"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=1, type=""), "type=''"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=1, traffic="model"), "traffic='model': must be training"),
    (lambda run: run.uplink(WEIGHTS, client=1, round=1, traffic="control"), "were training before"),
    (lambda run: run.downlink(WEIGHTS, clients=[1, 1], round=1), "twice"),
    (lambda run: run.peer(WEIGHTS, sender=1, receivers=[1, 2], round=1), "client 1: sends to itself"),
    (lambda run: run.evaluated(round=0, test_acc=0.5), "round=0: is evaluated after round 1"),
    (lambda run: run.evaluated(round=1, test_acc=0.5), "round 1 has test_acc=0.6 already"),
    (lambda run: run.evaluated(round=1, note="good"), "note='good': must be a number"),
    (lambda run: recording(seed=9).__enter__(), "another recording is open"),
    (lambda run: run.__enter__(), "another recording is open"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_is_told_and_makes_a_failed_run(
    store: Path, wrong: Callable[[Recording], Any], said: str
) -> None:
    with pytest.raises(FscostError) as told, recording() as run:
        trained(run)
        wrong(run)
    assert said in str(told.value) and "\n" not in str(told.value)
    found = the_run(store)
    assert found.status() is Status.FAILED and said in found.outcome()["reason"]
    assert not found.ledger.exists() and not found.eval_results.exists()


def test_a_mistake_that_a_program_goes_on_after_is_not_forgotten(store: Path) -> None:
    with pytest.raises(FscostError, match="rounds never go back"), recording() as run:
        trained(run)
        with pytest.raises(FscostError):
            run.uplink(WEIGHTS, client=1, round=0)
    assert the_run(store).status() is Status.FAILED


@pytest.mark.parametrize("error", [ValueError("loss is nan"), KeyboardInterrupt(), SystemExit(0)])
def test_a_crash_is_a_failed_run_without_a_ledger(store: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), recording() as run:
        trained(run)
        raise error
    found = the_run(store)
    assert found.status() is Status.FAILED and found.outcome()["reason"].startswith(type(error).__name__)
    assert "Traceback" in found.engine_log.read_text() and not found.ledger.exists()


def test_nothing_recorded_is_a_failed_run(store: Path) -> None:
    with pytest.raises(FscostError, match="nothing was recorded"), recording():
        pass
    assert the_run(store).status() is Status.FAILED


def test_a_failed_run_leaves_the_one_before_it(store: Path) -> None:
    script = """
import fscost, sys
with fscost.record(method="fedavg", model="lr", clients=1, rounds=1) as run:
    run.uplink(payload_bytes=8, client=1, round=0)
    assert len(sys.argv) == 1
"""
    first = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    second = subprocess.run([sys.executable, "-c", script, "crash"], capture_output=True, text=True)
    assert first.returncode == 0 and second.returncode == 1 and "is there already" in second.stderr
    names = sorted(path.name for path in store.iterdir() if path.name[0] != ".")
    assert len(names) == 2 and names[1] == f"{names[0]}.failed"
    assert RunDir(store / names[0]).status() is Status.DONE


def test_the_same_settings_twice_in_one_program_are_told(store: Path) -> None:
    with recording() as run:
        trained(run)
    with pytest.raises(FscostError, match="recorded it already; say what differs"), recording() as run:
        trained(run)
    assert the_run(store).status() is Status.DONE
    with recording(lr=0.1) as run:
        trained(run)


def test_outside_of_its_with_a_recording_refuses(store: Path) -> None:
    run = recording()
    with pytest.raises(FscostError, match="has not begun"):
        trained(run)
    with run:
        trained(run)
    with pytest.raises(FscostError, match="is over"):
        trained(run)
    with pytest.raises(FscostError, match="used already"):
        run.__enter__()


def test_threads_share_a_recording(store: Path) -> None:
    with recording(clients=50) as run, ThreadPoolExecutor(8) as pool:
        run.downlink(WEIGHTS, round=0)
        [*pool.map(lambda client: run.uplink(WEIGHTS, client=client, round=0), range(1, 51))]
    assert rows(store)[1]["messages"] == 50 and rows(store)[1]["payload_bytes"] == 50 * BYTES


def test_another_process_is_told_and_ends_nothing(store: Path) -> None:
    script = """
import os, pickle, fscost
with fscost.record(method="fedavg", model="lr", clients=1, rounds=1) as run:
    run.downlink(payload_bytes=8, round=0)
    if child := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        try:
            pickle.dumps(run)
        except fscost.FscostError as error:
            print(error)
    else:
        run.uplink(payload_bytes=8, client=1, round=0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and "counts in one process" in done.stderr and "counts in one process" in done.stdout
    assert len(rows(store)) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": None}, "method= must be given"),
        ({"clients": 0}, "clients=0: must be a whole number of at least 1"),
        ({"clients": 2.5}, "clients=2.5: must be how many there are"),
        ({"clients": "abc"}, "clients='abc': must be how many there are"),
        ({"clients": []}, "must be names of at least one client"),
        ({"clients": [1, 1]}, "none of them twice"),
        ({"clients": [{}]}, "is no name"),
        ({"rounds": 0}, "rounds=0: must be a whole number of at least 1"),
        ({"rounds": True}, "rounds=True"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"mu": object()}, "mu="),
        ({"mu": float("nan")}, "mu=nan"),
        ({"method": ""}, "fs.federate.method is not set"),
    ],
)
def test_settings_that_cannot_be_are_told_at_once(store: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(FscostError) as told:
        recording(**wrong)
    assert said in str(told.value)
    assert not store.exists()


def test_numbers_of_numpy_are_numbers(store: Path) -> None:
    with recording(clients=np.int64(3), seed=np.int32(1), lr=np.float64(0.5)) as run:
        for number in np.arange(2):
            run.downlink(WEIGHTS, round=number, clients=np.array([1, 3]))
            run.evaluated(round=number, test_acc=np.float32(0.5))
    assert the_run(store).read_cell().get("args.lr") == 0.5
    assert rows(store)[0]["messages"] == 2


def test_a_store_that_cannot_be_written_is_told_at_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "file").write_text("")
    monkeypatch.setenv("FSCOST_STORE", str(here / "file"))
    with pytest.raises(FscostError, match="cannot be written"), recording():
        pytest.fail("it began")
    with pytest.raises(FscostError, match="cannot be written"), recording(rounds=None):
        pytest.fail("it began")


def test_a_cell_that_somebody_records_is_told(store: Path) -> None:
    with recording() as run:
        trained(run)
        script = 'import fscost\nwith fscost.record(method="FedAvg", model="lr", clients=3, rounds=2): pass'
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert other.returncode == 1 and "is being recorded by" in other.stderr
    assert the_run(store).status() is Status.DONE


# --- in a sweep -----------------------------------------------------------------------------------


@pytest.fixture
def asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    run = RunDir(here / "cell")
    run.write_cell(recording(seed=7, data="digits", mu=0.1)._settings.cell(2))
    monkeypatch.setenv("FSCOST_RUN_DIR", str(run.path))
    return run


def test_in_a_sweep_the_cell_says_the_settings(asked: RunDir, store: Path) -> None:
    with fscost.record() as run:
        trained(run)
    assert {path.name for path in asked.path.iterdir()} == {
        "cell.json",
        "ledger.jsonl",
        "eval_results.log",
        "progress.json",
    }
    header = read_ledger(asked.ledger).header
    assert header["clients"] == 3 and header["axes"] == asked.read_cell().axes
    assert json.loads(asked.progress.read_text())["round"] >= 1
    assert not store.exists()


def test_in_a_sweep_the_same_settings_may_be_said_too(asked: RunDir) -> None:
    with fscost.record(method="fedavg", model="lr", clients=range(3), rounds=2, seed=7, data="digits", mu=0.1) as run:
        run.uplink(WEIGHTS, client=0, round=0)
    assert asked.ledger.exists()


@pytest.mark.parametrize(
    "other",
    [{"method": "fedprox"}, {"model": "mlp"}, {"clients": 4}, {"rounds": 3}, {"seed": 0}, {"data": "toy"}, {"mu": 0.2}],
)
def test_in_a_sweep_other_settings_than_the_cells_are_told(asked: RunDir, other: dict[str, Any]) -> None:
    (name,) = other
    with pytest.raises(FscostError, match=f"{name}=.*: the cell of the sweep has .*; say "):
        fscost.record(**other)


def test_in_a_sweep_a_second_recording_is_told(asked: RunDir) -> None:
    with fscost.record() as run:
        trained(run)
    before = asked.ledger.read_bytes()
    with pytest.raises(FscostError, match="holds a recording already"), fscost.record() as run:
        trained(run)
    assert asked.ledger.read_bytes() == before


def test_in_a_sweep_a_crash_leaves_no_ledger(asked: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="nan"), fscost.record() as run:
        trained(run)
        raise ValueError("loss is nan")
    assert not asked.ledger.exists()
    assert "not recorded: ValueError: loss is nan" in capsys.readouterr().err


def test_a_folder_that_is_no_run_directory_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSCOST_RUN_DIR", str(here))
    with pytest.raises(FscostError, match="no cell there"):
        fscost.record()


def test_it_needs_nothing_but_python(here: Path) -> None:
    """An interpreter of somebody's training code has none of fscost's dependencies."""
    script = """
import fscost
with fscost.record(method="fedavg", model="lr", clients=1, rounds=1) as run:
    run.downlink({"w": [1.0, 2.0]}, round=0)
"""
    env = os.environ | {"PYTHONPATH": str(Path(fscost.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([sys.executable, "-S", "-c", "import numpy"], capture_output=True, env=env).returncode == 1
