"""Whole sweeps in real processes: killed, interrupted, shared by two commands, with cells that die, hang or eat."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, suppress
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Result, in_process
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.slow

SWEEP = ("engine=builtin", "method=fedavg,fedprox", "model=lr,mlp_s", "clients=2,3,4", "rounds=12")
Fscost = Callable[..., Result]

RUN_TIMES = ["wall_s", "fl_end_time_minutes", "global_convergence_time_minutes", "local_convergence_time_minutes"]


class Command:
    """A sweep that is under way."""

    def __init__(self, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self._told = cwd / "told"
        path = os.pathsep.join(filter(None, [(env or {}).get("PYTHONPATH"), os.environ.get("PYTHONPATH")]))
        with self._told.open("w") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fscost", *words],
                cwd=cwd,
                stdout=subprocess.DEVNULL,
                stderr=told,
                env=os.environ | ({"PYTHONPATH": path} if path else {}),
            )

    @property
    def told(self) -> str:
        return self._told.read_text()

    def end(self) -> int:
        return self.process.wait(PATIENCE_S)

    def kill(self, by: signal.Signals = signal.SIGKILL) -> int:
        self.process.send_signal(by)
        return self.end()


def frames(fscost: Fscost) -> dict[str, pd.DataFrame]:
    """The frames of the last sweep in this folder, without what depends on time."""
    done = fscost("collect", "--out", "frames")
    assert done.code == 0, done.err
    names = ("messages", "workers", "rounds", "cells")
    read = {name: pd.read_parquet(f"frames/{name}.parquet") for name in names}
    return {name: frame.drop(columns=RUN_TIMES, errors="ignore") for name, frame in read.items()}


def results(folder: Path) -> dict[str, int]:
    """When each cell that is done was finished."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("runs/*/outcome.json")}


def started(*words: str, folder: Path) -> list[int]:
    """The processes that were started in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (path / "cwd").resolve() == folder.resolve() and (path / "stat").read_text().split(") ")[1][0] != "Z":
                found.append(int(path.name))
    return found


def test_a_sweep_killed_at_random_moments_ends_as_if_nothing_had_happened(tmp_path: Path, fscost: Fscost) -> None:
    """Twenty kills and more: as many sweeps as that takes, each killed and started again until it is done."""
    (undisturbed := tmp_path / "undisturbed").mkdir()
    with chdir(undisturbed):
        assert fscost(*SWEEP).code == 0
        expected, kills, sweeps = frames(fscost), 0, 0
    chance = random.Random(0)
    while kills < 20:
        (folder := tmp_path / str(sweeps := sweeps + 1)).mkdir()
        while len(before := results(folder)) < 12 and kills < 20 + sweeps:
            command = Command(*SWEEP, cwd=folder)
            until(
                lambda folder=folder: (
                    [*folder.glob("runs/.running/*.run-*/progress.json")] or len(results(folder)) == 12
                )
            )
            time.sleep(chance.uniform(0, 0.7))
            kills += command.kill() == -signal.SIGKILL
            assert before.items() <= results(folder).items(), "a finished cell was computed again"
        before = results(folder)
        with chdir(folder):
            final, found = fscost(*SWEEP), frames(fscost)
        assert final.code == 0, final.err
        assert f"12 cells: {len(before)} done, {12 - len(before)} to run" in final.err
        assert before.items() <= results(folder).items(), "a finished cell was computed again"
        for name, frame in found.items():
            pd.testing.assert_frame_equal(frame, expected[name])
        assert not list((folder / "runs" / ".running").iterdir())
    until(lambda: not started(folder=folder))


