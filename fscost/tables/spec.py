"""What a table shows, and the table itself: strings with the numbers they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from fscost.errors import TableError, nearest
from fscost.measure import MEASURES, UNITS, Link, Traffic
from fscost.tables.links import FOR_EXAMPLE, Connection

LAYOUTS = ("comm_cost", "audit", "published")
"""What the rows and columns are: costs per cell, figures per worker, or published figures beside computed ones."""

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
        _one_of("rows.traffic", self.traffic, [str(t) for t in Traffic])
        _one_of("rows.measure", self.measure, [*MEASURES, PARAMETERS])
        _one_of("rows.per", self.per, ["total", "message"])
        _one_of("rows.unit", self.unit, UNITS)
        for link in self.links:
            _one_of("rows.links", link, [str(link) for link in Link])
        if not isinstance(self.where, Mapping) or not self.where:
            raise TableError(f"table.rows.where={self.where}: must be a mapping that selects a cell, as {{model: lr}}")
        try:
            valid = self.value > 0
        except ValueError:
            valid = False
        if not valid:
            raise TableError(f"table.rows.published={self.published}: must be a number above 0")

    @property
    def value(self) -> float:
        """The published number; as text, so that its decimals are known, it can have commas between thousands."""
        return float(str(self.published).replace(",", ""))

    @property
    def decimals(self) -> int:
        """How many digits were published behind the decimal point."""
        return len(str(self.published).partition(".")[2])

    @classmethod
    def from_config(cls, row: Any) -> "Figure":
        """Return the figure of one row of a layout; raises TableError for a row that lacks something."""
        known = {f.name for f in fields(cls)}
        if not isinstance(row, Mapping) or not {"source", "quantity", "published", "where"} <= row.keys():
            raise TableError(f"table.rows: {row}: needs source, quantity, published and where")
        for key in row.keys() - known:
            raise TableError(f"table.rows.{key}: a row has no such setting{nearest(str(key), known)}")
        return cls(**row)


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """One table, as in ``conf/table/``; raises TableError for a value that is none of the choices.

    `template` is the stem of its templates, `name` where it is empty. With a `connection` the table tells times too;
    with `needs_network` there is none without.
    """

    name: str
    layout: str = "comm_cost"
    template: str = ""
    traffic: str = "training"
    measure: str = "payload"
    unit: str = "MB"
    digits: int = 3
    metric: str = "test_acc"
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    needs_network: bool = False
    connection: Connection | None = None
    rows: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        _one_of("layout", self.layout, LAYOUTS)
        _one_of("traffic", self.traffic, [str(t) for t in Traffic])
        _one_of("measure", self.measure, MEASURES)
        _one_of("unit", self.unit, UNITS)
        if not isinstance(self.digits, int) or not 1 <= self.digits <= 9:
            raise TableError(f"table.digits={self.digits}: must be a whole number from 1 to 9")
        if not isinstance(self.labels, Mapping):
            raise TableError(f"table.labels={self.labels}: must be a mapping, as {{mlp_s: MLP-16}}")
        for key in ("name", "template", "metric", "title"):
            if not isinstance(getattr(self, key), str):
                raise TableError(f"table.{key}={getattr(self, key)}: must be text")
        if not isinstance(self.rows, list | tuple) or bool(self.figures) != (self.layout == "published"):
            raise TableError(f"table.layout={self.layout}: rows must be a list in the layout published, and only there")
        self._check_times()

    def _check_times(self) -> None:
        if not isinstance(self.needs_network, bool):
            raise TableError(f"table.needs_network={self.needs_network}: must be true or false")
        if self.needs_network and self.connection is None:
            raise TableError(f"table={self.name}: times need the clients' link; set {FOR_EXAMPLE}")
        if self.connection and self.layout == "comm_cost" and self.traffic != Traffic.TRAINING:
            what = "communication times are those of training rounds"
            raise TableError(f"table.traffic={self.traffic}: {what}; leave network.… out or set table.traffic=training")

    @classmethod
    def from_config(cls, config: Mapping[str, Any], network: Any = None) -> "TableSpec":
        """Return the layout of a configuration's ``table`` section, and the link of its ``network`` section."""
        known = {f.name for f in fields(cls)} - {"connection"}
        for key in config:
            if key not in known:
                raise TableError(f"table.{key}: a table has no such setting{nearest(key, known)}")
        return cls(**config, connection=Connection.from_config({} if network is None else network))

    @property
    def figures(self) -> list[Figure]:
        """The rows of the layout ``published``."""
        return [Figure.from_config(row) for row in self.rows]

    def label(self, value: Any) -> str:
        """Return what a value is called in print; of methods that are combined, each by its own label."""
        if str(value) in self.labels or "+" not in str(value):
            return str(self.labels.get(str(value), value))
        return " + ".join(self.label(part) for part in str(value).split("+"))


def _one_of(key: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise TableError(f"table.{key}={value}: must be one of {', '.join(choices)}{nearest(str(value), choices)}")
