"""HTML: a table element, for a page or as one."""

from html import escape

from fscost.tables.formats.format import Format
from fscost.tables.table import Entry


def _entry(entry: Entry) -> str:
    return entry.full


FORMAT = Format("html", ".html", escape, filters={"entry": _entry})
