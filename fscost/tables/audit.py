"""The audit: what FederatedScope logged of each worker, beside what it really sent and received."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from fscost.cells.cell import AXES
from fscost.cells.measure import MEASURES, SERVER
from fscost.cells.outcome import Status
from fscost.errors import TableError
from fscost.protocol.no_effect import options_in
from fscost.tables.captions import no_effect_note, notes, unseen
from fscost.tables.chosen_rows import chosen_runs
from fscost.tables.headings import label_of
from fscost.tables.lines import OfCells, Record, is_derived, is_missing, plain, records_of
from fscost.tables.log_gaps import reasons
from fscost.tables.marks import ESTIMATED, NO_EFFECT, PARTLY, UNKNOWN, mark_of
from fscost.tables.numbers import Number
from fscost.tables.option_values import given
from fscost.tables.provenance import provenance
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column, Entry, Row, Table
from fscost.tables.words import as_words

if TYPE_CHECKING:
    import pandas as pd

WORKER_COLUMNS = (
    ("total_upload_bytes", "Upload", "Reported (B)"),
    ("total_download_bytes", "Download", "Reported (B)"),
    ("sent_payload_bytes", "Sent", "Payload (B)"),
    ("received_payload_bytes", "Received", "Payload (B)"),
    ("sent_wire_bytes", "Sent", "Wire (B)"),
    ("received_wire_bytes", "Received", "Wire (B)"),
)
"""Column of the frame of workers, head and shared head."""


def worker_columns(measure: str) -> tuple[tuple[str, str, str], ...]:
    """Return the figures of an audit: with table.measure=content, that stands in the place of payload."""
    if measure != "content":
        return WORKER_COLUMNS
    return tuple((c.replace("payload", "content"), h, g.replace("Payload", "Content")) for c, h, g in WORKER_COLUMNS)


_HEADS = {key: key.capitalize() for key in ("model", "data", "clients", "method", "seed", "worker")}


@dataclass(frozen=True)
class WorkerNumbers:
    """The numbers of one or several workers of a cell, as `worker_columns` orders them; None where one is not known.

    `partly` says which are sums of those messages only that can be encoded.
    """

    name: str
    values: tuple[float | None, ...]
    partly: tuple[bool, ...]


def audit(
    cells: "pd.DataFrame",
    workers: OfCells,
    messages: OfCells,
    spec: TableSpec,
    *,
    label: str,
    extra: Mapping[str, Mapping[str, Any]] | None = None,
    to_do: Sequence[str] = (),
    command: str = "",
) -> Table:
    """Return the audit of cells, a frame of `fscost.collect`: a row per worker, alike clients in one.

    The last row of a cell is FederatedScope's own mean over server and clients, to the character. `extra`, `to_do` and
    `command` are as for `fscost.tables.build`. Raises TableError where no cell is selected.
    """
    if cells.empty:
        raise TableError("no cells are selected; name a grid, a sweep or a folder with runs")
    options = {name: given(values) for name, values in (extra or {}).items()}
    every = [
        {**dict.fromkeys(AXES), **cell, **{name: values.get(cell["id"]) for name, values in options.items()}}
        for cell in records_of(cells)
    ]
    known = chosen_runs(every, [*options], spec)
    keys = [*_keys(known), *options, "method", "worker"]
    rows = [row for cell in known for row in _rows(cell, workers, keys, spec)]
    rows[0] = replace(rows[0], rule=None)
    return Table(
        label=label,
        title=as_words(spec.title, "title"),
        counted="bytes of each worker",
        reading=(*reasons(known, workers, messages), *_unseen(known, workers, spec)),
        columns=tuple(_columns(keys, spec)),
        rows=tuple(rows),
        notes=(*notes(rows, closed_form=["derived"]), *no_effect_note(known, spec)),
        to_do=tuple(to_do),
        provenance=tuple(provenance(known, command)),
        template=spec.template,
        page=spec.page,
    )


def workers_of(cell: str, workers: OfCells, measure: str) -> Sequence[Record]:
    """Return the rows of one cell's workers, the server first; where `measure` is content, with that in bytes."""
    rows = sorted(workers.get(cell, ()), key=lambda row: int(row["worker"]))
    if measure != "content":
        return rows
    return [{**row, **{f"{way}_content_bytes": _content(row, way) for way in _WAYS}} for row in rows]


_WAYS = ("sent", "received")
_PARTS = MEASURES["content"].parts


def _content(worker: Record, way: str) -> float | None:
    parts = [_known(worker.get(f"{way}_{part}_bytes")) for part in _PARTS]
    return None if None in parts else sum(part for part in parts if part is not None)


def grouped(workers: Sequence[Mapping[str, Any]], measure: str) -> Iterator[WorkerNumbers]:
    """Yield the server and the clients; neighbours with the same numbers share one line."""
    columns = [column for column, _, _ in worker_columns(measure)]
    figures = [*zip(*(_values(workers, column) for column in columns), strict=True)]
    numbers: list[int] = []
    for worker, values, following in zip(workers, figures, [*figures, None][1:], strict=True):
        numbers.append(int(worker["worker"]))
        if values != following or numbers[0] == SERVER:
            yield WorkerNumbers(_name(numbers), values, tuple(_is_partly(worker, column) for column in columns))
            numbers = []


