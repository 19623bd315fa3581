"""Waiting for what another process does."""

import time
from collections.abc import Callable

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
