"""Where the numbers of a table come from: the runs behind each, and their arithmetic."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fscost.cells.engine_kinds import engine_kind
from fscost.cells.measure import BOTH_WAYS, SERVER, Link, binary_text
from fscost.printable import plural
from fscost.tables.lines import Record, as_planned, by_columns, is_missing
from fscost.tables.log_gaps import Count, Gap, counts, finish_bytes_of, gap_of
from fscost.tables.numbers import printed, whole
from fscost.tables.table import Row, Table

_WHY = {
    Gap.NO_UPLOAD: "not counted in standalone mode since v0.3.0",
    Gap.UNSENT: "finish, sent after the line was written",
    Gap.ONLINE: "handed over by federate.online_aggr, which is not counted",
    Gap.FINISH: "finish, being handled when the line is written",
    Gap.LAST: "being handled, or still to come, when the line is written",
    Gap.UNKNOWN: "missing for a reason that fscost does not know",
}


def explain(messages: Sequence[Record], workers: Sequence[Record]) -> Iterator[str]:
    """Yield lines that compute the totals of one cell, rows of the frames of messages and workers, from factors."""
    if messages:
        yield "What was sent (payload):"
        yield from (f"  {line}" for line in _products(messages))
        yield "What Ethernet, TCP and gRPC would carry of it (an estimate, rms error 0.8 %):"
        yield from (f"  {line}" for line in _network(messages))
    known = counts(workers) if messages else []
    if known:
        yield "What FederatedScope logged of it (asizeof):"
        yield from (f"  {line}" for line in _differences(known, messages))
    if not workers:
        yield "There are no figures that FederatedScope logged."
        return
    yield "FederatedScope's averages over server and clients:"
    yield from (f"  {line}" for line in _averages(workers))


def _products(messages: Sequence[Record]) -> Iterator[str]:
    """Yield each type and link as rounds × messages × bytes, in the order in which they were first sent."""
    for (traffic, link, kind), group in by_columns(messages, "traffic", "link", "type").items():
        name = f"{traffic} {link} {kind}:"
        if any(is_missing(row["payload_bytes"]) for row in group):
            yield f"{name:32} {plural(_total(group, 'messages'), 'message')} of unknown payload"
            continue
        yield f"{name:32} {_product(group)} = {whole(_total(group, 'payload_bytes'))} B{_beside(group)}"


def _total(rows: Iterable[Record], column: str) -> int:
    """Return the sum of what is known of a column."""
    return sum(int(row[column]) for row in rows if not is_missing(row[column]))


def _beside(group: Sequence[Record]) -> str:
    """Return what stands beside the tensors, and what both are together."""
    payload, scalar = _total(group, "payload_bytes"), _total(group, "scalar_bytes")
    return f"; with {whole(scalar)} B of numbers and text, content = {whole(payload + scalar)} B" if scalar else ""


def _product(group: Sequence[Record]) -> str:
    """Return rounds × messages × bytes, once for all rounds that are alike."""
    alike = Counter((row["messages"], int(row["payload_bytes"]) / row["messages"]) for row in group)
    return " + ".join(
        f"{whole(rounds)} rounds × " * (rounds > 1) + f"{plural(number, 'message')} × {_bytes(each)}"
        for (number, each), rounds in alike.items()
    )


def _bytes(mean: float) -> str:
    """Return the bytes of one message; where several differ their mean, such that the product is theirs."""
    return f"{printed(mean, 0 if mean.is_integer() else 2)} B"


def _network(messages: Sequence[Record]) -> Iterator[str]:
    """Yield the `network` measure of each traffic class; a message between clients is on the links of both."""
    for (traffic,), group in by_columns(messages, "traffic").items():
        name = f"network (estimate) {traffic}:"
        if unknown := [*dict.fromkeys(row["type"] for row in group if is_missing(row["wire_bytes"]))]:
            yield f"{name:32} not known, as the wire bytes of {' and '.join(unknown)} are not"
            continue
        between = [row for row in group if row["link"] == Link.PEER]
        wire, count = (_total([*group, *between], column) for column in ("wire_bytes", "messages"))
        twice = ", those between clients twice" if between else ""
        total = printed(BOTH_WAYS.of(wire, count), 0)
        per_message = f"{whole(BOTH_WAYS.message_bytes)} B × {plural(count, 'message')}{twice}"
        yield f"{name:32} {BOTH_WAYS.factor} × {whole(wire)} B wire + {per_message} = {total} B"


def _differences(known: Sequence[Count], messages: Sequence[Record]) -> Iterator[str]:
    """Yield, for each worker and direction, what was sent or received as logged + missed; alike clients once."""
    finish_bytes = finish_bytes_of(messages)
    clients = len({count.worker for count in known} - {SERVER})
    together: dict[tuple[bool, str, int, int], list[Count]] = {}
    for count in known:
        key = (count.worker == SERVER, count.link, count.logged_bytes, count.true_bytes)
        together.setdefault(key, []).append(count)
    for alike in together.values():
        count = alike[0]
        gap = gap_of(count, finish_bytes, clients)
        missed = f" + {whole(count.missed_bytes)} B {_WHY[gap]}" if gap else ""
        name = "server" if count.worker == SERVER else _named([one.worker for one in alike])
        yield f"{f'{name} {count.link}:':32} {whole(count.true_bytes)} B = {whole(count.logged_bytes)} B logged{missed}"


def _named(clients: Sequence[int]) -> str:
    return f"client{'s' * (len(clients) > 1)} {_span(clients)}"


def _span(workers: Sequence[int]) -> str:
    """Return worker ids with runs of neighbours shortened, as ``1–3, 5``."""
    spans: list[list[int]] = []
    for worker in sorted(workers):
        if spans and worker == spans[-1][-1] + 1:
            spans[-1].append(worker)
        else:
            spans.append([worker])
    return ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]}–{s[-1]}" for s in spans)


def _averages(workers: Sequence[Record]) -> Iterator[str]:
    are_twice = len({worker["worker"] for worker in workers}) < len(workers)
    for link, column in (("upload", "total_upload_bytes"), ("download", "total_download_bytes")):
        values = [worker.get(column) for worker in workers]
        if are_twice or any(map(is_missing, values)):
            yield f"sys_avg {link}: not known"
            continue
        total_bytes = _total(workers, column)
        mean = total_bytes / len(values)
        total = f"{whole(total_bytes)} B over {plural(len(values), 'worker')}"
        yield f"sys_avg {link}: {_sum(values)} = {total} = {binary_text(mean)}"


def _sum(values: Iterable[Any]) -> str:
    """Return the sum of figures with equal ones counted together."""
    return " + ".join(f"{n} × {whole(value)}" if n > 1 else f"{whole(value)}" for value, n in Counter(values).items())


def heading(cell: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what the cell is and how its run ended."""
    commit = f", commit {cell['fs_commit']}" if isinstance(cell.get("fs_commit"), str) else ""
    yield f"{cell['cell']}: {_axes(cell)}"
    yield f"engine {cell['engine']}, {_whose_messages(cell)}{commit}: {cell['status']}"
    if isinstance(release := cell.get("derived"), str):
        yield (
            "derived: no message was metered; what was sent follows from config.yaml, with which the logs agree "
            f"(release: {release})"
        )
    if isinstance(why := cell.get("underived"), str):
        yield f"what was sent is not known and cannot be derived: {why}"
    if isinstance(cell.get("reason"), str):
        yield str(cell["reason"])


