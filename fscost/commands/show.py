"""Runs into frames, tables, figures and pages: what the verbs do that compute nothing."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.collect import Frames, gather, write_frames
from fscost.commands.selection import Selection, select
from fscost.engine.estimate.derived_ledger import derive as from_logs
from fscost.errors import StoreError
from fscost.files import write_whole
from fscost.printable import clean, say
from fscost.store.ledger_file import LedgerFile
from fscost.tables import Table, TableSpec
from fscost.tables.audit import audit
from fscost.tables.build import build
from fscost.tables.captions import provenance
from fscost.tables.origins import explain, heading, trace
from fscost.tables.published import published
from fscost.tables.render import FORMATS, render
from fscost.tables.varying_options import options_of, varying_options

if TYPE_CHECKING:
    from fscost.collect import Derive
    from fscost.report import Subject

Row = dict[str, Any]


def show_and_write(selection: Selection) -> None:
    """Print the table of a selection, write it in every format with its frames, and print the paths."""
    frames = _frames(selection)
    table = _table_of(selection, frames)
    _show_table(table)
    print()
    for path in write_results(selection, frames, table):
        print(f"wrote {path}")


def collect(words: Sequence[str], out: Path | None) -> int:
    """Write the frames of the selected runs and print their paths."""
    selection = select(words)
    for path in write_frames(_frames(selection), out or _frames_folder(selection)):
        print(f"wrote {path}")
    return 0


def table(
    words: Sequence[str], format: str, template: Path | None, out: Path | None, *, standalone: bool = False
) -> int:
    """Print the table of the selected runs, or write it to `out`."""
    selection = select(words)
    made = _table_of(selection, _frames(selection))
    if format == "text" and not (template or out or standalone):
        _show_table(made)
        return 0
    return _show(render(made, format, template, standalone=standalone), out)


def trace_cells(words: Sequence[str], out: Path | None) -> int:
    """Print for each number of the table of the selected runs which of them it comes from, or write it to `out`."""
    selection = select(words)
    frames = _frames(selection)
    paths = {cell: run.path for (_, run), cell in zip(selection.runs, frames.cells["cell"], strict=True)}
    return _show("".join(f"{clean(line)}\n" for line in trace(_table_of(selection, frames), paths)), out)


def _show_table(table: Table) -> None:
    """Print a table: on a terminal in colour and as wide as that, else as it is written to files."""
    if _is_terminal() and table.template == "table":
        from fscost.tables.formats.terminal_table import show

        show(table)
    else:
        print(render(table, "text"), end="")


def _show_lines(lines: Iterable[str]) -> None:
    """Print lines that show all their characters; on a terminal in colour, and broken at blanks."""
    cleaned = map(clean, lines)
    if _is_terminal():
        from fscost.terminal import show_lines

        show_lines(cleaned)
    else:
        print("\n".join(cleaned))


def _is_terminal() -> bool:
    """Whether what is printed is read on a terminal and not in a log: only then is rich worth its time."""
    return sys.stdout.isatty() and not os.environ.get("CI")


def _show(text: str, out: Path | None) -> int:
    """Print a text, or write it to `out`."""
    if out is None:
        print(text, end="")
    else:
        _write(out, text)
        print(f"wrote {out}")
    return 0


def plot(words: Sequence[str], figure: str, out: Path | None, width: str, *, pgf: bool) -> int:
    """Draw a figure of the selected runs, write it with its numbers, and print its caption and the paths."""
    from fscost import plots
    from fscost.plots.draw import width_of, write  # here: matplotlib takes longer to import than a table to make

    width_in = width_of(width)
    selection = select(words)
    frames = _frames(selection)
    sketch = plots.sketch(figure, frames, _spec_of(selection), _options_of(selection, frames))
    name = figure if selection.plan.name == selection.plan.table["name"] else f"{selection.plan.name}_{figure}"
    told = [*provenance(frames.cells, selection.command_of("plot", figure))]
    stem = (out or selection.plan.out) / name
    paths = write(sketch, figure, stem, width_in, provenance=told, pgf=pgf)
    for line in [
        *(f"not drawn: {line}" for line in sketch.untold),
        *(f"to compute it: {line}" for line in selection.to_do(frames)),
    ]:
        say(line)
    print("\n".join([*sketch.caption, *(f"wrote {path}" for path in paths)]))
    return 0


def report(words: Sequence[str], out: Path | None) -> int:
    """Write one page about the selected runs and print its path."""
    from fscost.report import content, page  # here, as plot has it: no table needs a template of a page

    selection = select(words)
    subject = subject_of(selection)
    _warn(subject.frames)
    path = out or selection.plan.out / f"{subject.name}_report.html"
    _write(path, page(subject, content(subject)))
    print(f"wrote {path}")
    return 0


def serve_report(words: Sequence[str], ports: Sequence[int]) -> int:
    """Serve the page about the selected runs as they are computed, on the first free one of these ports."""
    from fscost.commands.look import Selection as Watched
    from fscost.commands.serve import serve  # alone: what shows progress imports what draws on a terminal

    selection = select(words)

    def subject() -> "Subject":
        return subject_of(selection if selection.planned else select(selection.words))  # a folder may have others now

    return serve(Watched(selection.words), subject, ports)


def explain_cells(words: Sequence[str]) -> int:
    """Print for each selected cell where its numbers come from: what was sent, and what FederatedScope logged of it."""
    selection = select([*words, "table=audit"])
    frames = _frames(selection)
    for (_, run), row in zip(selection.runs, frames.cells.to_dict("records"), strict=True):
        _show_lines(heading(row))
        if row["status"] == Status.DONE:
            own = frames.of(row["cell"])
            _show_lines(
                [*(f"warning: {warning}" for warning in run.warnings()), *explain(own.messages, own.workers), ""]
            )
            if len(own.workers):
                _show_table(_table_of(selection, own))
                print()
    return 0


def write_results(selection: Selection, frames: Frames, table: Table) -> list[Path]:
    """Write the table in every format and the frames behind it; return the paths."""
    paths = []
    for format, suffix in FORMATS.items():
        path = selection.plan.out / f"{selection.plan.name}{suffix}"
        _write(path, render(table, format))
        paths.append(path)
    return [*paths, *(p for p in write_frames(frames, _frames_folder(selection)) if p.suffix == ".csv")]


def _frames(selection: Selection) -> Frames:
    frames = gather(selection.runs, _derive(selection))
    _warn(frames)
    return frames


def _derive(selection: Selection) -> "Derive":
    """Return what makes the ledgers of runs that nobody metered, with what the selection tells of them."""

    def derive(cell: Cell, releases: Sequence[str], workers: Sequence[Row], evaluations: Sequence[Row]) -> LedgerFile:
        told = [selection.release] if selection.release else releases
        return from_logs(cell, workers, evaluations, told, selection.model)

    return derive


def _warn(frames: Frames) -> None:
    for warning in frames.warnings:
        say(f"warning: {warning}")


def _frames_folder(selection: Selection) -> Path:
    return selection.plan.out / f"{selection.plan.name}.frames"


def _table_of(selection: Selection, frames: Frames) -> Table:
    return _tables_of(selection, frames, selection.to_do(frames), selection.command)(_spec_of(selection))


def _tables_of(
    selection: Selection, frames: Frames, to_do: Sequence[str] = (), command: str = ""
) -> Callable[[TableSpec], Table]:
    """Return what makes the tables of a selection; without a command they do not tell how they were made."""
    cells, label, extra = _cells_of(selection, frames), selection.plan.name, _options_of(selection, frames)

    def table_of(spec: TableSpec) -> Table:
        shared: dict[str, Any] = {"label": label, "to_do": to_do, "command": command}
        if spec.layout == "published":
            return published(frames.cells, cells, spec, **shared)
        if spec.layout == "audit":
            return audit(frames.cells, frames.workers, frames.messages, spec, extra=extra, **shared)
        return build(frames.cells, spec, rounds=frames.rounds, extra=extra, **shared)

    return table_of


def subject_of(selection: Selection) -> "Subject":
    """Return what a report about a selection is about, collected now."""
    from fscost.report import Subject

    frames = gather(selection.runs, _derive(selection))
    return Subject(
        name=selection.plan.name,
        runs=selection.runs,
        frames=frames,
        spec=_spec_of(selection),
        extra=_options_of(selection, frames),
        table_of=_tables_of(selection, frames),
        commands=selection.commands(frames),
        to_do=selection.to_do(frames),
        command=selection.command_of("report"),
    )


def _spec_of(selection: Selection) -> TableSpec:
    spec = TableSpec.from_config(selection.plan.table, selection.plan.network)
    spec.check_options([cell for cell, _ in selection.runs if cell is not None])
    if not selection.planned and spec.order == "named":  # a folder names nothing in any order
        return replace(spec, order="sorted")
    return spec


def _cells_of(selection: Selection, frames: Frames) -> list[Cell]:
    """Return the cells that are told; runs of one cell have its id with a number behind it."""
    told = {str(cell).split("-")[0] for cell in frames.cells.get("cell", ())}
    return [cell for cell, _ in selection.runs if cell is not None and cell.id in told]


def _options_of(selection: Selection, frames: Frames) -> dict[str, dict[str, Any]]:
    cells = _cells_of(selection, frames)
    return options_of(cells, _spec_of(selection).options) | varying_options(cells)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.splitlines())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise StoreError(f"out={path}: cannot be written: {why}; choose another with out=PATH") from error
