"""What of a text tells where and by whom it was made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fscost import privacy
from fscost.privacy import private, without_places


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of somebody's own, and a working folder elsewhere."""
    here = tmp_path / "exp"
    here.mkdir()
    monkeypatch.chdir(here)
    for name, value in {"HOME": "/home/zoe", "LOGNAME": "zoe", "USER": "zoe"}.items():
        monkeypatch.setenv(name, value)
    privacy._own_names.cache_clear()
    yield here
    privacy._own_names.cache_clear()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store=HERE/runs out=HERE", "store=runs out=."),
        ("HERE_2/runs/a", "…/a"),
        ("fs.data.root=/home/zoe/data '/home/zoe' /home/zoe/", "fs.data.root=~/data '~' ~"),
        ("'store=/home/zoe/my runs/Ümläut'", "'store=~/my runs/Ümläut'"),
        ("/home/bob /scratch/bob/ ~bob/x", "… … …"),
        ("No such file: '/scratch/lab/x.pt'; see", "No such file: '…/x.pt'; see"),
        ("'engine.command=python /lab/b/a.py {method} -I/b/lib/c'", "'engine.command=python …/a.py {method} -I…/c'"),
        ("PATH=/a/b/c:/d/e/f", "PATH=…/c:…/f"),
        ("--dir=/a/b/{method}/c data=/data", "--dir=…{method}/c data=…"),
        ("file:///srv/bob/x C:\\Users\\Bob\\x.py", "…/x …/x.py"),
        ("(/lab/a/b,/lab/a/c)", "(…/b,…/c)"),
    ],
)  # fmt: skip
def test_paths_begin_where_everybody_is(machine: Path, text: str, told: str) -> None:
    assert without_places(text.replace("HERE", str(machine))) == told


@pytest.mark.parametrize(
    "text",
    ["https://a.org/b/c?d=e", "B/param, 1/2 and/or ~3/4", "runs/a/b ./a ../a/b ~/runs", r"\textsc{a}/b {s}/a/b", "/",
     "1 / 2", "s3://bucket/zoë/x", "a:b", "…/x"],
)  # fmt: skip
def test_what_is_no_absolute_path_stays(text: str) -> None:
    assert without_places(text) == text


def test_names_of_user_and_machines_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "zoe@gpu17.uni.example runs_zoe gpu17: zoete root GPU170"
    assert private(said, ["gpu17", "root", ""]) == "…@….uni.example runs_… …: zoete root GPU170"
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "42")
    privacy._own_names.cache_clear()
    assert private("42 rounds") == "42 rounds"


def test_a_folder_that_is_gone_and_an_account_without_one(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.rmdir()
    monkeypatch.setenv("HOME", "/")
    assert private("/lab/a/b /") == "…/b /"
