"""The folders of distributed courses: which belong together, whatever is missing, and which must not be mixed."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fscost.collect import Frames, gather, runs_below
from fscost.collect.foreign import ForeignRun
from tests.conftest import DATA, Result

COURSE = DATA / "cases" / "distributed_folders" / "run"
SERVER, *CLIENTS = (COURSE, *sorted(COURSE.glob("sub_exp_*")))


def copied(folder: Path, to: Path, **changed: str) -> None:
    """Copy the files of one process; `changed` are texts of its configuration that are replaced."""
    to.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.is_file():
            shutil.copy(file, to)
    text = (to / "config.yaml").read_text()
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    (to / "config.yaml").write_text(text)


def course(outdir: Path, begin: str, *, base: bool = True, **changed: str) -> None:
    """Lay out a course as FederatedScope does: the first process in `outdir`, the others nested with their times."""
    copied(SERVER, outdir if base else outdir / f"sub_exp_{begin}00", **changed)
    for number, client in enumerate(CLIENTS, start=1):
        copied(client, outdir / f"sub_exp_{begin}{number:02}", **changed)


def cells_of(folder: Path) -> tuple[list[dict[str, Any]], Frames]:
    frames = gather(runs_below(folder))
    return [{str(k): v for k, v in row.items()} for row in frames.cells.to_dict("records")], frames


def workers_of(frames: Frames, cell: str) -> list[int]:
    return [int(worker) for worker in frames.workers["worker"][frames.workers["cell"] == cell]]


def test_server_and_clients_are_one_federation(fscost: Callable[..., Result]) -> None:
    (row,), frames = cells_of(COURSE.parent)
    assert (row["status"], row["clients"], row["rounds_trained"], row["final_test_acc"]) == ("done", 3, 6, 0.6)
    assert workers_of(frames, row["cell"]) == [0, 1, 2, 3]
    assert [*frames.workers["run"]] == [1, 1, 1, 1]
    assert [*frames.workers["total_upload_bytes"]] == [0, 0, 0, 0]
    assert pd.isna(row["sys_avg_total_download_bytes"])  # FederatedScope merges nothing here
    assert row["implausible"] == "every figure is 0: FederatedScope counts nothing in distributed mode"
    assert not any(words in warning for words in ("appended", "there again") for warning in frames.warnings)
    out = fscost("table", str(COURSE.parent), "table=audit").out
    assert "clients 1–3" in out
    assert "1 cell, 1 done" in fscost("status", str(COURSE.parent)).out


def test_the_first_process_may_be_a_client(tmp_path: Path) -> None:
    copied(CLIENTS[0], tmp_path / "exp")
    copied(SERVER, tmp_path / "exp" / "sub_exp_20250101120001")
    for number, client in enumerate(CLIENTS[1:], start=2):
        copied(client, tmp_path / "exp" / f"sub_exp_2025010112000{number}")
    (row,), frames = cells_of(tmp_path)
    assert row["path"].endswith("sub_exp_20250101120001")
    assert workers_of(frames, row["cell"]) == [0, 1, 2, 3]
    assert row["final_test_acc"] == 0.6


@pytest.mark.parametrize("pattern", ["{}", "machine_{}/exp"])
def test_each_process_may_have_a_folder_of_its_own(tmp_path: Path, pattern: str) -> None:
    for name, process in zip(("server", "one", "two", "three"), (SERVER, *CLIENTS), strict=True):
        copied(process, tmp_path / pattern.format(name))
    (row,), frames = cells_of(tmp_path)
    assert workers_of(frames, row["cell"]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((0, 1, 2), "no folder of client 3 is here"),
        ((1, 2, 3), "no folder of the server is here"),
        ((1, 3), "no folder of the server, client 2 is here"),
        ((0,), "no folder of client 1, client 2, client 3 is here"),
    ],
)
def test_what_is_there_of_a_course_is_one_cell(tmp_path: Path, there: tuple[int, ...], told: str) -> None:
    shutil.copytree(COURSE, tmp_path / "run")
    for number, process in enumerate((SERVER, *CLIENTS)):
        if number not in there:
            for file in (tmp_path / "run" / process.relative_to(COURSE)).iterdir():
                if file.is_file():
                    file.unlink()
    (row,), frames = cells_of(tmp_path)
    assert workers_of(frames, row["cell"]) == [*there]
    assert sum(told in warning for warning in frames.warnings) == 1
    assert row["rounds_trained"] == 6 or 0 not in there


def test_two_courses_one_after_the_other_in_one_outdir(tmp_path: Path) -> None:
    course(tmp_path / "run", "202501011200")
    course(tmp_path / "run", "202501021200", base=False)
    rows, frames = cells_of(tmp_path)
    assert [Path(row["path"]).name for row in rows] == ["run", "sub_exp_20250102120000"]
    assert all(workers_of(frames, row["cell"]) == [0, 1, 2, 3] for row in rows)
    first = next(run for _, run in runs_below(tmp_path))
    assert isinstance(first, ForeignRun)
    assert {run.path.name[:16] for run in first.others} == {"sub_exp_20250101"}


def test_two_courses_at_the_same_time_are_not_mixed(tmp_path: Path) -> None:
    course(tmp_path / "run", "202501011200")
    course(tmp_path / "run", "202501011201", base=False)  # the first takes a minute and a half
    rows, frames = cells_of(tmp_path)
    assert len(rows) == 8
    assert sum("which belong together is not known" in warning for warning in frames.warnings) == 1
    assert not any("is here" in warning for warning in frames.warnings)


def test_the_port_tells_courses_apart(tmp_path: Path) -> None:
    for port in ("50051", "50052"):
        for number, process in enumerate((SERVER, *CLIENTS)):
            copied(process, tmp_path / f"{port}_{number}", use=f"server_port: {port}, use")
    rows, frames = cells_of(tmp_path)
    assert len(rows) == 2
    assert all(workers_of(frames, row["cell"]) == [0, 1, 2, 3] for row in rows)


def test_a_server_that_evaluates_by_itself_belongs_to_its_clients(tmp_path: Path) -> None:
    """FederatedScope's own example says make_global_eval to the server alone."""
    shutil.copytree(COURSE, tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("federate: {", "federate: {make_global_eval: true, "))
    assert len(cells_of(tmp_path)[0]) == 1


