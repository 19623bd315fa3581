"""The round under way, as others read it while a course runs."""

import json
from pathlib import Path

from fscost.metering import Message
from fscost.worker.round_file import Progress


def model(state: int, sender: int = 0) -> Message:
    return Message("model_para", sender, (1,), state, None)


def test_a_round_begins_when_the_server_sends_the_model(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    for message in (Message("join_in", 1, (0,), 0, None), model(0, sender=3)):
        progress.sees(message)
    assert not list(tmp_path.iterdir())
    progress.sees(model(0))
    assert json.loads((tmp_path / "progress.json").read_text()) == {"round": 1}


def test_it_is_written_at_most_twice_a_second(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    for state in range(1000):
        progress.sees(model(state))
    assert json.loads((tmp_path / "progress.json").read_text())["round"] < 1000
    progress._next_s = 0
    progress.sees(model(1000))
    assert json.loads((tmp_path / "progress.json").read_text())["round"] == 1001


def test_a_full_disk_is_no_reason_to_stop(tmp_path: Path) -> None:
    Progress(tmp_path / "no such folder" / "progress.json").sees(model(0))
