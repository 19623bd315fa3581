"""What a published file tells of the machine that it was made on: nothing.

A paper's table is compared by its numbers; whose account, machine and folders they came from is nobody's business, and
reviewers of a double-blind venue must not read it.
"""

import getpass
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_GENERIC = (
    "root", "user", "users", "admin", "ubuntu", "debian", "docker", "localhost", "nobody", "runner", "jovyan", "home",
    "data", "test",
)  # fmt: skip
"""Names of accounts and machines that tell nobody apart, and may stand for something else."""

_END = r"""\s'"`,;:<>|()\[\]{}…"""
_PATH = re.compile(
    rf"(?:file://|(?<=\s-[A-Za-z])|(?<![\w./~…\]}}\\]))/(?=[\w.~-])[^{_END}]*/[^{_END}]*"  # at least two parts
    rf"|(?<==)/[^{_END}/]+"  # one part is a path where it is a value
    rf"|(?<![\w./])~[A-Za-z][^{_END}/]*/[^{_END}]*"
    rf"|(?<!\w)(?:[A-Za-z]:\\|[A-Z]:/)[^{_END}]*"
)


def without_places(text: str) -> str:
    """Return a text whose paths begin in the current folder, at ``~``, or with ``…`` where they lead elsewhere.

    Of those the last part is left, but of none of two parts, as ``/home/NAME``.
    """
    if "/" not in text and "\\" not in text:
        return text
    for form, short in _own_folders(*map(_folder, (Path.cwd, Path.home))):
        text = form.sub(short, text)
    return _PATH.sub(_cut, text)


def names_of_places(texts: Iterable[str]) -> dict[str, str]:
    """Return what each text that names a place is without it; what is then alike gets a number behind it."""
    short = {text: own for text in dict.fromkeys(texts) if (own := without_places(text)) != text}
    alike: dict[str, list[str]] = {}
    for text, own in short.items():
        alike.setdefault(own, []).append(text)
    numbered = ((own, text, number) for own, same in alike.items() for number, text in enumerate(same, start=1))
    return {text: f"{own} ({number})" if len(alike[own]) > 1 else own for own, text, number in numbered}


def private(text: str, also: Iterable[str] = ()) -> str:
    """Return a text that somebody else's program wrote without paths, names of machine and user, and those `also`."""
    text = without_places(text)
    for name in dict.fromkeys([*_own_names(), *filter(_tells, also)]):
        if name in text:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "…", text)
    return text


def _cut(found: "re.Match[str]") -> str:
    *before, last = re.split(r"[\\/]+", found[0].removeprefix("file:"))
    return f"…/{last}" if len(before) > 2 and last else "…"


def _folder(which: Callable[[], Path]) -> str:
    try:
        return str(which())
    except (OSError, RuntimeError):  # removed, or of an account without one
        return ""


@lru_cache
def _own_folders(here: str, home: str) -> list[tuple["re.Pattern[str]", str]]:
    """Return what finds paths below the folders that have a shorter name, and what stands for these."""
    shorter = [(here, "", "."), (home, "~/", "~")]
    return [
        (re.compile(rf"(?<![\w./~-]){re.escape(folder)}{end}"), short)
        for folder, below, itself in shorter
        if folder.count("/") > 1
        for end, short in ((r"/(?=[\w.~-])", below), (r"/?(?![\w./~-])", itself))
    ]


@lru_cache
def _own_names() -> list[str]:
    """Return the names of this machine and of who uses it, as far as they tell one from another."""
    found = [socket.gethostname(), socket.gethostname().partition(".")[0]]
    with suppress(OSError, KeyError, ImportError):  # an account without a name
        found.append(getpass.getuser())
    return [name for name in found if _tells(name)]


def _tells(name: str) -> bool:
    return len(name) > 2 and not name.isdigit() and name.lower() not in _GENERIC
