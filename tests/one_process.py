"""The command line in a Python of its own, one process for many commands."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.conftest import Result

_MANY = """
import contextlib, io, json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))  # None: importing it fails as if it were not there
from fscost.__main__ import main
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(json.loads(line))
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class OneProcess:
    """A Python that runs one command after the other in a folder, from the first on; it ends with its context.

    `code` is the checkout whose fscost it imports, `without` are packages that it does not have.
    """

    def __init__(self, folder: Path, code: Path, without: tuple[str, ...] = ()) -> None:
        self._words = [sys.executable, "-c", _MANY, json.dumps(without)]
        self._folder, self._env = folder, os.environ | {"PYTHONPATH": str(code)}
        self._process: subprocess.Popen[str] | None = None

    def run(self, *words: str) -> Result:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        python = self._process = self._process or subprocess.Popen(
            self._words, cwd=self._folder, env=self._env, **pipes
        )
        assert python.stdin and python.stdout
        python.stdin.write(f"{json.dumps(words)}\n")
        python.stdin.flush()
        return Result(*json.loads(python.stdout.readline()))

    def printed(self, *words: str) -> str:
        """What a command prints that must succeed."""
        done = self.run(*words)
        assert done.code == 0, done.err
        return done.out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()
