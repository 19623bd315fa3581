"""What a format is, and what the formats share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fscost.printable import clean
from fscost.tables.table import Table

__all__ = ["Format", "Raw", "clean", "comment", "legend"]


class Raw(str):
    """Text that is already in the format's own syntax."""

    __slots__ = ()


@dataclass(frozen=True)
class Format:
    """A format, by the `name` that ``--format`` takes and the `suffix` of its files.

    It is written by templates: ``table.<suffix>.j2``, and ``document.<suffix>.j2`` for one that stands alone. What a
    template prints goes through `escape`, unless it is `Raw`. `context` are names that templates get beside ``table``,
    `filters` those of Jinja2 that they can use, `delimiters` Jinja2's own where the usual ones would clash. A format
    without templates has a function `write` instead.
    """

    name: str
    suffix: str
    escape: Callable[[str], str] = str
    context: Callable[[Table], Mapping[str, Any]] = lambda table: {}
    filters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    delimiters: Mapping[str, str] = field(default_factory=dict)
    has_document: bool = False
    write: Callable[[Table], str] | None = None


def comment(text: str) -> Raw:
    r"""Return `text` for a comment of HTML: ``--`` could end it, so it is ``-\-``, which a shell reads as before."""
    return Raw(re.sub("-(?=-)", r"-\\", clean(text)))


def legend(table: Table, best: str, second: str) -> str:
    """Return the sentence that says how the best numbers of a group and the second best look, empty if none do."""
    used = {entry.emphasis for row in table.rows for entry in row.entries} - {"ours"}
    used = used if table.has_legend else set()
    meaning = {"best": f"{best}: {table.best}", "second": f"{second}: second best"}
    return "; ".join(text for emphasis, text in meaning.items() if emphasis in used) + "." * bool(used - {""})
