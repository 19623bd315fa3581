"""How states look on a terminal, and how lines are broken there."""

import re
from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fscost.cells.outcome import Status

STYLES = {
    Status.DONE: "green",
    Status.FAILED: "red",
    Status.TIMEOUT: "red",
    Status.RUNNING: "cyan",
    Status.INTERRUPTED: "magenta",
    Status.CORRUPT: "red",
    Status.MISSING: "dim",
}
"""Colours of the terminal's own that can be read on dark and on light; beside them stands the word."""

HANG = 2
"""How far the second and later lines of a sentence are indented."""

_WORD = re.compile(r"\S+(?: (?:%|[kMG]?i?B\b)\S*)?")
"""What is not broken: a word, or a number with its unit."""


def wrapped(text: Text, width: int, hang: int = HANG) -> list[Text]:
    """Return `text` in lines of `width` columns, broken at blanks; all but the first are indented by `hang`.

    A word that is longer than a line is left whole, which rich would not do: so a path can be copied.
    """
    begins = [0]
    for word in _WORD.finditer(text.plain):
        room = width - (hang if begins[-1] else 0)
        is_first = not text.plain[begins[-1] : word.start()].strip()
        if not is_first and cell_len(text.plain[begins[-1] : word.end()]) > room:
            begins.append(word.start())
    first, *rest = text.divide(begins[1:])
    for line in rest:
        line.pad_left(hang)
    for line in (first, *rest):
        line.rstrip()
    return [first, *rest]


def show_lines(lines: Iterable[str]) -> None:
    """Print lines, states in colour, titles bold; what follows a name is broken below its beginning."""
    console = Console(highlight=False)
    for line in lines:
        for part in _folded(line, console.width):
            console.print(part, soft_wrap=True)


def _folded(line: str, width: int) -> list[Text]:
    name = re.match(r" *[^:]*: +|", line)
    hang = name.end() if name else 0
    if not 0 < hang <= width // 2:
        line, hang = re.sub(r": +", ": ", line), 2 * HANG
    text = Text(line, "bold" if line.endswith(":") else "")
    last = line.rpartition(" ")[2]
    if last in STYLES:
        text.stylize(STYLES[Status(last)], len(line) - len(last))
    return wrapped(text, width, hang)
