"""From frames to tables: `build` decides what stands in a cell, `render` how a format writes it."""

from fscost.tables.build import build
from fscost.tables.extra import varying_options
from fscost.tables.render import FORMATS, render
from fscost.tables.spec import TableSpec

__all__ = ["FORMATS", "TableSpec", "build", "render", "varying_options"]
