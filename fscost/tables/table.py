"""The table itself: labels, numbers and marks, with the runs they come from. Templates loop over it, decide nothing."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

from fscost.cells.outcome import Status
from fscost.tables.marks import Mark, signs
from fscost.tables.numbers import Number

Emphasis = Literal["", "best", "second", "ours"]
Page = Literal["auto", "column", "page", "landscape", "long"]

PAGES = ("auto", "column", "page", "landscape", "long")
"""How a LaTeX table stands: as wide as a column, as wide as the page, turned, or broken over pages; auto chooses."""


VENUES = (
    "any", "article", "twocolumn", "ieee", "acm", "acmsmall", "llncs", "neurips", "icml", "elsevier", "beamer",
)  # fmt: skip
"""Where a LaTeX table is printed, which says how wide columns and pages are; any fits everywhere."""


@dataclass(frozen=True)
class Column:
    """A column: `group` is the heading with unit that it shares with its neighbours.

    `raw` names its raw numbers in CSV, with their base unit (``total_bytes``). A `mark` holds for all its numbers. Not
    `numeric` are labels, which stand at the left. `better` is an arrow that says which way is. `long` is the whole
    heading in one line, with the mark, where it is not made of the others. `notes` are further marks behind it, and
    `quantity` is what ``table.columns`` calls it.
    """

    key: str
    head: str
    group: str = ""
    unit: str = ""
    numeric: bool = True
    raw: str = ""
    mark: Mark | None = None
    better: str = ""
    long: str = ""
    notes: tuple[Mark, ...] = ()
    quantity: str = ""

    @property
    def note(self) -> str:
        """The signs of its marks, nothing without one."""
        return signs([*([self.mark] if self.mark else []), *self.notes])

    @property
    def is_number(self) -> bool:
        """Whether numbers stand here, and not labels."""
        return bool(self.raw)

    @property
    def top(self) -> str:
        """The upper line of a head of two lines: the shared heading with its unit, or the name of a column with one."""
        if self.group:
            return self.group
        return self.head if self.unit else ""

    @property
    def bottom(self) -> str:
        """The lower line: the name, or the unit where the name stands above; behind it arrow and note."""
        return self.without_note + self.note

    @property
    def without_note(self) -> str:
        """The lower line without the note."""
        name = f"({self.unit})" if self.unit and not self.group else self.head
        return name + f" {self.better}" if self.better else name

    @property
    def full_head(self) -> str:
        """The heading in one line, for formats without grouped headings."""
        if self.long:
            return self.long + signs(self.notes)
        head = self.head + f" ({self.unit})" if self.unit and not self.group else self.head
        head = head + f" {self.better}" if self.better else head
        return (self.group + ": " + head if self.group else head) + self.note


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a table: a label, a number or a mark.

    label: the text of a label. value: what a label stands for, or the number, unrounded and in base units (bytes,
    seconds, the metric as logged); None where there is none. number: how the value is printed, and the deviation behind
    ±; of a label that is a count too. mark: what stands instead of a number that is not there: missing, failed, …
    span: over how many rows it stands (0 = covered from above). deviation: what is behind ±, like `value`. bounds: the
    least and the largest of the seeds. notes: marks behind the number. runs: the cells that it comes from.
    """

    label: str = ""
    value: Any = None
    number: Number | None = None
    mark: Mark | None = None
    span: int = 1
    deviation: float | None = None
    bounds: tuple[float, float] | None = None
    emphasis: Emphasis = ""
    notes: tuple[Mark, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The label, the number without ±, or the sign of the mark."""
        if self.mark:
            return self.mark.sign
        return self.number.text if self.number else self.label

    @property
    def spread(self) -> str:
        """The number behind ±, nothing where there is none."""
        return self.number.spread_text if self.number and not self.mark else ""

    @property
    def note(self) -> str:
        """The signs behind the number."""
        return signs(self.notes)

    @property
    def without_notes(self) -> str:
        """The entry in one line, without emphasis and what stands behind it: ``91.2 ± 0.4``."""
        return self.text + (f" ± {self.spread}" if self.spread else "")

    @property
    def full(self) -> str:
        """All of it in one line, without emphasis: ``91.2 ± 0.4†``."""
        return self.without_notes + self.note


@dataclass(frozen=True)
class Row:
    """A row; `rule` is the column from which a line separates it from the row above, None for no line.

    `seeds` is over how many its numbers are, None where they are of single runs. `no_effect` are the options that
    changed nothing in it, or in one of its lines. `cited` are the sources of a row of others. `section` is a heading
    over it and the rows below. `is_ours` says that it is of the author's own method.
    """

    entries: tuple[Entry, ...]
    rule: int | None = None
    seeds: int | None = None
    no_effect: str = ""
    cited: tuple[str, ...] = ()
    section: str = ""
    is_ours: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading over the columns `first` to `last`, counted from 1."""

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class Note:
    """What a sign in the table means; `status` is the state of the runs that it stands for, if it is one of these."""

    mark: str
    meaning: str
    status: Status | None = None


@dataclass(frozen=True, repr=False)
class Table:
    """All that a template needs, and its text in each format.

    `label` names the table, `template` is the stem of its templates.

    In LaTeX it stands on its `page`, in the widths of its `venue`, and floats to where `floats_to` says, as ``!t``.

    `reading` are sentences that say how to read it, `to_do` commands that would compute what is missing, `provenance`
    lines for a comment in the file. `own_caption` stands instead of title and what is counted. With `has_legend` it
    is said what bold means. `whole` is the table with the columns that left as they are the same in all rows, None
    where none did. `best` says what is emphasised, `spread` what raw numbers behind ± are called (``total_std``). Its
    text names no folder, machine or user, unless it `tells_all`.
    """

    label: str
    title: str
    counted: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    reading: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    to_do: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()
    template: str = "table"
    page: Page = "auto"
    venue: str = "any"
    floats_to: str = ""
    own_caption: str = ""
    has_legend: bool = True
    whole: "Table | None" = None
    best: str = "best of its group"
    spread: str = "std"
    tells_all: bool = False

    @property
    def caption(self) -> str:
        """The title and what is counted, or what its author wrote instead."""
        if self.own_caption:
            return self.own_caption
        return self.title + (": " if self.title and self.counted else "") + self.counted

    @property
    def headings(self) -> list[Heading]:
        """The upper line of the head; neighbours of one group share a heading."""
        found: list[Heading] = []
        for number, column in enumerate(self.columns, start=1):
            if found and column.group and found[-1].text == column.top:
                found[-1] = Heading(column.top, found[-1].first, number)
            else:
                found.append(Heading(column.top, number, number))
        return found

    def without(self, gone: Collection[int]) -> "Table":
        """Return the table without some columns, counted from 0; this one is the `whole` of it."""
        if not gone:
            return self
        kept = [number for number in range(len(self.columns)) if number not in gone]
        rows = [
            replace(
                row,
                entries=tuple(row.entries[number] for number in kept),
                rule=row.rule and sum(number < row.rule for number in kept),
            )
            for row in self.rows
        ]
        return replace(self, columns=tuple(self.columns[n] for n in kept), rows=tuple(rows), whole=self)

    def column(self, number: int) -> Iterator[Entry]:
        """Yield the entries of one column, from the top; counted from 0."""
        return (row.entries[number] for row in self.rows)

    def beside(self, number: int) -> dict[str, list[float | None]]:
        """Return what raw numbers of a column have beside them, by the end of its name: ±, least and largest."""
        entries = [*self.column(number)]
        deviations = {self.spread: [entry.deviation for entry in entries]}
        bounds = {
            name: [entry.bounds[which] if entry.bounds else None for entry in entries]
            for which, name in enumerate(("min", "max"))
        }
        return {
            name: values for name, values in (deviations | bounds).items() if any(value is not None for value in values)
        }

    def to_text(self) -> str:
        """Return the table as plain text, aligned with blanks, numbers with their unit and digits."""
        return self._rendered("text")

    def to_markdown(self) -> str:
        """Return the table as a pipe table with its notes, as GitHub renders them."""
        return self._rendered("markdown")

    def to_latex(self, *, standalone: bool = False) -> str:
        """Return the table for a paper (booktabs, siunitx), or with `standalone` a document that can be compiled."""
        return self._rendered("latex", standalone=standalone)

    def to_html(self, *, standalone: bool = False) -> str:
        """Return the table as an element, or with `standalone` as a page."""
        return self._rendered("html", standalone=standalone)

    def to_csv(self) -> str:
        """Return the raw numbers, unrounded and in base units (bytes, seconds, metrics as logged)."""
        return self._rendered("csv")

    def to_frame(self) -> "pd.DataFrame":
        """Return the raw numbers, typed and in base units, a row per row of the table; what is missing is NA.

        Columns are named as in CSV, as ``total_payload_bytes``; one of means over seeds has ``total_payload_bytes_std``
        behind it. The last, ``marks``, says what stands where numbers are missing: ``failed``, or by column
        ``ratio: n/a``.
        """
        from fscost.tables.table_frame import frame_of

        return frame_of(self)

    def save(self, path: "str | PathLike[str]", *, standalone: bool = False) -> Path:
        """Write the table in the format that the file's suffix names (.tex, .md, .html, .csv, .txt); return the path.

        Raises TableError for another suffix, StoreError where the file cannot be written.
        """
        from fscost.tables.render import save

        return save(self, Path(path), standalone=standalone)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def _rendered(self, format: str, *, standalone: bool = False) -> str:
        from fscost.tables.render import render  # which needs to know what a table is

        return render(self, format, standalone=standalone)
