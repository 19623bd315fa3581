"""From frames to tables: `build`, `audit` and `published` decide what stands in a cell, `render` how it is written."""

from fscost.tables.audit import audit
from fscost.tables.build import build
from fscost.tables.explain import explain, heading
from fscost.tables.extra import options_of, varying_options
from fscost.tables.published import published
from fscost.tables.render import FORMATS, render
from fscost.tables.spec import TableSpec
from fscost.tables.table import Table
from fscost.tables.trace import trace
from fscost.tables.words import provenance

__all__ = [
    "FORMATS",
    "Table",
    "TableSpec",
    "audit",
    "build",
    "explain",
    "heading",
    "options_of",
    "provenance",
    "published",
    "render",
    "trace",
    "varying_options",
]