def _whose_messages(cell: Mapping[Any, Any]) -> str:
    """Return who says how messages are sent: a training code of one's own, or a release of FederatedScope."""
    kind = engine_kind(str(cell["engine"]))
    if kind.encodes_itself:
        framework = cell["framework"] if isinstance(cell.get("framework"), str) else kind.framework
        return f"messages of {framework}"
    protocol = cell["protocol"] if isinstance(cell.get("protocol"), str) else "unknown"
    return f"message protocol of FederatedScope {protocol}"


def _axes(cell: Mapping[Any, Any]) -> str:
    """Return what was computed, as far as a configuration says."""
    if not isinstance(cell.get("method"), str):
        return "a run of unknown configuration"
    clients = plural(as_planned(cell["clients"]), "client")
    return f"{cell['method']}, {cell['model']}, {cell['data']}, {clients}, seed {cell['seed']}"


def trace(table: Table, paths: Mapping[str, Path]) -> Iterator[str]:
    """Yield for each row its labels, then for each number its column and the run directories it comes from.

    `paths` are those of the cells, by id. Columns that come from the same runs share them.
    """
    for row, left in zip(table.rows, _left(table), strict=True):
        yield ", ".join(f"{name} {text}" for name, text in (*_labels(table, row), *left))
        for runs, numbers in _by_runs(table, row).items():
            width = max(len(name) for name, _ in numbers)
            yield from (f"  {name:{width}}  {text}" for name, text in numbers)
            yield from (f"    {paths.get(run, run)}" for run in runs)


def _labels(table: Table, row: Row) -> Iterator[tuple[str, str]]:
    for column, entry in zip(table.columns, row.entries, strict=True):
        if not column.is_number:
            yield column.full_head, entry.full


def _left(table: Table) -> Iterator[Sequence[tuple[str, str]]]:
    """Yield for each row the labels that are no columns: what sections and names of configurations stand for."""
    whole, shown = table.whole, {column.key for column in table.columns}
    if whole is None or len(whole.rows) != len(table.rows):  # transposed, a row has no labels
        yield from ([] for _ in table.rows)
        return
    gone = [not column.is_number and column.key not in shown and column.key != "params" for column in whole.columns]
    for row in whole.rows:
        entries = zip(whole.columns, row.entries, gone, strict=True)
        yield [(column.full_head, entry.full) for column, entry, is_gone in entries if is_gone]


def _by_runs(table: Table, row: Row) -> Mapping[tuple[str, ...], Sequence[tuple[str, str]]]:
    found: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for column, entry in zip(table.columns, row.entries, strict=True):
        if column.is_number:
            found.setdefault(entry.runs, []).append((column.full_head, entry.full))
    return found
