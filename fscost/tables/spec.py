"""What a table shows: a layout of ``conf/table/``, checked."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import cached_property, reduce
from typing import Any, Self

from fscost.cells.cell import AXES, Cell
from fscost.cells.measure import MEASURES, NETWORK, UNITS, Link, Traffic
from fscost.cells.metric import DIRECTIONS
from fscost.errors import TableError, nearest
from fscost.extras import check_extra
from fscost.protocol import fs_options
from fscost.tables.cited import CitedRow, read_cited
from fscost.tables.column import ALL, ColumnFormula, ColumnSpec, is_whole, one_of
from fscost.tables.lines import SWEEP
from fscost.tables.network_model import FOR_EXAMPLE, Connection
from fscost.tables.option_values import ADAPTER, RANK, VIRTUAL_TOKENS, as_written, shown_options
from fscost.tables.own_formula import quantity_of, sources_of
from fscost.tables.quantities import QUANTITIES, comparable
from fscost.tables.significance import CORRECTIONS, TESTS, Judge
from fscost.tables.table import PAGES, VENUES, Page
from fscost.tables.words import Words, as_words

LAYOUTS = ("cells", "audit", "published")
"""What the rows are: cells of a grid, the workers of each, or published figures beside computed ones."""

SIDES = (*AXES, SWEEP)
"""What can stand side by side, and what rows are compared along."""

KEYS = (*SIDES, "params", "engine", "framework", "protocol", "fs_commit")
"""What can name rows, beside any option that varies."""

_OF_COLUMNS = ("quantity", "head", "of", "formula", "if_varying", "logged")
"""Settings that a table has for no column but that which has them."""

AGGREGATES = ("mean_std", "ci95", "min_max", "mean", "median")
"""How seeds become one number: mean ± sample standard deviation, mean ± half of the 95 % confidence interval, mean with
the least and the largest, or only a mean or median."""

SEEDS = ("all", "done")
"""Which seeds make a number: all of them, so that one that is missing is told in its place, or those that are done."""

SIGNIFICANT = "significant"


ABOVE = ("axis", "quantity")
"""What stands above where an axis runs across: its values, each over all quantities, or the other way round."""

NOTES = ("full", "short", "none")
"""How much stands below a table: all, what its marks mean, or nothing but footnotes of one's own."""

PROVENANCES = ("private", "full")
"""How much files tell of where their numbers come from: neither machine nor user nor an absolute path, or all."""

