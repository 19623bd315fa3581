"""``python metered.py builtin|federatedscope CELL DATA``: print ratios of a course's time, with metering over without.

Both are of one course: what metering takes is timed inside it, as the difference of two courses would be less than
how much they differ anyway. Runs under FederatedScope's interpreter too.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Course = Callable[[str], Any]

PAIRS = 3


class Stopwatch:
    """Adds up the seconds inside functions; what they call of one another counts once."""

    def __init__(self) -> None:
        self.inside_s, self._depth = 0.0, 0

    def on(self, owner: Any, name: str, sign: int = 1) -> None:
        """Time a function of a module or class from now on; `sign` -1 takes it out of what calls it."""
        function = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            self._depth += 1
            begin_s = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                self._depth -= 1
                if sign < 0 or self._depth == 0:
                    self.inside_s += sign * (time.perf_counter() - begin_s)

        setattr(owner, name, timed)


def builtin(content: dict[str, Any], _data: str, watch: Stopwatch) -> Course:
    """Return a course of the builtin engine; asizeof, which FederatedScope counts too, is not metering."""
    import torch

    from fscost.engine.builtin import links, training_run
    from fscost.metering import Ledger, message

    torch.set_num_threads(1)
    watch.on(links, "meter")
    watch.on(message, "reported_bytes", sign=-1)
    watch.on(Ledger, "record")
    cell = {"engine": "builtin", "protocol": content["protocol"], "fs": content["fs"]}
    return lambda into: training_run.run_cell({"cell": cell, "into": into})


def federatedscope(content: dict[str, Any], data: str, watch: Stopwatch) -> Course:
    """Return a course of FederatedScope."""
    import torch

    from fscost.protocol import fs_options
    from fscost.worker import fs_course
    from fscost.worker.recorder import Recorder

    torch.set_num_threads(1)
    watch.on(Recorder, "record")
    watch.on(Recorder, "count")
    asked = dict(fs_options.leaves(content["fs"]))
    request = {"asked": asked, "protocol": content["protocol"], "home": "/", "data_file": data}
    return lambda into: fs_course.run_cell({**request, "into": into})


def ratio(course: Course, watch: Stopwatch) -> float:
    """Return the ratio of one course, run in a fork."""
    read, write = os.pipe()
    if os.fork() == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        with tempfile.TemporaryDirectory() as into:
            begin_s = time.perf_counter()
            course(into)
            took_s = time.perf_counter() - begin_s
        os.write(write, str(took_s / (took_s - watch.inside_s)).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read) as told:
        text = told.read()
    if not text:
        raise SystemExit("the course failed")
    return float(text)


def main(engine: str, cell: str, data: str) -> None:
    """Run courses one after another."""
    watch = Stopwatch()
    make = {"builtin": builtin, "federatedscope": federatedscope}[engine]
    course = make(json.loads(Path(cell).read_text()), data, watch)
    print(json.dumps([ratio(course, watch) for _ in range(PAIRS)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
