"""The verb that tells which conventions reproduce a printed figure."""

from collections.abc import Callable
from pathlib import Path

import pytest

import fscost as door
from tests.conftest import Result, files_below

ESTIMATE = ("engine=estimate", "data=samples", "clients=1")
ONE = (*ESTIMATE, "rounds=1")

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize(
    ("figure", "words", "unit", "convention"),
    [
        ("256.48MB", ("model=llama_7b", "adapter=p_tuning", "engine.protocol=llm", *ONE), "MiB",
         "wire, down, one message"),
        ("1023MB", ("model=resnet18_cifar", *ESTIMATE, "rounds=24"), "MiB", "payload, up, all rounds, as sent"),
        ("97MB", ("model=resnet50", *ONE), "MiB", "payload, up, one message"),
        ("390.4GB", ("model=fedpara_vgg16_original", *ESTIMATE[:2], "clients=16", "rounds=200"), "GB",
         "payload, up + down, all rounds of all clients"),
        ("17.98kB", ("model=llama32_3b", "method=fedkseed", *ONE), "kB", "payload, up + down, one message"),
    ],
)  # fmt: skip
def test_published_figures_are_hit(
    here: Path, fscost: Callable[..., Result], figure: str, words: tuple[str, ...], unit: str, convention: str
) -> None:
    found = fscost("reconcile", figure, *words)
    assert found.code == 0
    assert [line for line in found.out.splitlines() if f" {unit}  " in line and convention in line]
    assert "hits expected by chance" in found.out
    assert not files_below(here)  # an estimate is kept nowhere


def test_a_unit_may_stand_apart(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("model=resnet50", *ONE)
    joined = fscost("reconcile", "97 MiB", *words)
    assert joined.code == 0
    assert fscost("reconcile", "97", "MiB", *words) == joined


def test_figures_per_epoch_are_tried_where_its_steps_are_told(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("1023MB", "model=resnet18_cifar", *ONE)
    assert fscost("reconcile", *words).code == 1
    found = fscost("reconcile", *words, "--steps", "24")
    assert (found.code, "payload, up, an epoch" in found.out) == (0, True)


def test_the_nearest_are_told_where_none_hits(here: Path, fscost: Callable[..., Result]) -> None:
    found = fscost("reconcile", "0.35MB", "model=resnet50", *ONE)
    assert found.code == 1
    assert "none of " in found.out
    assert sum(" %  " in line for line in found.out.splitlines()) == 3


def test_a_trained_cell_is_read_from_the_store(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("engine=builtin", "model=lr", "rounds=1", "clients=2")
    before = fscost("reconcile", "2.54KiB", *words)
    assert (before.code, before.out) == (2, "")
    assert "missing; first run: python -m fscost" in before.err
    assert fscost(*words).code == 0
    found = fscost("reconcile", "2.54KiB", *words)
    assert (found.code, "payload, up, one message" in found.out) == (0, True)
    (run,) = [path for path in Path("runs").iterdir() if path.is_dir() and not path.name.startswith(".")]
    assert "payload, up, one message" in fscost("reconcile", "2.54KiB", str(run)).out
    assert fscost("reconcile", "2.54KiB").out == found.out  # of the last sweep


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("31×", *ONE), "is no printed figure; write "),
        (("-3MB", *ONE), "reconcile -3MB: write a printed figure above 0 first"),
        (("12 potatoes", *ONE), "no unit of bytes; write "),
        (("1e400MB", *ONE), "; write "),
        ((), "reconcile: write a printed figure"),
        (("97MB", "model=resnet50", *ONE, "seed=0,1"), "2 cells: a figure is of one"),
        (("97MB", "--steps=0", "model=resnet50", *ONE), "steps=0: must be the rounds of an epoch"),
        (("97MB", "--steps=x", *ONE), "invalid int value"),
        (("97MB", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_one_line(here: Path, fscost: Callable[..., Result], words: tuple[str, ...], told: str) -> None:
    done = fscost("reconcile", *words)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert told in done.err


def test_the_door_returns_what_the_verb_prints(here: Path, fscost: Callable[..., Result]) -> None:
    words = ("97MB", "model=resnet50", *ONE)
    found = door.reconcile(*words)
    assert f"{found}\n" == fscost("reconcile", *words).out
    assert {one.unit for one in found.hits} == {"MiB"}
    with pytest.raises(door.FscostError, match="steps=True"):
        door.reconcile(*words, steps=True)
