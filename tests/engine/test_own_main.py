"""A FederatedScope of somebody's own, run by its own ``main.py``: ``stand_in``, a small one with the names of the real.

It has other options than any release, a step of its own between data and course, and messages of a type of its own.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.cells.cell import Cell
from fscost.collect import gather
from fscost.engine.federatedscope import interpreter, options_of
from fscost.store.rundir import RunDir
from tests.conftest import Result, cell_of, cells_of

AT = ("engine=federatedscope", f"engine.python={sys.executable}")
SMALL = (*AT, "model=lr", "fs.data.type=two", "clients=2", "rounds=3")

pytestmark = pytest.mark.pipeline


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package that this interpreter finds as FederatedScope, a copy of the stand-in."""
    folder = tmp_path / "checkout"
    shutil.copytree(Path(__file__).with_name("stand_in"), folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parents[2])]))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    interpreter.cache_clear()
    options_of.cache_clear()
    return folder / "federatedscope"


@pytest.fixture
def at_work(package: Path, tmp_path: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are typed: data of two and of three clients lie there."""
    work = tmp_path / "work"
    for kind, clients in {"two": 2, "three": 3}.items():
        (work / "data" / kind).mkdir(parents=True)
        for client in range(clients):
            (work / "data" / kind / f"{client}.txt").write_text("1 2")
    monkeypatch.chdir(work)
    return work


def ran(fscost: Callable[..., Result], *words: str) -> RunDir:
    """The run directory of the one cell of these words, which is done."""
    told = fscost(*SMALL, *words)
    assert told.code == 0, told.err
    return run_of(cell_of(*SMALL, *words))


def run_of(cell: Cell) -> RunDir:
    return RunDir(Path("runs", cell.name))


def payloads(run: RunDir) -> dict[str, int]:
    frame = gather([(run.read_cell(), run)]).messages
    sums = frame.groupby("type", observed=True)["payload_bytes"].sum()
    return {str(kind): int(size) for kind, size in sums.items()}


def reason(told: Result, *words: str) -> str:
    assert told.code == 1, told.err
    return str(json.loads(run_of(cell_of(*SMALL, *words)).outcome_file.read_text())["reason"])


def test_its_messages_are_metered_those_of_its_own_type_too(at_work: Path, fscost: Callable[..., Result]) -> None:
    run = ran(fscost, "fs.federate.sketch_size=5")
    assert payloads(run) == {"join_in": 0, "model_para": 3 * 2 * 32, "sketch": 3 * 2 * 40, "finish": 2 * 32}
    assert "'test_loss': 6.0" in run.eval_results.read_text()


def test_a_step_of_its_own_main_is_taken(at_work: Path, fscost: Callable[..., Result]) -> None:
    words = ("fs.federate.only_first=true",)
    run = ran(fscost, *words)
    assert payloads(run)["sketch"] == 3 * 32
    assert "clients=2: FederatedScope's main.py left 1 of them" in run.outcome_file.read_text()
    frames = gather([(run.read_cell(), run)])
    assert list(frames.cells["clients"]) == [1]


class TestOptionsOfSingleClients:
    @pytest.fixture
    def file(self, at_work: Path) -> Callable[[str], str]:
        def write(text: str, name: str = "clients.yaml") -> str:
            (at_work / name).write_text(text)
            return f"fs_client_config={name}"

        return write

    def test_reach_them(self, fscost: Callable[..., Result], file: Callable[..., str]) -> None:
        run = ran(fscost, file("client_2: {federate: {sketch_size: 10}}"))
        assert payloads(run)["sketch"] == 3 * (32 + 80)
        assert run.read_cell().get("client_2.federate.sketch_size") == 10

    def test_are_part_of_the_cell_and_their_file_is_not(self, file: Callable[..., str]) -> None:
        text = "client_2: {federate: {sketch_size: 10}}"
        first, same = (cell_of(*SMALL, file(text, name)).id for name in ("a.yaml", "b.yaml"))
        assert first == same
        assert len({first, cell_of(*SMALL).id, cell_of(*SMALL, file(text.replace("10", "9"))).id}) == 3

    REFUSED = (
        ("client_3: {federate: {sketch_size: 1}}", "client_3: clients=2 has no such client; leave it out"),
        ("client_01: {federate: {sketch_size: 1}}", "client_01: no client; expected sections client_1, client_2"),
        ("federate: {sketch_size: 1}", "federate: no client; expected sections client_1"),
        ("client_1: {federate: {sketchsize: 1}}", "did you mean federate.sketch_size"),
        ("client_1: {federate: {sketch_size: big}}", "client_1.federate.sketch_size='big': expected int"),
        ("client_1: {federate: {sketch_size: 0}}", "a sketch has at least one number"),
        ("client_1: 3", "client_1: expected sections with options of this client"),
        ("client_1:\n  3: {a: 4}", "client_1: expected sections with options of this client"),
        ("", "no options of single clients"),
        ("[1, 2]", "no options of single clients"),
    )

    def test_that_cannot_be_are_refused(self, fscost: Callable[..., Result], file: Callable[..., str]) -> None:
        for text, words in self.REFUSED:
            told = fscost("plan", *SMALL, file(text))
            assert (told.code, told.err.count("\n")) == (2, 1), (text, told.err)
            assert words in told.err, text

    @pytest.mark.parametrize("engine", ["builtin", "estimate"])
    def test_are_federatedscopes_alone(self, fscost: Callable[..., Result], engine: str) -> None:
        told = fscost("plan", f"engine={engine}", "fs_client_config=clients.yaml")
        assert (told.code, told.err.count("\n")) == (2, 1)
        assert f"engine={engine} has one configuration for all clients; take engine=federatedscope" in told.err


def test_as_many_clients_as_the_data_have(at_work: Path, fscost: Callable[..., Result]) -> None:
    words = (*SMALL, "clients=0", "fs.data.type=two,three")
    before = fscost("table", *words, "table.rows=[data,clients,method]")
    assert re.findall(r"^ *(two|three) +(\S+) +FedAvg +(\S+)", before.out, re.M) == [
        ("two", "n/a", "missing"),
        ("three", "n/a", "missing"),
    ]
    assert fscost(*words).code == 0
    cells = cells_of(*words)
    frames = gather([(cell, run_of(cell)) for cell in cells])
    assert list(frames.cells["clients"]) == [2, 3]
    after = fscost("table", *words, "table.rows=[data,clients,method]").out
    assert re.findall(r"^ *(two|three) +(\S+) +FedAvg", after, re.M) == [("two", "2"), ("three", "3")]
    assert [payloads(run_of(cell))["sketch"] for cell in cells] == [3 * 2 * 32, 3 * 3 * 32]


def test_more_clients_than_the_data_have_fail_before_training(at_work: Path, fscost: Callable[..., Result]) -> None:
    words = ("clients=5", "fs.federate.crash=killed")
    assert reason(fscost(*SMALL, *words), *words).endswith(
        "clients=5: the data have 2; ask for no more, or for clients=0, which takes all there are"
    )


def test_data_that_a_runner_loads_beside_have_other_clients(
    package: Path, at_work: Path, fscost: Callable[..., Result]
) -> None:
    """As offsite-tuning loads what it aligns its emulator with, as those of one client."""
    runner = package / "core" / "fed_runner.py"
    beside = (
        "        from federatedscope.core.auxiliaries.data_builder import get_data\n        beside = config.clone()\n"
        "        beside.federate.client_num = 1\n        get_data(beside)\n"
    )
    head, init, rest = runner.read_text().partition("client_configs=None):\n")
    runner.write_text(f"{head}{init}{beside}{rest}")
    assert payloads(ran(fscost))["sketch"] == 3 * 2 * 32


def test_what_it_writes_stays_in_its_run_directory(at_work: Path, fscost: Callable[..., Result]) -> None:
    words = ("seed=1,2", "fs.federate.save_to=checkpoints/model.txt")
    assert fscost(*SMALL, *words).code == 0
    for cell in cells_of(*SMALL, *words):
        course = run_of(cell).path / "fs"
        assert ((course / "checkpoints" / "model.txt").read_text(), (course / "note.txt").exists()) == ("6.0", True)
    assert {path.name for path in at_work.iterdir()} == {"data", "runs", "tables"}


def test_cells_that_would_write_one_file_are_refused(at_work: Path, fscost: Callable[..., Result]) -> None:
    told = fscost("plan", *SMALL, "seed=1,2", f"fs.federate.save_to={at_work}/model.txt")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert f"save_to={at_work}/model.txt: 2 cells would write it; a relative path lies in the run directory" in told.err
    assert fscost("plan", *SMALL, f"fs.federate.save_to={at_work}/model.txt").code == 0


def test_a_file_that_it_continues_from_is_told_with_its_content(at_work: Path, fscost: Callable[..., Result]) -> None:
    (at_work / "old.pt").write_text("weights")
    run = ran(fscost, "fs.federate.restore_from=old.pt")
    header = json.loads(run.ledger.read_text().splitlines()[0])
    digest = hashlib.sha256(b"weights").hexdigest()
    assert header["inputs"] == {"federate.restore_from": f"sha256 {digest}"}


def test_what_it_reads_lies_where_the_command_was_typed(at_work: Path, fscost: Callable[..., Result]) -> None:
    (at_work / "side").mkdir()
    (at_work / "side" / "number.txt").write_text("100")
    (at_work / "data").rename(at_work / "mine")
    words = ("fs.data.side_file=side/number.txt", "fs.data.root=mine")
    run = ran(fscost, *words)
    assert "'test_loss': 106.0" in run.eval_results.read_text()
    assert (run.read_cell().get("data.side_file"), run.read_cell().get("data.root")) == ("side/number.txt", "mine")


class TestMainsThatAreNone:
    """The cell fails with the reason, and nothing else is run instead."""

    MAINS = (
        ("", "main.py ran no runner of federatedscope.core.fed_runner, so no course"),
        ("import sys\nsys.exit('no licence')", "exit(no licence) was called"),
        (
            "import argparse\nargparse.ArgumentParser().parse_args()",
            "exit(2) was called; its last words: main.py: error: unrecognized arguments: --cfg",
        ),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(", "SyntaxError"),
    )

    @pytest.mark.parametrize(("text", "words"), MAINS, ids=lambda text: text[:12])
    def test_reason(self, package: Path, at_work: Path, fscost: Callable[..., Result], text: str, words: str) -> None:
        (package / "main.py").write_text(text)
        assert words in reason(fscost(*SMALL))

    def test_there_is_none(self, package: Path, at_work: Path, fscost: Callable[..., Result]) -> None:
        (package / "main.py").unlink()
        assert f"there is no {package / 'main.py'}, which is what engine=federatedscope runs" in reason(fscost(*SMALL))

    def test_it_does_not_read_its_configuration(
        self, package: Path, at_work: Path, fscost: Callable[..., Result]
    ) -> None:
        (package / "main.py").write_text("\n".join(
            ["from federatedscope.core.configs.config import global_cfg",
             "from federatedscope.core.fed_runner import Runner",
             "Runner({}, global_cfg.clone()).run()"]
        ))  # fmt: skip
        assert "this is not the cell that was asked for: fs." in reason(fscost(*SMALL))

    def test_it_runs_two_courses(self, package: Path, at_work: Path, fscost: Callable[..., Result]) -> None:
        main = package / "main.py"
        main.write_text(main.read_text() + "    Runner(data, config).run()\n")
        assert f"{main} runs a second course, and a cell is one" in reason(fscost(*SMALL))

    def test_its_course_runs_in_another_process(
        self, package: Path, at_work: Path, fscost: Callable[..., Result]
    ) -> None:
        main = package / "main.py"
        text = main.read_text().replace("    Runner(", "    runner = Runner(").replace(".run()\n", "\n")
        course = (
            "    import multiprocessing\n    other = multiprocessing.get_context('fork').Process(target=runner.run)\n"
            "    other.start()\n    other.join()\n"
        )
        main.write_text(text + course)
        assert "ran no runner of federatedscope.core.fed_runner, so no course" in reason(fscost(*SMALL))


class TestTransportsOfItsOwn:
    """What sends past the method that is metered ends the course, at its first message."""

    PAST = "past StandaloneCommManager.send, where they would be metered; run its main.py, and read its logs"

    @pytest.fixture
    def transport(self, package: Path, at_work: Path) -> Callable[[str], None]:
        def write(text: str) -> None:
            runner = package / "core" / "fed_runner.py"
            given = runner.read_text().replace("Server(data), StandaloneCommManager()", "Server(data), Own()")
            head, _, rest = given.partition("class Server:")
            runner.write_text(f"{head}{text}\n\n\nclass Server:{rest}")

        return write

    def test_one_that_sends_elsewhere_fails_before_training(
        self, transport: Callable[[str], None], fscost: Callable[..., Result]
    ) -> None:
        transport("class Own(StandaloneCommManager):\n    def send(self, message):\n        self.queue.append(message)")
        told = reason(fscost(*SMALL))
        assert f"RuntimeError: federatedscope.core.fed_runner.Own sends join_in {self.PAST}" in told

    def test_one_of_another_class_fails_before_its_first_message(
        self, transport: Callable[[str], None], fscost: Callable[..., Result]
    ) -> None:
        transport("class Own:\n    def send(self, message):\n        raise SystemExit(9)")
        assert f"federatedscope.core.fed_runner.Own sends messages {self.PAST}" in reason(fscost(*SMALL))

    def test_one_that_hands_on_is_metered_where_it_hands_on(
        self, transport: Callable[[str], None], fscost: Callable[..., Result]
    ) -> None:
        transport(
            "class Own(StandaloneCommManager):\n    def send(self, message):\n"
            "        message.content = {} if message.msg_type == 'sketch' else message.content\n"
            "        super().send(message)"
        )
        assert payloads(ran(fscost)) == {"join_in": 0, "model_para": 3 * 2 * 32, "sketch": 0, "finish": 2 * 32}

    def test_what_is_handled_and_was_never_sent_fails_the_course(
        self, package: Path, at_work: Path, fscost: Callable[..., Result]
    ) -> None:
        runner = package / "core" / "fed_runner.py"
        text = runner.read_text().replace("        self.comm_manager.send(message)\n", (
            "        if message.msg_type != 'sketch':\n            self.comm_manager.send(message)\n"
        ))  # fmt: skip
        runner.write_text(text)
        assert "sketch: handled, and never sent through StandaloneCommManager.send" in reason(fscost(*SMALL))


@pytest.mark.parametrize(
    ("crash", "words"), [("exit", "exit(3) was called"), ("killed", "the process was killed by SIGKILL")]
)
def test_a_course_that_dies_costs_its_cell(
    at_work: Path, fscost: Callable[..., Result], crash: str, words: str
) -> None:
    assert words in reason(fscost(*SMALL, f"fs.federate.crash={crash}"), f"fs.federate.crash={crash}")


@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_that_is_killed_while_it_imports_is_started_once_more(
    package: Path, at_work: Path, fscost: Callable[..., Result], times: int
) -> None:
    killed, runner = at_work / "killed", package / "core" / "fed_runner.py"
    runner.write_text(
        f"import os, signal\nkilled = open({str(killed)!r}, 'a+')\nkilled.seek(0)\n"
        f"if len(killed.read()) < {times}:\n    print('x', end='', file=killed, flush=True)\n"
        f"    os.kill(os.getpid(), signal.SIGKILL)\n{runner.read_text()}"
    )
    told = fscost(*SMALL)
    assert killed.read_text() == "x" * times
    assert (told.code, "cannot be imported: the worker process was killed by SIGKILL" in told.err) == (
        (0, False) if times == 1 else (2, True)
    )


def test_it_is_left_as_it_was(package: Path, at_work: Path, fscost: Callable[..., Result]) -> None:
    before = {path: path.read_bytes() for path in package.rglob("*.py")}
    ran(fscost)
    assert {path: path.read_bytes() for path in package.rglob("*.py")} == before
