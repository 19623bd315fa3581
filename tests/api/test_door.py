"""The door for Python: values for the verbs' words, and a caller that is left as it was."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fscost as door
from fscost.cells.outcome import Status
from tests.conftest import Result

FAST = ("engine=estimate", "model=lr", "rounds=1")
TRAINED = ("engine=builtin", "model=lr", "rounds=1")
GRID = ("method=fedavg,fedprox", "clients=2,3")


# --- importing ------------------------------------------------------------------------------------


def told_by(code: str, cwd: Path) -> str:
    """What a Python of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_imports_nothing_of_weight(tmp_path: Path) -> None:
    told = told_by("import sys; before = {*sys.modules}; import fscost; print(*{*sys.modules} - before)", tmp_path)
    ours = {name for name in told.split() if name.startswith("fscost")}
    assert ours == {"fscost"}
    assert not {name.split(".")[0] for name in told.split()} & {"torch", "hydra", "omegaconf", "pandas", "numpy"}


def test_its_functions_are_there_before_and_after_rooms_of_their_names_are_imported(tmp_path: Path) -> None:
    first = "import fscost; fscost.plan; import fscost.plan, fscost.collect, fscost.report; "
    told_by(first + "assert all(callable(f) for f in (fscost.plan, fscost.collect, fscost.report))", tmp_path)
    told_by("from fscost.plan import Plan; import fscost; assert callable(fscost.plan)", tmp_path)
    assert {*door.__all__} <= {*dir(door)}
    for name in door.__all__:
        assert callable(getattr(door, name))
        assert getattr(door, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'tabel'"):
        _ = door.tabel  # type: ignore[attr-defined]


# --- plan and run ---------------------------------------------------------------------------------


def test_a_plan_is_its_cells(here: Path, fscost: Callable[..., Result]) -> None:
    cells = door.plan(*GRID, *FAST)
    assert len(cells) == 4
    assert [cell.axes["clients"] for cell in cells] == [2, 3, 2, 3]
    assert {cell.status for cell in cells} == {Status.MISSING} and cells.missing == [*cells]
    assert cells[0].options["federate.client_num"] == 2 and len(cells[0].id) == 12
    assert cells.to_frame()[["method", "status", "id"]].to_dict("records")[3] == {
        "method": "fedprox", "status": "missing", "id": cells[3].id,
    }  # fmt: skip
    assert cells._repr_html_().count("<tr>") == 5
    assert str(cells) + "\n" == fscost("plan", *GRID, *FAST).out
    assert not [*here.iterdir()]
