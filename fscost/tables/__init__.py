"""From frames to tables: `build` and `audit` decide what stands in a cell, `render` how a format writes it."""

from fscost.tables.audit import audit
from fscost.tables.build import build
from fscost.tables.explain import explain, heading
from fscost.tables.extra import varying_options
from fscost.tables.render import FORMATS, render
from fscost.tables.spec import Table, TableSpec

__all__ = ["FORMATS", "Table", "TableSpec", "audit", "build", "explain", "heading", "render", "varying_options"]
