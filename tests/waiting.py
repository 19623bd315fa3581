"""Waiting for what another process does, and no longer than it can take."""

import faulthandler
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 600
"""What takes longer hangs, on the slowest machine too."""

PAGE_S = 60
"""What an open page has not done by then it never does."""


def until(holds: Callable[[], object], what: str = "") -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S} s {what}"
        time.sleep(0.02)


SOON_S, LARGE_BYTES = 120, 2**32
"""What a guard has to stop takes seconds and some MB where there is a guard, and without it more than these."""

STATM = Path("/proc/self/statm")


@contextmanager
def soon() -> Iterator[None]:
    """Fail where something never ends or takes all memory, as what a broken guard lets through.

    What hears no signal, as it computes in C, ends the process a minute later.
    """

    def hangs(*_: object) -> None:
        pytest.fail(f"it takes more than {SOON_S} s")  # no exception that somebody expects of a file

    before, (soft, hard) = signal.signal(signal.SIGALRM, hangs), resource.getrlimit(resource.RLIMIT_AS)
    if STATM.exists():  # not on macOS
        size_bytes = int(STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size_bytes + LARGE_BYTES, hard))
    faulthandler.dump_traceback_later(SOON_S + 60, exit=True, file=sys.__stderr__)
    signal.alarm(SOON_S)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)
