"""Markdown as GitHub renders it: pipe tables, aligned in the source too."""

import re
from collections.abc import Mapping
from typing import Any

from fscost.tables.formats.format import Format, Raw
from fscost.tables.formats.text import padded, widths_of
from fscost.tables.table import Entry, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def escape(text: str) -> str:
    """Return `text` such that Markdown prints it as it is and it cannot end a table cell."""
    return _SPECIAL.sub(r"\\\1", text.replace("\n", " "))


def _entry(entry: Entry) -> str:
    return entry.full


def _comment(text: str) -> Raw:
    """Return text for a comment: one line, nothing in it ends the comment."""
    return Raw(re.sub(r"\s+", " ", text).replace("-->", "--&gt;"))


def _context(table: Table) -> Mapping[str, Any]:
    return {"widths": widths_of(table, [column.full_head for column in table.columns])}


FORMAT = Format("markdown", ".md", escape, _context, {"entry": _entry, "padded": padded, "comment": _comment})
