"""The ledger of a run in frames: its messages, their sums in all and round by round; or a ledger made from logs."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice, pairwise
from math import inf, isqrt, nan
from typing import Any

import pandas as pd

from fscost.cells.cell import Cell
from fscost.cells.measure import COLUMNS, Link, Traffic, traffic_of
from fscost.collect.fs_logs import Row
from fscost.errors import ConfigError
from fscost.protocol.client_options import is_of_client
from fscost.protocol.fs_options import misfits
from fscost.protocol.release import RELEASES, release_of
from fscost.store.ledger_file import LedgerFile, Messages, each_of

COUNTS = ("messages", *COLUMNS)
AT_ONCE = 10_000
"""How many rows are looked at together: a ledger may have a million."""
CLIENT_ROUNDS = "client_rounds"
"""In how many rounds of how many clients a message was sent, a column of totals alone."""

_IN_ROUNDS = (Traffic.TRAINING, Traffic.EVALUATION)
_NOTHING = {f"{traffic}_{link}_{count}": 0 for traffic in Traffic for link in Link for count in COUNTS}

_ONCE = ("model_para", "evaluate", "metrics")
"""What a client gets or sends once in a round of a synchronous course; any other type beside it makes the sum unknown.

An asynchronous course may send it twice, and to fewer clients.
"""


def messages_of(ledger: LedgerFile, cell: Cell) -> Messages:
    """Return the ledger's lines of messages with ``traffic`` and ``client_rounds``.

    In format 1 client rounds are deduced, None where they cannot be.
    """
    clients = 0 if cell.get("asyn.use") else ledger.header.get("clients") or 0
    is_former = ledger.header["format"] == 1

    def made(row: Row) -> Row:
        if is_former:
            row = row | {CLIENT_ROUNDS: _deduced(row, clients)}
        row.setdefault("traffic", str(traffic_of(row["type"])))
        return row

    return each_of(ledger.messages, made)


def _deduced(row: Mapping[str, Any], clients: int) -> int | None:
    """Return how many clients sent or got the messages of a line, where each has one and there is no other type."""
    number = int(row["messages"])
    if row["round"] >= 0 and row["type"] in _ONCE and number <= clients:
        return number
    senders = (1 + isqrt(1 + 4 * number)) // 2
    is_from_each_to_each = row["type"] == "ss_model_para" and senders * (senders - 1) == number
    return senders if is_from_each_to_each else None


def totals(ledger: LedgerFile, messages: Iterable[Row]) -> Row:
    """Return the columns of the frame of cells that a ledger with these messages fills: sizes, rounds and sums."""
    sizes = {key: ledger.header.get(key) for key in ("params", "trainable_bytes", "state_dict_bytes")}
    sums: Row = dict(_NOTHING)
    spread = {f"{traffic}_{link}_{CLIENT_ROUNDS}": 0 for traffic in _IN_ROUNDS for link in Link}
    spans, all_rows = list[tuple[int, int]](), iter(messages)  # a set of a million rounds takes 60 MB
    while part := [*islice(all_rows, AT_ONCE)]:
        _add(sums, part)
        _add(spread, (row for row in part if row["traffic"] in _IN_ROUNDS), [CLIENT_ROUNDS])
        spans += _spans(row["round"] for row in part if row["traffic"] == Traffic.TRAINING)
    return sizes | {"rounds_trained": _covered(spans)} | sums | spread


def _spans(rounds: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield rounds as spans of those that follow one another: the first, and the one behind the last."""
    for _, span in groupby(enumerate(sorted({*rounds})), key=lambda numbered: numbered[1] - numbered[0]):
        numbers = [number for _, number in span]
        yield numbers[0], numbers[-1] + 1


def _covered(spans: Iterable[tuple[int, int]]) -> int:
    """Return how many rounds from 0 are in spans, each once; vertical clients stay at -1."""
    covered = behind = 0
    for first, end in sorted(spans):
        covered += max(0, end - max(first, behind))
        behind = max(behind, end)
    return covered


def _add(sums: Row, messages: Iterable[Row], counts: Sequence[str] = COUNTS) -> None:
    """Add messages and bytes to sums per traffic class and link; a sum with an unknown part is unknown.

    Sums are Python's: those of large models over many clients do not fit into 64 bits.
    """
    for row in messages:
        for count in counts:
            name, value = f"{row['traffic']}_{row['link']}_{count}", row[count]
            sums[name] = pd.NA if value is None or sums[name] is pd.NA else sums[name] + value


