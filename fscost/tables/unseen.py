"""What payload leaves out: numbers and texts beside the tensors, said where they are more than a trifle."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from fscost.measure import Link
from fscost.tables.column import ColumnSpec
from fscost.tables.lines import Line, bytes_columns

_TRIFLE = 0.01
"""Up to this share of payload, what it leaves out is not worth a sentence."""

Pair = tuple[Any, Any]
"""Payload and scalar bytes of the same messages; None or nan where one is not known."""


def unseen(pairs: Iterable[Pair]) -> Iterator[str]:
    """Yield what payload leaves out, of the messages of which that is the largest share."""
    known = [(float(p), float(s)) for p, s in pairs if not (pd.isna(p) or pd.isna(s))]
    found = [(s / p if p else math.inf, s, p) for p, s in known if s > _TRIFLE * p]
    if found:
        _, scalar, payload = max(found)
        yield (
            f"Payload leaves out numbers and texts beside the tensors, up to {scalar:,.0f} B beside {payload:,.0f} B; "
            "table.measure=content counts both."
        )


def unseen_of(lines: Sequence[Line], columns: Iterable[ColumnSpec]) -> Iterator[str]:
    """Yield what the payload of any run leaves out of the traffic that the columns count."""
    counted = dict.fromkeys(column.traffic for column in columns if column.measure == "payload")
    yield from unseen(pair for traffic in counted for line in lines for pair in _pairs(line, traffic))


def _pairs(line: Line, traffic: str) -> Iterator[Pair]:
    total = ColumnSpec(quantity="total", traffic=traffic)
    sizes = [
        line.sums([name for link in Link for name in bytes_columns(replace(total, measure=measure), link)])
        for measure in ("payload", "scalar")
    ]
    payload, scalar = ([] if isinstance(values, str) else values for values in sizes)
    yield from zip(payload, scalar, strict=False)  # none, where one of them is not known
