"""The formats of tables, each with what its templates need beside the table: escaping, and how an entry is written."""

from fscost.tables.formats import html, markdown, tex, text
from fscost.tables.formats.format import Format, Raw

TEMPLATED = {f.name: f for f in (tex.FORMAT, markdown.FORMAT, html.FORMAT, text.FORMAT)}
"""Name → format, of those that are written by templates."""

__all__ = ["TEMPLATED", "Format", "Raw"]
