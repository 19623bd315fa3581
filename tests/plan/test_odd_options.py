"""Options of one's own that are no options: one line that names the file, and nothing is waited for or built up."""

import json
import os
from pathlib import Path

import pytest

from fscost.engine import identify
from fscost.errors import ConfigError
from fscost.plan import plan
from tests.conftest import cells_of
from tests.fuzz.mutations import BOMB

pytestmark = pytest.mark.usefixtures("ends_soon")

HEAD = "# @package _global_\n"
LONG = f"long: {'x' * 200_000}\nlr: " + "${long}" * 10
WIDE = "x: [" + "1, " * 3_999 + "1]\ny: [" + "'${..x}', " * 20 + "1]\nlr: ${y}\n"
TOO_MUCH = "a configuration comes to too much: its ${…}, or defaults, name what names several others"


def chain(link: str, end: str) -> str:
    """Options of which each names the one before it ten times."""
    return "\n".join([f"b0: '{end}'", *(f"b{i}: {(link % (i - 1)) * 10}" for i in range(1, 12)), "lr: ${b11}", ""])


def created(text: str) -> str:
    """Text as YAML of which only OmegaConf would see that it is YAML too."""
    return json.dumps(f"${{oc.create:'{text}'}}")


def refusal(folder: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as told:
        cells_of(f"config_dir={folder}", *overrides)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"# \xe9\nlr: 1\n", ": cannot be read: is no text in UTF-8: byte 0xe9 in line 1"),
        (f"{HEAD}lr: 1\n".encode("utf-16"), ": cannot be read: is no text in UTF-8"),
        (f"{HEAD}lr: {'9' * 5000}\n".encode(), "no YAML: a value that is not what its tag says"),
        (f"{HEAD}lr: {'[' * 3000}\n".encode(), ":2: no YAML: nested more than 100 deep"),
        (f"{HEAD}{BOMB}".encode(), "no YAML: its aliases come to more than 1,000,000 values"),
        (f"{HEAD}lr: &a [*a]\n".encode(), ":2: no YAML: an alias leads back to itself"),
        (f"{HEAD}lr: !!python/object:os.system x\n".encode(), ":2: no YAML: could not determine a constructor"),
        (b"# @package a b c\nlr: 1\n", ": cannot be read: Too many components"),
        (b"#" * (2**23 + 1), ": cannot be read: has 8,388,609 B, more than the 8,388,608 B that are read"),
        (f"{HEAD}hydra: []\n".encode(), "hydra=[]: is a section"),
        (f"{HEAD}hydra: {{launcher: 3}}\n".encode(), "hydra.launcher=3: is a section"),
        (f"{HEAD}hydra: {{sweeper: null}}\n".encode(), "hydra.sweeper=None: is a section"),
        (f'{HEAD}defaults: ["a\\0"]\n'.encode(), "no option has such a name"),
        (f"{HEAD}defaults: 2024-01-01\n".encode(), "defaults must be a list (got str)"),
        (f"{HEAD}{LONG}".encode(), TOO_MUCH),
        (f"{HEAD}{chain('${b%d}', '')}".encode(), TOO_MUCH),
        (f"{HEAD}{chain('${.b%d}', 'x')}".encode(), TOO_MUCH),
        (f"{HEAD}{chain('${oc.env:NOWHERE_AT_ALL,${.b%d}}', 'x')}".encode(), TOO_MUCH),
        (f"{HEAD}{WIDE}".encode(), TOO_MUCH),
        (f"{HEAD}lr: '{'${.x}' * 20_000}'\n".encode(), TOO_MUCH),
        (f"{HEAD}lr: '{'${' * 3_000}x{'}' * 3_000}'\n".encode(), TOO_MUCH),
        (f"{HEAD}lr: [{'1,' * 40_000}1]\n".encode(), TOO_MUCH),
        (f"{HEAD}x: ${{.y}}\ny: ${{.x}}\nlr: ${{x}}\n".encode(), "Recursive interpolation detected"),
        (f"{HEAD}lr: {created('a: &a [*a]')}\n".encode(), "${oc.create:…} of what is no YAML: an alias leads back"),
        (f"{HEAD}lr: {created(BOMB)}\n".encode(), "its aliases come to more than 1,000,000 values"),
    ],
)  # fmt: skip
def test_an_odd_file_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_bytes(content)
    assert why in refusal(tmp_path, "method=mine", "engine=estimate")