def test_two_commands_share_a_sweep_and_compute_each_cell_once(tmp_path: Path) -> None:
    """The first one is held until the other has computed a cell, so that there is something left for both."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    words = (*SWEEP[:-1], "rounds=4", f"store={tmp_path}/runs")
    first = Command(*words, cwd=tmp_path / "a")
    until(lambda: ": done in " in first.told)
    first.process.send_signal(signal.SIGSTOP)
    second = Command(*words, cwd=tmp_path / "b")
    until(lambda: ": done in " in second.told)
    first.process.send_signal(signal.SIGCONT)
    both = [first, second]
    assert [command.end() for command in both] == [0, 0]
    told = [re.findall(r"^\[\d+/\d+\] (\S+): done (by another command )?in", command.told, re.M) for command in both]
    own = [{name for name, other in lines if not other} for lines in told]
    assert own[0] and own[1], "one command did it all"
    assert not own[0] & own[1]
    assert len(own[0] | own[1]) == 12
    assert len(results(tmp_path)) == 12
    assert not list((tmp_path / "runs" / ".running").iterdir())


def test_many_commands_at_once_compute_each_of_many_cells_once(tmp_path: Path) -> None:
    words = ("engine=estimate", "model=lr", "clients=range(2,27)", "seed=0,1", f"store={tmp_path}/runs")
    commands = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        commands.append(Command(*words, cwd=tmp_path / str(number)))
    assert [command.end() for command in commands] == [0] * 4
    own = [re.findall(r"^\[\d+/\d+\] (\S+): done in", command.told, re.M) for command in commands]
    assert sorted(name for names in own for name in names) == sorted(results(tmp_path))
    assert len(results(tmp_path)) == 50


def test_ctrl_c_stops_all_prints_the_summary_and_the_same_command_goes_on(tmp_path: Path) -> None:
    words = ("engine=builtin", "model=lr", "rounds=1,100000")
    command = Command(*words, cwd=tmp_path)
    until(lambda: results(tmp_path))
    assert command.kill(signal.SIGINT) == 130
    *_, summary, last = command.told.splitlines()
    assert re.fullmatch(r"2 cells: 1 done, 1 not computed in \d+\.\d s", summary)
    assert last == "fscost: interrupted; the same command goes on where it stopped"
    until(lambda: not started(folder=tmp_path))
    assert "1 cell, 1 interrupted" in in_process("plan", *words[:2], "rounds=100000", cwd=tmp_path).out
    assert in_process("plan", cwd=tmp_path).out.splitlines()[-1] == "2 cells, 1 done, 1 interrupted"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_worker_that_takes_long_to_start_is_not_waited_for(tmp_path: Path, by: signal.Signals) -> None:
    """As on a network file system: the worker sleeps instead of importing, longer than anybody waits."""
    (tmp_path / "slow").mkdir()
    slow = "import sys, time\nif 'serve' in sys.orig_argv: time.sleep(100_000)\n"
    (tmp_path / "slow" / "sitecustomize.py").write_text(slow)
    command = Command("engine=builtin", "model=lr", cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}/slow"})
    until(lambda: [pid for pid in started(folder=tmp_path) if "boot.py" in _command_line(pid)])
    assert command.kill(by) == 130
    assert "1 cell: 1 not computed in" in command.told
    until(lambda: not started(folder=tmp_path))


def test_what_nohup_ignores_ends_nothing(tmp_path: Path) -> None:
    ignoring = "import signal, sys\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    (tmp_path / "ignoring").mkdir()
    (tmp_path / "ignoring" / "sitecustomize.py").write_text(ignoring)
    words = ("engine=builtin", "model=lr", "rounds=50")
    command = Command(*words, cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}/ignoring"})
    until(lambda: "1 to run" in command.told)
    assert command.kill(signal.SIGHUP) == 0, command.told


class TestABadCell:
    """One cell dies, hangs, eats memory or fills the disk: it alone fails, with the reason, and runs clean later."""

    def test_killed(self, tmp_path: Path, fscost: Fscost) -> None:
        words = ("engine=builtin", "model=lr", "clients=2,3,4", "rounds=100")
        command = Command(*words, cwd=tmp_path)
        until(lambda: [*tmp_path.glob("runs/.running/*-c3-*.run-*/progress.json")])
        os.kill(_process_of("-c3-", tmp_path), signal.SIGKILL)
        assert command.end() == 1
        (failure,) = re.findall(r"^failed: (.*)$", command.told, re.M)
        assert re.match(r"fedavg-lr-digits-c3-\S+: the process was killed by SIGKILL.*; log: \S+engine.log$", failure)
        self._is_mended(fscost, words, tmp_path, done=2)

    def test_killed_with_its_worker_again_and_again(self, tmp_path: Path, fscost: Fscost) -> None:
        words = ("engine=builtin", "model=lr", "rounds=1000000")
        command, killed = Command(*words, cwd=tmp_path), set[int]()
        while command.process.poll() is None and len(killed) < 2:
            until(lambda: [*tmp_path.glob("runs/.running/*.run-*/progress.json")])
            workers = {pid for pid in started(folder=tmp_path) if "boot.py" in _command_line(pid)} - killed
            for worker in [pid for pid in workers if _parent(pid) == command.process.pid]:
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
        assert command.end() == 1
        assert re.search(r"^failed: fedavg-lr-\S+: the worker process was killed by SIGKILL; log: ", command.told, re.M)
        assert fscost("plan").out.splitlines()[-1] == "1 cell, 1 failed"

    def test_hung(self, tmp_path: Path, fscost: Fscost) -> None:
        words = ("engine=builtin", "model=lr", "rounds=1000000", "engine.timeout_min=0.03")
        (told,) = self._failures(fscost, words, count=1)
        assert "stopped after 0.03 min" in told
        unlimited = (*words[:2], "rounds=1,1000000")
        assert fscost(*words[:2], "rounds=1").code == 0
        assert fscost("plan", *unlimited).out.splitlines()[-1] == "2 cells, 1 done, 1 timeout"

    def test_out_of_memory(self, tmp_path: Path, fscost: Fscost) -> None:
        few = ("fs.data.splits=[0.05,0.9,0.05]", "fs.eval.split=[test]")  # images: it is the model that needs memory
        words = ("engine=builtin", "model=lr,vgg11", "rounds=1", "clients=2", *few)
        assert fscost(words[0], "model=lr", *words[2:]).code == 0
        (outcome,) = tmp_path.glob("runs/*/outcome.json")
        used_gb = pd.read_json(outcome, typ="series")["peak_rss_bytes"] / 1e9
        (told,) = self._failures(fscost, (*words, f"engine.memory_gb={used_gb + 0.2:.2f}"), count=1)
        assert re.search(r"fedavg-vgg11-\S+: out of memory: stopped at [0-9.]+ GB, engine.memory_gb=", told)
        self._is_mended(fscost, words, tmp_path, done=1)

    def test_out_of_disk(self, tmp_path: Path, fscost: Fscost, small_disk: Path) -> None:
        words = ("engine=builtin", "model=lr", "rounds=1,250,2", "hydra.launcher.n_jobs=1", f"store={small_disk}/runs")
        (told,) = self._failures(fscost, words, count=1)
        assert "No space left on device" in told
        assert fscost("plan", *words).out.count("done  ") == 2
        subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
        self._is_mended(fscost, words, tmp_path, done=2)

    def _failures(self, fscost: Fscost, words: tuple[str, ...], count: int) -> list[str]:
        done = fscost(*words)
        assert done.code == 1
        failures = re.findall(r"^(?:failed|timeout): (.*)$", done.err, re.M)
        assert len(failures) == count, done.err
        return failures

    def _is_mended(self, fscost: Fscost, words: tuple[str, ...], folder: Path, done: int) -> None:
        before = {path: path.stat().st_mtime_ns for path in _store(words, folder).glob("*/outcome.json")}
        again = fscost("rerun", *words, "--failed", "--missing")
        assert again.code == 0, again.err
        assert again.err.count(": done in ") == 1
        after = {path: path.stat().st_mtime_ns for path in _store(words, folder).glob("*/outcome.json")}
        assert len(before.items() & after.items()) == done


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    return 0


def _store(words: tuple[str, ...], folder: Path) -> Path:
    return next((Path(word.removeprefix("store=")) for word in words if word.startswith("store=")), folder / "runs")


def _process_of(part: str, folder: Path) -> int:
    """The process that computes a cell: it is the one that has the cell's log open."""
    for pid in started(folder=folder):
        logs = [path.resolve() for path in Path(f"/proc/{pid}/fd").iterdir()]
        if any(part in str(log) and log.name == "engine.log" for log in logs):
            return pid
    raise AssertionError(f"nobody computes {part}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    (disk := tmp_path / "disk").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


DYING = """
import os, signal
from pathlib import Path
def die():
    killed = Path(os.environ["KILLED"])
    if len(killed.read_text()) < int(os.environ["KILLS"]):
        killed.write_text(killed.read_text() + "x")
        os.kill(os.getpid(), signal.SIGKILL)
os.register_at_fork(after_in_child=die)
"""


@pytest.mark.parametrize(("retries", "code"), [(0, 1), (2, 0)])
def test_a_cell_whose_process_died_is_tried_again_as_often_as_asked(tmp_path: Path, retries: int, code: int) -> None:
    """The first two forks are killed, as the kernel does when memory runs out."""
    (tmp_path / "sitecustomize.py").write_text(DYING)
    (tmp_path / "killed").write_text("")
    env = {
        "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}",
        "KILLED": str(tmp_path / "killed"),
        "KILLS": "2",
    }
    done = in_process("engine=builtin", "model=lr", "rounds=1", f"retries={retries}", cwd=tmp_path, env=env)
    assert done.code == code, done.err
    assert done.err.count("it is tried again") == min(retries, 2)
    assert done.err.count("killed by SIGKILL") == min(retries, 2) + 2 * code  # each failure is in the summary, too


def test_fail_fast_stops_at_the_first_failure(tmp_path: Path, fscost: Fscost) -> None:
    words = ("engine=builtin", "model=mlp_s", "rounds=1", "clients=43,2,3,4", "hydra.launcher.n_jobs=1")
    stopped = in_process(*words, "fail_fast=true", cwd=tmp_path)  # 43 clients: a last batch of one sample
    assert stopped.code == 1
    assert "4 cells: 1 failed, 3 not computed in" in stopped.err
    assert len(results(tmp_path)) == 1
    assert fscost(*words).err.count(": done in ") == 3


def test_a_failed_cell_is_told_when_it_fails_and_in_the_summary(fscost: Fscost) -> None:
    done = fscost("engine=builtin", "model=mlp_s", "rounds=1", "clients=43,2")
    assert done.code == 1
    told = [line for line in done.err.splitlines() if "batch of one sample" in line]
    assert [line.split()[0] for line in told] == ["[1/2]", "failed:"] or [line.split()[0] for line in told] == [
        "[2/2]",
        "failed:",
    ]
    assert all("log: " in line for line in told)
    assert "2 cells: 1 done, 1 failed in" in done.err
