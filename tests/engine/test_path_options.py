"""Which paths start from where the command was typed."""

from pathlib import Path
from typing import Any

import pytest

from fscost.worker.path_options import as_typed, at_home, make_folders

READ = {
    "data.root": "data",
    "attack.edge_path": "edge_data/",
    "federate.restore_from": "old.pt",
    "llm.cache.model": "weights",
    "federate.resource_info_file": "there.txt",
    "llm.deepspeed.ds_config": "folder/ds.json",
    "data.args": [{"path": "x"}, 3],
}
LEFT = {
    "federate.save_to": "folder/ds.json",
    "federate.method": "FedAvg",
    "trainer.type": "folder",
    "data.type": "there.txt",
    "data.root": "/elsewhere",
    "restore_from": "https://host/x.pt",
    "data.file_path": "",
    "fork.hub": "google/no-such-model",
    "fork.text": "a/" + "x" * 5000,
    "data.args": [{"size": "big"}],
    "seed": 3,
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    for name in ("folder/ds.json", "there.txt"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("name", sorted(READ.keys() - {"data.args"}))
def test_what_is_read_starts_from_where_it_was_typed(name: str, home: Path) -> None:
    assert at_home({name: READ[name]}, home) == {name: f"{home}/{READ[name]}"}
    assert as_typed(at_home({name: READ[name]}, home), READ, home) == {name: READ[name]}


def test_arguments_that_are_paths_do_so_too(home: Path) -> None:
    assert at_home({"data.args": READ["data.args"]}, home) == {"data.args": [{"path": f"{home}/x"}, 3]}


@pytest.mark.parametrize(("name", "value"), LEFT.items())
def test_what_is_no_path_to_read_is_left(name: str, value: Any, home: Path) -> None:
    assert at_home({name: value}, home) == {name: value}


def test_a_model_in_a_folder_keeps_who_reads_it(home: Path) -> None:
    found = at_home({"model.type": "folder@huggingface_llm"}, home)
    assert found == {"model.type": f"{home}/folder@huggingface_llm"}
    assert at_home({"model.type": "gpt2@huggingface_llm"}, home) == {"model.type": "gpt2@huggingface_llm"}


def test_folders_to_write_into_are_made(tmp_path: Path) -> None:
    make_folders({"federate.save_to": "a/b/c.pt", "x.save_to": "/nowhere/x.pt", "data.root": "d/e"}, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["a", "a/b"]
