"""The formats of tables: each module here that has a `FORMAT` is one, and nothing else names it."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from fscost.tables.formats.format import Format, Raw

__all__ = ["FORMATS", "Format", "Raw"]

_FIRST = ("latex", "markdown", "html", "csv", "text")
"""The order in which they are listed and written; others come behind."""


def _formats() -> Iterator[Format]:
    for module in iter_modules(__path__, f"{__name__}."):
        if isinstance(found := getattr(import_module(module.name), "FORMAT", None), Format):
            yield found


def _place(format: Format) -> int:
    return _FIRST.index(format.name) if format.name in _FIRST else len(_FIRST)


FORMATS: Mapping[str, Format] = {format.name: format for format in sorted(_formats(), key=_place)}
"""Name → format."""
