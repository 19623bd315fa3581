"""``table.measure=reported`` of folders with logs alone: what FederatedScope counted, faithfully, and marked."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.measure import binary_text
from tests.conftest import Result
from tests.tables.recorded import rows_of

pytestmark = pytest.mark.pipeline

RUNS = ("fedavg_mlp64_c3_r3", "fedavg_toylr_c3_r5__v020py39", "online_mlp64_c3_r3", "fedavg_mlp64_c10_r4_num3")
COUNTERS = ("upload", "download")


@pytest.fixture
def table(recorded_logs: Path, tmp_path: Path, fscost: Callable[..., Result]) -> Callable[..., Result]:
    """The table of one recorded run."""

    def made(name: str, *words: str) -> Result:
        run = tmp_path / name
        if not run.exists():
            shutil.copytree(recorded_logs / name, run)
        return fscost("table", str(run), "table.measure=reported", *words)

    return made


def lines_of(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The server's line and the clients'."""
    lines = [json.loads(line) for line in (run / "system_metrics.log").read_text().splitlines()]
    server, *clients = [line for line in lines if not str(line["id"]).startswith("sys")]
    return server, clients


@pytest.mark.parametrize("name", RUNS)
def test_every_number_is_the_logs(name: str, recorded_logs: Path, table: Callable[..., Result]) -> None:
    server, clients = lines_of(recorded_logs / name)
    (row,) = rows_of(table(name, "--format", "csv").out)
    for way in COUNTERS:
        logged = [client[f"total_{way}_bytes"] for client in clients]
        assert float(row[f"logged_{way}_bytes"]) == pytest.approx(sum(logged) / len(logged))
        assert float(row[f"logged_total_{way}_bytes"]) == sum(logged)
        assert float(row[f"logged_server_{way}_bytes"]) == server[f"total_{way}_bytes"]


@pytest.mark.parametrize("name", RUNS)
def test_its_averages_are_there_on_request(name: str, recorded_logs: Path, table: Callable[..., Result]) -> None:
    lines = [json.loads(line) for line in (recorded_logs / name / "system_metrics.log").read_text().splitlines()]
    (average,) = [line for line in lines if line["id"] == "sys_avg"]
    columns = "table.columns=[logged_mean_upload,logged_mean_download]"
    (row,) = rows_of(table(name, columns, "--format", "csv").out)
    for way in COUNTERS:
        found = float(row[f"logged_mean_{way}_bytes"])
        assert binary_text(found) == average[f"sys_avg/total_{way}_bytes"] or found == 0


def test_the_note_says_what_the_numbers_are_and_marks_what_cannot_be(table: Callable[..., Result]) -> None:
    text = table("fedavg_mlp64_c3_r3").out
    assert "reported bytes of all messages" in text
    assert "Logged: total_upload_bytes and total_download_bytes of FederatedScope's system_metrics.log" in text
    assert re.search(r"\b0¶", text)
    assert "¶: implausible: upload is 0 for every worker though clients trained" in text
    assert "n/a" not in text.split("Payload")[0].split("Logged:")[0]


def test_a_log_that_can_be_right_has_no_mark(table: Callable[..., Result]) -> None:
    assert "¶" not in table("fedavg_toylr_c3_r5__v020py39").out


def test_zeros_of_distributed_mode_were_logged(
    recorded_logs: Path, tmp_path: Path, fscost: Callable[..., Result]
) -> None:
    """The folders of its processes are one run; the server's line, which it writes twice, counts once."""
    for name in ("dist_toy_s", "dist_toy_c1", "dist_toy_c2", "dist_toy_c3"):
        shutil.copytree(recorded_logs / name, tmp_path / name)
    done = fscost("table", *map(str, sorted(tmp_path.glob("dist*"))), "table.measure=reported", "--format", "csv")
    rows = rows_of(done.out)
    assert {row[f"logged_{who}{way}_bytes"] for row in rows for who in ("", "server_") for way in COUNTERS} == {"0"}
    assert "every figure is 0: FederatedScope counts nothing in distributed mode" in done.err


def test_what_was_not_logged_is_not_known(tmp_path: Path, table: Callable[..., Result]) -> None:
    assert table("fedavg_mlp64_c3_r3").code == 0
    log = tmp_path / "fedavg_mlp64_c3_r3" / "system_metrics.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    without = [{key: value for key, value in line.items() if key != "total_download_bytes"} for line in lines]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in without))
    (row,) = rows_of(table("fedavg_mlp64_c3_r3", "--format", "csv").out)
    assert row["logged_download_bytes"] == row["logged_server_download_bytes"] == "n/a"
    assert row["logged_upload_bytes"] == "0"


def test_runs_with_a_ledger_count_reported_bytes_by_message(
    here: Path, recorded_logs: Path, fscost: Callable[..., Result]
) -> None:
    """Beside runs without one, what their workers logged is compared: it is all that both have."""
    grid = ("engine=builtin", "model=lr", "data=toy", "rounds=2", "clients=2")
    assert fscost(*grid).code == 0
    (row,) = rows_of(fscost("table", *grid, "table.measure=reported", "--format", "csv").out)
    assert "uplink_reported_bytes" in row
    assert "logged_upload_bytes" not in row
    server, clients = lines_of(next((here / "runs").glob("fedavg-*")))
    (row,) = rows_of(fscost("table", *grid, "table.columns=[logged_total_upload]", "--format", "csv").out)
    assert float(row["logged_total_upload_bytes"]) == sum(client["total_upload_bytes"] for client in clients)
