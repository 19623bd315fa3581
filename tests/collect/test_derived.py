"""Bytes of runs that nobody metered: frames, tables, audit and explain of real logs without their ledgers."""

import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fscost.cells.cell import Cell
from fscost.collect import Frames, gather, runs_below
from fscost.collect.foreign import ForeignRun
from fscost.engine.estimate.derived_ledger import derive
from fscost.errors import ConfigError
from fscost.protocol.release import NAMES
from fscost.store.ledger_file import LedgerFile
from tests.conftest import DATA, Result
from tests.tables.recorded import rows_of

GOLDEN = json.loads((DATA / "golden.json").read_text())


@pytest.fixture
def run(recorded_logs: Path, tmp_path: Path) -> Path:
    """Three clients of an MLP, three rounds, and nothing but the configuration and the logs."""
    return Path(shutil.copytree(recorded_logs / "fedavg_mlp64_c3_r3", tmp_path / "exp"))


def configured(run: Path, **sections: dict[str, object]) -> None:
    """Lay options over a run's configuration."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    for section, options in sections.items():
        config[section] = config.get(section, {}) | options
    (run / "config.yaml").write_text(yaml.safe_dump(config))


def test_a_table_of_logs_alone_has_the_bytes_that_travelled(run: Path, fscost: Callable[..., Result]) -> None:
    """4,958 parameters x 4 B up, the 608 B of running statistics more down, 3 clients, 3 rounds."""
    done = fscost("table", str(run), "--format", "csv")
    (row,) = rows_of(done.out)
    assert (row["uplink_payload_bytes"], row["downlink_payload_bytes"]) == ("19832", "20440")
    assert row["total_payload_bytes"] == str(3 * 3 * (19832 + 20440))
    text = fscost("table", str(run)).out
    assert "Total (MB)†" in " ".join(text.split()) or "(MB)†" in text
    assert "†: estimated: derived from the configuration in closed form, with which the logs agree" in text


def test_frames_have_messages_and_bytes_until_each_round(run: Path, here: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("collect", str(run), "--out", "frames").code == 0
    messages, rounds, cells = (pd.read_csv(here / f"frames/{name}.csv") for name in ("messages", "rounds", "cells"))
    by_type = messages.groupby(["type", "link"])["payload_bytes"].sum()
    expected = GOLDEN["fedavg_mlp64_c3_r3"]["messages"]
    assert by_type["model_para", "uplink"] == expected["model_para/uplink"]["payload_bytes"]
    assert by_type["finish", "downlink"] == expected["finish/downlink"]["payload_bytes"]
    assert list(rounds["training_uplink_payload_bytes"]) == [3 * 19832 * n for n in (1, 2, 3)]
    assert cells["derived"][0] == "master"
    assert cells["params"][0] == 4958
    assert messages["reported_bytes"].isna().all()


def test_the_audit_has_both_sides(run: Path, fscost: Callable[..., Result]) -> None:
    server, clients, _ = rows_of(fscost("table", str(run), "table=audit", "--format", "csv").out)
    assert (server["total_download_bytes"], server["received_payload_bytes"]) == ("27848", str(9 * 19832))
    assert (clients["total_download_bytes"], clients["sent_payload_bytes"]) == ("25344", str(3 * 19832))
    assert clients["received_payload_bytes"] == str(7 * 20440)  # of training, evaluation and the end


def test_explain_says_that_no_message_was_metered(run: Path, fscost: Callable[..., Result]) -> None:
    text = fscost("explain", str(run)).out
    assert "derived: no message was metered" in text
    assert "training uplink model_para:      3 rounds × 3 messages × 19,832 B = 178,488 B" in text


def test_a_model_that_the_log_contradicts_has_no_bytes(run: Path, fscost: Callable[..., Result]) -> None:
    configured(run, model={"hidden": 128})
    (row,) = rows_of(fscost("table", str(run), "--format", "csv").out)
    assert row["total_payload_bytes"] in ("", "n/a")
    audit = fscost("table", str(run), "table=audit").out
    assert (
        "its model has 9,886 parameters, the log's total_model_size is 4,958, give the model with shapes=FILE" in audit
    )
    assert "cannot be derived: its model has 9,886" in fscost("explain", str(run)).out


@pytest.mark.parametrize(
    ("section", "options", "why"),
    [
        ("eval", {"metrics": None}, "eval.metrics=None: is no list"),
        ("eval", {"split": [["test"]]}, "eval.split=[['test']]: is no list"),
        ("quantization", {"method": "uniform", "nbits": 45045}, "quantization.nbits=45045: FederatedScope quantises"),
    ],
)
def test_an_odd_option_in_a_log_costs_its_bytes(
    run: Path, fscost: Callable[..., Result], section: str, options: dict[str, object], why: str
) -> None:
    configured(run, **{section: options})
    assert f"cannot be derived: {why}" in fscost("explain", str(run)).out


@pytest.mark.pipeline
def test_a_model_that_is_not_known_is_told_beside_the_folder(
    run: Path, here: Path, fscost: Callable[..., Result]
) -> None:
    configured(run, model={"type": "somebodys_net"}, data={"type": "somebodys_data"})
    assert "the shape of its samples is not known here" in fscost("table", str(run), "table=audit").out
    model = GOLDEN["fedavg_mlp64_c3_r3"]["model"]
    tensors = {n: {"shape": shape, "dtype": d, "trainable": trainable} for n, (d, shape, trainable) in model.items()}
    (here / "net.yaml").write_text(yaml.safe_dump({"tensors": tensors}))
    (row,) = rows_of(fscost("table", str(run), "shapes=net.yaml", "--format", "csv").out)
    assert row["total_payload_bytes"] == str(3 * 3 * (19832 + 20440))
    (row,) = rows_of(fscost("table", str(run), "parameters=4958", "--format", "csv").out)
    assert row["uplink_payload_bytes"] == "19832"
    wrong = fscost("table", str(run), "table=audit", "parameters=5000")
    assert "its model has 5,000 parameters, the log's total_model_size is 4,958" in wrong.out


@pytest.mark.pipeline
def test_a_release_is_told_beside_the_folder(run: Path, fscost: Callable[..., Result]) -> None:
    assert fscost("table", str(run), "engine.protocol=v0.3.0", "table=audit").out.count("cannot be derived") == 1
    bad = fscost("table", str(run), "engine.protocol=v0.4.0")
    assert bad.code == 2
    assert "engine.protocol=v0.4.0: must be one of master" in bad.err
    two = fscost("table", str(run), "parameters=4958,5000")
    assert two.code == 2
    assert "the runs of a folder have one model" in two.err


@pytest.mark.pipeline
def test_figures_say_that_numbers_are_derived(run: Path, fscost: Callable[..., Result]) -> None:
    audit = fscost("plot", "audit", str(run))
    assert audit.code == 0, audit.err
    assert "derived from the configuration" in audit.out
    assert "Nothing was logged" not in audit.out


def test_only_of_a_course_that_is_done_a_ledger_is_made(run: Path) -> None:
    asked: list[Cell] = []

    def refusing(cell: Cell, *_: object) -> LedgerFile:
        asked.append(cell)
        raise ConfigError("no ledger")

    log = run / "system_metrics.log"
    text = log.read_text()
    log.write_text(text * 2)
    assert not {"derived", "underived", "rounds_trained"} & {*gather(runs_below(run), refusing).cells}
    log.unlink()
    assert not {"derived", "underived", "rounds_trained"} & {*gather(runs_below(run), refusing).cells}
    assert not asked
    log.write_text(text)
    assert gather(runs_below(run), refusing).cells["underived"][0] == "no ledger"
    assert len(asked) == 1


def test_what_appended_runs_sent_is_not_derived(run: Path, fscost: Callable[..., Result]) -> None:
    log = run / "system_metrics.log"
    log.write_text(log.read_text() * 2)
    (row,) = rows_of(fscost("table", str(run), "--format", "csv").out)
    assert row["total_payload_bytes"] in ("", "n/a")


MASTERS = tuple(name for name in NAMES if name != "llm")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, MASTERS),
        ({"eval": {"save_data": False}}, ("v0.2.0",)),
        ({"train": {"data_para_dids": []}}, MASTERS[:2]),
        ({"mine": {f"option{n}": n for n in range(200)}}, MASTERS[1:]),
        ({"llm": {"adapter": {"use": True}}}, ("llm",)),
    ],
)
def test_the_release_is_told_by_the_options_it_dumps(
    options: dict[str, dict[str, object]], expected: tuple[str, ...], run: Path
) -> None:
    configured(run, **options)
    assert tuple(ForeignRun(run).releases()) == expected


PARAMS_BYTES = 4 * (32 * 25 + 32 + 64 * 32 * 25 + 64 + 2 * (32 + 64) + 64 * 7 * 7 * 64 + 64 + 62 * 64 + 62)
"""Of a ConvNet-2 for 28 x 28 pixels and 62 classes: two convolutions of 5 x 5, their norms, two linear layers."""

BUFFERS_BYTES = 2 * 4 * (32 + 64) + 2 * 8


@pytest.mark.parametrize(("release", "uploaded"), [("master", PARAMS_BYTES), ("v030", PARAMS_BYTES + BUFFERS_BYTES)])
def test_of_whole_dumps_of_federatedscopes_own_data(
    release: str, uploaded: int, tmp_path: Path, here: Path, fscost: Callable[..., Result]
) -> None:
    """FEMNIST, 3 of 8 clients in each of 5 rounds, evaluated after 2, 4 and 5: recorded from FederatedScope's main.py.

    Its messages were metered too, and had these bytes.
    """
    with tarfile.open(DATA / "fs_femnist.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    assert fscost("collect", str(tmp_path / release), "--out", "frames").code == 0
    messages = pd.read_csv(here / "frames/messages.csv")
    sums = messages.groupby(["type", "link"])[["messages", "payload_bytes"]].sum()
    model = PARAMS_BYTES + BUFFERS_BYTES
    assert tuple(sums.loc["model_para", "uplink"]) == (15, 15 * uploaded)
    assert tuple(sums.loc["model_para", "downlink"]) == (15, 15 * model)
    assert tuple(sums.loc["evaluate", "downlink"]) == (24, 24 * model)
    assert tuple(sums.loc["finish", "downlink"]) == (8, 8 * model)
    assert messages.loc[messages["type"] == "metrics", "scalar_bytes"].isna().all()  # how many splits clients have


@pytest.fixture(scope="module")
def paper_alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Frames, Frames]:
    """54 runs of FederatedScope that fscost launched: their frames, and those of their logs and options alone."""
    folder = tmp_path_factory.mktemp("paper")
    with tarfile.open(DATA / "paper.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    for run in (folder / "runs").iterdir():
        alone = folder / "alone" / run.name
        alone.mkdir(parents=True)
        (alone / "config.yaml").write_text(yaml.safe_dump(json.loads((run / "cell.json").read_text())["fs"]))
        for log in ("system_metrics.log", "eval_results.log"):
            shutil.copy(run / log, alone)

    def from_logs(cell: Cell, releases: Sequence[str], *logged: Sequence[dict[str, object]]) -> LedgerFile:
        return derive(cell, *logged, releases)

    return gather(runs_below(folder / "runs")), gather(runs_below(folder / "alone"), from_logs)


def test_a_whole_sweep_without_its_ledgers_has_their_bytes(paper_alone: tuple[Frames, Frames]) -> None:
    metered, derived = paper_alone
    assert set(derived.cells["derived"]) == {"master"}
    links, counts = ("uplink", "downlink"), ("messages", "payload_bytes", "scalar_bytes")
    places = [f"{traffic}_{link}" for traffic in ("training", "evaluation", "control") for link in links]
    names = [f"{place}_{count}" for place in places for count in counts]
    names += [f"training_{link}_client_rounds" for link in links]
    key = ["method", "model", "clients", "seed"]
    both = [frames.cells.set_index(key)[[*names, "params", "rounds_trained"]].sort_index() for frames in paper_alone]
    pd.testing.assert_frame_equal(*both, check_dtype=False)
    assert list(metered.rounds["training_uplink_payload_bytes"]) and len(metered.rounds) == len(derived.rounds)


def test_a_line_that_runs_into_the_next_has_no_counts_but_its_own(
    run: Path, here: Path, fscost: Callable[..., Result]
) -> None:
    log = run / "system_metrics.log"
    text = log.read_text()
    cut = text.index('"global_conv', text.index('{"id": 1,'))
    log.write_text(text[:cut] + text[text.index('"sys_avg/total_upload_bytes"') :])
    done = fscost("collect", str(run), "--out", "frames")
    assert (done.code, "sys_avg/total_upload_bytes is 0.0, which is no number; left out" in done.err) == (0, True)
    assert "sys_avg/total_upload_bytes" not in pd.read_csv(here / "frames" / "workers.csv")
    assert fscost("table", str(run), "table=audit").code == 0
