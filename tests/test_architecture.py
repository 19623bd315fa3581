"""Imports point down, from the verbs to the nouns."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import fscost

PACKAGE = Path(fscost.__file__).parent
LAYERS = [
    {"__main__"},
    {"commands"},
    {"api"},
    {"launch", "report"},
    {"plots"},
    {"plan", "engine", "collect", "tables", "record"},
    {"store", "worker"},
    {"metering"},
    {"protocol", "terminal", "extras", "outputs"},
    {"cells", "files", "formula", "yaml_text"},
    {"errors", "printable", "privacy", "resources"},
]
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


def test_no_two_modules_have_the_same_name() -> None:
    """A name says which module is meant, in a traceback, a search or a conversation."""
    names = Counter(path.stem for path in FILES if path.stem != "__init__")
    assert {name: number for name, number in names.items() if number > 1} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    ours = {name.split(".")[1] for name in imported_modules(path) if name.startswith("fscost.")} & LEVEL.keys()
    for other in ours - {room}:
        assert LEVEL[other] > LEVEL[room], f"{path.name} imports {other}, which is not below {room}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_frozen_nouns_know_no_framework(path: Path) -> None:
    if LEVEL[room_of(path)] >= LEVEL["cells"]:
        heavy = {name.split(".")[0] for name in imported_modules(path)} & {"torch", "hydra", "omegaconf", "pandas"}
        assert not heavy


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_hydra_ends_in_plan(path: Path) -> None:
    if room_of(path) != "plan":
        assert not {name.split(".")[0] for name in imported_modules(path)} & {"hydra", "omegaconf"}


def test_what_hydra_keeps_to_itself_is_imported_in_one_place() -> None:
    inside = [path for path in FILES if any(name.startswith("hydra._internal") for name in imported_modules(path))]
    assert inside == [PACKAGE / "plan" / "hydra_config.py"]


def file_of(name: str) -> Path | None:
    """The file of a module of ours, None for what is none."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    found = [p for p in (path / "__init__.py", path.with_suffix(".py")) if p.exists()]
    return found[0] if found and path.is_relative_to(PACKAGE) else None


def imported_at_run_time(path: Path) -> Iterator[Path]:
    """The files of ours that a file imports, with the packages around them; not what only a type checker imports."""
    tree = ast.parse(path.read_text())
    unread = {id(inner) for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
              for inner in ast.walk(n)}  # fmt: skip
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and id(n) not in unread):
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
            parts = (name or "").split(".")
            files = (file_of(".".join(parts[: n + 1])) for n in range(len(parts)))
            yield from (file for file in files if file)


def files_of_the_worker() -> list[Path]:
    """What interpreters of FederatedScope and of training code import: worker and record, and whatever they need."""
    found: set[Path] = set()
    left = [PACKAGE / "__init__.py", *(PACKAGE / "worker").glob("*.py"), *(PACKAGE / "record").glob("*.py")]
    while left:
        found.add(path := left.pop())
        left += [p for p in imported_at_run_time(path) if p not in found]
    return sorted(found)


IN_WORKER = files_of_the_worker()


def test_lint_knows_what_runs_in_old_pythons() -> None:
    checkout = PACKAGE.parent
    words = re.search(r"^WORKER =((?:.*\\\n)*.*)$", (checkout / "Makefile").read_text(), re.M)
    assert words
    listed = [checkout / word for word in words[1].replace("\\", " ").split()]
    of_lint = {file for path in listed for file in (path.glob("*.py") if path.is_dir() else [path])}
    assert of_lint == {*IN_WORKER}
    ruff = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["ruff"]["per-file-target-version"]
    patterns = [p for pattern in ruff for p in braces(pattern)]
    assert {file for pattern in patterns for file in checkout.glob(pattern)} == {*IN_WORKER}


def braces(pattern: str) -> list[str]:
    """A pattern with {a,b} as patterns without."""
    found = re.search(r"\{([^}]*)\}", pattern)
    return [pattern.replace(found[0], word) for word in found[1].split(",")] if found else [pattern]


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
