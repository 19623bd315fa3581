"""A real Slurm of one node, for tests: munged, slurmctld and slurmd with files, ports and a key of their own.

It needs the Debian packages slurm-wlm and munge and root, but no systemd, no cgroups and no accounting. It shares
nothing with a Slurm that is installed, so several can run at once.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import PATIENCE_S, until

_CONF = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1
MessageTimeout=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Return why there can be no Slurm here, nothing if there can."""
    programs = ("setpriv", "munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
    if missing := [name for name in programs if _program(name) is None]:
        return f"no {', '.join(missing)}: apt-get install --no-install-recommends slurm-wlm munge"
    return "" if os.geteuid() == 0 else "a Slurm of our own needs root"


class SlurmLab:
    """A Slurm that lives in `folder`; its node has `cpus` CPUs, however many the machine has.

    The node has a file system of its own at `private`, if the kernel lets us do that: `has_private`.
    """

    def __init__(self, folder: Path, cpus: int) -> None:
        self.conf = folder / "slurm.conf"
        self._folder, self._running = folder, {}
        (folder / "state").mkdir(parents=True)
        (folder / "spool").mkdir()
        self.private = folder / "private"
        self.private.mkdir()
        self.has_private = subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        ctld_port, slurmd_port = _free_ports()
        host = socket.gethostname().split(".")[0]
        self.conf.write_text(_CONF.format(**locals()))

    def start(self) -> None:
        """Start the daemons and wait until the node takes jobs."""
        files = [f"--{name}={self._folder}/munge.{end}" for name, end in
                 (("socket", "socket"), ("key-file", "key"), ("pid-file", "pid"), ("seed-file", "seed"))]  # fmt: skip
        self._start("munged", "--foreground", "--force", *files)
        until((self._folder / "munge.socket").exists, what="munged")
        self.start_controller()
        self._start_node()
        until(lambda: self._says("idle", "sinfo", "-h", "-o", "%t"), what="an idle node")

    def _start_node(self) -> None:
        if not self.has_private:
            return self._start("slurmd", "-D")
        mount = 'mount -t tmpfs fscost "$0" && exec "$@"'
        return self._start("unshare", "--mount", "sh", "-c", mount, str(self.private), _program("slurmd"), "-D")

    def start_controller(self) -> None:
        """Start slurmctld, with the jobs it had."""
        self._start("slurmctld", "-D")

    def stop_controller(self) -> None:
        """Stop slurmctld as an outage would; jobs go on."""
        self._end("slurmctld")

    def stop(self) -> None:
        """End all jobs and daemons."""
        if "slurmctld" in self._running:
            self._run("scancel", "--signal=KILL", "--full", "--user=root")
            self._run("scancel", "--user=root")
        for name in ("unshare", "slurmd", "slurmctld", "munged"):
            self._end(name)
        for pid in self._left():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not self._left(), what="the end of the jobs")

    def _start(self, name: str, *options: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            words = ["setpriv", "--pdeathsig", "TERM", _program(name), *options]  # it ends with us, however we do
            self._running[name] = subprocess.Popen(words, stdout=log, stderr=log, env=self._env())

    def _end(self, name: str) -> None:
        if (daemon := self._running.pop(name, None)) is None:
            return
        daemon.terminate()
        try:
            daemon.wait(timeout=10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _env(self) -> dict[str, str]:
        return os.environ | {"SLURM_CONF": str(self.conf)}

    def _run(self, *words: str) -> str:
        return subprocess.run(words, env=self._env(), capture_output=True, text=True, timeout=PATIENCE_S).stdout

    def _says(self, text: str, *words: str) -> bool:
        return self._run(*words).strip() == text

    def _left(self) -> list[int]:
        """The processes that Slurm started and left behind: all inherit which configuration is theirs."""
        mark, found = f"SLURM_CONF={self.conf}\0".encode(), []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in environ.read_bytes():
                    found.append(int(environ.parent.name))
            except OSError:  # it is gone, or a zombie
                continue
        return found


@contextmanager
def one_node(folder: Path, cpus: int) -> Iterator[SlurmLab]:
    """Run a Slurm and stop it whatever happens; commands find it by SLURM_CONF, which is set meanwhile."""
    lab, before = SlurmLab(folder, cpus), os.environ.get("SLURM_CONF")
    try:
        lab.start()
        os.environ["SLURM_CONF"] = str(lab.conf)
        yield lab
    finally:
        os.environ.pop("SLURM_CONF", None)
        if before is not None:
            os.environ["SLURM_CONF"] = before
        lab.stop()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
