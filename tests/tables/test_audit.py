"""The audit and explain: what was logged beside what was sent, every figure recomputed from the files."""

import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fscost.cells.measure import binary_text
from fscost.collect import gather
from fscost.engine.builtin import BuiltinEngine
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from fscost.tables.lines import by_cell, records_of
from fscost.tables.log_gaps import Count, Gap, counts, gap_of
from tests.conftest import DATA, Result, cell_of, execute, resealed

CELL = ("model=mlp_s", "clients=3", "rounds=2")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run of the builtin engine; its log counts uploads, as FederatedScope's did until v0.2.0."""
    store = Store(tmp_path_factory.mktemp("audit") / "runs")
    return execute(cell_of("engine=builtin", *CELL), store, BuiltinEngine())[1]


@pytest.fixture(scope="module")
def without_uploads(run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The same run with the log that FederatedScope writes since v0.3.0: nobody uploads."""
    copy = RunDir(tmp_path_factory.mktemp("since_v030") / run.path.name)
    copy.path.mkdir()
    for file in run.path.iterdir():
        (copy.path / file.name).write_bytes(file.read_bytes())
    lines = [json.loads(line) for line in run.system_metrics.read_text().splitlines()[:-2]]
    copy.system_metrics.write_text("".join(json.dumps(line | {"total_upload_bytes": 0}) + "\n" for line in lines))
    resealed(copy.path)
    return copy


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded output of FederatedScope without a ledger: models of two sizes."""
    folder = tmp_path_factory.mktemp("logs")
    with tarfile.open(DATA / "fs_logs.tar.xz") as archive:
        for name in ("fedavg_mlp16_c3_r3", "fedavg_mlp64_c3_r3"):
            members = [m for m in archive.getmembers() if m.name.startswith(f"{name}/")]
            archive.extractall(folder, members=members, filter="data")
    return folder


def audit(fscost: Callable[..., Result], folder: Path) -> Result:
    done = fscost("table", str(folder), "table=audit")
    assert done.code == 0, done.err
    return done


def figures(text: str, worker: str) -> list[str]:
    """The six figures of the line whose worker begins with these words; alike clients share one."""
    (line,) = [line for line in text.splitlines() if re.search(rf" {worker}\b", line) and ":" not in line]
    return line.split()[-6:]


@pytest.mark.pipeline
def test_every_figure_is_the_logs_or_the_ledgers(run: RunDir, fscost: Callable[..., Result]) -> None:
    shown = audit(fscost, run.path).out
    logged = {row["id"]: row for row in map(json.loads, run.system_metrics.read_text().splitlines())}
    ledger = {row["worker"]: row for row in read_ledger(run.ledger).workers}
    for worker, name in ((0, "server"), (1, "clients? 1")):
        true = ledger[worker]
        assert figures(shown, name) == [
            f"{logged[worker]['total_upload_bytes']:,}",
            f"{logged[worker]['total_download_bytes']:,}",
            f"{true['sent']['payload_bytes']:,}",
            f"{true['received']['payload_bytes']:,}",
            f"{true['sent']['wire_known_bytes']:,}{'+' if worker else ''}",
            f"{true['received']['wire_known_bytes']:,}{'' if worker else '+'}",
        ]


@pytest.mark.pipeline
def test_sys_avg_is_the_logs_own_to_the_character(run: RunDir, fscost: Callable[..., Result]) -> None:
    shown = figures(audit(fscost, run.path).out, "sys_avg")
    (average,) = [r for r in map(json.loads, run.system_metrics.read_text().splitlines()) if r["id"] == "sys_avg"]
    assert shown[:2] == [average["sys_avg/total_upload_bytes"], average["sys_avg/total_download_bytes"]]


@pytest.mark.pipeline
def test_each_reason_is_given_only_where_it_holds(
    run: RunDir, without_uploads: RunDir, logs: Path, fscost: Callable[..., Result]
) -> None:
    both = {reason for reason in Gap if reason.value in audit(fscost, run.path).out}
    assert both == {Gap.UNSENT, Gap.FINISH, Gap.LAST}
    shown = audit(fscost, without_uploads.path).out
    assert {reason for reason in Gap if reason.value in shown} == {Gap.NO_UPLOAD, Gap.FINISH, Gap.LAST}
    assert not {reason for reason in Gap if reason.value in audit(fscost, logs).out}


def test_logs_alone_are_reported_and_never_payload(logs: Path, tmp_path: Path, fscost: Callable[..., Result]) -> None:
    """Their configurations, of other models than were logged, tell no bytes either."""
    shutil.copytree(logs, tmp_path / "logs")
    for config in (tmp_path / "logs").glob("*/config.yaml"):
        config.write_text(config.read_text().replace("hidden: ", "hidden: 1"))
    shown = audit(fscost, tmp_path / "logs").out
    assert len(re.findall(r"n/a +n/a +n/a +n/a$", shown, re.MULTILINE)) == 6  # two runs: server, clients, mean
    assert "No ledger was written, so what really travelled is not known; reported figures are no payload." in shown
    assert shown.count("as its messages cannot be derived: its model has") == 2
    assert "upload is 0 for every worker though clients trained" in shown
    assert "clients downloaded 25,344 B each, as those of" in shown
    frame = gather([]).workers
    assert "payload" not in " ".join(frame.columns)


@pytest.mark.pipeline
def test_a_cell_that_failed_has_its_mark_and_no_figure(
    tmp_path: Path, run: RunDir, fscost: Callable[..., Result], here: Path
) -> None:
    shown = fscost("table", "clients=3,4", "model=mlp_s", "rounds=2", f"store={run.path.parent}", "table=audit").out
    assert shown.count("missing  ") >= 5


@pytest.mark.pipeline
def test_the_audit_goes_through_every_format(run: RunDir, fscost: Callable[..., Result]) -> None:
    csv = fscost("table", str(run.path), "table=audit", "--format", "csv").out.splitlines()
    assert csv[0].startswith("model,clients,method,worker,total_upload_bytes,total_download_bytes,sent_payload_bytes")
    assert [line.split(",")[:3] for line in csv[1:]] == [["mlp_s", "3", "fedavg"]] * (len(csv) - 1)
    for format in ("latex", "markdown", "html"):
        assert fscost("table", str(run.path), "table=audit", "--format", format).code == 0


@pytest.mark.pipeline
def test_explain_computes_each_total_from_factors(run: RunDir, fscost: Callable[..., Result]) -> None:
    shown = fscost("explain", str(run.path)).out
    params, buffers = 64 * 16 + 16 + 16 * 10 + 10 + 2 * (16 + 10), 2 * 4 * (16 + 10) + 2 * 8
    assert f"training uplink model_para:      2 rounds × 3 messages × {4 * params:,} B = {24 * params:,} B" in shown
    down = 4 * params + buffers
    assert f"training downlink model_para:    2 rounds × 3 messages × {down:,} B = {6 * down:,} B" in shown
    assert f"control downlink finish:         3 messages × {down:,} B = {3 * down:,} B" in shown


@pytest.mark.pipeline
def test_explain_closes_the_gap_between_log_and_messages(
    without_uploads: RunDir, fscost: Callable[..., Result]
) -> None:
    shown = fscost("explain", str(without_uploads.path)).out
    frames = gather([(without_uploads.read_cell(), without_uploads)])
    for count in counts(records_of(frames.workers)):
        assert f"{count.true_bytes:,} B = {count.logged_bytes:,} B logged + {count.missed_bytes:,} B" in shown
    mean = frames.workers["total_download_bytes"].mean()
    assert f"over 4 workers = {binary_text(mean)}" in shown
    assert "sys_avg upload: 4 × 0 = 0 B over 4 workers = 0.0" in shown


@pytest.mark.parametrize(
    ("count", "gap"),
    [
        (Count(1, "upload", 0, 500), Gap.NO_UPLOAD),
        (Count(0, "upload", 200, 500), Gap.UNSENT),
        (Count(0, "upload", 201, 500), Gap.UNKNOWN),
        (Count(1, "download", 400, 500), Gap.FINISH),
        (Count(1, "download", 0, 500), Gap.ONLINE),
        (Count(1, "download", 399, 500), Gap.UNKNOWN),
        (Count(0, "download", 450, 500), Gap.LAST),
        (Count(1, "download", 500, 500), None),
    ],
)
def test_a_gap_has_one_reason(count: Count, gap: Gap | None) -> None:
    assert gap_of(count, finish_bytes=100, clients=3) is gap


def test_explain_of_a_cell_without_a_run_says_so(here: Path, fscost: Callable[..., Result]) -> None:
    shown = fscost("explain", *CELL)
    assert shown.code == 0
    assert "missing" in shown.out
    assert "not computed yet" in shown.out


@pytest.mark.pipeline
def test_a_run_without_workers_lines_has_no_figures_and_no_crash(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("engine=estimate", "clients=100", "clients_per_round=10")
    assert fscost(*grid).code == 0
    shown = fscost("table", *grid, "table=audit").out
    assert "n/a       n/a" in shown
    explained = fscost("explain", *grid).out
    assert "50 rounds" not in explained and "10 rounds × 10 messages × 19,832 B = 1,983,200 B" in explained
    assert "There are no figures that FederatedScope logged." in explained


@pytest.mark.pipeline
def test_a_corrupt_run_does_not_stop_the_others_from_being_explained(
    tmp_path: Path, run: RunDir, fscost: Callable[..., Result]
) -> None:
    bad = RunDir(tmp_path / "a-bad")
    bad.path.mkdir()
    for file in run.path.iterdir():
        (bad.path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "b-good").mkdir(exist_ok=True)
        (tmp_path / "b-good" / file.name).write_bytes(file.read_bytes())
    bad.outcome_file.write_text("{")
    shown = fscost("explain", str(tmp_path))
    assert shown.code == 0
    assert "corrupt" in shown.out
    assert "What was sent (payload):" in shown.out


@pytest.mark.pipeline
def test_tables_of_two_commits_are_refused(run: RunDir, tmp_path: Path, fscost: Callable[..., Result]) -> None:
    store = tmp_path / "two"
    for seed, commit in ((0, "a" * 40), (1, "b" * 40)):
        made = execute(cell_of("engine=builtin", *CELL, f"seed={seed}"), Store(store), BuiltinEngine())[1]
        outcome = json.loads(made.outcome_file.read_text())
        outcome["provenance"]["fs_commit"] = commit
        made.outcome_file.write_text(json.dumps(outcome))
        resealed(made.path)
    refused = fscost("table", str(store))
    assert refused.code == 2
    assert f"differ in fs_commit: {'a' * 40} and {'b' * 40}" in refused.err


def test_frames_without_workers_have_no_figures() -> None:
    assert by_cell(pd.DataFrame(columns=["cell", "worker"])) == {}
