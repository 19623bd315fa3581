"""One column of a layout: a quantity, and how it is counted and printed."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from fscost.cells.measure import MEASURES, NETWORK, UNITS, Traffic
from fscost.cells.metric import DIRECTIONS, Direction, direction_of, is_accuracy, metric_text
from fscost.errors import TableError, nearest
from fscost.tables.network_model import Connection
from fscost.tables.numbers import as_set
from fscost.tables.words import as_words

AUTO_UNITS = {
    "auto": ("B", "kB", "MB", "GB"),
    "auto_binary": ("B", "KiB", "MiB", "GiB"),
    "auto_bits": ("bit", "kbit", "Mbit", "Gbit"),
}
"""Units chosen by the numbers, one for a whole column: of 1000 bytes, of 1024 bytes, or of 1000 bits."""

Logged = Literal["share", "percent", "neither"]

ALL = "all"
"""All traffic: training, evaluation and control."""


@dataclass(frozen=True)
class ColumnFormula:
    """What a column computes of quantities: a formula, the unit of its numbers, and which way is better, if any."""

    text: str
    unit: str = ""
    better: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """A column; raises TableError for a value that is none of the choices.

    `decimals` fixes how many there are, `precision` asks for so many significant digits of the smallest number.
    `better` says which way of `metric` is, where its name does not say, or says another. `target` is a
    value of `metric` as it is logged: 0.9 for an accuracy of 90 %. A relative number compares `of`, where that is
    another quantity than its own. Where there is a `formula`, it is what is computed, and `quantity` its text. With
    `if_varying` it stands only where lines differ in it. `logged` is how runs log accuracies: as a share, in percent,
    or, where values are larger, as neither.
    """

    quantity: str
    traffic: str = "training"
    measure: str = "payload"
    unit: str = "auto"
    precision: int = 3
    decimals: int | None = None
    metric: str = "test_acc"
    better: str | None = None
    target: float = 0.5
    head: str = ""
    of: str = ""
    formula: ColumnFormula | None = None
    if_varying: bool = False
    connection: Connection | None = None
    logged: Logged = "share"

    def __post_init__(self) -> None:
        one_of("traffic", self.traffic, [*map(str, Traffic), ALL])
        one_of("measure", self.measure, MEASURES)
        one_of("unit", self.unit, [*UNITS, *AUTO_UNITS])
        if not is_whole(self.precision, 1, 9):
            raise TableError(f"table.precision={self.precision}: must be a whole number from 1 to 9")
        if self.decimals is not None and not is_whole(self.decimals, 0, 9):
            raise TableError(f"table.decimals={self.decimals}: must be a whole number from 0 to 9, or null")
        if self.better is not None:
            one_of("better", self.better, DIRECTIONS)
        self._check_target()
        as_words(self.head, "columns.head")
        for key in ("metric", "of"):
            if not isinstance(getattr(self, key), str):
                raise TableError(f"table.{key}={getattr(self, key)}: must be text")

    def _check_target(self) -> None:
        if isinstance(self.target, bool) or not isinstance(self.target, int | float) or not math.isfinite(self.target):
            raise TableError(f"table.target={self.target}: must be a number, as 0.9 for an accuracy of 90 %")

    @property
    def traffics(self) -> tuple[str, ...]:
        """The traffic classes that are counted."""
        return tuple(map(str, Traffic)) if self.traffic == ALL else (self.traffic,)

    @property
    def direction(self) -> Direction:
        """Which way of the metric is better, empty where neither a setting nor its name says."""
        return "higher" if self.better == "higher" else "lower" if self.better else direction_of(self.metric)

    @property
    def is_rate(self) -> bool:
        """Whether the metric is a share of samples, printed in percent."""
        return self.logged != "neither" and is_accuracy(self.metric)

    @property
    def factor(self) -> int:
        """What makes a metric that is logged one that is printed."""
        return 100 if self.is_rate and self.logged == "share" else 1

    @property
    def target_name(self) -> str:
        """The target in words, ``90 % accuracy``."""
        value = as_set(self.factor * self.target)
        return f"{value}{' %' if self.is_rate else ''} {metric_text(self.metric)}"

    @property
    def occasion(self) -> str:
        """How often a client sends such messages, by estimated network bytes: each round, evaluation or exchange."""
        occasions = {str(Traffic.TRAINING): "round", str(Traffic.EVALUATION): "evaluation"}
        return occasions.get(self.traffic, "exchange")

    @property
    def per(self) -> str:
        """What the bytes of uplink and downlink are of, in words."""
        if self.measure == NETWORK:
            return f"client and {self.occasion}"
        return "client and round" if self.traffic == Traffic.TRAINING else "message"


def one_of(key: str, value: str, choices: Any) -> None:
    """Raise TableError for a setting that is none of its choices."""
    if value not in [*choices]:
        raise TableError(f"table.{key}={value}: must be one of {', '.join(choices)}{nearest(str(value), choices)}")


def is_whole(value: Any, least: int, most: int) -> bool:
    """Return whether a value is a whole number in a range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
