"""A figure that somebody published: a row of the layout ``published``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from fscost.cells.measure import MEASURES, NETWORK, UNITS, Link, Traffic
from fscost.errors import TableError, nearest
from fscost.tables.column import one_of

PARAMETERS = "parameters"
"""What a published figure can be instead of bytes: how many parameters the model has."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that somebody published, and how it is computed: a row of the layout ``published``.

    `where` are the axes or ``fs.…`` options that select its cell, `per` says whether it is of one message or of all.
    Raises TableError for a value that is none of the choices.
    """

    source: str
    quantity: str
    published: float | str
    where: Mapping[str, Any]
    traffic: str = "training"
    links: Sequence[str] = ("uplink", "downlink")
    measure: str = "payload"
    per: str = "total"
    unit: str = "MB"

    def __post_init__(self) -> None:
        one_of("figures.traffic", self.traffic, [str(t) for t in Traffic])
        one_of("figures.measure", self.measure, [*(key for key in MEASURES if key != NETWORK), PARAMETERS])
        one_of("figures.per", self.per, ["total", "message"])
        one_of("figures.unit", self.unit, UNITS)
        if not isinstance(self.links, list | tuple) or not self.links:
            raise TableError(f"table.figures.links={self.links}: must be a list of links, as [uplink]")
        for link in self.links:
            one_of("figures.links", link, [str(link) for link in Link])
        if not isinstance(self.where, Mapping) or not self.where:
            raise TableError(
                f"table.figures.where={self.where}: must be a mapping that selects a cell, as {{model: lr}}"
            )
        try:
            valid = 0 < self.value < math.inf
        except ValueError:
            valid = False
        if not valid:
            raise TableError(f"table.figures.published={self.published}: must be a number above 0")

    @property
    def value(self) -> float:
        """The published number; as text, so that its decimals are known, it can have commas between thousands."""
        return float(str(self.published).replace(",", ""))

    @property
    def decimals(self) -> int:
        """How many digits were published behind the decimal point."""
        exponent = Decimal(str(self.published).replace(",", "")).as_tuple().exponent
        return max(0, -int(exponent))

    @classmethod
    def from_config(cls, row: Any) -> "Figure":
        """Return the figure of one row of a layout; raises TableError for a row that lacks something."""
        known = {f.name for f in fields(cls)}
        if not isinstance(row, Mapping) or not {"source", "quantity", "published", "where"} <= row.keys():
            raise TableError(f"table.figures: {row}: needs source, quantity, published and where")
        for key in row.keys() - known:
            raise TableError(f"table.figures.{key}: a row has no such setting{nearest(str(key), known)}")
        return cls(**row)
