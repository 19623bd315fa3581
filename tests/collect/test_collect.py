"""Frames hold what the files say, what cannot be read is named, and no problem becomes a number."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.collect import Frames, gather, runs_below, write_frames
from fscost.collect.frames import _Columns, _whole
from fscost.collect.fs_logs import read_eval_results, read_system_metrics
from fscost.collect.ledgers import AT_ONCE, messages_of, totals, unevenness_of
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.errors import StoreError
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.conftest import DATA, cell_of, cells_of, execute, resealed
from tests.tables.recorded import evaluated

OVERRIDES = ("clients=2,3", "rounds=3", "eval_every=2", "model=lr")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("collect") / "runs")
    for cell in cells_of(*OVERRIDES):
        execute(cell, made, BuiltinEngine())
    return made


@pytest.fixture
def frames(store: Store) -> Frames:
    return gather([(cell, store.of(cell)) for cell in cells_of(*OVERRIDES)])


def test_the_frames_have_the_columns_of_the_contract(frames: Frames) -> None:
    assert list(frames.messages) == [
        "cell", "round", "type", "link", "traffic", "messages",
        "payload_bytes", "scalar_bytes", "reported_bytes", "wire_bytes"]  # fmt: skip
    assert list(frames.workers)[:2] == ["cell", "worker"]
    assert list(frames.rounds)[:2] == ["cell", "round"]
    first = ["cell", "engine", "protocol", "method", "model", "data", "clients", "rounds", "seed", "status", "reason"]
    assert list(frames.cells)[: len(first)] == first
    assert {"params", "training_uplink_payload_bytes", "final_test_acc", "best_test_acc", "wall_s"} <= {*frames.cells}
    assert list(frames.cells)[-2:] == ["id", "repeat"]
    assert list(frames.cells["id"]) == list(frames.cells["cell"])
    assert {*frames.cells["repeat"]} == {1}
    assert not frames.warnings


def test_totals_are_sums_of_the_ledgers(frames: Frames, store: Store) -> None:
    for cell in cells_of(*OVERRIDES):
        rows = read_ledger(store.of(cell).ledger).messages
        found = frames.cells.set_index("cell").loc[cell.id]
        for link in ("uplink", "downlink"):
            training = [r for r in rows if r["type"] == "model_para" and r["link"] == link]
            assert found[f"training_{link}_payload_bytes"] == sum(r["payload_bytes"] for r in training)
            assert found[f"training_{link}_messages"] == cell.axes["clients"] * 3
        assert found["training_peer_payload_bytes"] == 0
        assert found["rounds_trained"] == 3
        assert found["params"] == 650


def test_clients_that_send_unlike_bytes_are_told(store: Store) -> None:
    """Of all clients in all rounds; who is sampled more often sends more, and that tells nothing."""
    cell = cell_of("clients=3", "rounds=3", "eval_every=2", "model=lr")
    ledger = read_ledger(store.of(cell).ledger)
    row = totals(ledger, messages_of(ledger, cell)) | {"clients": 3}
    assert unevenness_of(cell, ledger, row) is None
    ledger.workers[2]["sent"]["payload_bytes"] *= 3
    assert unevenness_of(cell, ledger, row) == "one client's bytes are 3 times another's"
    assert unevenness_of(cell, ledger, row | {"clients": 6}) is None
    ledger.workers[2]["sent"]["payload_bytes"] = None
    assert unevenness_of(cell, ledger, row) is None
    own = replace(cell, fs={**cell.fs, "client_1": {"model": {"hidden": 8}}, "client_2": {"train": {"lr": 1}}})
    assert unevenness_of(own, ledger, row) == "messages of client_1 are set apart"


def test_rounds_hold_metrics_beside_all_bytes_up_to_them(frames: Frames) -> None:
    one = frames.rounds[frames.rounds["cell"] == cell_of(*OVERRIDES, "clients=3").id]
    assert list(one["round"]) == [2, 3]
    assert list(one["training_uplink_payload_bytes"]) == [2 * 3 * 2600, 3 * 3 * 2600]
    assert list(one["evaluation_downlink_payload_bytes"]) == [3 * 2600, 2 * 3 * 2600]
    assert one["test_acc"].between(0, 1).all()


def test_final_is_of_the_last_round_and_best_of_any(store: Store, tmp_path: Path) -> None:
    """In a course that got worse: what its two evaluations found changes places."""
    shutil.copytree(store.path, tmp_path / "runs")
    cell = cell_of(*OVERRIDES, "clients=3")
    log = tmp_path / "runs" / cell.name / "eval_results.log"
    early, late, *rest = log.read_text().splitlines()
    assert ("'Round': 1," in early, "'Round': 2," in late) == (True, True)
    worse = [late.replace("'Round': 2,", "'Round': 1,"), early.replace("'Round': 1,", "'Round': 2,"), *rest]
    log.write_text("\n".join(worse) + "\n")
    resealed(log.parent)
    good, bad = evaluated(log.parent, "test_avg_loss")
    found = gather(runs_below(tmp_path / "runs")).cells.set_index("cell").loc[cell.id]
    assert good < bad
    assert (found["final_test_avg_loss"], found["best_test_avg_loss"]) == (bad, good)
    best, last = evaluated(log.parent, "test_acc")
    assert best > last
    assert (found["final_test_acc"], found["best_test_acc"]) == (last, best)


def test_workers_hold_federatedscopes_own_keys(frames: Frames) -> None:
    one = frames.workers[frames.workers["cell"] == cell_of(*OVERRIDES, "clients=3").id]
    assert list(one["worker"]) == [0, 1, 2, 3]
    assert {"total_upload_bytes", "total_download_bytes", "total_flops"} <= {*one}


def test_unknown_bytes_stay_empty(frames: Frames, tmp_path: Path) -> None:
    join_in = frames.messages[frames.messages["type"] == "join_in"]
    assert join_in["wire_bytes"].isna().all()
    assert frames.cells["control_uplink_wire_bytes"].isna().all()
    write_frames(frames, tmp_path)
    for line in (tmp_path / "messages.csv").read_text().splitlines():
        if ",join_in," in line:
            assert line.endswith(",")


def test_csv_and_parquet_hold_the_same(frames: Frames, tmp_path: Path) -> None:
    write_frames(frames, tmp_path)
    for name in ("messages", "workers", "rounds", "cells"):
        left, right = pd.read_csv(tmp_path / f"{name}.csv"), pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(left, right.replace({None: float("nan")}), check_dtype=False)
    assert len(list(tmp_path.iterdir())) == 8


@pytest.mark.parametrize("name", ["cell.json", "ledger.jsonl", "outcome.json"])
def test_one_spoilt_file_costs_one_cell(store: Store, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "runs"
    shutil.copytree(store.path, copy)
    spoilt = RunDir(sorted(copy.glob("[!.]*"))[0])
    text = (spoilt.path / name).read_text()
    (spoilt.path / name).write_text(text[: len(text) // 2])
    found = gather(runs_below(copy))
    assert sorted(found.cells["status"]) == ["corrupt", "done"]
    assert len(found.warnings) == 1
    assert f"{spoilt.path / name}:" in found.warnings[0]
    assert found.messages["cell"].nunique() == 1


def test_an_estimate_lacks_no_log(tmp_path: Path) -> None:
    cell = cell_of("engine=estimate", "clients=2", "model=lr")
    made = Store(tmp_path / "runs")
    execute(cell, made, EstimateEngine())
    frames = gather([(cell, made.of(cell))])
    assert not frames.warnings
    assert frames.rounds.empty


def test_runs_set_aside_are_not_collected(store: Store, tmp_path: Path) -> None:
    for name in ("a.failed", "a.corrupt", ".a.new-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cell.json").write_text("{}")
    assert runs_below(tmp_path) == []
    with pytest.raises(StoreError, match="no such folder"):
        runs_below(tmp_path / "nowhere")


def test_a_missing_run_is_missing(tmp_path: Path) -> None:
    cell = cell_of()
    found = gather([(cell, RunDir(tmp_path / "nothing"))])
    assert list(found.cells["status"]) == ["missing"]
    assert "training_uplink_payload_bytes" not in found.cells


def test_workers_of_which_one_log_tells_less_keep_their_numbers(store: Store, tmp_path: Path) -> None:
    """Lines with other names, a worker without a line, one with two, and bytes beyond 64 bits."""
    shutil.copytree(store.path, tmp_path / "runs")
    run = store.of(cell_of(*OVERRIDES, "clients=3"))
    log = tmp_path / "runs" / run.path.name / "system_metrics.log"
    lines = [{"id": 3, "total_upload_bytes": 2**64 + 1}, {"id": 1, "total_flops": 0.5}, {"id": 3, "own": 0.25}]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    resealed(log.parent)
    found = gather(runs_below(tmp_path / "runs")).workers
    one = found[found["cell"] == cell_of(*OVERRIDES, "clients=3").id]
    assert list(one["worker"]) == [0, 1, 2, 3, 3]
    assert list(one["run"].fillna(0)) == [0, 1, 0, 1, 2]
    assert list(one["total_upload_bytes"].dropna()) == [2**64 + 1]
    assert list(one["total_flops"].dropna()) == [0.5]
    assert list(one["own"].dropna()) == [0.25]
    ledger = {row["worker"]: row["sent"]["payload_bytes"] for row in read_ledger(run.ledger).workers}
    assert list(one["sent_payload_bytes"]) == [ledger[worker] for worker in (0, 1, 2, 3, 3)]
    other = found[found["cell"] != cell_of(*OVERRIDES, "clients=3").id]
    assert other["own"].isna().all()
    assert other["total_upload_bytes"].notna().all()


class TestFederatedScopesLogs:
    """Verbatim logs of real FederatedScope runs."""

    def test_workers(self) -> None:
        rows = read_system_metrics(DATA / "fs_system_metrics.log", pytest.fail)
        assert [row["worker"] for row in rows] == [*range(11)]
        assert rows[0]["total_download_bytes"] == 70104
        assert rows[1]["total_flops"] == 647168.0

    def test_evaluations_of_clients_count_rounds_from_0(self) -> None:
        rows = read_eval_results(DATA / "fs_eval_results.log", pytest.fail, "master")
        assert [row["round"] for row in rows] == [1, 2, 3, 4]
        assert rows[-1]["test_acc"] == 0.6077348066298343

    def test_evaluations_of_clients_count_from_1_in_v020(self, tmp_path: Path) -> None:
        log = tmp_path / "eval_results.log"
        form = "'Results_weighted_avg': {'test_acc': 0.5}"
        log.write_text("".join(f"{{'Role': 'Server #', 'Round': {r}, {form}}}\n" for r in (1, 2)))
        assert [row["round"] for row in read_eval_results(log, pytest.fail, "v0.2.0")] == [1, 2]
        assert [row["round"] for row in read_eval_results(log, pytest.fail, "v0.3.0")] == [2, 3]

    def test_evaluations_of_the_server_count_rounds_from_1(self) -> None:
        rows = read_eval_results(DATA / "fs_eval_results_global.log", pytest.fail, "master")
        assert [row["round"] for row in rows] == [1, 2, 3, 4, 5]
        assert rows[-1]["test_avg_loss"] == 6.812046756744385

    @pytest.mark.parametrize(
        ("text", "rows", "warned"),
        [
            ('{"id": 0, "total_upload_bytes": 1}\n{"id": "1", "total', [0], [":2: no JSON"]),
            ('{"id": "2"}\n\n{"id": "sys_avg"}\n', [2], []),
            ("[1]\n{}\n", [], [":1: no worker's id", ":2: no worker's id"]),
            ('{"id": 1\n"total_flops": 2}\n{"id": 3}', [3], [":1: no JSON", ":2: no JSON"]),
            ('{"id": 1}, {"id": 2}\n{"id": 3}\n', [3], [":1: no JSON"]),
            ('{"id": 1\n"total_flops": 2}, {"id": 3}', [], [":1: no JSON", ":2: no JSON"]),
            ("", [], []),
        ],
    )
    def test_lines_that_cannot_be_read_are_named(
        self, tmp_path: Path, text: str, rows: list[int], warned: list[str]
    ) -> None:
        path, warnings = tmp_path / "log", list[str]()
        path.write_text(text)
        assert [row["worker"] for row in read_system_metrics(path, warnings.append)] == rows
        assert len(warnings) == len(warned)
        assert all(words in warning for words, warning in zip(warned, warnings, strict=True))

    def test_lines_of_python_are_read_where_they_are_no_json(self, tmp_path: Path) -> None:
        path, warnings = tmp_path / "log", list[str]()
        path.write_text(
            """{'Role': 'Server #', 'Round': 0, "it's": None, 'Results_avg': {'test_acc': 0.5}}\n"""
            """{'Role': 'Client #1', 'Round': 0, 'Results_raw': {'test_acc': 0.9}}\n"""
            """{'Role': 'Server #', 'Round': 1, 'pair': (1, True), 'Results_avg': {'test_acc': nan}}\n"""
            """{'Role': 'Server #', 'Round': 2, 'Results_avg': {'test_acc': 0.25}}\n"""
        )
        rows = read_eval_results(path, warnings.append, "master")
        assert [row["round"] for row in rows] == [1, 2, 3]
        assert [rows[0]["test_acc"], rows[2]["test_acc"]] == [0.5, 0.25]
        assert math.isnan(rows[1]["test_acc"])
        assert warnings == []

    def test_nan_and_inf(self, tmp_path: Path) -> None:
        path, warnings = tmp_path / "log", list[str]()
        line = "{'Role': 'Server #', 'Round': 0, 'Results_avg': {'test_loss': %s, 'test_nan_acc': %s}}\n"
        path.write_text(line % ("nan", "-inf") + line % ("inf", "1.0") + "{'Role': 'Ser")
        rows: list[dict[str, Any]] = read_eval_results(path, warnings.append, "master")
        assert math.isnan(rows[0]["test_loss"])
        assert rows[0]["test_nan_acc"] == -math.inf
        assert rows[1]["test_loss"] == math.inf
        assert len(warnings) == 1
        assert ":3: no Python dict" in warnings[0]

    def test_a_line_with_nan_is_read_and_the_others_with_it(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_text(f'{{"id": 0, "total_flops": NaN}}\n{{"id": 1, "total_flops": {2**64 + 1}}}\n')
        first, second = read_system_metrics(path, pytest.fail)
        assert math.isnan(first["total_flops"])
        assert second == {"worker": 1, "run": 1, "total_flops": 2.0**64}

    def test_a_missing_log_is_named(self, tmp_path: Path) -> None:
        warnings = list[str]()
        assert read_system_metrics(tmp_path / "none.log", warnings.append) == []
        assert "none.log: cannot be read" in warnings[0]


def test_a_row_of_csv_is_a_line_whatever_it_holds(frames: Frames, tmp_path: Path) -> None:
    odd = replace(frames, cells=frames.cells.assign(reason="a\u2028b\nc\x85\x00", **{"x\ny": 1}))
    write_frames(odd, tmp_path)
    with (tmp_path / "cells.csv").open(newline="") as file:
        text = file.read()
    assert len(text.splitlines()) == 1 + len(frames.cells)
    read = pd.read_csv(tmp_path / "cells.csv")
    assert {*read["reason"]} == {"a b c \ufffd"}
    assert "x y" in read


@pytest.mark.parametrize("values", [[1e25], [float("inf"), 1.0], [10**30, 1e300], [10**30, None], [2, None]])
def test_figures_called_like_counts_stay_what_they_are(values: list[float | None]) -> None:
    assert [None if pd.isna(kept) else kept for kept in _whole(pd.Series(values, dtype=object))] == values


@pytest.mark.parametrize(
    "odd", [0, 2**63 - 1, 2**63, 2**70, -5, 1.5, math.nan, None, True, "text"], ids=lambda value: str(value)
)
@pytest.mark.parametrize("place", [0, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE])
def test_many_rows_make_the_columns_that_few_make(odd: Any, place: int) -> None:
    """Columns of counts and of figures hold the values that came, of the types that pandas gives them in all."""
    values: list[Any] = [*range(2 * AT_ONCE + 1)]
    values[place] = odd
    columns = _Columns("cell")
    columns.extend("a", ({"total_bytes": value, "figure": value} for value in values))
    frame = columns.frame()
    assert frame["cell"].tolist() == ["a"] * len(values)
    pd.testing.assert_series_equal(frame["figure"], pd.Series(values, name="figure"), check_exact=True)
    is_count = odd is None or isinstance(odd, int) or (isinstance(odd, float) and math.isnan(odd))
    for found, value in zip(frame["total_bytes"], values, strict=True):
        assert pd.isna(found) if is_count and (value is None or value != value) else found == value


@pytest.mark.parametrize("largest", [2**63, 2**70])
def test_what_is_no_whole_number_is_not_cut_beside_a_large_one(largest: int) -> None:
    columns = _Columns("cell")
    columns.extend("a", [{"total_bytes": value} for value in (1.5, largest, 7)])
    assert columns.frame()["total_bytes"].tolist() == [1.5, largest, 7]
