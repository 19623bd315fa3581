"""From frames to tables: `build.build`, `audit.audit` and `published.published` decide what stands in a cell.

`render.render` decides how it is written. Only what a table shows can be asked for here: what makes tables imports
pandas, which takes longer than a plan.
"""

from fscost.tables.spec import TableSpec
from fscost.tables.table import Table

__all__ = ["Table", "TableSpec"]
