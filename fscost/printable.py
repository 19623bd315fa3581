"""Text that shows all its characters, wherever it is printed."""

import re
import sys
from contextlib import suppress
from numbers import Integral
from typing import Any


def clean(text: str) -> str:
    """Return `text` in one line that shows all its characters and that UTF-8 can hold.

    Line breaks, tabs and other white space are blanks; what has no shape of its own but could turn, hide or break text
    (control and format characters, lone surrogates) is �. As many characters as before.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def plural(number: Any, noun: str) -> str:
    """Return how many there are of something, as ``1 cell`` or ``1,000 cells``; what is not known may be a word."""
    text = number if isinstance(number, str) else f"{number:,}" if isinstance(number, Integral) else f"{number:,.0f}"
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"


def in_one_line(text: str) -> str:
    """Return `text` such that no reader takes it for two lines, and UTF-8 can hold it; all other characters stay.

    What ends a line somewhere (CR, LF, U+0085, U+2028, …) and tabs are blanks, other control characters and lone
    surrogates �. As many characters as before.
    """
    return _BREAKING.sub(lambda found: " " if found[0].isspace() else "\ufffd", text)


_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def say(line: str) -> None:
    """Print a line on standard error, all its characters shown; where that is gone or full, nobody is told."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(clean(line), file=sys.stderr, flush=True)
