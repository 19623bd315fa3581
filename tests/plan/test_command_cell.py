"""Cells of engine=command: what a template says is the command's, and nothing that it could not know."""

import shlex
from pathlib import Path

import pytest

from fscost.cells.cell import Cell
from fscost.cells.command_template import words_of
from fscost.engine import identify
from fscost.errors import ConfigError
from fscost.plan import plan
from tests.conftest import cells_of

TRAIN = "engine.command=python train.py --seed {seed}"


def cells(*words: str) -> list[Cell]:
    return cells_of("engine=command", *words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["engine.command=a {sed}"], "there is no {sed} (did you mean seed"),
        (["engine.command=a {args.mu}"], "{args.mu} has no value; give args.mu=VALUE"),
        (["engine.command=a {args.mo}", "args.mu=1"], "(did you mean args.mu"),
        (["engine.command=a {seed"], "a single { at '{seed'"),
        (["engine.command=a {}"], "{} names nothing"),
        (["engine.command=a 'b"], "no closing quotation"),
        ([], "needs a command, as engine.command="),
        ([TRAIN, "clients=3,10"], "clients=3,10: engine.command has no {clients}"),
        ([TRAIN, "method=a,b", "seed=0,1"], "method=a,b: engine.command has no {method}"),
        ([TRAIN, "lr=0.1"], "lr: engine.command has no {lr}"),
        ([TRAIN, "args.mu=0.1,1"], "args.mu: engine.command has no {args.mu}"),
        ([TRAIN, "fs.grad.grad_clip=1"], "fs.grad.grad_clip: engine.command has no {fs.grad.grad_clip}"),
        ([TRAIN, "alpha=1"], "alpha=1: has no effect with engine=command"),
        (["engine.command=a {args.x}", "args.x=[1,2]"], "args.x=[1, 2]: must be one value"),
        ([TRAIN, "engine.watch=[nowhere.py]"], "engine.watch=nowhere.py: cannot be read: No such file"),
        ([TRAIN, "engine.watch={a: 1}"], "must be a list of files"),
        ([TRAIN, "engine.shell=2"], "must be a text, and true or false"),
        ([TRAIN, "clients=-1"], "clients=-1: must be a whole number of at least 1"),
    ],
)
def test_what_no_command_could_run_is_told_in_a_line(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        cells(*words)
    assert told in str(error.value)
    assert "\n" not in str(error.value.args[0]) or "cells cannot be computed" in str(error.value)


@pytest.mark.parametrize("words", [("args.mu=1",), ("engine.command=ls",), ("method=prototypes",), ("model=cnn",)])
def test_other_engines_know_no_arguments_and_no_words(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        cells_of("engine=estimate", *words)


def test_arguments_and_words_are_axes_like_any_other() -> None:
    made = cells(
        f"{TRAIN} --m {{method}} {{args.mu}}", "method=FedProto,fedavg", "args.mu=0.1,1", "model=cnn", "seed=0,1"
    )
    assert len({cell.id for cell in made}) == 8
    assert [cell.axes["method"] for cell in made[::4]] == ["fedproto", "fedavg"]
    assert made[0].axes | {"method": ""} == {
        "method": "", "model": "cnn", "data": "own", "clients": 3, "rounds": 10, "seed": 0,
    }  # fmt: skip
    assert words_of(made[0]) == ["python", "train.py", "--seed", "0", "--m", "FedProto", "0.1"]
    assert made[0].axis("args.mu") == 0.1


def test_a_cell_holds_what_its_command_knows_and_its_id_stays() -> None:
    (cell,) = cells(f"{TRAIN} --lr {{lr}} {{args.path}}", "lr=0.5", "args.path=/data/a")
    assert cell.fs == {
        "args": {"path": "/data/a"},
        "command": {"template": "python train.py --seed {seed} --lr {lr} {args.path}"},
        "data": {"type": "own"},
        "federate": {"client_num": 3, "method": "own", "total_round_num": 10},
        "model": {"type": "own"},
        "seed": 0,
        "train": {"optimizer": {"lr": 0.5}},
    }
    assert cell.id == "9a5823bf90ee"


def test_what_an_argument_means_is_not_known_so_each_is_a_factor() -> None:
    """As an option of FederatedScope's, neither of these would make another cell."""
    assert len({cell.id for cell in cells(f"{TRAIN} {{args.device}}", "args.device=cpu,cuda")}) == 2
    assert len({cell.id for cell in cells(f"{TRAIN} {{args.num_workers}}", "args.num_workers=2,4")}) == 2


@pytest.mark.parametrize("value", ["a b", "it's", 'say "x"', "; rm -rf /", "$(ls)", "{seed}", "\\", "*", "ü — 字"])
def test_a_value_stays_one_argument(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    (cell,) = cells("engine.command=a --x {args.x} 'b c'", f"args.x='{quoted}'")
    assert words_of(cell) == ["a", "--x", value, "b c"]
    (cell,) = cells("engine.command=a --x={args.x}", f"args.x='{quoted}'")
    assert words_of(cell) == ["a", f"--x={value}"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("a {{x}} {seed}", ["a", "{x}", "0"]),
        ("'a b' {seed}", ["a b", "0"]),
        ("a 'it'\"'\"'s' \"q\"", ["a", "it's", "q"]),
        ("a \\' , [x], k=v; | && > f", ["a", "'", ",", "[x],", "k=v;", "|", "&&", ">", "f"]),
        ("a b\\\\", ["a", "b\\"]),
    ],
)
def test_a_command_is_taken_as_it_is_typed(command: str, words: list[str]) -> None:
    (cell,) = cells(f"engine.command={command}")
    assert words_of(cell) == words


def test_values_are_quoted_for_a_shell() -> None:
    (cell,) = cells("engine.command=a {args.x} | tee b", "args.x='; ls'", "engine.shell=true")
    assert words_of(cell) == ["/bin/sh", "-c", "a '; ls' | tee b"]


def test_the_content_of_watched_files_is_part_of_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code := tmp_path / "train.py").write_text("1")
    (first,) = cells(TRAIN, "engine.watch=[train.py]")
    code.write_text("2")
    (edited,) = cells(TRAIN, "engine.watch=[train.py]")
    code.write_text("1")
    assert cells(TRAIN, "engine.watch=[train.py]") == [first]
    assert edited.id != first.id


def test_sweep_files_and_grids_hold_commands(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "own.yaml").write_text(
        "# @package _global_\n"
        "defaults: [{override /engine: command}]\n"
        "engine:\n  command: python train.py {method} {args.mu}\n"
        "grids:\n- method=FedAvg\n  args.mu=0\n- method=prototypes args.mu=0.1,1\n"
    )
    made = cells_of(f"config_dir={tmp_path}", "sweeps=own")
    assert [words_of(cell)[2:] for cell in made] == [["FedAvg", "0"], ["prototypes", "0.1"], ["prototypes", "1"]]


def test_a_shell_takes_the_words_of_a_cells_own_command_as_they_were() -> None:
    words = ["engine=command", "engine.command=python 'a b.py' --note \"it's\" --seed {seed}", "seed=0,1"]
    made = plan(words, identify).cells
    again = [plan(shlex.split(one.command)[3:], identify).cells for one in made]
    assert [[one.cell.id] for one in made] == [[one.cell.id for one in cells] for cells in again]
