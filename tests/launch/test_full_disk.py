"""Disks that are too small, in bytes or in files: one line says so, what is there can be read, and room mends it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fscost.__main__ import main

pytestmark = pytest.mark.slow

DISKS = [f"size={kb}k,nr_inodes=999" for kb in range(64, 1025, 16)]
DISKS += [f"size=9m,nr_inodes={files}" for files in (3, 7, 11, 16, 22, 40)]
SWEEP = ("engine=estimate", "model=lr", "clients=3,4", "rounds=150", "hydra.launcher.n_jobs=1")
"""As large as half of the disks."""

FULL = re.compile(r"^fscost: .*: No space left on device; choose another (folder|with \w+=PATH)\n\Z", re.M)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    (disk := tmp_path / "disk").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def left_on(disk: Path) -> list[Path]:
    """What is no result."""
    return [path for path in disk.rglob("*") if ".part-" in path.name or ".run-" in path.name or ".lock" in path.name]


def test_a_disk_of_any_size_is_full_at_any_write(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, codes = (*SWEEP, f"store={disk}/runs", f"out={disk}/tables"), set[int]()
    for small in DISKS:
        subprocess.run(["mount", "-o", f"remount,{small}", disk], check=True)
        own = set[int]()
        for command in (words, ("collect", *words, "--out", f"{disk}/frames")):
            code, told = main(command), capsys.readouterr().err
            assert code in (0, 1) or FULL.search(told), (small, told)
            assert not left_on(disk), (small, command)
            own.add(code)
        codes |= own
        subprocess.run(["mount", "-o", "remount,size=9m,nr_inodes=999", disk], check=True)
        if own != {0}:
            assert main(words) == 0, small
        assert main(("check", *words)) == 0, small
        assert capsys.readouterr().out.endswith("2 runs: 2 done\n")
        subprocess.run(f"rm -rf {disk}/*", shell=True, check=True)
    assert codes == {0, 1, 2}