def unevenness_of(cell: Cell, ledger: LedgerFile, row: Mapping[str, Any]) -> str | None:
    """Return why clients' messages of one round differ in size, None where they do not, as far as that is known.

    `row` are the totals of the ledger. A mean client's bytes then do not tell those of the slowest one.
    """
    sizes = cell.get("course.sizes") or {}
    if lists := [name for name, size in sizes.items() if isinstance(size, list | tuple) and len({*size}) > 1]:
        return f"clients differ in {', '.join(lists)}"
    if models := [name for name in cell.fs if is_of_client(name) and {*cell.fs[name]} & _OF_MESSAGES]:
        return f"messages of {', '.join(models)} are set apart"
    if _are_all_in(row):
        clients = [worker for worker in ledger.workers if worker["worker"]]
        found = [_apart([worker[way]["payload_bytes"] for worker in clients]) for way in ("sent", "received")]
        return next((f"one client's bytes are {most:.3g} times another's" for most in found if most > _ALIKE), None)
    return None


_OF_MESSAGES = {"model", "personalization", "quantization", "codec", *(release.own_option for release in RELEASES)}
"""Sections of options that decide how large a message is."""

_ALIKE = 1.05
"""Clients' bytes that differ by less are alike, as those of one method are."""


def _are_all_in(row: Mapping[str, Any]) -> bool:
    """Return whether all clients took part in all rounds: else who did so more often sent more."""
    pairs = [row[f"{Traffic.TRAINING}_{link}_{CLIENT_ROUNDS}"] for link in (Link.UPLINK, Link.DOWNLINK)]
    every = (row.get("clients") or 0) * row["rounds_trained"]
    return all(number is not pd.NA and number in (0, every) for number in pairs)


def _apart(sizes: Sequence[int | None]) -> float:
    """Return how many times the largest is of the smallest, 1 where one is not known."""
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes) or not max(known):
        return 1
    return max(known) / min(known) if min(known) else inf


def with_bytes(evaluations: Sequence[Row], messages: Iterable[Row], cell: Cell) -> Iterator[Row]:
    """Yield one row per evaluated round: metrics, and all bytes sent up to and including that round."""
    after = _sums_after(cell, messages, sorted({row["round"] for row in evaluations})) if evaluations else {}
    metrics = dict.fromkeys(name for row in evaluations for name in row)
    for row in evaluations:
        yield {name: row.get(name, nan) for name in metrics} | after[row["round"]]


def _sums_after(cell: Cell, messages: Iterable[Row], rounds: Sequence[int]) -> dict[int, Row]:
    """Return the sums after each of these rounds, from the first; control messages belong to none."""
    is_named_from_1 = not release_of(cell.protocol).first_evaluation_is_round_0
    sums: list[Row] = [{name: 0 for name in _NOTHING if not name.startswith(Traffic.CONTROL)} for _ in rounds]
    for row in messages:
        before = int(row["round"]) - (row["traffic"] != Traffic.TRAINING and is_named_from_1)
        place = bisect_right(rounds, before)  # of the first evaluation after it
        if row["traffic"] != Traffic.CONTROL and place < len(rounds):
            _add(sums[place], [row])
    for former, own in pairwise(sums):
        own |= {name: value + own[name] for name, value in former.items()}  # of an unknown one unknown
    return dict(zip(rounds, sums, strict=True))


# --- made from logs -------------------------------------------------------------------------------

Derive = Callable[[Cell, Sequence[str], Sequence[Row], Sequence[Row]], LedgerFile]
"""Makes the ledger of a cell from what its workers and evaluations logged and the releases that it may have run on.

The header's ``protocol`` is the release whose messages they are, None if unknown. Raises ConfigError where it cannot.
"""

UNKNOWN_RELEASE = "unknown"


def derived(
    derive: Derive, cell: Cell, releases: Sequence[str], workers: Sequence[Row], evaluations: Sequence[Row]
) -> tuple[LedgerFile | None, Cell, Row]:
    """Return the ledger of a course that ended, its cell as of the release that it ran on, and columns that say so.

    The columns are ``derived``, the release, or ``underived``, why there is no ledger.
    """
    if wrong := next(misfits(cell.fs), None):
        return None, cell, {"underived": wrong}
    try:
        ledger = derive(cell, releases, workers, evaluations)
    except ConfigError as error:
        return None, cell, {"underived": str(error.args[0])}  # the others follow from it
    protocol = ledger.header["protocol"]
    return ledger, replace(cell, protocol=protocol or cell.protocol), {"derived": protocol or UNKNOWN_RELEASE}
