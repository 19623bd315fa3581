"""The axes of a grid in Hydra's grammar: each way of writing one works, or is refused in one line."""

from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import AXES
from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.resources import root
from tests.conftest import cells_of

pytestmark = pytest.mark.usefixtures("ends_soon")


def values(key: str, *overrides: str) -> list[Any]:
    known = fs_options.known()
    return [cell.axis(key) if key in AXES else cell.get(key, known.get(key)) for cell in cells_of(*overrides)]


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        cells_of(*overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


def methods(pattern: str) -> list[str]:
    """The names of the methods' files, whatever methods are added."""
    return sorted(file.stem for file in (root() / "conf" / "method").glob(f"{pattern}.yaml"))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("method=glob(fed??)", methods("fed??")),
        ("method=glob([ditto,fedp*])", ["ditto", *methods("fedp*")]),
        ("method=glob(fed*,exclude=[fed??,*x])", [m for m in methods("fed*") if len(m) > 5 and m[-1] != "x"]),
        ("model=glob(mlp_?)", ["mlp_l", "mlp_m", "mlp_s"]),
        ("method='fedavg',\"fedprox\"", ["fedavg", "fedprox"]),
        ("method=choice(fedavg,fedprox)", ["fedavg", "fedprox"]),
        ("clients=range(1,4)", [1, 2, 3]),
        ("seed=range(3)", [0, 1, 2]),
        ("seed=range(6,0,-2)", [6, 4, 2]),
        ("clients=sort(5,3)", [3, 5]),
        ("clients=tag(few,choice(3,5))", [3, 5]),
        ("clients=int(choice(3.0,5.0))", [3, 5]),
    ],
)
def test_an_axis_is_its_values_in_order(override: str, expected: list[Any]) -> None:
    key = override.partition("=")[0]
    assert values(key, override) == expected


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lr=range(0.1,0.4,0.1)", [0.1, 0.2, 0.3]),
        ("lr=range(0.5,0.1,-0.2)", [0.5, 0.3]),
        ("lr=range(0.25,1,.25)", [0.25, 0.5, 0.75]),
        ("lr=range(0.1,0.35,0.1)", [0.1, 0.2, 0.3]),
        ("lr=float(range(1,3))", [1, 2]),
    ],
)
def test_fractions_are_those_that_are_written(override: str, expected: list[float]) -> None:
    """In floating point, 0.1 + 0.1 + 0.1 is below 0.4 by more than a step, and three steps are 0.30000000000000004."""
    assert values("train.optimizer.lr", override) == expected


def test_what_is_shuffled_is_all_there() -> None:
    assert sorted(values("clients", "clients=shuffle(range(1,6))")) == [1, 2, 3, 4, 5]
    assert sorted(values("clients", "clients=shuffle(7,5,3)")) == [3, 5, 7]


@pytest.mark.pipeline
def test_a_sweep_file_has_such_axes_too(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "all.yaml").write_text(
        '# @package _global_\nhydra: {sweeper: {params: {method: "glob(fedpr*)", seed: "range(2)"}}}\n'
    )
    assert values("method", "sweeps=all", f"config_dir={tmp_path}") == ["fedproto"] * 2 + ["fedprox"] * 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("method=glob(xyz*)", ["method=glob(xyz*): no method matches; there are asyn, bulyan"]),
        ("clients=glob(3*)", ["clients=glob(3*): clients has no list of options to choose from"]),
        ("fs.model.type=glob(*)", ["fs.model.type has no list of options"]),
        ("fs=glob(*)", ["fs has no list of options"]),
        ("lr=interval(0.1,0.2)", ["lr=interval(0.1,0.2): has no single values to try"]),
        ("seed=range(0)", ["seed=range(0): has no values"]),
        ("seed=range(3,1)", ["seed=range(3,1): has no values"]),
        ("lr=range(0.3,0.1)", ["has no values"]),
        ("lr=range(1,2,0)", ["a step that is not 0"]),
        ("lr=range(1,inf)", ["needs finite bounds"]),
        ("clients=range(0,1000000000)", ["1,000,000,000 values; an axis has at most 1,000,000"]),
        ("lr=range(0,1,0.00000000001)", ["100,000,000,000 values"]),
        ("seed=shuffle(range(0,1000000000))", ["an axis has at most"]),
        ("rounds=1" + "0" * 5000, ["cannot be read: a number of too many digits"]),
        ("clients=choice()", ["clients=choice(): cannot be read", "empty choice"]),
        ("method=fedavg,", ["method=fedavg,: cannot be read"]),
        ("method=,fedavg", ["method=,fedavg: cannot be read"]),
        ("clients=range(1,4", ["clients=range(1,4: cannot be read"]),
        ("clients=chioce(3,5)", ["cannot be read", "Unknown function 'chioce'"]),
        ("clients=3,range(5,8)", ["clients=3,range(5,8): no axis can stand within"]),
        ("method=glob(fed*),ditto", ["no axis can stand within"]),
        ("fs.eval.metrics=[choice(acc,loss)]", ["no axis can stand within"]),
        ("fs.data.args=[{resize:range(8,10)}]", ["no axis can stand within"]),
        ("sweeps=quickstart,model_size", ["a sweep file is no axis of a grid"]),
        ("sweeps=glob(*)", ["a sweep file is no axis of a grid"]),
        ("hydra/launcher=glob(*)", ["where cells run is no axis of a grid"]),
        ("method@other=fedavg", ["method@other=fedavg: options have one place each; leave @other out"]),
        ("method=fedavg,fedavg", ["are the same cell"]),
        ("table=glob(*)", ["are the same cell"]),
    ],
)
def test_what_is_no_axis_is_refused_in_one_line(override: str, words: list[str]) -> None:
    message = refusal(override)
    for word in words:
        assert word in message
    assert "Sweeper" not in message


def test_a_grid_of_more_cells_than_anybody_waits_for_is_refused() -> None:
    message = refusal("clients=range(1,2000)", "rounds=range(1,2000)")
    assert message == "1999 of clients × 1999 of rounds: are 3,996,001 cells; a grid has at most 1,000,000"