PARAMETERS = "parameters"
"""What a published number can be of instead of bytes: how many parameters the model has."""


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """A number that somebody published, and how it is computed: a row of the layout ``published``.

    `where` are the axes or ``fs.…`` options that select its cell, `per` says whether it is of one message or of all.
    With `of`, which selects another cell, it is the share of that one's bytes, in percent. `why` explains other digits
    than the published ones. Raises TableError for a value that is none of the choices.
    """

    source: str
    quantity: str
    published: float | str
    where: Mapping[str, Any]
    traffic: str = "training"
    links: Sequence[str] = ("uplink", "downlink")
    measure: str = "payload"
    per: str = "total"
    unit: str = "MB"
    of: Mapping[str, Any] | None = None
    why: str = ""

    def __post_init__(self) -> None:
        one_of("figures.traffic", self.traffic, [str(t) for t in Traffic])
        one_of("figures.measure", self.measure, [*(key for key in MEASURES if key != NETWORK), PARAMETERS])
        one_of("figures.per", self.per, ["total", "message"])
        one_of("figures.unit", self.unit, UNITS)
        self._check_texts()
        if not isinstance(self.links, list | tuple) or not self.links:
            raise TableError(f"table.figures.links={self.links}: must be a list of links, as [uplink]")
        for link in self.links:
            one_of("figures.links", link, [str(link) for link in Link])
        for name, value in (("where", self.where), ("of", self.of)):
            if (not isinstance(value, Mapping) or not value) and (name, value) != ("of", None):
                raise TableError(
                    f"table.figures.{name}={value}: must be a mapping that selects a cell, as {{model: lr}}"
                )
        try:
            valid = 0 < self.value < math.inf
        except ValueError:
            valid = False
        if not valid:
            raise TableError(f"table.figures.published={self.published}: must be a number above 0")

    def _check_texts(self) -> None:
        for name, text in (("source", self.source), ("quantity", self.quantity), ("why", self.why)):
            if not isinstance(text, str):
                raise TableError(f"table.figures.{name}={text}: must be text; put it in quotes")

    @property
    def value(self) -> float:
        """The published number; as text, so that its decimals are known, it can have commas between thousands."""
        return float(str(self.published).replace(",", ""))

    @property
    def decimals(self) -> int:
        """How many digits were published behind the decimal point."""
        exponent = Decimal(str(self.published).replace(",", "")).as_tuple().exponent
        return max(0, -int(exponent))

    @classmethod
    def from_config(cls, row: Any) -> "PublishedNumber":
        """Return the number of one row of a layout; raises TableError for a row that lacks something."""
        known = {f.name for f in fields(cls)}
        if not isinstance(row, Mapping) or not {"source", "quantity", "published", "where"} <= row.keys():
            raise TableError(f"table.figures: {row}: needs source, quantity, published and where")
        for key in row.keys() - known:
            raise TableError(f"table.figures.{key}: a row has no such setting{nearest(str(key), known)}")
        return cls(**row)


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """One table, as in ``conf/table/``; raises TableError for a value that is none of the choices.

    The settings are explained in ``conf/table/shared/layout.yaml``. `template` is the stem of the templates. With a
    `connection` the table has times too; a table that `needs_network` is refused without one.
    """

    name: str = "table"
    layout: str = "cells"
    title: str | Mapping[str, str] = ""
    caption: str | Mapping[str, str] = ""
    rows: Sequence[str] = ("model", "params?", "data?", "clients", "rounds?", "method")
    columns: Sequence[str | Mapping[str, Any]] = ("total",)
    across: str | None = None
    above: str = "axis"
    sections: str | None = None
    transpose: bool = False
    compare: str = "method"
    baseline: str | None = None
    order: str = "named"
    only: Mapping[str, Any] = field(default_factory=dict)
    cited: Sequence[CitedRow] = ()
    hide: Sequence[str] = ()
    show: Sequence[str | Mapping[str, Any]] = ()
    most_options: int = 4
    top: int | None = None
    traffic: str = "training"
    measure: str = "payload"
    metric: str = "test_acc"
    better: str | None = None
    target: float = 0.5
    aggregate: str = "mean_std"
    unit: str = "auto"
    precision: int = 3
    decimals: int | None = None
    seeds: str = "all"
    best: bool | str = True
    test: str = "welch"
    alpha: float = 0.05
    correction: str = "holm"
    second: bool = False
    ours: Sequence[str] = ()
    notes: str = "full"
    provenance: str = "private"
    footnotes: Sequence[Mapping[str, Any]] = ()
    needs_network: bool = False
    template: str = "table"
    page: Page = "auto"
    venue: str = "any"
    float: str = ""
    labels: Mapping[str, str | Mapping[str, str] | None] = field(default_factory=dict)
    figures: Sequence[Mapping[str, Any]] = ()
    connection: Connection | None = None

    def __post_init__(self) -> None:
        one_of("layout", self.layout, LAYOUTS)
        one_of("aggregate", self.aggregate, AGGREGATES)
        one_of("notes", self.notes, NOTES)
        one_of("provenance", self.provenance, PROVENANCES)
        one_of("page", self.page, PAGES)
        one_of("above", self.above, ABOVE)
        one_of("seeds", self.seeds, SEEDS)
        self._check_statistics()
        one_of("venue", self.venue, VENUES)
        if not isinstance(self.float, str) or not re.fullmatch(r"[!htbpH]*", self.float):
            raise TableError(f"table.float={self.float}: must be of LaTeX's letters for places, as !t or tbp")
        self._check_types()
        self._check_keys()
        self._check_order()
        for column in self.column_specs():
            self._check_times(column)

    def _check_types(self) -> None:
        self._check_lists()
        for key in ("title", "caption"):
            as_words(getattr(self, key), key)
        for key in ("name", "template", "order", "compare"):
            if not isinstance(getattr(self, key), str):
                raise TableError(f"table.{key}={getattr(self, key)}: must be text")
        for key in ("second", "needs_network", "transpose"):
            if not isinstance(getattr(self, key), bool):
                raise TableError(f"table.{key}={getattr(self, key)}: must be true or false")
        if not isinstance(self.only, Mapping):
            raise TableError(f"table.only={self.only}: must be a mapping, as table.only.method=[fedavg,fedprox]")
        if not isinstance(self.labels, Mapping):
            raise TableError(f"table.labels={self.labels}: must be a mapping, as {{mlp_s: MLP-16}}")
        _ = self._labels  # each of them is looked at

    def _check_statistics(self) -> None:
        one_of("test", self.test, TESTS)
        one_of("correction", self.correction, CORRECTIONS)
        if not isinstance(self.best, bool) and self.best != SIGNIFICANT:
            raise TableError(f"table.best={self.best}: must be true, false or {SIGNIFICANT}")
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, int | float) or not 0 < self.alpha < 1:
            raise TableError(f"table.alpha={self.alpha}: must be a number between 0 and 1, as 0.05")
        if self.best == SIGNIFICANT and (self.second or self.aggregate == "median"):
            other = "second=true" if self.second else "aggregate=median"
            raise TableError(f"table.{other}: tests tell means apart, and no second; leave it or best=significant out")
        if self.best == SIGNIFICANT:
            check_extra("statistics", f"table.best={SIGNIFICANT}", "table.best=true needs no test")
        if self.aggregate == "ci95":
            check_extra("statistics", "table.aggregate=ci95", "table.aggregate=mean_std needs no quantile")

    @property
    def tells_all(self) -> bool:
        """Whether files name folders, machine and user."""
        return self.provenance == "full"

    @property
    def judge(self) -> Judge | None:
        """The test that tells which numbers are the best, None where they are compared as they are printed."""
        return Judge(self.test, self.alpha, self.correction) if self.best == SIGNIFICANT else None

    def _check_lists(self) -> None:
        for key in ("rows", "columns", "figures", "ours", "footnotes", "hide", "show"):
            if not isinstance(getattr(self, key), list | tuple):
                raise TableError(f"table.{key}={getattr(self, key)}: must be a list")
        if bool(self.figures) != (self.layout == "published"):
            raise TableError(f"table.layout={self.layout}: figures belong to the layout published, and only there")
        for own in _OF_CELLS if self.layout != "cells" else ():
            if getattr(self, own):
                raise TableError(f"table.{own}: the layout {self.layout} has its own rows and columns; take {own} out")
        if self.only and self.layout == "published":
            raise TableError("table.only: published figures are rows of their own; leave rows of table.figures out")

    def _check_keys(self) -> None:
        if not self.rows or not self.columns:
            raise TableError(f"table.{'columns' if self.rows else 'rows'}=[]: a table has at least one")
        for key in self.rows:
            _check_key("rows", str(key).removesuffix("?"), KEYS)
        if len({str(key).removesuffix("?") for key in self.rows}) < len(self.rows):
            raise TableError(f"table.rows=[{','.join(map(str, self.rows))}]: has a key twice")
        if self.across is not None:
            _check_key("across", self.across, SIDES)
            if any(str(key).removesuffix("?") == self.across for key in self.rows):
                raise TableError(f"table.across={self.across}: is in table.rows too; take it out there")
        one_of("compare", self.compare, SIDES)
        if self.sections is not None:
            _check_key("sections", self.sections, [key for key in KEYS if key != "params"])
            if self.sections == self.across:
                raise TableError(f"table.sections={self.sections}: runs across too; choose one of both")

    def check_options(self, cells: Collection[Cell]) -> None:
        """Refuse an option that no release of FederatedScope has, nor any of these cells from a fork."""
        for setting, key in self._named_options():
            name = key.removeprefix("fs.").removesuffix("?")
            if not key.startswith("fs.") or _is_frozen(name):
                continue
            known = {*fs_options.known(), *(option for cell in cells for option in shown_options(cell))}
            if name not in known:
                raise TableError(f"table.{setting}={key}: FederatedScope has no such option{nearest(name, known)}")

    def _named_options(self) -> Iterator[tuple[str, str]]:
        yield from (("rows", str(key)) for key in self.rows)
        yield from (("across", self.across or ""), ("sections", self.sections or ""))

    def _check_order(self) -> None:
        ordered_by = self.order.removeprefix("-")
        if self.order not in ("named", "sorted") and not ordered_by.startswith("fs."):
            columns = self.column_specs()
            heads = (column.head for column in columns if column.head)
            known = ["named", "sorted", *self.row_keys, "params", *(column.quantity for column in columns), *heads]
            one_of("order", ordered_by, dict.fromkeys(known))
        if not is_whole(self.most_options, 0, 10**6):
            raise TableError(f"table.most_options={self.most_options}: must be a whole number of at least 0")
        if self.top is not None and (not is_whole(self.top, 1, 10**6) or self.order in ("named", "sorted")):
            by = "and table.order must name the column that rows are ordered by, as -final"
            raise TableError(f"table.top={self.top}: must be a whole number of at least 1, {by}")

    @property
    def row_keys(self) -> list[str]:
        """The keys of rows, whether or not they stand only where they vary."""
        return [str(key).removesuffix("?") for key in self.rows]

    @property
    def hidden(self) -> set[str]:
        """The keys of rows, quantities and heads that are not to be shown."""
        return {str(name).removeprefix("fs.") for name in self.hide}

    def _check_times(self, column: ColumnSpec) -> None:
        if self.needs_network and self.connection is None:
            raise TableError(f"table={self.name}: times need the clients' link; set {FOR_EXAMPLE}")
        is_timed = any(part.needs_network for part in sources_of(column))
        if self.connection and is_timed and column.traffic != Traffic.TRAINING:
            what = "communication times are those of training rounds"
            raise TableError(
                f"table.traffic={column.traffic}: {what}; leave network.… out or set table.traffic=training"
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any], network: Any = None) -> "TableSpec":
        """Return the layout of a configuration's ``table`` section, and the link of its ``network`` section."""
        known = {f.name for f in fields(cls)} - {"connection"}
        for key in config:
            if key not in known:
                raise TableError(f"table.{key}: a table has no such setting{nearest(str(key), known)}")
        named = {key: _in_full(_listed(key, config[key])) for key in _KEYED if key in config}
        named |= {key: _listed(key, config[key]) for key in ("columns", "ours", "show") if key in config}
        if files := config.get("cited"):
            own = [
                column for key in ("columns", "show") for column in named.get(key, ()) if isinstance(column, Mapping)
            ]
            heads = (column.get("head") for column in own)
            named["cited"] = read_cited(files, KEYS, [*QUANTITIES, *(str(head) for head in heads if head)])
        elif "cited" in config:
            named["cited"] = []
        return cls(**{**config, **named}, connection=Connection.from_config({} if network is None else network))

    @property
    def options(self) -> list[str]:
        """The options of FederatedScope that are columns, or run across, whether or not they vary."""
        named = [key for key in (*self.rows, self.across or "", self.sections or "") if not key.endswith("?")]
        return [key.removeprefix("fs.") for key in named if key.startswith("fs.")]

    @property
    def published_numbers(self) -> list[PublishedNumber]:
        """The rows of the layout ``published``."""
        return [PublishedNumber.from_config(row) for row in self.figures]

    def column_specs(self) -> list[ColumnSpec]:
        """Return the columns, each with the table's settings but for its own."""
        shared = {f.name: getattr(self, f.name) for f in fields(ColumnSpec) if f.name not in _OF_COLUMNS}
        return [self._column_spec(column, shared) for column in (*self.columns, *self.show)]

    def _column_spec(self, column: Any, shared: Mapping[str, Any]) -> ColumnSpec:
        if isinstance(column, Mapping) and "formula" in column:
            return _formula_spec(column, shared)
        own = {"quantity": column} if isinstance(column, str) else column
        if not isinstance(own, Mapping) or "quantity" not in own:
            raise TableError(
                f"table.columns: {column}: must be a quantity, or a mapping with one as {{quantity: total}}"
            )
        name = str(own["quantity"]).removesuffix("?")
        one_of("columns", name, QUANTITIES)
        known = {f.name for f in fields(ColumnSpec)} - {"connection", "formula", "if_varying", "logged"}
        for key in own.keys() - known:
            raise TableError(f"table.columns.{key}: a column has no such setting{nearest(str(key), known)}")
        if QUANTITIES[name].is_logged:
            shared = {**shared, "measure": "reported", "traffic": ALL}
        if own.get("of"):
            _check_of(name, str(own["of"]))
        is_optional = own["quantity"] != name
        if is_optional and not QUANTITIES[name].may_leave:
            may_leave = "only rounds and what is relative to a baseline can leave"
            raise TableError(f"table.columns={name}?: {may_leave}; write {name}")
        words = {"head": as_words(own["head"], "columns.head", name)} if own.get("head") else {}
        return ColumnSpec(**{**shared, **own, **words, "quantity": name, "if_varying": is_optional})

    def label(self, value: Any) -> str:
        """Return what a value is called in print; of methods that are combined, each by its own label.

        Of one that stands before a number, ``topk 1%``, that alone; of a model that has a rank of LoRA too,
        ``bert_base_r8``, the model's and the rank.
        """
        if self.has_label(value):
            return self._labels[str(value)]
        if isinstance(value, Words):
            return value
        if (ranked := _RANKED.fullmatch(str(value))) and self.has_label(ranked["model"]):
            return f"{self.label(ranked['model'])}, LoRA r = {ranked['rank']}"
        parts = value.split("+") if isinstance(value, str) else []
        if len(parts) > 1 and all(parts):
            return reduce(lambda text, part: text + " + " + part, map(self.label, parts))
        first, _, rest = str(value).partition(" ")
        return self.label(first) + " " + self.label(rest) if rest and self.has_label(first) else str(value)

    def with_spellings(self, spellings: Mapping[str, str]) -> Self:
        """Return the same with these labels for what has none."""
        own = {name: text for name, text in spellings.items() if not self.has_label(name)}
        return replace(self, labels={**own, **self.labels}) if own else self

    def worded(self, key: str, text: str = "") -> str:
        """Return what a heading, a metric or a sign is called in print: by its label, or else as `text`, or the key."""
        return self._labels.get(key, text or key)

    def has_label(self, value: Any) -> bool:
        """Return whether a value is called otherwise than as it is written."""
        return str(value) in self._labels

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        """The labels by the text of their values; in YAML ``0.1`` and ``true`` are no text."""
        return {
            as_written(value): as_words(text, f"labels.{value}", as_written(value))
            if isinstance(text, Mapping)
            else as_written(text)
            for value, text in self.labels.items()
            if text is not None
        }


