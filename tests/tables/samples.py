"""Tables made by hand, with all that can stand in one."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fscost.tables.marks import MISSING, NOT_REACHED, Mark, MarkKind, not_reached
from fscost.tables.numbers import Number
from fscost.tables.table import Column, Entry, Note, Page, Row, Table

METHODS = ("FedAvg", "FedProx", "FedBN", "pFedMe")


def sign(text: str) -> Mark:
    """A mark behind a number, or instead of one."""
    return Mark(MarkKind.ESTIMATED, text, "")


def number(text: str, value: Any = None, *, spread: str = "", note: str = "", **more: Any) -> Entry:
    """The entry of a number that is printed as this text."""
    digits = text.replace(",", "")
    has_plus = text.startswith("+")
    made = Number(float(digits), len(digits.partition(".")[2]), float(spread) if spread else None, has_plus=has_plus)
    return Entry("", value, made, notes=(sign(note),) if note else (), **more)


def _bytes(value: float, emphasis: str = "") -> Entry:
    return number(f"{value:,.2f}", value, emphasis=emphasis)


def _accuracy(mean: float, std: float | None, emphasis: str = "") -> Entry:
    spread = "" if std is None else f"{std:.1f}"
    return number(f"{mean:.1f}", mean, spread=spread, deviation=std, emphasis=emphasis)


def _four(clients: int, scale: float) -> Iterable[tuple[Entry, ...]]:
    up = [_bytes(19.83 * scale, "second"), _bytes(19.83 * scale), _bytes(17.2 * scale, "best"), _bytes(40.1 * scale)]
    total = [
        _bytes(0.362 * scale * clients, "second"),
        _bytes(0.37 * scale * clients),
        _bytes(0.31 * scale * clients, "best"),
    ]
    accuracy = [
        _accuracy(91.2, 0.4, "best"),
        _accuracy(90.7, 10.4, "second"),
        _accuracy(8.9, 1.2),
        _accuracy(88.1, None),
    ]
    last = [number("12"), Entry(mark=not_reached(10)), number("8", emphasis="best", note="†"), Entry(mark=NOT_REACHED)]
    total.append(Entry(mark=MISSING))
    return list(zip(up, up[::-1], total, [*accuracy[:3], accuracy[3]], last, strict=True))


def comm_cost(page: Page = "auto") -> Table:
    columns = (
        Column("model", "Model", numeric=False), Column("params", "Params"), Column("clients", "Clients"),
        Column("method", "Method", numeric=False), Column("up", "Uplink", "Per client and round (kB)", "kB"),
        Column("down", "Downlink", "Per client and round (kB)", "kB", mark=sign("‡")),
        Column("total", "Total", "", "MB"), Column("acc", "Accuracy", "", "%"), Column("rounds", "Rounds to 90 %"),
    )  # fmt: skip
    rows = []
    for model, params, scale in (("MLP-64", 4_958, 1.0), ("ConvNet-2", 1_663_370, 140.0)):
        for clients in (3, 10):
            for i, numbers in enumerate(_four(clients, scale)):
                rule = None if i else 0 if clients == 3 else 2
                spans = [8 if i == 0 and clients == 3 else 0, 4 if i == 0 else 0]
                labels = (
                    Entry(model, span=spans[0]), number(f"{params:,}", params, span=spans[0]),
                    number(str(clients), clients, span=spans[1]), Entry(METHODS[i]),
                )  # fmt: skip
                rows.append(Row((*labels, *numbers), rule=rule if rows else None))
    return Table(
        "comm_cost", "Communication cost of federated training",
        "payload of the messages of training, mean over the clients", columns, tuple(rows),
        reading=("kB and MB are powers of 1000.", "Mean ± standard deviation over 3 seeds.",
                 "Best of a group in bold, second underlined."),
        notes=(Note("missing", "no run of it is in the store"), Note("10+", "not reached within 10 rounds"),
               Note("†", "reached by all seeds but one"), Note("‡", "the first round sends more")),
        to_do=("fscost model=lr clients=3,10",), provenance=("fscost 0.1, 16 cells",), page=page,
    )  # fmt: skip


def wide(page: Page = "auto", options: int = 8) -> Table:
    """Return the table with more columns."""
    table = comm_cost(page)
    more = tuple(
        Column(f"o{i}", f"federate.option_{i}", "Options, one column each" if i < 2 else "") for i in range(options)
    )
    rows = tuple(replace(r, entries=(*r.entries, *(number(f"{n * i + 0.5:.1f}") for i in range(options))))
                 for n, r in enumerate(table.rows))  # fmt: skip
    return replace(table, columns=(*table.columns, *more), rows=rows)


def long(table: Table, times: int = 4) -> Table:
    """Return the table with its rows repeated."""
    again = (replace(table.rows[0], rule=0), *table.rows[1:])
    return replace(table, rows=(*table.rows, *(row for _ in range(times - 1) for row in again)))


def narrow(page: Page = "auto") -> Table:
    columns = (Column("method", "Method", numeric=False), Column("total", "Total", "", "GB"))
    rows = tuple(
        Row((Entry(m), number(f"{v:.3f}", emphasis=e)))
        for m, v, e in zip(METHODS, (1.5, -12.25, 3.0, 1.0), ("second", "", "", "best"), strict=True)
    )  # type: ignore[arg-type]
    return Table("narrow", "Total cost", "", columns, rows, page=page,
                 reading=("Payload of training messages, both directions, over all rounds and clients.",))  # fmt: skip


def long_names(page: Page = "auto") -> Table:
    """Return the table with a method whose name is longer than a line."""
    table = comm_cost(page)
    name = "federate.method=FedAvg+personalization.local_param=[bn,classifier]_" + "x" * 300
    row = table.rows[1]
    entries = (*row.entries[:3], replace(row.entries[3], label=name), *row.entries[4:])
    return replace(table, rows=(table.rows[0], replace(row, entries=entries), *table.rows[2:]), title="y" * 300)
