"""From the frames of cells and rounds to a table of strings, as a layout says."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fscost.cells.measure import NETWORK
from fscost.errors import TableError
from fscost.tables.arrangement import by_quantity, in_sections, with_configurations
from fscost.tables.captions import best_said, counted, no_effect_note, none_best, notes, reading, size_of_all
from fscost.tables.chosen_rows import chosen
from fscost.tables.cited_rows import cited_notes, with_cited
from fscost.tables.column import ColumnSpec
from fscost.tables.column_style import Datum, Style, best_by_test, emphasised, style_of, unit_for
from fscost.tables.comparison import Comparison, Keys, baseline_of
from fscost.tables.headings import Heads, label_of
from fscost.tables.lines import Line, Record, Values, sizes_of
from fscost.tables.marks import NO_EFFECT, NOT_REACHED, OUTSIDE, UNKNOWN, Mark, MarkKind, fewer, unknown
from fscost.tables.option_values import number_of
from fscost.tables.own_formula import formula_values, has_baseline, quantity_of, sources_of
from fscost.tables.provenance import provenance
from fscost.tables.quantity import Kind, Quantity
from fscost.tables.seeds import counts_of, groups_of, sentences, with_counts
from fscost.tables.shown_columns import as_logged, columns_of, leaving
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column, Entry, Row, Table
from fscost.tables.words import as_words


def build(compared: Comparison, spec: TableSpec, *, label: str, to_do: Sequence[str] = (), command: str = "") -> Table:
    """Return the table of what is compared.

    `to_do` are the commands that would compute what is missing, `command` is the one that makes this table. Raises
    TableError for cells that must not stand in one table.
    """
    columns = columns_of(spec, compared.cells)
    keys, lines = compared.keys(spec), compared.lines(spec, [column.measure for column in columns])
    columns, said = as_logged(columns, lines)
    baseline_lines = baseline_of(lines, keys, spec)  # which need not be shown themselves
    lines, baselines = _chosen(lines, baseline_lines, spec)
    data = [_data(column, lines, baselines, compared, spec) for column in columns]
    parts = _parts(columns, lines, data, keys, spec)
    grid, heads = _Grid.of(lines, keys), Heads(spec, keys, lines, baselines)
    shown = [(part.column, part.style) for part in parts]
    made = with_cited([*_rows(grid, keys, parts, spec)], grid.across, shown, heads)
    rows, said_of_rows = _ordered(made, keys, parts, heads)
    whole = Table(
        label=label,
        title=as_words(spec.title, "title"),
        counted="",
        columns=tuple([*(heads.key(key) for key in keys.rows), *_columns(grid, heads, parts)]),
        rows=tuple(rows),
        to_do=tuple(to_do),
        provenance=tuple(provenance(compared.cells, command, compared.rounds)),
        best=best_said(keys, spec),
        spread="ci95" if spec.aggregate == "ci95" else "std",
        template=spec.template,
        page=spec.page,
    )
    gone = leaving(columns, lines, baselines, spec.hidden)
    table = with_counts(whole.without(_places(gone, grid, keys, parts, spec)), lines)
    left = [part for part in parts if part.column not in gone]
    return _arranged(_explained(table, left, lines, heads, [*said, *said_of_rows]), len(grid.across), heads)


def _chosen(
    lines: Sequence[Line], baselines: Sequence[Line | None], spec: TableSpec
) -> tuple[list[Line], list[Line | None]]:
    """Return the lines that are to be shown, and what each is compared with."""
    shown = {id(line) for line in chosen(lines, spec)}
    pairs = [(line, base) for line, base in zip(lines, baselines, strict=True) if id(line) in shown]
    return [line for line, _ in pairs], [base for _, base in pairs]


def _arranged(table: Table, across: int, heads: Heads) -> Table:
    """Return a table as the layout arranges it."""
    keys, spec = heads.keys, heads.spec
    table = with_configurations(table, {*keys.extra} - {*spec.options}, heads)
    if keys.across and spec.above == "quantity" and any(column.group for column in table.columns):
        table = by_quantity(table, across)
    return in_sections(table) if spec.sections and keys.rows[0] == spec.sections.removeprefix("fs.") else table


def _explained(
    table: Table, shown: Sequence["_Part"], lines: Sequence[Line], heads: Heads, said: Sequence[str]
) -> Table:
    """Return a table that says what it counts, how to read it and what its marks mean."""
    keys, spec, columns = heads.keys, heads.spec, [part.column for part in shown]
    how = reading(lines, keys, [(part.column, part.style) for part in shown], heads, spec)
    return replace(
        table,
        counted=counted(lines, columns, table.rows, spec),
        reading=(*how, *sentences(table, lines, keys, spec), *said, *none_best(table.rows, spec)),
        notes=(
            *notes(table.rows, table.columns, lines, columns),
            *no_effect_note(_runs(lines), spec),
            *cited_notes(table.rows),
        ),
    )


def _runs(lines: Sequence[Line]) -> Iterator[Record]:
    return (run for line in lines for run in line.runs)


def _places(
    gone: Sequence[ColumnSpec], grid: "_Grid", keys: Keys, parts: Sequence["_Part"], spec: TableSpec
) -> list[int]:
    """Return the numbers of the columns that leave the table."""
    is_said = any("params" in row.labels for row in spec.cited)
    sizes = None if is_said else size_of_all([*grid.lines.values()], keys)
    labels = [n for n, key in enumerate(keys.rows) if key == "params" and (sizes or key in spec.hidden)]
    numbers = [n for n, part in enumerate([*parts] * len(grid.across)) if part.column in gone]
    return [*labels, *(len(keys.rows) + n for n in numbers)]


# --- numbers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """A column of the layout: what it is, how it is printed, and a datum and an entry for each line."""

    column: ColumnSpec
    style: Style
    data: list[Datum]
    entries: dict[int, Entry]
    is_alone: bool = True

    @property
    def is_estimate(self) -> bool:
        """Whether all its numbers are estimates, and none are those of others: then the heading says so, once."""
        numbers = [datum for datum in self.data if datum.numbers]
        return self.is_alone and bool(numbers) and all(datum.is_estimate for datum in numbers)


def _parts(
    columns: Sequence[ColumnSpec], lines: Sequence[Line], data: Sequence[list[Datum]], keys: Keys, spec: TableSpec
) -> list[_Part]:
    groups, parts = groups_of(lines, keys), []
    for column, own in zip(columns, data, strict=True):
        quantity = quantity_of(column)
        family = [d for c, some in zip(columns, data, strict=True) if _shares_unit(c, column) for d in some]
        unit = unit_for(column.unit, family, spec.aggregate) if quantity.kind is Kind.BYTES else ""
        alike = family if quantity.family == "share" else own  # under one heading
        style = style_of(column, quantity, unit, own, spec.aggregate, alike)
        part = _Part(column, style, own, {}, is_alone=not spec.cited)
        is_marked = not part.is_estimate
        entries = [style.entry(datum, is_marked=is_marked) for datum in own]
        entries = _best(entries, part, lines, groups, spec)
        parts.append(replace(part, entries={id(line): entry for line, entry in zip(lines, entries, strict=True)}))
    return parts


def _best(
    entries: list[Entry], part: "_Part", lines: Sequence[Line], groups: Sequence[Hashable], spec: TableSpec
) -> list[Entry]:
    """Return the entries of a column, the best emphasised as the layout has it."""
    column, better = part.column, quantity_of(part.column).better_of(part.column)
    if not spec.best:
        return entries
    if spec.judge is None or not _varies(column, lines):
        return emphasised(entries, groups, part.style, better, with_second=spec.second)
    samples = [
        dict(zip((run["seed"] for run in line.runs), datum.numbers, strict=False)) if datum.values else {}
        for line, datum in zip(lines, part.data, strict=True)
    ]
    return best_by_test(entries, samples, groups, better, spec.judge)


def _varies(column: ColumnSpec, lines: Sequence[Line]) -> bool:
    """Return whether what a column is made of may be another with other seeds: a metric, or bytes that did vary."""
    sources = [part.of for part in sources_of(column) if part.of]
    is_of_metric = any(part.kind is Kind.METRIC or part.waits for part in sources_of(column))
    return is_of_metric or any(Datum(of(line, column)).varies for of in sources for line in lines)


def _shares_unit(one: ColumnSpec, other: ColumnSpec) -> bool:
    a, b = quantity_of(one), quantity_of(other)
    return a.kind is b.kind is Kind.BYTES and (a.family, one.unit) == (b.family, other.unit)


def _data(
    column: ColumnSpec, lines: Sequence[Line], baselines: Sequence[Line | None], compared: Comparison, spec: TableSpec
) -> list[Datum]:
    """Return a datum for each line; tables of the same lines in other units share them."""
    counted = replace(column, unit="auto", precision=3, decimals=None, head="")
    pairs = [*zip(lines, baselines, strict=True)]
    asked = (counted, spec.aggregate, *((id(line), id(baseline)) for line, baseline in pairs))
    if asked not in compared.data:  # with the lines, as ids are theirs only as long as they live
        compared.data[asked] = [_datum(column, *pair, spec) for pair in pairs], pairs
    return compared.data[asked][0]


def _datum(column: ColumnSpec, line: Line, baseline: Line | None, spec: TableSpec) -> Datum:
    quantity = quantity_of(column)
    is_estimate = any(_is_estimate(part, column, line) for part in sources_of(column))
    if column.formula:
        runs = _runs_behind(line, baseline if has_baseline(column) else None)
        values = formula_values(column, line, baseline, spec.aggregate)
        return Datum(values, runs, is_estimate, _fewer(line, values, quantity))
    if quantity.of is not None:
        values = quantity.of(line, column)
        assert isinstance(values, Mark) or len(values) == len(line.runs), f"{quantity.key}: not a value per run"
        notes = (*quantity.notes(line), *_fewer(line, values, quantity))
        return Datum(values, line.ids, is_estimate, notes)
    runs = _runs_behind(line, baseline)
    return Datum(_relative(quantity, column, line, baseline, spec), runs, is_estimate)


def _fewer(line: Line, values: Values, quantity: Quantity) -> tuple[Mark, ...]:
    """Return the mark of a number over fewer seeds than there are to be, where it may be another with the others."""
    may_vary = quantity.kind is Kind.METRIC or quantity.waits or Datum(values).varies
    return (fewer(len(line.runs)),) if line.left_out and may_vary else ()


def _runs_behind(line: Line, baseline: Line | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*line.ids, *(baseline.ids if baseline else ()))))


def _is_estimate(quantity: Quantity, column: ColumnSpec, line: Line) -> bool:
    """Return whether no message was counted: neither by fscost nor, of what FederatedScope logs, by that."""
    if quantity.kind in (Kind.METRIC, Kind.COUNT):
        return False
    is_closed_form = (line.is_estimate or line.is_derived) and not quantity.is_logged
    return quantity.kind is Kind.SECONDS or column.measure == NETWORK or is_closed_form


def _relative(quantity: Quantity, column: ColumnSpec, line: Line, baseline: Line | None, spec: TableSpec) -> Values:
    """Return what a line's mean is relative to its baseline's, which can be checked against the table itself."""
    of, relative = sources_of(column)[0].of, quantity.relative
    assert of is not None and relative is not None, f"{quantity.key}: needs `of`, or `relative` and `against`"
    own = of(line, column)
    if isinstance(own, Mark):
        return NOT_REACHED if own.kind is MarkKind.NOT_REACHED else own
    base = of(baseline, column) if baseline else unknown("no row of the same seeds is the baseline")
    if isinstance(base, Mark):
        return _without_baseline(base)
    middles = [Datum(values).middle(spec.aggregate) for values in (own, base)]
    known = [middle for middle in middles if middle is not None]
    try:
        return [relative(*known)] if len(known) == len(middles) else UNKNOWN
    except ZeroDivisionError:
        return unknown("nothing can be relative to 0")


def _without_baseline(mark: Mark) -> Mark:
    """Return what stands where a line is relative to one that has no number, with the reason."""
    if mark.kind is MarkKind.NOT_REACHED:
        return unknown("the baseline did not reach the target")
    return mark if mark.kind is MarkKind.UNKNOWN else unknown(f"the baseline is {mark}")


# --- rows and columns -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """The lines by row and, where an axis runs across, by its values."""

    lines: Mapping[tuple[tuple[Any, ...], Any], Line]
    rows: Sequence[tuple[Any, ...]]
    across: Sequence[Any]

    @classmethod
    def of(cls, lines: Sequence[Line], keys: Keys) -> "_Grid":
        found = {}
        for line in lines:
            labels = tuple(line.axes[key] for key in keys.rows if key != "params")
            found[labels, line.axes[keys.across] if keys.across else None] = line
        values = dict.fromkeys(value for _, value in found)
        return cls(found, [*dict.fromkeys(row for row, _ in found)], [*values])

    def of_row(self, row: tuple[Any, ...]) -> list[Line | None]:
        """Return a row's lines from left to right, None for what is not in the sweep."""
        return [self.lines.get((row, value)) for value in self.across]


