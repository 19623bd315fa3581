"""What ends a command before its end: Ctrl-C, and whatever else a batch system or a terminal sends."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the end of a batch job, and a terminal that was closed."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Take whatever ends a command as an interrupt, which ends what runs, and a second one at once.

    What is ignored stays so, as SIGHUP under nohup.
    """
    if current_thread() is not main_thread():  # which alone may say what signals do
        yield
        return
    before = {number: answer for number in _ENDS if (answer := signal.getsignal(number)) is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, _interrupt)
        yield
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, _end_now)
    raise KeyboardInterrupt


def _end_now(_number: int, _frame: FrameType | None) -> None:
    """End this process: its workers and locks end with it, jobs of a cluster may not."""
    with suppress(OSError):
        os.write(2, b"fscost: ended at once; jobs of a cluster may go on\n")
    os._exit(130)
