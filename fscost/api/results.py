"""What selected runs come to: frames, tables, figures, and what a report is about."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fscost.api.selection import Selection
from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.collect import Frames, gather, no_garbage_collection
from fscost.errors import TableError, nearest
from fscost.extras import check_extra
from fscost.outputs import write_output
from fscost.privacy import names_of_places, private
from fscost.store.ledger_file import LedgerFile
from fscost.store.run import Run
from fscost.tables import Table, TableSpec
from fscost.tables.audit import audit
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.footnotes import with_own_words
from fscost.tables.lines import records_of
from fscost.tables.option_values import options_of, own_spellings, shared_adapter, varying_options
from fscost.tables.origins import explain, heading, trace
from fscost.tables.provenance import provenance
from fscost.tables.published import published

if TYPE_CHECKING:
    from fscost.plots import Sketch
    from fscost.plots.draw import Plot
    from fscost.report import Subject

Row = dict[str, Any]


@dataclass(frozen=True)
class Explained:
    """Where the numbers of one cell come from: in `lines`, and in a table what each worker sent beside what was logged.

    A cell that is not done has a `heading` alone.
    """

    heading: Sequence[str]
    lines: Sequence[str] = ()
    workers: Table | None = None

    def __str__(self) -> str:
        table = [self.workers.to_text()] if self.workers else []
        return "\n".join([*self.heading, *self.lines, *table])


class Explanation(tuple[Explained, ...]):
    """Where the numbers of cells come from, cell by cell; as text, all of it."""

    def __str__(self) -> str:
        return "\n\n".join(map(str, self))

    __repr__ = __str__


class Results:
    """The results of a selection, collected once, when they are first asked for."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection

    @cached_property
    def frames(self) -> Frames:
        """What was collected from the runs."""
        return gather(self.selection.runs, self._derive)

    @cached_property
    def spec(self) -> TableSpec:
        """What tables show."""
        return self._spec.with_spellings(self._places)

    @cached_property
    def _places(self) -> dict[str, str]:
        """What values and sweeps that are called by a place are called unless all is told."""
        if self._spec.tells_all:
            return {}
        values = (str(value) for own in self.compared.extra.values() for value in own.values())
        return names_of_places([*values, *(name for own in self._sweeps.values() for name in own)])

    @cached_property
    def _spec(self) -> TableSpec:
        plan = self.selection.plan
        spec = TableSpec.from_config(plan.table, plan.network)
        cells = [cell for cell, _ in self.selection.runs if cell is not None]
        spec.check_options(cells)
        spec = spec.with_spellings(own_spellings(cells))
        if self.selection.folders and spec.order == "named":  # a folder names nothing in any order
            return replace(spec, order="sorted")
        return spec

    @cached_property
    def extra(self) -> dict[str, dict[str, Any]]:
        """Options that vary beyond the axes, or were asked for, by cell."""
        return options_of(self._cells, self._spec.options) | varying_options(self._cells)

    @cached_property
    def compared(self) -> Comparison:
        """What tables and figures compare."""
        return self._compared(self.frames)

    def _compared(self, frames: Frames) -> Comparison:
        cells = self._cells_in(frames)
        extra = options_of(cells, self._spec.options) | varying_options(cells)
        return Comparison(
            frames.cells,
            frames.rounds,
            frames.workers,
            lambda: frames.messages,
            extra,
            self._sweeps,
            shared_adapter(cells),
        )

    @cached_property
    def _sweeps(self) -> dict[str, Sequence[str]]:
        """The names of the sweeps that each cell of the frames is in."""
        cells = self.frames.cells["cell"]
        of_path = {run.path: cell for cell, (_, run) in zip(cells, self.selection.runs, strict=True)}
        return {of_path[path]: names for path, names in self.selection.sweeps.items()}

    @cached_property
    def to_do(self) -> list[str]:
        """The commands that would compute what is not done."""
        return self.selection.to_do(self.frames)

    def table(self) -> Table:
        """Return the table of the selection's settings; raises TableError."""
        return self.tables_of(self.frames, to_do=self.to_do, command=self.selection.command)(self.spec)

    def traced(self) -> list[str]:
        """Return for each number of the table in a line of text which runs it comes from."""
        cells = self.frames.cells["cell"]
        paths = {cell: run.path for (_, run), cell in zip(self.selection.runs, cells, strict=True)}
        return [*trace(self.table(), paths)]

    def sketch(self, figure: str, over: str | None = None) -> "Sketch":
        """Return what a figure shows, `over` one of what its x axis can be."""
        from fscost import plots

        return plots.sketch(figure, self.compared, self.spec, over=over)

    def plot(
        self,
        figure: str,
        width: str | float,
        *,
        over: str | None = None,
        from_zero: bool = False,
        at_ends: bool = False,
    ) -> "Plot":
        """Return a figure, ready to be drawn; raises TableError, and ConfigError where matplotlib is not installed."""
        check_extra("figures", f"plot {figure}")
        from fscost import plots
        from fscost.plots.draw import Plot, page_of  # here: matplotlib takes longer to import than a table to make

        page, plan = page_of(width, from_zero=from_zero, at_ends=at_ends), self.selection.plan
        sketch = self.sketch(figure, over)
        other = [over] if over and over != plots.FIGURES[figure].over[0] else []
        name = "_".join([*[plan.name] * (plan.name != plan.table["name"]), figure, *other])
        command = self.selection.command_of("plot", figure, *(f"--over={word}" for word in other))
        told = [*provenance(records_of(self.frames.cells), command)]
        told = told if self.spec.tells_all else [*map(private, told)]
        return Plot(figure, sketch, name, told, page, self._places)

    def subject(self, figures: Sequence[str] | None = None) -> "Subject":
        """Return what a report is about, with all `figures` or those of one's choice; raises TableError for others."""
        from fscost.plots import FIGURES
        from fscost.report import Subject  # here, as above: no table needs a template of a page

        for figure in figures or ():
            if figure not in FIGURES:
                known = f"there are {', '.join(FIGURES)}"
                raise TableError(f"--figures {figure}: there is no such figure{nearest(figure, FIGURES)}; {known}")
        return Subject(
            figures=[*FIGURES] if figures is None else [*dict.fromkeys(figures)],
            name=self.selection.plan.name,
            runs=self.selection.runs,
            frames=self.frames,
            spec=replace(self.spec, sections=None, transpose=False, above="axis"),  # its table can be sorted instead
            extra=self.extra,
            compared=self.compared,
            table_of=self.tables_of(self.frames),
            commands=self.selection.commands(self.frames),
            to_do=self.to_do,
            command=self.selection.command_of("report"),
        )

    def write_report(self, out: Path | None, figures: Sequence[str] | None = None) -> Path:
        """Write the page about the runs, beside tables where nothing else is said, and return its path.

        Raises ConfigError where the libraries of the page are not installed.
        """
        check_extra("report", "report")
        from fscost.report import content, page

        subject = self.subject(figures)
        path = out or self.selection.plan.out / f"{subject.name}_report.html"
        with no_garbage_collection():  # which would be an eighth of the time
            write_output(path, page(subject, content(subject)))
        return path

    def explained(self) -> Iterator[Explained]:
        """Yield for each cell where its numbers come from."""
        rows = self.frames.cells.to_dict("records")
        for (_, run), row in zip(self.selection.runs, rows, strict=True):
            yield self._explained(run, row)

    def _explained(self, run: Run, row: Mapping[Any, Any]) -> Explained:
        if row["status"] != Status.DONE:
            return Explained([*heading(row)])
        own = self.frames.of(row["cell"])
        messages, workers = (rows.get(row["cell"], ()) for rows in (self.compared.messages, self.compared.workers))
        lines = [*(f"warning: {warning}" for warning in run.warnings()), *explain(messages, workers)]
        make = self.tables_of(own, to_do=self.selection.to_do(own), command=self.selection.command)
        return Explained([*heading(row)], lines, make(replace(self.spec, only={})) if workers else None)

    @cached_property
    def _cells(self) -> list[Cell]:
        return self._cells_in(self.frames)

    def _cells_in(self, frames: Frames) -> list[Cell]:
        """Return the cells that frames have."""
        ids = {*frames.cells["id"]}
        return [cell for cell, _ in self.selection.runs if cell is not None and cell.id in ids]

    def tables_of(
        self, frames: Frames, *, to_do: Sequence[str] = (), command: str = ""
    ) -> Callable[[TableSpec], Table]:
        """Return what makes tables of frames; without a command they do not tell how they were made."""
        cells, label = self._cells_in(frames), self.selection.plan.name
        compared = self.compared if frames is self.frames else self._compared(frames)

        def table_of(spec: TableSpec) -> Table:
            return with_own_words(_table_of(spec), spec)

        def _table_of(spec: TableSpec) -> Table:
            shared: dict[str, Any] = {"label": label, "to_do": to_do, "command": command}
            if spec.layout == "published":
                return published(frames.cells, cells, spec, **shared)
            if spec.layout == "audit":
                rows = self.compared.workers, self.compared.messages  # of all cells: those of `frames` are looked up
                return audit(frames.cells, *rows, spec, extra=compared.extra, **shared)
            return build(compared, spec, **shared)

        return table_of

    def _derive(
        self, cell: Cell, releases: Sequence[str], workers: Sequence[Row], evaluations: Sequence[Row]
    ) -> LedgerFile:
        """Make the ledger of a run that nobody metered, with what the selection tells of it."""
        from fscost.engine.estimate.derived_ledger import derive

        told = [self.selection.release] if self.selection.release else releases
        return derive(cell, workers, evaluations, told, self.selection.model)