def _rows(grid: _Grid, keys: Keys, parts: Sequence[_Part], spec: TableSpec) -> Iterator[Row]:
    """Yield the rows, their labels not yet spanning."""
    sizes = sizes_of(grid.lines.values())
    for row in grid.rows:
        lines = grid.of_row(row)
        known = [line for line in lines if line]
        values = dict(zip([key for key in keys.rows if key != "params"], row, strict=True))
        values["params"] = sizes.get(known[0].model)
        labels = [label_of(key, values[key], spec) for key in keys.rows]
        numbers = [part.entries[id(line)] if line else _OUTSIDE for line in lines for part in parts]
        counts = counts_of(known)
        made = Row((*labels, *numbers), seeds=counts[0] if len(counts) == 1 else None)
        yield _marked(made, lines, keys)


def _marked(row: Row, lines: Sequence[Line | None], keys: Keys) -> Row:
    """Return a row with a mark where a method had no effect: at its last label, or only at the numbers of that line."""
    useless = [bool(line and line.no_effect) for line in lines]
    if not any(useless):
        return row
    entries, first = [*row.entries], len(keys.rows)
    per_line = (len(entries) - first) // len(lines)
    places = [first + i * per_line + n for i, is_marked in enumerate(useless) for n in range(per_line) if is_marked]
    if all(is_marked or line is None for is_marked, line in zip(useless, lines, strict=True)):
        places = [keys.inner]
    for place in places:
        entries[place] = replace(entries[place], notes=(*entries[place].notes, NO_EFFECT))
    options = dict.fromkeys(option for line in lines if line for option in line.no_effect)
    return replace(row, entries=tuple(entries), no_effect="; ".join(options))


