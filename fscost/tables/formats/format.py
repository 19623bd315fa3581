"""What a format is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fscost.tables.table import Table


class Raw(str):
    """Text that is already in the format's own syntax."""

    __slots__ = ()


@dataclass(frozen=True)
class Format:
    """A format written by templates: ``table.<suffix>.j2``, and ``document.<suffix>.j2`` for one that stands alone.

    Whatever a template prints goes through `escape`, unless it is `Raw`. `context` are names that templates get beside
    ``table``, `filters` those of Jinja2 that they can use, `delimiters` Jinja2's own where the usual ones would clash.
    """

    name: str
    suffix: str
    escape: Callable[[str], str]
    context: Callable[[Table], Mapping[str, Any]] = lambda table: {}
    filters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    delimiters: Mapping[str, str] = field(default_factory=dict)
    has_document: bool = False
