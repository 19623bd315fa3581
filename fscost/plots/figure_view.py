"""What a figure shows before it is drawn: series in panels, and the numbers of each, which are also rows of its CSV."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean, median
from typing import Any

from fscost.cells.measure import UNITS
from fscost.cells.outcome import Status
from fscost.errors import TableError
from fscost.plots.looks import look_numbers
from fscost.printable import plural
from fscost.tables import TableSpec
from fscost.tables.captions import constants_of, in_words, no_effect_said, no_effect_words, notes, units_said, unseen_of
from fscost.tables.chosen_rows import chosen
from fscost.tables.column import ColumnSpec
from fscost.tables.column_style import LEAST, Datum, unit_for
from fscost.tables.comparison import Comparison, Keys
from fscost.tables.footnotes import refuse_unknown_ours
from fscost.tables.lines import Line, OfCells
from fscost.tables.marks import ESTIMATED, UNKNOWN, mark_of
from fscost.tables.numbers import deviation_of
from fscost.tables.seeds import counts_of, counts_said, number_of
from fscost.tables.shown_columns import metric_shown, metrics_of
from fscost.tables.significance import half_width
from fscost.tables.table import Column
from fscost.tables.words import joined

Point = dict[str, Any]
"""Numbers that are drawn together, in base units, by the names of their columns in the CSV."""

NumbersOf = Callable[[Line], tuple[Sequence[Point], str]]
"""What computes the numbers of a line that is done, and says in words what lacks; without both they are not known."""

ROUND = "round"
"""The column of records that says after which round they are."""

MOST = 9
"""So many series can be distinguished in one panel on paper."""


@dataclass(frozen=True)
class Part:
    """What is drawn of one line of a table: its numbers, or the mark that stands for them; `note` is what lacks.

    `point` is what tells it from the other parts of its series.
    """

    line: Line
    where: str
    records: Sequence[Point] = ()
    mark: str = ""
    note: str = ""
    point: str = ""


@dataclass(frozen=True)
class Series:
    """What has one name in a panel: a line of a table, or several along an axis of the figure.

    `no_effect` says what its method did not do, ``quantised nothing``, each with the models in which; `is_ours`, that
    it is one of ``table.ours``.
    """

    name: str
    parts: Sequence[Part]
    no_effect: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_ours: bool = False

    @property
    def label(self) -> str:
        """The name, and what its method did not do, where no legend says it."""
        return self.name + f" ({', '.join(self.no_effect)})" if self.no_effect else self.name

    @property
    def records(self) -> list[Point]:
        """The numbers of all parts."""
        return [record for part in self.parts for record in part.records]

    @property
    def mark(self) -> str:
        """What stands for the series where it has no number at all."""
        return "" if self.records else self.parts[0].mark


@dataclass(frozen=True)
class Panel:
    """Series that share axes; `place` are the values in which panels differ, `faint` series only to compare with.

    `overlaid` are the names of series that lie on each other, group by group.
    """

    title: str
    place: tuple[Any, ...]
    series: Sequence[Series]
    faint: Sequence[Series] = ()
    overlaid: Sequence[Sequence[str]] = ()

    @property
    def model(self) -> Any:
        """The model, which bytes depend on most."""
        return self.series[0].parts[0].line.runs[0]["model"]

    def only(self, series: Series) -> "Panel":
        """Return a panel of one series, with the others faint behind it."""
        title = joined([self.title, series.label])
        return Panel(title, (*self.place, series.name), [series], self.series, self.overlaid)


@dataclass(frozen=True)
class Sketch:
    """All of a figure but its shape.

    unit: that of bytes. x, y: what the axes are, or for audit, what stands beside bytes. caption: sentences. names:
    those of the series. over: over how many seeds, empty for one. column: what is
    counted. x_unit: that of parameters. along: the column of the records that runs along the x axis.
    overs: what the x axis says of each that could run along it.
    """

    panels: Sequence[Panel]
    unit: str
    x: str
    y: str
    caption: Sequence[str]
    names: Sequence[str]
    over: str
    column: ColumnSpec
    x_unit: str = ""
    along: str = ""
    overs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def looks(self) -> dict[str, int]:
        """The numbers of the looks of the series by their names."""
        every = (series for panel in self.panels for series in (*panel.series, *panel.faint))
        methods = {series.name: series.parts[0].line.runs[0].get("method") for series in every}
        return look_numbers({name: methods[name] for name in self.names})

    @property
    def x_scale(self) -> float:
        """How many of what records have along the x axis one of the axis is, where these are bytes or rounds."""
        return 1 if self.along == ROUND else UNITS[self.unit]

    @property
    def legend(self) -> list[str]:
        """The names of the series, with what a method did not do and in which models."""
        return [name + f" ({words})" if (words := self._no_effect_of(name)) else name for name in self.names]

    @property
    def ours(self) -> set[str]:
        """The names of the series that are set apart, in bold."""
        return {series.name for panel in self.panels for series in (*panel.series, *panel.faint) if series.is_ours}

    def _no_effect_of(self, name: str) -> str:
        found: dict[str, dict[str, None]] = {}
        for series in (series for panel in self.panels for series in panel.series if series.name == name):
            for words, models in series.no_effect.items():
                found.setdefault(words, {}).update(dict.fromkeys(models))
        return "; ".join(f"{words} in {', '.join(models)}" for words, models in found.items())

    @property
    def parts(self) -> list[Part]:
        """All parts, panel by panel."""
        return [part for panel in self.panels for series in panel.series for part in series.parts]

    @property
    def records(self) -> list[Point]:
        """The numbers of all parts."""
        return [record for part in self.parts for record in part.records]

    @property
    def untold(self) -> list[str]:
        """What is not drawn, or not all of it, in words."""
        return [f"{part.where}: {part.mark or part.note}" for part in self.parts if part.mark or part.note]


@dataclass(frozen=True)
class View:
    """The selected lines, their keys, and how they are counted; series differ in `compare`."""

    workers: OfCells
    spec: TableSpec
    keys: Keys
    lines: Sequence[Line]
    compare: str
    column: ColumnSpec = field(repr=False)
    over_what: str = ""
    most: int | None = MOST

    @classmethod
    def of(
        cls,
        compared: Comparison,
        spec: TableSpec,
        *,
        of_workers: bool,
        along: str = "",
        over: str = "",
        most: int | None = MOST,
    ) -> "View":
        """Return what is selected; `along` is an axis that runs along the figure's own, `over` what its x axis is.

        With `most`, a panel with more series is taken apart into panels of one each.

        Raises TableError for runs that must not be compared: those of a table, and of `of_workers` other counts too.
        """
        shared = {name: getattr(spec, name) for name in ("traffic", "measure", "unit", "metric")}
        measures = [spec.measure, *["reported"] * of_workers]
        keys, lines = compared.keys(spec), compared.lines(spec, measures)
        lines = chosen(lines, spec)
        shared["metric"] = metric_shown(spec.metric, metrics_of(lines))
        column = ColumnSpec(quantity="total", **shared)
        compare = "method" if spec.compare == along else spec.compare
        refuse_unknown_ours({str(cls._value(compare, line)) for line in lines}, spec)
        workers = compared.workers if of_workers else {}
        return cls(workers, spec, keys, lines, compare, column, over, most)

    def panels(self, numbers_of: NumbersOf, *, along: Sequence[str] = ()) -> list[Panel]:
        """Return the series in panels: one for each combination of what varies beside methods and options.

        Lines that differ only `along` some keys are one series. Where there would be more than `most` in a panel, each
        has one of its own, with all others faint behind it.
        """
        inside = (self.compare, *self.keys.extra, *along)
        facets = [key for key in self.keys.of_lines if key not in inside and key in self._varying]
        options = self._options(along)
        found: dict[tuple[Any, ...], dict[tuple[Any, ...], list[Part]]] = {}
        for line in self.lines:
            place = tuple(line.axes[key] for key in facets)
            own = (self._value(self.compare, line), *(line.axes[key] for key in options))
            found.setdefault(place, {}).setdefault(own, []).append(self._part(line, numbers_of, along))
        panels = []
        for place, parts in found.items():
            title = joined(map(self._axis_text, facets, place))
            panels.append(Panel(title, place, [self._series(some, along) for some in parts.values()]))
        return panels

    def apart(self, panels: Sequence[Panel]) -> list[Panel]:
        """Return the panels, or where one has more series than can be told apart, one for each series."""
        if self.most is None or max(len(panel.series) for panel in panels) <= self.most:
            return [*panels]
        return [panel.only(series) for panel in panels for series in panel.series]

    def _series(self, parts: Sequence[Part], along: Sequence[str]) -> Series:
        line, runs = parts[0].line, (run for part in parts for run in part.line.runs)
        is_ours = str(self._value(self.compare, line)) in map(str, self.spec.ours)
        return Series(self.name(line, along), parts, no_effect_words(runs, self.spec), is_ours)

    def _part(self, line: Line, numbers_of: NumbersOf, along: Sequence[str]) -> Part:
        records, lack = numbers_of(line) if line.status is Status.DONE else ([], mark_of(line.status).sign)
        mark = "" if records else lack or UNKNOWN.sign
        named = (self._option_text(k, line) if k in self.keys.extra else self._axis_text(k, line.axes[k])
                 for k in along if k in self._varying)  # fmt: skip
        return Part(line, self.where(line), records, mark, lack if records else "", ", ".join(named))

    @cached_property
    def _varying(self) -> set[str]:
        """The keys in which lines differ."""
        return {key for key in self.keys.of_lines if len({line.axes[key] for line in self.lines}) > 1}

    def name(self, line: Line, along: Sequence[str] = ()) -> str:
        """Return what a line is called beside others of its panel, whatever it has `along` some keys."""
        options = [self._option_text(key, line) for key in self._options(along)]
        method = [] if options and self._of_all else [self._axis_text(self.compare, self._value(self.compare, line))]
        return joined([*method, *options])

    def _options(self, along: Sequence[str]) -> list[str]:
        """Return the options that tell series apart."""
        return [key for key in self.keys.extra if key in self._varying and key not in along]

    @staticmethod
    def _value(key: str, line: Line) -> Any:
        return line.axes[key] if key in line.axes else line.runs[0][key]

    @cached_property
    def _of_all(self) -> str:
        """What all lines have of what is compared, empty where they differ: no name needs to say it."""
        every = {self._value(self.compare, line): None for line in self.lines}
        return self._axis_text(self.compare, *every) if len(every) == 1 else ""

    def _option_text(self, key: str, line: Line) -> str:
        return self.spec.label(key) + "=" + self._label(key, line.axes[key])

    def where(self, line: Line) -> str:
        """Return what only this line is called."""
        varying = [key for key in self.keys.of_lines if key in self._varying]
        return ", ".join(self._axis_text(key, line.axes[key]) for key in varying) or self.name(line)

    def names(self, panels: Sequence[Panel]) -> list[str]:
        """Return the names of all series in their order."""
        return list(dict.fromkeys(series.name for panel in panels for series in (*panel.series, *panel.faint)))

    def _axis_text(self, key: str, value: Any) -> str:
        if value is None:
            return f"{key} {UNKNOWN}"
        if key in ("clients", "rounds") and isinstance(value, int):
            return plural(value, key.removesuffix("s"))
        return f"{key} {value}" if key == "seed" else self._label(key, value)

    def _label(self, key: str, value: Any) -> str:
        """Return what a value is called; with the value itself where others of its key are called the same."""
        label = self.spec.label(value)
        return label + f" ({value})" if self._labels[key].count(label) > 1 else label

    @cached_property
    def _labels(self) -> Mapping[str, Sequence[str]]:
        """What the different values of each key are called."""
        keys = dict.fromkeys((self.compare, *self.keys.of_lines))
        return {
            key: [self.spec.label(value) for value in dict.fromkeys(self._value(key, line) for line in self.lines)]
            for key in keys
        }

    # --- numbers ------------------------------------------------------------------------------------

    def middle(self, values: Sequence[Any]) -> float:
        """Return the mean over seeds, or the median where that was set."""
        return median(values) if self.spec.aggregate == "median" else fmean(values)

    def over_seeds(self, name: str, values: Sequence[float]) -> Point:
        """Return a number over seeds, and what its band is made of (`around`), None for one seed."""
        middle = {name: self.middle(values)}
        match self.spec.aggregate:
            case "mean_std":
                return middle | {f"{name}_std": deviation_of(values)}
            case "ci95":
                return middle | {f"{name}_ci95": half_width(values)}
            case "min_max":
                low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
                return middle | {f"{name}_min": low, f"{name}_max": high}
        return middle

    def unit(self, sizes: Sequence[float]) -> str:
        """Return the unit that was set, or the largest in which no bytes are small, or all are around 1 or more.

        The least and the largest are on one axis: what is around them is their geometric mean.
        """
        known = [size for size in sizes if size]
        fitting = [max(min(known), LEAST * math.sqrt(min(known)) * math.sqrt(max(known)))] if known else []
        return unit_for(self.column.unit, [Datum(fitting)], self.spec.aggregate)

    # --- words --------------------------------------------------------------------------------------

    @property
    def engine(self) -> str:
        """What computed the runs, empty where that differs."""
        engines = {str(run.get("engine")) for line in self.lines for run in line.runs}
        return engines.pop() if len(engines) == 1 else ""

    @property
    def is_estimate(self) -> bool:
        """Whether numbers come from a closed form."""
        return any(line.is_estimate or line.is_derived for line in self.lines)

    def over(self, *, with_band: bool = False) -> str:
        """Return over how many seeds numbers are, and how they are made one; nothing for one seed."""
        numbers = counts_of(self.lines)
        if numbers == [1]:
            return ""
        middle = "median" if self.spec.aggregate == "median" else "mean"
        spread = _BANDS[self.spec.aggregate][0] if with_band and self.spec.aggregate in _BANDS else ""
        return f"{middle}{spread} over {number_of(numbers)}"

    def band_said(self, what: str) -> list[str]:
        """Return a sentence of what `what`, bands or bars, reach from and to; nothing where there are none."""
        is_drawn = self.spec.aggregate in _BANDS and counts_of(self.lines) != [1]
        return [f"{what}: {_BANDS[self.spec.aggregate][1]}."] if is_drawn else []

    def caption(self, first: str, unit: str, traffics: Sequence[str] = ()) -> list[str]:
        """Return `first`, over how many seeds it is, and what else must be said of all numbers.

        `traffics` are the traffic classes that are counted, if not that of the settings.
        """
        said = [f"{first}; {self.over() or 'one seed'}."]
        said += counts_said(self.lines, self.keys, self.spec) if len(counts_of(self.lines)) > 1 else []
        said += units_said([unit])
        said += unseen_of(self.lines, [replace(self.column, traffic=str(t)) for t in traffics] or [self.column])
        own = [self._of_all] if self._of_all and any(key in self._varying for key in self.keys.extra) else []
        if same := own + [*in_words(constants_of(self.keys, self.lines), self.spec)]:
            said.append(f"The same everywhere: {', '.join(same)}.")
        said += [f"{text}." for text in no_effect_said((run for line in self.lines for run in line.runs), self.spec)]
        is_estimate = self.is_estimate or self.column.measure == "network"
        columns = [Column("", "", mark=ESTIMATED)] if is_estimate else []
        return said + [f"{title(note.meaning)}." for note in notes([], columns, self.lines, [self.column])]


_BANDS = {
    "mean_std": (" ± sample standard deviation", "± sample standard deviation"),
    "ci95": (" ± 95 % CI", "± half of the 95 % confidence interval (Student's t)"),
    "min_max": (", least and largest", "from the least to the largest"),
}
"""How numbers over seeds deviate, beside a mean in a legend and in a sentence."""


def around(point: Point, name: str) -> tuple[float, float]:
    """Return how far the band of a number reaches below and above it, 0 where it has none."""
    if (low := point.get(f"{name}_min")) is not None:
        return point[name] - low, point[f"{name}_max"] - point[name]
    off = point.get(f"{name}_std") or point.get(f"{name}_ci95") or 0.0
    return off, off


@dataclass(frozen=True)
class FigureKind:
    """A figure: what computes its numbers, and what its report view takes of them; `fscost.plots.draw` draws it.

    meaning: what it shows, where figures are listed. columns: what a report takes of each series, as name → column of
    its records, for how bytes are counted. beside: what else it takes of a series. along: the axis that runs along the
    figure's own. of_workers: it shows single workers. has_rows: series have rows of their own, so any number of them
    fits. by_traffic: it depends on the traffic class; others show all of it.
    """

    name: str
    meaning: str
    sketch: Callable[[View], Sketch]
    columns: Callable[[ColumnSpec], Mapping[str, str]]
    beside: Callable[[Sketch, Series], Mapping[str, Any]] = lambda sketch, series: {}
    along: str = ""
    over: Sequence[str] = ()
    of_workers: bool = False
    has_rows: bool = False
    by_traffic: bool = False


def title(text: str) -> str:
    """Return text that begins with a capital."""
    return text[:1].upper() + text[1:]


def recorded(panels: Sequence[Panel], figure: str) -> list[Point]:
    """Return the numbers of all panels; raises TableError where there is none to draw."""
    series = [series for panel in panels for series in panel.series]
    records = [record for one in series for record in one.records]
    if not records:
        states = ", ".join(dict.fromkeys(one.mark for one in series))
        raise TableError(f"plot {figure}: there is no number to draw, only {states}; fscost plan and explain tell more")
    return records