def test_folders_with_all_workers_are_courses_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        copied(SERVER, tmp_path / name)
        for client in CLIENTS:
            with (tmp_path / name / "system_metrics.log").open("a") as log:
                log.write((client / "system_metrics.log").read_text())
    rows, frames = cells_of(tmp_path)
    assert [workers_of(frames, row["cell"]) for row in rows] == [[0, 1, 2, 3]] * 2
    assert not any("not told" in warning for warning in frames.warnings)


def test_other_settings_are_other_courses(tmp_path: Path) -> None:
    course(tmp_path / "a", "202501011200")
    course(tmp_path / "b", "202501011200", **{"seed: 7": "seed: 8"})
    rows, frames = cells_of(tmp_path)
    assert [row["seed"] for row in rows] == [7, 8]
    assert all(workers_of(frames, row["cell"]) == [0, 1, 2, 3] for row in rows)


def test_a_server_without_its_line_has_not_ended(tmp_path: Path) -> None:
    shutil.copytree(COURSE, tmp_path / "run")
    (tmp_path / "run" / "system_metrics.log").unlink()
    (row,), frames = cells_of(tmp_path)
    assert (row["status"], row["last_evaluated_round"]) == ("failed", 6)
    assert workers_of(frames, row["cell"]) == [1, 2, 3]


def test_runs_of_standalone_mode_are_never_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(DATA / "cases" / "rounds_from_one", tmp_path / name)
    assert len(cells_of(tmp_path)[0]) == 2


def test_recorded_processes_are_one_federation(tmp_path: Path) -> None:
    with tarfile.open(DATA / "fs_logs.tar.xz") as archive:
        own = [member for member in archive.getmembers() if member.name.startswith("dist_")]
        archive.extractall(tmp_path, own, filter="data")
    (row,), frames = cells_of(tmp_path)
    assert (Path(row["path"]).name, row["clients"], row["status"]) == ("dist_toy_s", 3, "done")
    assert workers_of(frames, row["cell"]) == [0, 1, 2, 3]
    assert (row["last_evaluated_round"], row["rounds_trained"]) == (3, 3)  # the log says 3, the file of options 5


MANY = """
federate: {client_num: 1000000000000, mode: MODE, total_round_num: 3, method: FedAvg}
data: {type: toy}
model: MODEL
early_stop: {patience: 0}
seed: 1
"""


@pytest.mark.usefixtures("ends_soon")
@pytest.mark.parametrize("mode", ["distributed", "standalone"])
@pytest.mark.parametrize("model", ["{type: mlp, layer: 1000000000000}", "{type: lr}"])
def test_an_odd_size_in_a_configuration_costs_its_run_alone(
    tmp_path: Path, fscost: Callable[..., Result], mode: str, model: str
) -> None:
    copied(SERVER, tmp_path / "exp")
    own = MANY.replace("MODEL", model).replace("MODE", mode)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.yaml").write_text(own)
    (tmp_path / "odd" / "system_metrics.log").write_text('{"id": 0, "total_upload_bytes": 0}\n')
    rows, frames = cells_of(tmp_path)
    assert {row["status"] for row in rows} == {"done"}
    assert [row["clients"] for row in rows] == [3, 10**12]
    absent = "no folder of client 1, client 2, client 3, client 4, client 5 and 999999999995 more is here"
    assert any(absent in warning for warning in frames.warnings) == (mode == "distributed")
    assert fscost("table", str(tmp_path)).code == 0
