"""An engine is a room, a file of options, and a line; no other place names it."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import fscost
from fscost.cells.engine_kinds import ENGINES, engine_kind
from fscost.engine import DEFAULTS, Engines
from fscost.errors import ConfigError
from tests.conftest import cell_of

PACKAGE = Path(fscost.__file__).parent


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_a_room_and_a_file_of_options(name: str) -> None:
    assert (PACKAGE / "engine" / name / "__init__.py").exists()
    assert (PACKAGE.parent / "conf" / "engine" / f"{name}.yaml").exists()


def test_every_room_is_an_engine() -> None:
    assert {path.parent.name for path in (PACKAGE / "engine").glob("*/__init__.py")} == {*ENGINES}


def test_engines_do_not_import_each_other() -> None:
    for room in ENGINES:
        for path in (PACKAGE / "engine" / room).glob("*.py"):
            nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
            others = {f"fscost.engine.{other}" for other in ENGINES if other != room}
            assert not [n.module for n in nodes if str(n.module).startswith((*others,))], path


def test_no_other_module_names_an_engine() -> None:
    for path in PACKAGE.rglob("*.py"):
        own = path.parent.name if path.parent.parent == PACKAGE / "engine" else ""
        texts = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
        is_elsewhere = path.name != "engine_kinds.py" and path.parent != PACKAGE / "worker"
        assert not (is_elsewhere and texts & {*ENGINES} - {own, "command"}), path  # a word of everybody's


def test_an_engine_that_is_not_there_trains_and_logs() -> None:
    """Its runs may lie in a store all the same."""
    assert engine_kind("of_another").trains and engine_kind("of_another").writes_logs
    cell = replace(cell_of("engine=builtin"), engine="of_another")
    with pytest.raises(ConfigError, match="there are builtin, .*federatedscope"), Engines() as engines:
        engines.of(cell, DEFAULTS)