_OUTSIDE = Entry(mark=OUTSIDE)

_Prefixes = Sequence[tuple[Any, ...]]


def _ordered(rows: list[Row], keys: Keys, parts: Sequence[_Part], heads: Heads) -> tuple[list[Row], list[str]]:
    """Return the rows in order, with labels that span rows and lines between groups, and what is said of others."""
    spec, said = heads.spec, list[str]()
    if (name := spec.order.removeprefix("-")) not in ("named", "sorted"):
        position, reverse = _position(name, keys, parts), spec.order.startswith("-")
        groups = _sorted(rows, position, keys, reverse=reverse)
        left = [row for group in groups for row in group[: spec.top]]
        if len(left) < len(rows):
            column = heads.key(keys.rows[position]).head if position < len(keys.rows) else ""
            column = column or heads.name(parts[position - len(keys.rows)].column)
            most = f"{'largest' if reverse else 'smallest'} {column}"
            those = "row" if spec.top == 1 else f"{spec.top} rows"
            said = [f"Of each group, the {those} with the {most}; {len(rows) - len(left)} more are left out."]
        rows = left
    prefixes = [[_prefix(row, key + 1, keys) for row in rows] for key in range(keys.inner)]
    return [_grouped(rows, number, keys, prefixes) for number in range(len(rows))], said