_RANKED = re.compile(r"(?P<model>.+)_r(?P<rank>\d+)")
"""A model of which adapters of a rank travel, as `fscost.cells.names.model_of` calls it."""

_SHORT = {"adapter": f"fs.{ADAPTER}", "rank": f"fs.{RANK}", "virtual_tokens": f"fs.{VIRTUAL_TOKENS}"}
"""Short names of options, as they stand on the command line."""


_OF_CELLS = ("hide", "show", "across", "sections", "cited", "top")
"""Settings that arrange rows of cells, for which other layouts have no use."""

_KEYED = ("rows", "across", "sections", "hide")
"""Settings that name keys of rows."""

_LISTS = ("rows", "columns", "ours", "hide", "show")
"""Settings of which a single name is a list."""


def _listed(key: str, value: Any) -> Any:
    """Return the list that a single name is."""
    return [value] if isinstance(value, str) and key in _LISTS else value


def _in_full(named: Any) -> Any:
    """Return keys with the options that short names stand for; what is no key is refused elsewhere."""
    if isinstance(named, list | tuple):
        return [_in_full(key) for key in named]
    key, mark = (named.removesuffix("?"), "?" * named.endswith("?")) if isinstance(named, str) else ("", "")
    if key.startswith("sizes."):
        return f"fs.course.{key}{mark}"
    return _SHORT[key] + mark if key in _SHORT else named


