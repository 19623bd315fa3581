"""Which FederatedScope there is, read from the files and the git repository of a package without importing it."""

import subprocess
import sys
from pathlib import Path

import pytest

from fscost.engine.federatedscope.interpreter import Interpreter, interpreter
from fscost.errors import ConfigError
from tests.waiting import until

PICKLES = "def b64serializer(x): ...\n"
BY_NAME, BY_VALUE = "lambda e: trainable_filter(e[0])\n", "lambda e: trainable_filter(e[1])\n"


FROM_0 = "rnd = self.state - 1 if msg_type == 'evaluate' else self.state\n"


def package(folder: Path, version: str, message: str, trainer: str, server: str = FROM_0) -> Path:
    """Write the lines that tell the releases apart, in a git repository."""
    top = folder / "federatedscope"
    (top / "core" / "trainers").mkdir(parents=True)
    (top / "core" / "workers").mkdir()
    (top / "core" / "workers" / "server.py").write_text(server)
    (top / "__init__.py").write_text(f"raise ImportError('only to be looked at')\n__version__ = '{version}'\n")
    (top / "core" / "message.py").write_text(message)
    (top / "core" / "trainers" / "trainer.py").write_text(trainer)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all")
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which this interpreter finds FederatedScope."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    interpreter.cache_clear()
    return tmp_path


def probe() -> Interpreter:
    interpreter.cache_clear()
    return interpreter(sys.executable)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("message", "trainer", "server", "like"),
    [("", BY_VALUE, "", "v0.2.0"), ("", BY_VALUE, FROM_0, "v0.3.0"), (PICKLES, BY_NAME, FROM_0, "master")],
)
def test_the_release_that_it_is_like_is_read_from_what_it_does(
    probed: Path, message: str, trainer: str, server: str, like: str
) -> None:
    package(probed, "0.3.0", message, trainer, server)
    found = probe()
    assert found.protocol == f"{like}+{found.fingerprint[:8]}"
    assert (found.version, found.commit) == ("0.3.0", git(probed, "rev-parse", "HEAD"))


@pytest.mark.pipeline
def test_a_fork_of_branch_llm_has_its_options(probed: Path) -> None:
    package(probed, "0.3.0", PICKLES, BY_VALUE)
    assert probe().protocol.startswith("v0.3.0+")
    (probed / "federatedscope" / "core" / "configs").mkdir()
    (probed / "federatedscope" / "core" / "configs" / "cfg_llm.py").write_text("")
    assert probe().protocol.startswith("llm+")


@pytest.mark.pipeline
def test_no_two_sources_are_called_alike_and_one_source_always_is(probed: Path) -> None:
    package(probed, "0.3.0", PICKLES, BY_NAME)
    top, first = probed / "federatedscope", probe().protocol
    hidden = top / "core" / ".ipynb_checkpoints"
    hidden.mkdir()
    for file in (hidden / "message-checkpoint.py", top / "core" / "x_pb2.py", top / "core" / "notes.txt"):
        file.write_text("x = 1\n")
    (top / "core" / "message.py").write_bytes(PICKLES.replace("\n", "\r\n").encode())
    subprocess.run(["rm", "-rf", ".git"], cwd=probed, check=True)
    assert probe().protocol == first
    (top / "contrib").mkdir()
    (top / "contrib" / "mine.py").write_text("")
    added = probe().protocol
    (top / "contrib" / "mine.py").write_text("x = 1\n")
    changed = probe().protocol
    (top / "contrib" / "mine.py").rename(top / "contrib" / "ours.py")
    assert len({first, added, changed, probe().protocol}) == 4


@pytest.mark.pipeline
def test_changed_files_are_no_commit(probed: Path) -> None:
    package(probed, "0.3.0", PICKLES, BY_NAME)
    (probed / "federatedscope" / "core" / "message.py").write_text(f"{PICKLES}# changed\n")
    assert probe().commit == f"{git(probed, 'rev-parse', 'HEAD')}+changes"


@pytest.mark.pipeline
def test_a_package_without_a_repository_has_no_commit(probed: Path) -> None:
    git(package(probed, "0.3.0", PICKLES, BY_NAME), "rev-parse", "HEAD")
    subprocess.run(["rm", "-rf", ".git"], cwd=probed, check=True)
    assert probe().commit is None


@pytest.mark.parametrize(
    ("python", "words"),
    [
        (sys.executable, "it has no module federatedscope"),
        ("no-such-python", "cannot be started: No such file or directory"),
        ("/bin/cat", "it is no Python that runs the worker"),
    ],
)
def test_no_federatedscope_is_told_in_one_line(python: str, words: str) -> None:
    interpreter.cache_clear()
    with pytest.raises(ConfigError) as told:
        interpreter(python)
    assert f"engine.python={python}: {words}" in str(told.value)
    assert "name the interpreter that has it with engine.python=PATH or FSCOST_FS_PYTHON" in str(told.value)


def program(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("head -c 9999 /dev/urandom", "it is no Python that runs the worker (exit code 0"),
        ("echo '{}'", "it is no Python that runs the worker (exit code 0"),
        ("echo no licence >&2; kill -9 $$", "(killed by SIGKILL; its last words: no licence)"),
    ],
)
def test_what_is_no_answer_is_told_with_its_last_words(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        interpreter(program(tmp_path / "python", line))
    assert words in str(told.value)


def test_a_folder_is_no_interpreter(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"is a folder; name the Python in it, as {tmp_path}/bin/python"):
        interpreter(str(tmp_path))


def test_one_that_hangs_is_ended_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[interpreter.__module__], "_ANSWER_S", 1.0)
    hangs = program(tmp_path / "python", f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 3000'")
    with pytest.raises(ConfigError, match="it gave no answer in 1 s"):
        interpreter(hangs)
    until(lambda: not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cwd").exists())
