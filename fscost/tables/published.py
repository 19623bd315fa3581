"""Published figures beside what fscost computes for them: a row per figure, cells of any engine and protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from fscost.cells.cell import AXES, Cell
from fscost.cells.engine_kinds import untrained
from fscost.cells.measure import MEASURES, UNITS, total_column
from fscost.cells.outcome import Status
from fscost.errors import TableError, nearest
from fscost.protocol.no_effect import options_in
from fscost.tables import without_effect
from fscost.tables.captions import Pair, notes, power, provenance, unseen
from fscost.tables.marks import NO_EFFECT, UNKNOWN, mark_of
from fscost.tables.numbers import Number, counted
from fscost.tables.published_figure import PARAMETERS, Figure
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column, Entry, Row, Table
from fscost.tables.varying_options import option_of

_COLUMNS = (
    Column("source", "Source", numeric=False),
    Column("quantity", "Quantity", numeric=False),
    Column("published", "Published", raw="published"),
    Column("computed", "Computed", raw="computed"),
    Column("difference", "Difference", "", "%", raw="difference_percent"),
)


def published(
    cells: pd.DataFrame,
    selected: Sequence[Cell],
    spec: TableSpec,
    *,
    label: str,
    to_do: Sequence[str] = (),
    command: str = "",
) -> Table:
    """Return the figures of `spec` beside those computed from `cells`, the frame of `fscost.collect`.

    `selected` are the cells behind that frame, whose options the rows choose by; `to_do` and `command` are as for
    `fscost.tables.build`. Nothing is averaged, so cells may differ in anything. Raises TableError for a row whose
    `where` names no axis or option, or more than one cell.
    """
    found = {row["cell"]: row for row in cells.to_dict("records")}
    figures = spec.published_figures
    chosen = [_cell_of(figure, selected) for figure in figures]
    rows = [_row(figure, cell, found, spec) for figure, cell in zip(figures, chosen, strict=True)]
    runs = [{str(key): value for key, value in found[cell.id].items()} for cell in chosen if cell and cell.id in found]
    for number, (above, below) in enumerate(zip(figures, figures[1:], strict=False), start=1):
        rows[number] = replace(rows[number], rule=0 if below.source != above.source else None)
    return Table(
        label=label,
        title=spec.title,
        counted="published beside computed",
        reading=(*_reading(figures, cells), *unseen(_pairs(figures, selected, found))),
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=(*notes(rows), *without_effect.note(runs, spec)),
        to_do=tuple(to_do),
        provenance=tuple(provenance(cells, command)),
        template=spec.template,
        page=spec.page,
    )


def _cell_of(figure: Figure, selected: Sequence[Cell]) -> Cell | None:
    """Return the one cell that a row selects, None where it is not among those selected."""
    for name in figure.where:
        if name not in AXES and not str(name).startswith("fs."):
            raise TableError(f"table.figures.where.{name}: is no axis{nearest(str(name), AXES)} and no fs.… option")
    fitting = [cell for cell in selected if all(_axis(cell, name) == value for name, value in figure.where.items())]
    if len(fitting) > 1:
        both = f"{fitting[0].name} and {fitting[1].name}"
        raise TableError(f"table.figures.where={dict(figure.where)}: {both} fit; name more of their options")
    return fitting[0] if fitting else None


def _axis(cell: Cell, name: str) -> Any:
    return cell.axes[name] if name in AXES else option_of(cell, name.removeprefix("fs."))


def _row(figure: Figure, cell: Cell | None, found: Mapping[str, Mapping[Any, Any]], spec: TableSpec) -> Row:
    unit = PARAMETERS if figure.measure == PARAMETERS else figure.unit
    row = found.get(cell.id, {}) if cell else {}
    numbers = (Entry("", figure.value, Number(figure.value, figure.decimals)), *_computed(figure, row))
    runs = (cell.id,) if cell else ()
    if options_in(row.get("no_effect")):
        numbers = (numbers[0], replace(numbers[1], notes=(NO_EFFECT,)), *numbers[2:])
    return Row(
        (
            Entry(spec.label(figure.source), figure.source),
            Entry(f"{figure.quantity} ({unit})", f"{figure.quantity} ({unit})"),
            *(replace(entry, runs=runs) for entry in numbers),
        )
    )


def _computed(figure: Figure, row: Mapping[Any, Any]) -> tuple[Entry, Entry]:
    """Return the computed figure, with one digit more than was published, and its difference in percent."""
    status = row.get("status", Status.MISSING)
    value = _value(figure, row) if status == Status.DONE else None
    if value is None:
        mark = Entry(mark=UNKNOWN if status == Status.DONE else mark_of(status))
        return mark, mark
    decimals = figure.decimals + 1 if figure.decimals else 0
    percent = 100 * (value / figure.value - 1)
    number = Number(value, decimals) if figure.measure == PARAMETERS else counted(value, decimals)
    return Entry("", value, number), Entry("", percent, Number(percent, 2, has_plus=True))


def _value(figure: Figure, row: Mapping[Any, Any]) -> float | None:
    """Return what a cell says, in the figure's unit; None where a part of it is not known."""
    if figure.measure == PARAMETERS:
        return _sum([row.get("params")])
    size = _bytes(figure, row, figure.measure)
    messages = _sum([row.get(f"{figure.traffic}_{link}_messages") for link in figure.links])
    if size is None or not messages:
        return None
    return size / UNITS[figure.unit] / (messages if figure.per == "message" else 1)


def _pairs(
    figures: Sequence[Figure], selected: Sequence[Cell], found: Mapping[str, Mapping[Any, Any]]
) -> Iterator[Pair]:
    """Yield payload and what stands beside it of the cells of figures of payload."""
    for figure in figures:
        cell = _cell_of(figure, selected) if figure.measure == "payload" else None
        if cell and found.get(cell.id, {}).get("status") == Status.DONE:
            yield _bytes(figure, found[cell.id], "payload"), _bytes(figure, found[cell.id], "scalar")


def _bytes(figure: Figure, row: Mapping[Any, Any], measure: str) -> float | None:
    parts = MEASURES[measure].parts
    return _sum([row.get(total_column(figure.traffic, link, part)) for link in figure.links for part in parts])


def _sum(parts: Sequence[Any]) -> float | None:
    return None if any(part is None or pd.isna(part) for part in parts) else float(sum(parts))


def _reading(figures: Sequence[Figure], cells: pd.DataFrame) -> Iterator[str]:
    for key in dict.fromkeys(figure.measure for figure in figures if figure.measure in MEASURES):
        yield f"{key.capitalize()}: {MEASURES[key].meaning}."
    units = dict.fromkeys(f.unit for f in figures if f.measure != PARAMETERS)
    yield f"Units, whatever a source calls them: {', '.join(f'{u} = {power(u)} bytes' for u in units if power(u))}."
    yield "Difference: computed relative to published."
    if "engine" in cells and cells["engine"].isin([*untrained()]).any():
        yield "Estimated in closed form from the protocol and the models' shapes: nothing was trained."