@pytest.mark.parametrize(
    "lines",
    [
        "lr: ${oc.select:optim.lr,0.7}",
        "lr: ${oc.select:none,0.25}",
        "lr: ${optim.sgd.lr}",
        "lr: ${oc.decode:${oc.env:NOWHERE_AT_ALL,0.25}}",
        "lr: ${optim.${which}}",
        "lr: ${optim.by_model.${hydra:runtime.choices.model}}",
        "all: ${oc.dict.values:optim.by_model}\nlr: ${all.0}",
        "lr: ${optim[many][1]}",
    ],
)
def test_options_refer_to_others_as_in_hydra(tmp_path: Path, lines: str) -> None:
    optim = "optim: {lr: 0.25, sgd: {lr: '${..lr}'}, by_model: {lr: 0.25}, many: [1, 0.25]}\nwhich: lr\n"
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text(f"{HEAD}{optim}{lines}\n")
    (cell,) = cells_of(f"config_dir={tmp_path}", "method=mine", "model=lr")
    assert cell.fs["train"]["optimizer"]["lr"] == 0.25


def test_options_that_take_in_each_other_twice_are_told(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "m0.yaml").write_text("x: 1\n")
    for i in range(1, 30):
        (tmp_path / "method" / f"m{i}.yaml").write_text(f"defaults: [m{i - 1}@a, m{i - 1}@b]\n")
    assert TOO_MUCH in refusal(tmp_path, "method=m29", "engine=estimate")


@pytest.mark.parametrize("section", ["sweeper", "launcher"])
def test_an_odd_sweep_file_is_told(tmp_path: Path, section: str) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(f"{HEAD}hydra: {{{section}: null}}\n")
    assert f"hydra.{section}=None: is a section" in refusal(tmp_path, "sweeps=mine", "engine=estimate")


def test_what_is_no_file_is_no_option(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    os.mkfifo(tmp_path / "method" / "fifo.yaml")
    (tmp_path / "method" / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "method" / "device.yaml").symlink_to("/dev/zero")
    for name in ("fifo", "loop", "device"):
        assert f"method={name}: no such method" in refusal(tmp_path, f"method={name}")


def test_an_odd_file_that_is_not_chosen_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_bytes(b"\xff")
    assert len(cells_of(f"config_dir={tmp_path}", "method=fedavg", "engine=estimate", "model=lr")) == 1


def test_an_engine_of_ones_own_says_which_it_is(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "mine.yaml").write_text("threads: 2\n")
    assert "engine.name=None: the option of the engine must say it" in refusal(tmp_path, "engine=mine")


def test_what_a_knob_sets_is_set_by_the_knob(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    for option, cure in {"lr: 0.4": "set lr there", "type: Adam": "give fs.train.optimizer.type=Adam"}.items():
        (tmp_path / "method" / "mine.yaml").write_text(f"{HEAD}fs: {{train: {{optimizer: {{{option}}}}}}}\n")
        assert cure in refusal(tmp_path, "method=mine")


def test_a_layout_of_ones_own_may_have_no_name(tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text("columns: [total]\n")
    overrides = [f"config_dir={tmp_path}", "table=mine", "engine=estimate", "model=lr"]
    assert plan(overrides, identify).name == "table"


@pytest.mark.parametrize("defaults", ["2024-01-01", "[5]", "[{override x: 3}]"])
def test_odd_defaults_of_a_layout_are_told_with_its_file(tmp_path: Path, defaults: str) -> None:
    layout = tmp_path / "mine.yaml"
    layout.write_text(f"defaults: {defaults}\ncolumns: [total]\n")
    with pytest.raises(ConfigError, match=f"table={layout}: cannot be read: .*defaults"):
        plan([f"table={layout}", "engine=estimate", "model=lr"], identify)


@pytest.mark.parametrize("value", ["eval.split=[[test]]", "eval.metrics=[1,null]", "personalization.local_param=[1]"])
def test_a_list_of_texts_has_no_others(tmp_path: Path, value: str) -> None:
    assert "expected a list of texts" in refusal(tmp_path, "engine=estimate", f"fs.{value}")


def test_a_number_of_thousands_of_digits_is_told(tmp_path: Path) -> None:
    told = refusal(tmp_path, f"clients={'9' * 5000}", "engine=estimate")
    assert told.endswith("…: cannot be read: a number of too many digits")