def _values(workers: Sequence[Mapping[str, Any]], column: str) -> list[float | None]:
    """Return the workers' figures; of wire bytes, as much as is known."""
    values: list[Any] = [worker.get(column) for worker in workers]
    if {*map(type, values)} == {int}:  # of a hundred thousand most are
        return [*map(float, values)]
    part = _known_part(column)
    pairs = zip(map(_known, values), workers, strict=True)
    return [_known(worker.get(part)) if value is None else value for value, worker in pairs]


def _is_partly(worker: Mapping[str, Any], column: str) -> bool:
    return is_missing(worker.get(column)) and not is_missing(worker.get(_known_part(column)))


def _known_part(column: str) -> str:
    return column.replace("_wire_bytes", "_wire_known_bytes")


def _name(numbers: list[int]) -> str:
    if numbers[0] == SERVER:
        return "server"
    return f"client {numbers[0]}" if len(numbers) == 1 else f"clients {numbers[0]}–{numbers[-1]}"


def _known(value: Any) -> float | None:
    return None if is_missing(value) else float(value)


def _unseen(cells: Sequence[Record], workers: OfCells, spec: TableSpec) -> Iterator[str]:
    """Yield what the payload of a worker leaves out."""
    if spec.measure == "content":
        return
    own = [row for cell in cells for row in workers.get(cell["cell"], ())]
    names = [tuple(f"{way}_{part}_bytes" for part in _PARTS) for way in _WAYS]
    yield from unseen((row[payload], row[scalar]) for payload, scalar in names for row in own if scalar in row)


def _keys(cells: Sequence[Record]) -> list[str]:
    """Return the axes that label a row; data and seed only where they vary."""
    varying = [key for key in ("data", "seed") if len({plain(cell[key]) for cell in cells} - {None}) > 1]
    return [key for key in ("model", "data", "clients", "seed") if key in ("model", "clients", *varying)]


def _columns(keys: Sequence[str], spec: TableSpec) -> Iterator[Column]:
    for key in keys:
        numeric = key in ("clients", "seed")
        yield Column(key, _HEADS.get(key, spec.label(key)), numeric=numeric)
    for column, head, group in worker_columns(spec.measure):
        yield Column(column, head, group, raw=column, long=f"{head}, {group[0].lower()}{group[1:]}")


def _rows(cell: Record, workers: OfCells, keys: Sequence[str], spec: TableSpec) -> Iterator[Row]:
    own = workers_of(cell["cell"], workers, spec.measure)
    lines = list(grouped(own, spec.measure)) if cell["status"] == Status.DONE else []
    entries = [[_figure(v, partly) for v, partly in zip(line.values, line.partly, strict=True)] for line in lines]
    names = [line.name for line in lines]
    if lines:
        entries.append(_means(cell, own, spec.measure))
        names.append("sys_avg")
    else:
        mark = UNKNOWN if cell["status"] == Status.DONE else mark_of(cell["status"])
        entries.append([Entry(mark=mark)] * len(WORKER_COLUMNS))
        names.append("all")
    axes = [plain(cell[key]) for key in keys[:-1]]
    for number, (name, figures) in enumerate(zip(names, entries, strict=True)):
        span = len(names) if number == 0 else 0
        labels = [replace(label_of(key, value, spec), span=span) for key, value in zip(keys, axes, strict=False)]
        if options_in(cell.get("no_effect")):
            labels[-1] = replace(labels[-1], notes=(NO_EFFECT,))
        numbers = (replace(entry, runs=(cell["cell"],)) for entry in _marked(figures, is_derived=is_derived(cell)))
        yield Row((*labels, Entry(name, name), *numbers), rule=None if number else 0)


def _marked(figures: Sequence[Entry], *, is_derived: bool) -> Iterator[Entry]:
    """Yield the figures of a worker, what travelled marked where nobody metered it."""
    for (column, _, _), entry in zip(WORKER_COLUMNS, figures, strict=True):
        is_closed_form = is_derived and not column.startswith("total_") and not entry.mark
        yield replace(entry, notes=(ESTIMATED, *entry.notes)) if is_closed_form else entry


def _means(cell: Record, workers: Sequence[Mapping[str, Any]], measure: str) -> list[Entry]:
    """Return FederatedScope's own two averages as it prints them, and the same mean of the true bytes."""
    entries = []
    for column, _, _ in worker_columns(measure):
        if column.startswith("total_"):
            entries.append(_as_logged(cell.get(f"sys_avg_{column}")))
            continue
        known = [value for value in _values(workers, column) if value is not None]
        mean = fmean(known) if known and len(known) == len(workers) else None
        entries.append(_figure(mean, any(_is_partly(worker, column) for worker in workers)))
    return entries


def _figure(value: float | None, partly: bool = False) -> Entry:
    if value is None:
        return Entry(mark=UNKNOWN)
    return Entry("", value, Number(value), notes=(PARTLY,) if partly else ())


def _as_logged(text: Any) -> Entry:
    """Return an average as FederatedScope prints it: ``38.58K``, or a number of bytes where it is below 1 K."""
    if not isinstance(text, str):
        return Entry(mark=UNKNOWN)
    if _BYTES.fullmatch(text):
        return Entry("", text, Number(float(text), len(text.partition(".")[2])))
    return Entry(text, text)


_BYTES = re.compile(r"\d{1,3}(\.\d+)?", re.ASCII)