_OF_FORMULAS = ("head", "traffic", "measure", "metric", "target", "precision", "decimals")
"""Settings of a column that one with a formula has too, beside a unit and a way that is better."""


def _formula_spec(given: Mapping[str, Any], shared: Mapping[str, Any]) -> ColumnSpec:
    """Return a column that computes a formula."""
    known = ("formula", "unit", "better", *_OF_FORMULAS)
    for key in given:
        if key not in known:
            raise TableError(f"table.columns.{key}: a formula has no such setting{nearest(str(key), known)}")
    for key in ("formula", "unit"):
        if not isinstance(given.get(key, ""), str):
            raise TableError(f"table.columns.{key}={given[key]}: must be text")
    if given.get("better") is not None:
        one_of("columns.better", given["better"], DIRECTIONS)
    own = ColumnFormula(str(given["formula"]), str(given.get("unit", "")), str(given.get("better") or ""))
    unit = own.unit if own.unit in UNITS else shared["unit"]
    settings = {key: given[key] for key in _OF_FORMULAS if key in given}
    if settings.get("head"):
        settings["head"] = as_words(settings["head"], "columns.head", own.text)
    column = ColumnSpec(**{**shared, **settings, "quantity": own.text, "formula": own, "unit": unit})
    quantity_of(column)
    return column


def _check_of(name: str, of: str) -> None:
    """Refuse what a number cannot be relative to."""
    if not QUANTITIES[name].relative or QUANTITIES[name].waits:
        one_of("columns", name, [key for key, own in QUANTITIES.items() if own.relative and not own.waits])
    one_of("columns.of", of, comparable())


def _check_key(setting: str, key: str, choices: Sequence[str]) -> None:
    if not str(key).startswith("fs."):  # which options there are depends on the cells
        one_of(setting, key, choices)


def _is_frozen(name: str) -> bool:
    below_own = name.startswith(tuple(f"{own}." for own in fs_options.OWN))
    return name in fs_options.known() or fs_options.is_open(name) or below_own