def _position(name: str, keys: Keys, parts: Sequence[_Part]) -> int:
    """Return the number of the column that rows are ordered by: a key, a quantity, or a column by its head."""
    if (key := name.removeprefix("fs.")) in keys.rows:
        return keys.rows.index(key)
    names = [part.column.head for part in parts] + [part.column.quantity for part in parts]
    if name not in names:
        raise TableError(f"table.order={name}: is not shown; add it to table.rows or table.columns")
    return len(keys.rows) + names.index(name) % len(parts)


def _sorted(rows: list[Row], position: int, keys: Keys, *, reverse: bool) -> list[list[Row]]:
    """Return the rows in groups, each by a number or text, what has none last.

    Rows of a group share the labels before that which they are ordered by, and none of them but the last.
    """
    depth = min(position, keys.inner)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_prefix(row, depth, keys), []).append(row)

    def rank(row: Row) -> tuple[bool, float, str]:
        number = number_of(row.entries[position].value)
        return number is None, number or 0, "" if number is not None else row.entries[position].text

    found = []
    for own in groups.values():
        known = [row for row in own if row.entries[position].value is not None]
        unknown_ones = [row for row in own if row.entries[position].value is None]
        found.append([*sorted(known, key=rank, reverse=reverse), *unknown_ones])
    return found


