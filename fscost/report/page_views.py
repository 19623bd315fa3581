"""What a report is about, and its tables and figures in every measure and traffic that it can be switched to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fscost.cells.cell import Cell
from fscost.cells.measure import MEASURES, UNITS, Traffic
from fscost.collect import Frames
from fscost.errors import TableError
from fscost.plots import FIGURES, sketch
from fscost.plots.figure_view import Series, Sketch
from fscost.plots.looks import look
from fscost.plots.sketches import THOUSANDS
from fscost.store.run import Run
from fscost.tables import Table, TableSpec
from fscost.tables.column import ALL
from fscost.tables.comparison import Comparison, OptionValues
from fscost.tables.formats.format import legend
from fscost.tables.option_values import number_of
from fscost.tables.table import Entry


@dataclass(frozen=True)
class Subject:
    """The selected `runs`, the `frames` collected from them, row by row in the same order, and how tables are made.

    `extra` are options that vary beyond the axes; `compared` has them, and is made of these frames. `commands` maps the
    names of cells that are not done to what would compute them, `to_do` are a few commands that would compute all of
    them; `command` makes the report again. `figures` are those that the page shows, in this order.
    """

    name: str
    runs: Sequence[tuple[Cell | None, Run]]
    frames: Frames
    spec: TableSpec
    extra: OptionValues
    compared: Comparison
    table_of: Callable[[TableSpec], Table]
    commands: Mapping[str, str]
    to_do: Sequence[str]
    command: str
    figures: Sequence[str] = tuple(FIGURES)


TRAFFICS = (*map(str, Traffic), ALL)
_UNITS = {"auto": "kB, MB, GB", "auto_binary": "KiB, MiB, GiB", "B": "bytes"}
_BITS = {"auto_bits": "kbit, Mbit, Gbit", "bit": "bits"}


def units_of(subject: Subject) -> dict[str, str]:
    """Return the units that can be chosen, that of the layout first, each with its name."""
    own = subject.spec.unit
    return {own: (_UNITS | _BITS).get(own, own)} | _UNITS


def tables(subject: Subject) -> dict[str, Any]:
    """Return the table in each measure, traffic and unit, or why there is none; ``always`` is one that ignores them."""
    if subject.spec.layout != "cells":
        return {"always": _table(subject)}
    return {
        f"{measure} {traffic} {unit}": _table(subject, measure=measure, traffic=traffic, unit=unit)
        for measure in MEASURES
        for traffic in TRAFFICS
        for unit in units_of(subject)
    }


def _table(subject: Subject, **counted: str) -> dict[str, Any]:
    try:
        return shown(subject.table_of(replace(subject.spec, **counted)))  # type: ignore[arg-type]
    except TableError as error:
        return {"refused": str(error)}


def shown(table: Table) -> dict[str, Any]:
    """Return a table as JSON values, each entry as its text, what it is sorted by, and how it stands out."""
    return {
        "caption": table.caption,
        "columns": [[c.group, c.bottom if c.group else c.full_head, c.numeric, c.is_number] for c in table.columns],
        "rows": [[_entry(entry) for entry in row.entries] for row in table.rows],
        "reading": [*table.reading, *filter(None, [legend(table, "Bold", "underlined")])],
        "notes": [[note.mark, note.meaning] for note in table.notes],
    }


def _entry(entry: Entry) -> Any:
    value = number_of(entry.value)
    style = "mark" if entry.mark else entry.emphasis
    return [entry.full, value, style] if style else [entry.full, value] if value is not None else entry.full


def figures(subject: Subject) -> dict[str, Any]:
    """Return each figure in each measure, and traffic where it depends on that, or why there is none."""
    return {key: _figure(subject, figure, measure, traffic) for key, figure, measure, traffic in _keys(subject.figures)}


def _keys(figures: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    for figure in figures:
        kind = FIGURES[figure]
        for measure in MEASURES:
            if not kind.by_traffic:
                yield f"{figure} {measure}", figure, measure, str(Traffic.TRAINING)
                continue
            yield from ((f"{figure} {measure} {traffic}", figure, measure, traffic) for traffic in TRAFFICS)


def _figure(subject: Subject, figure: str, measure: str, traffic: str) -> dict[str, Any]:
    try:
        spec = replace(subject.spec, measure=measure, traffic=traffic)
        return _drawn(figure, sketch(figure, subject.compared, spec, most=None))
    except TableError as error:
        return {"refused": str(error)}


def _drawn(figure: str, made: Sketch) -> dict[str, Any]:
    """Return what is drawn, in base units; `scale` is how many of them one of the axis is."""
    return {
        "caption": [*made.caption],
        "partly": [*_partly(made)],
        "x": made.x,
        "y": made.y,
        "scale": UNITS[made.unit],
        "x_scale": THOUSANDS[made.x_unit],
        "factor": made.column.factor,
        "is_rate": made.column.is_rate,
        "names": [*made.legend],
        "looks": [look(made.looks[name]) for name in made.names],
        "overs": dict(made.overs),
        "panels": [
            {"title": panel.title, "series": [_series(figure, made, series) for series in panel.series]}
            for panel in made.panels
        ],
    }


def _partly(made: Sketch) -> Iterator[str]:
    """Yield what is not drawn of series that are; where nothing is, its mark stands in the panel."""
    for series in (series for panel in made.panels for series in panel.series if series.records):
        yield from (f"{part.where}: {part.mark or part.note}" for part in series.parts if part.mark or part.note)


def _series(figure: str, made: Sketch, series: Series) -> dict[str, Any]:
    kind = FIGURES[figure]
    drawn: dict[str, Any] = {"name": made.names.index(series.name), "mark": series.mark}
    for name, column in kind.columns(made.column).items():
        drawn[name] = [_whole(record.get(column)) for record in series.records]
    return {**drawn, **kind.beside(made, series)}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
