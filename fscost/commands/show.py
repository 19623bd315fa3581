"""The verbs that show results: frames, tables, figures and pages, printed or written."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fscost.api.reconciling import reconcile
from fscost.api.results import Results
from fscost.api.selection import Selection, names_cells, select
from fscost.cells.cell import Cell
from fscost.cells.outcome import Status, counts_of
from fscost.collect import write_frames
from fscost.extras import check_extra
from fscost.outputs import is_standard_output, write_output
from fscost.printable import clean, plural, say
from fscost.store.run import Run
from fscost.tables import Table
from fscost.tables.formats import FORMATS
from fscost.tables.printed_figure import PrintedFigure
from fscost.tables.render import render


def show_and_write(selection: Selection) -> None:
    """Print the table of a selection, write it in every format with its frames, and print the paths."""
    results = _collected(selection)
    table = results.table()
    _show_table(table)
    print()
    folder, name = selection.plan.out, selection.plan.name
    tables = [table.save(folder / f"{name}{format.suffix}") for format in FORMATS.values()]
    frames = write_frames(results.frames, _frames_folder(selection), tells_all=results.spec.tells_all)
    _tell_written([*tables, *(path for path in frames if path.suffix == ".csv")])


def collect(words: Sequence[str], out: Path | None) -> int:
    """Write the frames of the selected runs and print their paths."""
    results = _collected(select(words))
    _tell_written(
        write_frames(results.frames, out or _frames_folder(results.selection), tells_all=results.spec.tells_all)
    )
    return 0


def check(words: Sequence[str]) -> int:
    """Print which of the selected runs are not as they were written, and what computes them again; 1 if any is not."""
    selection = select(words)
    frames = Results(selection).frames
    states = [*map(Status, frames.cells["status"])]
    runs = zip(selection.runs, states, strict=True)
    corrupt = [_again(selection, cell, run) for (cell, run), status in runs if status is Status.CORRUPT]
    number = plural(len(states), "run")
    total = f"{number}: {counts_of(states)}" if states else number
    _show_lines([*frames.warnings, *(f"to compute it again: {command}" for command in corrupt), total])
    return int(bool(corrupt))


def _again(selection: Selection, cell: Cell | None, run: Run) -> str:
    """Return the command that computes a run again, or where that is to be looked for."""
    if cell is None:
        return f"the command that made {run.path}; its cell cannot be read"
    planned = selection.planned.get(cell.id)
    return planned.command if planned else f"python -m fscost rerun {shlex.quote(str(run.path))}"


def table(
    words: Sequence[str], format: str, template: Path | None, out: Path | None, *, standalone: bool = False
) -> int:
    """Print the table of the selected runs, or write it to `out`."""
    made = _collected(select(words)).table()
    if format == "text" and not (template or out or standalone):
        _show_table(made)
        return 0
    return _show(render(made, format, template, standalone=standalone), out)


def trace_cells(words: Sequence[str], out: Path | None) -> int:
    """Print for each number of the table of the selected runs which of them it comes from, or write it to `out`."""
    lines = _collected(select(words)).traced()
    return _show("".join(f"{clean(line)}\n" for line in lines), out)


def plot(
    words: Sequence[str], figure: str, out: Path | None, drawn: Mapping[str, Any], files: Mapping[str, bool]
) -> int:
    """Draw a figure of the selected runs, write it with its numbers, and print its caption and the paths.

    `drawn` says how it looks, as `Results.plot` takes it, `files` what is written beside PDF and PNG.
    """
    check_extra("figures", f"plot {figure}")
    from fscost.plots.draw import width_of  # here: matplotlib takes longer to import than a table to make

    width_of(drawn["width"])  # refused before anything is read
    results = _collected(select(words))
    made = results.plot(figure, **drawn)
    paths = made.save(out or results.selection.plan.out, **files)
    told = [*(f"not drawn: {line}" for line in made.untold), *(f"to compute it: {line}" for line in results.to_do)]
    for line in told:
        say(line)
    print(made.caption)
    _tell_written(paths)
    return 0


def report(words: Sequence[str], out: Path | None, figures: Sequence[str] | None) -> int:
    """Write one page about the selected runs, with all figures or those that are named, and print its path."""
    check_extra("report", "report")  # before anything is read
    _tell_written([_collected(select(words)).write_report(out, figures)])
    return 0


def serve_report(words: Sequence[str], ports: Sequence[int], figures: Sequence[str] | None) -> int:
    """Serve the page about the selected runs as they are computed, on the first free one of these ports."""
    check_extra("report", "report")
    from fscost.api.watch import Watch
    from fscost.commands.serve import serve  # alone: what shows progress imports what draws on a terminal

    selection = select(words)
    return serve(Watch(selection), lambda: Results(selection.renewed()).subject(figures), ports)


def explain_cells(words: Sequence[str]) -> int:
    """Print for each selected cell where its numbers come from: what was sent, and what FederatedScope logged of it.

    Where none is selected it is the first one of the last sweep, and a line says so.
    """
    if not names_cells(words):
        words = _first_of_last(words)
    for one in _collected(select([*words, "table=audit"])).explained():
        _show_lines(one.heading)
        if one.lines:
            _show_lines([*one.lines, ""])
        if one.workers:
            _show_table(one.workers)
            print()
    return 0


def reconcile_figure(figure: str, words: Sequence[str], steps: int | None) -> int:
    """Print which conventions reproduce a printed figure for the one selected cell; 1 if none does."""
    PrintedFigure.from_text(figure)  # refused before anything is read
    found = reconcile(figure, select(words), steps)
    _show_lines(str(found).splitlines())
    return int(not found.hits)


def _first_of_last(words: Sequence[str]) -> Sequence[str]:
    """Return the words that select the first cell of the last sweep; a line says which, where it has more."""
    cells = select(words).plan.cells
    if len(cells) < 2:
        return words
    say(f"this is the first of the {len(cells)} cells of the last sweep; name others to explain them, as method=fedavg")
    return [*cells[0].overrides, *words]


def _collected(selection: Selection) -> Results:
    """Return the results of a selection; what is odd about them is printed."""
    results = Results(selection)
    for warning in results.frames.warnings:
        say(f"warning: {warning}")
    return results


def _frames_folder(selection: Selection) -> Path:
    return selection.plan.out / f"{selection.plan.name}.frames"


def _show_table(table: Table) -> None:
    """Print a table with all it tells: on a terminal in colour and as wide as that, else in plain text."""
    table = replace(table, tells_all=True)
    if _is_terminal() and table.template == "table":
        from fscost.tables.terminal_table import show

        show(table)
    else:
        print(table.to_text(), end="")


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


def _tell_written(paths: Iterable[Path]) -> None:
    """Print where files were written; on standard error where one of them is what is printed to."""
    for path in paths:
        (say if is_standard_output(path) else print)(f"wrote {path}")


def _show(text: str, out: Path | None) -> int:
    """Print a text, or write it to `out`."""
    if out is None:
        print(text, end="")
    else:
        write_output(out, text)
        _tell_written([out])
    return 0
