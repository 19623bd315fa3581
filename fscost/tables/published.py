"""Published numbers beside what fscost computes for them: a row for each, cells of any engine and protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fscost.cells.cell import AXES, Cell
from fscost.cells.engine_kinds import untrained
from fscost.cells.measure import MEASURES, UNITS, total_column
from fscost.cells.outcome import Status
from fscost.errors import TableError, nearest
from fscost.protocol.no_effect import options_in
from fscost.tables.captions import Pair, no_effect_note, notes, power, unseen
from fscost.tables.lines import Record, is_missing, records_of
from fscost.tables.marks import NO_EFFECT, OTHER_DIGITS, UNKNOWN, Mark, mark_of
from fscost.tables.numbers import Number, counted
from fscost.tables.option_values import option_of
from fscost.tables.provenance import provenance
from fscost.tables.spec import PARAMETERS, PublishedNumber, TableSpec
from fscost.tables.table import Column, Entry, Note, Row, Table
from fscost.tables.words import as_words

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    Column("source", "Source", numeric=False),
    Column("quantity", "Quantity", numeric=False),
    Column("published", "Published", raw="published"),
    Column("computed", "Computed", raw="computed"),
    Column("difference", "Difference", "", "%", raw="difference_percent"),
    Column("convention", "Convention", numeric=False),
)


def published(
    cells: "pd.DataFrame",
    selected: Sequence[Cell],
    spec: TableSpec,
    *,
    label: str,
    to_do: Sequence[str] = (),
    command: str = "",
) -> Table:
    """Return the published numbers of `spec` beside those computed from `cells`, the frame of `fscost.collect`.

    `selected` are the cells behind that frame, whose options the rows choose by; `to_do` and `command` are as for
    `fscost.tables.build`. Nothing is averaged, so cells may differ in anything. Raises TableError for a row whose
    `where` names no axis or option, or more than one cell.
    """
    records = records_of(cells)
    found = {row["cell"]: row for row in records}
    numbers = spec.published_numbers
    chosen = [_cell_of(asked.where, selected) for asked in numbers]
    whole = [_cell_of(asked.of, selected) if asked.of else None for asked in numbers]
    rows = [_row(*each, found, spec) for each in zip(numbers, chosen, whole, strict=True)]
    runs = [found[cell.id] for cell in chosen if cell and cell.id in found]
    for number, (above, below) in enumerate(zip(numbers, numbers[1:], strict=False), start=1):
        rows[number] = replace(rows[number], rule=0 if below.source != above.source else None)
    return Table(
        label=label,
        title=as_words(spec.title, "title"),
        counted="published beside computed",
        reading=(*_reading(numbers, records), *unseen(_pairs(numbers, selected, found))),
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=(*notes(rows), *_other_digits(rows, numbers), *no_effect_note(runs, spec)),
        to_do=tuple(to_do),
        provenance=tuple(provenance(records, command)),
        template=spec.template,
        page=spec.page,
    )


def _cell_of(where: Mapping[str, Any], selected: Sequence[Cell]) -> Cell | None:
    """Return the one cell that a row selects, None where it is not among those selected."""
    for name in where:
        if name not in AXES and not str(name).startswith("fs."):
            raise TableError(f"table.figures.where.{name}: is no axis{nearest(str(name), AXES)} and no fs.… option")
    fitting = [cell for cell in selected if all(_axis(cell, name) == value for name, value in where.items())]
    if len(fitting) > 1:
        both = f"{fitting[0].name} and {fitting[1].name}"
        raise TableError(f"table.figures.where={dict(where)}: {both} fit; name more of their options")
    return fitting[0] if fitting else None


def _axis(cell: Cell, name: str) -> Any:
    return cell.axes[name] if name in AXES else option_of(cell, name.removeprefix("fs."))


def _row(
    asked: PublishedNumber, cell: Cell | None, whole: Cell | None, found: Mapping[str, Record], spec: TableSpec
) -> Row:
    row, of = (found.get(one.id, {}) if one else {} for one in (cell, whole))
    published, computed, difference = (
        Entry("", asked.value, Number(asked.value, asked.decimals)),
        *_computed(asked, row, of),
    )
    behind: tuple[Mark, ...] = (NO_EFFECT,) if options_in(row.get("no_effect")) else ()
    digits = f".{asked.decimals}f"
    if computed.number and f"{computed.number.value:{digits}}" != f"{asked.value:{digits}}":
        behind += (OTHER_DIGITS,)
    runs = (cell.id,) if cell else ()
    numbers = (published, replace(computed, notes=behind), difference)
    return Row(
        (
            Entry(spec.label(asked.source), asked.source),
            Entry(asked.quantity, asked.quantity),
            *(replace(entry, runs=runs) for entry in numbers),
            Entry(_convention(asked), _convention(asked)),
        )
    )


def _convention(asked: PublishedNumber) -> str:
    """Return how the number is counted, in words: of payload unless it says otherwise, of one message or of all."""
    if asked.measure == PARAMETERS:
        return PARAMETERS
    unit = "%" if asked.of else asked.unit
    measure = "" if asked.measure == "payload" else f" {asked.measure}"
    ways = " + ".join(_WAYS.get(link, link) for link in asked.links)
    return f"{unit}{measure}, {'one ' * (asked.per == 'message')}{ways}"


_WAYS = {"uplink": "up", "downlink": "down"}


def _other_digits(rows: Sequence[Row], numbers: Sequence[PublishedNumber]) -> Iterator[Note]:
    """Yield that computed numbers have other digits than the published ones, and why, as far as that is known."""
    marked = [asked for row, asked in zip(rows, numbers, strict=True) if OTHER_DIGITS in row.entries[3].notes]
    if marked:
        why = (f"{asked.source}, {asked.quantity}: {asked.why}" for asked in marked if asked.why)
        yield Note(OTHER_DIGITS.sign, "; ".join([OTHER_DIGITS.meaning, *why]))


def _computed(asked: PublishedNumber, row: Record, of: Record) -> tuple[Entry, Entry]:
    """Return the computed number, with one digit more than was published, and its difference in percent."""
    status = row.get("status", Status.MISSING)
    value = _value(asked, row, of) if status == Status.DONE else None
    if value is None:
        mark = Entry(mark=UNKNOWN if status == Status.DONE else mark_of(status))
        return mark, mark
    percent = 100 * (value / asked.value - 1)
    if asked.measure == PARAMETERS:
        number = Number(value, asked.decimals + 1 if asked.decimals else 0)
    else:
        number = counted(value, asked.decimals + (asked.unit != "B" or asked.decimals > 0))
    return Entry("", value, number), Entry("", percent, Number(percent, 2, has_plus=True))


def _value(asked: PublishedNumber, row: Record, of: Record) -> float | None:
    """Return what a cell says, in the unit of the published number; None where a part of it is not known."""
    if asked.measure == PARAMETERS:
        return _sum([row.get("params")])
    size = _bytes(asked, row, asked.measure)
    if asked.of:
        whole = _bytes(asked, of, asked.measure)
        return None if size is None or not whole else 100 * size / whole
    messages = _sum([row.get(f"{asked.traffic}_{link}_messages") for link in asked.links])
    if size is None or not messages:
        return None
    return size / UNITS[asked.unit] / (messages if asked.per == "message" else 1)


def _pairs(numbers: Sequence[PublishedNumber], selected: Sequence[Cell], found: Mapping[str, Record]) -> Iterator[Pair]:
    """Yield payload and what stands beside it of the cells whose published numbers are of payload."""
    for asked in numbers:
        cell = _cell_of(asked.where, selected) if asked.measure == "payload" else None
        if cell and found.get(cell.id, {}).get("status") == Status.DONE:
            yield _bytes(asked, found[cell.id], "payload"), _bytes(asked, found[cell.id], "scalar")


def _bytes(asked: PublishedNumber, row: Record, measure: str) -> float | None:
    parts = MEASURES[measure].parts
    return _sum([row.get(total_column(asked.traffic, link, part)) for link in asked.links for part in parts])


def _sum(parts: Sequence[Any]) -> float | None:
    return None if any(map(is_missing, parts)) else float(sum(parts))


def _reading(numbers: Sequence[PublishedNumber], cells: Sequence[Record]) -> Iterator[str]:
    for key in dict.fromkeys(asked.measure for asked in numbers if asked.measure in MEASURES):
        yield f"{key.capitalize()}: {MEASURES[key].meaning}."
    units = dict.fromkeys(f.unit for f in numbers if f.measure != PARAMETERS and not f.of)
    yield f"Units, whatever a source calls them: {', '.join(f'{u} = {power(u)} bytes' for u in units if power(u))}."
    yield "Difference: computed relative to published."
    yield "Convention: what reproduces a figure, or comes nearest; of payload unless it says otherwise; one: a message."
    if {cell.get("engine") for cell in cells} & {*untrained()}:
        yield "Estimated in closed form from the protocol and the models' shapes: nothing was trained."
