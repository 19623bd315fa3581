"""What a quantity is: something that a column can show of the runs of a line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from fscost.tables.column import ColumnSpec
from fscost.tables.lines import Line, Values
from fscost.tables.marks import Mark

Of = Callable[[Line, ColumnSpec], Values]


class Kind(Enum):
    """How numbers are printed; the value is the name of their base unit in CSV."""

    BYTES = "bytes"
    SECONDS = "s"
    PERCENT = "percent"
    METRIC = ""
    COUNT = "rounds"
    FACTOR = "factor"
    OWN = "own"


@dataclass(frozen=True)
class Wording:
    """What a sentence about a column names: its `name`, the `names` of all columns of its quantity, and the baseline.

    The baseline is empty where its name is of several lines; `source` is what a relative number compares.
    """

    column: ColumnSpec
    name: str
    names: str
    baseline: str
    source: str = "total"

    @property
    def against(self) -> str:
        """What a relative number is relative to, ``that of FedAvg``."""
        return f"that of {self.baseline}" if self.baseline else "the first of the rows compared"


Sentence = Callable[[Wording], str]


@dataclass(frozen=True)
class Quantity:
    """A quantity of a line, per seed.

    of: its values, one per run, in base units. relative: instead, from the mean of the quantity `against` of a line
    and of its baseline. sentences: how to read it, below the table. family: columns of one family share an automatic
    unit. group: a heading that it shares with its neighbours. optional: its column is left out where no line has any.
    may_leave: its column may be named with ``?``. waits: for a metric to reach the target. in_logs: what
    FederatedScope logs instead, for runs without a ledger. notes: marks behind its numbers of a line. suffix: what
    stands behind each. Of one of somebody's own, numbers are printed in `unit`, of which one is `scale` base units.
    """

    key: str
    head: str
    kind: Kind
    of: Of | None = None
    better: Literal["lower", "higher", ""] = "lower"
    family: str = ""
    against: str = ""
    relative: Callable[[float, float], float] | None = None
    sentences: Sequence[Sentence] = ()
    optional: bool = False
    may_leave: bool = False
    needs_network: bool = False
    waits: bool = False
    group: str = ""
    in_logs: Sequence[str] = ()
    notes: Callable[[Line], tuple[Mark, ...]] = lambda line: ()
    suffix: str = ""
    unit: str = ""
    scale: float = 1

    @property
    def is_logged(self) -> bool:
        """Whether it is FederatedScope's own count of a worker, of all messages, whatever is counted elsewhere."""
        return self.key.startswith("logged_")

    def better_of(self, column: ColumnSpec) -> str:
        """Return which way is better: of a metric, that of the metric, empty where nobody knows."""
        if self.kind is Kind.METRIC:
            return column.direction
        return self.better