def _prefix(row: Row, length: int, keys: Keys) -> tuple[Any, ...]:
    """Return the first labels of a row; sizes, which follow from the models, only where they come last."""
    shown = ((key, row.entries[number]) for number, key in enumerate(keys.rows[:length]))
    return tuple(entry.value for key, entry in shown if key != "params" or key == keys.rows[length - 1])


def _grouped(rows: Sequence[Row], number: int, keys: Keys, prefixes: Sequence[_Prefixes]) -> Row:
    """Return a row with its labels spanning the rows below that share them, and the line above it.

    `prefixes` are the labels of each row up to a key, for each key.
    """
    row, above = rows[number], rows[number - 1]
    labels = [
        replace(entry, span=_span(prefixes[key], number) if key < keys.inner else 1)
        for key, entry in enumerate(row.entries[: len(keys.rows)])
    ]
    is_open = [
        bool(row.entries[k].mark or above.entries[k].mark) and keys.rows[k] == "params" for k in range(keys.inner)
    ]
    outer = [k for k in range(keys.inner) if number and not is_open[k]]
    depth = next((k for k in outer if prefixes[k][number] != prefixes[k][number - 1]), None)
    return replace(row, entries=(*labels, *row.entries[len(keys.rows) :]), rule=depth)


def _span(prefixes: Sequence[tuple[Any, ...]], number: int) -> int:
    """Return over how many rows a label stands, 0 if it stands above already."""
    prefix = prefixes[number]
    if number and prefixes[number - 1] == prefix:
        return 0
    following = (n for n in range(number + 1, len(prefixes)) if prefixes[n] != prefix)
    return next(following, len(prefixes)) - number


def _columns(grid: _Grid, heads: Heads, parts: Sequence[_Part]) -> Iterator[Column]:
    for value in grid.across:
        for part in parts:
            is_bolded = any(entry.emphasis for entry in part.entries.values())
            yield heads.number(
                part.column, part.style, value, len(parts), is_estimate=part.is_estimate, is_bolded=is_bolded
            )
