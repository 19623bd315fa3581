"""Imports point down, from the verbs to the nouns."""

import ast
from pathlib import Path

import pytest

import fscost

PACKAGE = Path(fscost.__file__).parent
LAYERS = [
    {"__main__", "app", "completion", "results", "status", "selection", "serve"},
    {"launch", "report"},
    {"plots"},
    {"plan", "engine", "collect", "tables"},
    {"rundir", "metering", "vocabulary", "options", "digits", "worker"},
    {"cell", "called", "where", "record", "measure", "metric", "errors", "paths", "files", "fast_json", "lock",
     "useless", "effects", "clean", "terminal"},
]  # fmt: skip
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    names |= {f"fscost.{a.name}" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "fscost"
              for a in n.names}  # fmt: skip
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    ours = {name.split(".")[1] for name in imported_modules(path) if name.startswith("fscost.")} & LEVEL.keys()
    for other in ours - {room}:
        below = LEVEL[other] > LEVEL[room]
        beside = LEVEL[other] == LEVEL[room] and LEVEL[room] in (0, 4, 5)
        assert below or beside, f"{path.name} imports {other}, which is not below {room}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_frozen_nouns_know_no_framework(path: Path) -> None:
    if LEVEL[room_of(path)] == 5:
        heavy = {name.split(".")[0] for name in imported_modules(path)} & {"torch", "hydra", "omegaconf", "pandas"}
        assert not heavy


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_hydra_ends_in_plan(path: Path) -> None:
    if room_of(path) != "plan":
        assert not {name.split(".")[0] for name in imported_modules(path)} & {"hydra", "omegaconf"}


IN_WORKER = [
    path
    for path in FILES
    if room_of(path) in ("worker", "metering", "digits", "errors", "files", "measure", "useless", "vocabulary")
]


@pytest.mark.parametrize("path", IN_WORKER, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_worker_subscripts_no_generics_that_python_38_lacks(path: Path) -> None:
    """Annotations are not evaluated there; ``Run = Callable[…]`` is, and no other check sees it."""
    tree = ast.parse(path.read_text())
    generic = {"list", "dict", "tuple", "set", "frozenset", "type"}
    generic |= {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
                and n.module == "collections.abc" for a in n.names}  # fmt: skip
    notes = [n.annotation for n in ast.walk(tree) if isinstance(n, (ast.arg, ast.AnnAssign)) and n.annotation]
    notes += [n.returns for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.returns]
    unread = {id(inner) for note in notes for inner in ast.walk(note)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Subscript) and id(n) not in unread]
    assert not [n.lineno for n in found if isinstance(n.value, ast.Name) and n.value.id in generic]
