"""Cells into engines into the store, and the store into tables: what the verbs do."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from fscost.cell import Cell
from fscost.clean import clean
from fscost.collect import Frames, Run, gather, runs_below, write_frames
from fscost.engine import Engines, EngineSettings, described, identify
from fscost.errors import ConfigError, StoreError, for_each_cell
from fscost.files import write_whole
from fscost.launch import Sweep, Task, launcher, report_for
from fscost.paths import conf
from fscost.plan import Plan, Planned, plan
from fscost.record import Status
from fscost.report import Subject, content, page
from fscost.rundir import RunDir, Store
from fscost.selection import named, remember
from fscost.tables import (
    FORMATS,
    Table,
    TableSpec,
    audit,
    build,
    explain,
    heading,
    options_of,
    provenance,
    published,
    render,
    trace,
    varying_options,
)


@hydra.main(version_base="1.3", config_path=str(conf()), config_name="config")
def hydra_flags(_config: DictConfig) -> None:
    """Answer Hydra's own flags (--help, --cfg job, --info, …); cells never run through here."""


_MOST_TO_DO = 5


@dataclass(frozen=True)
class Selection:
    """The runs that a verb is about, and the plan they come from."""

    runs: tuple[tuple[Cell | None, Run], ...]
    plan: Plan
    planned: dict[str, Planned]
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command that makes the table of these runs again."""
        return self.command_of("table")

    def command_of(self, *verb: str) -> str:
        """Return the command that does something with these runs."""
        return shlex.join(["python", "-m", "fscost", *verb, *self.words])

    def commands(self, frames: Frames) -> dict[str, str]:
        """Return for each cell that `frames` has not done what would compute it; fscost cannot what it did not launch.

        The keys are the names of the cells in `frames`.
        """
        rows = frames.cells.filter(["cell", "status"]).itertuples(index=False, name=None)
        left = {cell for cell, status in rows if status != Status.DONE}
        return {
            cell.id: self.planned[cell.id].command if cell.id in self.planned else f"python -m fscost rerun {run.path}"
            for cell, run in self.runs
            if cell and cell.id in left and isinstance(run, RunDir)
        }

    def to_do(self, frames: Frames) -> list[str]:
        """Return the commands that would compute what is not done; of many cells one for all, which leaves the rest."""
        commands = self.commands(frames)
        if len(commands) > _MOST_TO_DO:
            verb, flags = ([], []) if self.planned else (["rerun"], ["--failed", "--missing"])
            return [shlex.join(["python", "-m", "fscost", *verb, *self.words, *flags])]
        return list(commands.values())


def planned(overrides: Sequence[str]) -> Plan:
    """Expand overrides; every cell is checked by the engine that would run it."""
    made = plan(overrides, identify)
    with Engines() as engines:
        for_each_cell(lambda one: engines.of(one.cell, _settings(one)).check(one.cell), made.cells)
    TableSpec.from_config(made.table, made.network)
    return made


def select(words: Sequence[str]) -> Selection:
    """Return the runs named by overrides, by folders, or, with neither, by the last sweep."""
    overrides, folders = named(words)
    if folders:
        runs = [run for folder in folders for run in runs_below(folder)]
        made = plan(overrides, identify)
        return Selection(tuple(runs), made, {}, (*map(str, folders), *overrides))
    made = planned(overrides)
    store = Store(made.store)
    runs = [(p.cell, store.of(p.cell)) for p in made.cells]
    return Selection(tuple(runs), made, {p.cell.id: p for p in made.cells}, tuple(overrides))


# --- running --------------------------------------------------------------------------------------


def run_sweep(overrides: Sequence[str]) -> int:
    """Run the cells that are not done, then print the table and where it was written; return the exit code."""
    made = planned(overrides)
    store = Store(made.store)
    _open(store)
    _say_engine(made)
    states = [store.status(p.cell) for p in made.cells]
    pending = [p for p, status in zip(made.cells, states, strict=True) if status is not Status.DONE]
    _say(f"{len(made.cells)} cells: {len(made.cells) - len(pending)} done, {len(pending)} to run, store {store.path}")
    remember(store, overrides)
    is_well = run_cells(pending, store, made)
    selection = Selection(
        tuple((p.cell, store.of(p.cell)) for p in made.cells), made, {p.cell.id: p for p in made.cells},
        tuple(overrides),
    )  # fmt: skip
    frames = _frames(selection)
    table = _table_of(selection, frames)
    _show_table(table)
    print()
    for path in write_results(selection, frames, table):
        print(f"wrote {path}")
    return 0 if is_well else 1


def run_cells(cells: Sequence[Planned], store: Store, made: Plan) -> bool:
    """Compute each cell into the store; return whether all of them ended well."""
    if not cells:
        return True
    tasks = [Task(one.cell, _settings(one), one.launcher, store.stamp(one.cell)) for one in cells]
    told = report_for([task.cell for task in tasks], store, _say)
    sweep = Sweep(store, launcher(tasks, store), told, retries=made.retries, fail_fast=made.fail_fast)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's end is like Ctrl-C
    try:
        sweep.run(tasks)
    finally:
        signal.signal(signal.SIGTERM, before)
        if sweep.has_begun:
            told.summary()
    return len(sweep.results) == len(tasks) and not sweep.failures()


def _open(store: Store) -> None:
    """Make the store ready to be written to."""
    store.check_writable()
    store.tidy()


def rerun(words: Sequence[str], *, failed: bool, missing: bool) -> int:
    """Compute the selected cells again, all of them or only those in the given states; return the exit code."""
    selection = select(words)
    runs = [(cell, run) for cell, run in selection.runs if cell is not None and isinstance(run, RunDir)]
    for cell, run in selection.runs:
        if cell is None:
            _say(f"{run.path}: its cell cannot be read; name it by overrides to compute it again")
        elif isinstance(run, RunDir) and run.path.name != cell.name:
            raise ConfigError(f"{run.path}: was renamed; rename it back to {cell.name} to compute it again")
    if failed or missing:
        runs = [(cell, run) for cell, run in runs if _is_wanted(_status(cell, run), failed, missing)]
    if not runs:
        _say("no such cell; nothing was computed")
        return 0
    is_well = True
    for folder in dict.fromkeys(run.path.parent for _, run in runs):
        _open(store := Store(folder))
        cells = [cell for cell, run in runs if run.path.parent == folder]
        here = [selection.planned.get(cell.id) or selection.plan.as_planned(cell) for cell in cells]
        is_well = run_cells(here, store, selection.plan) and is_well
    return 0 if is_well else 1


def _status(cell: Cell | None, run: Run) -> Status:
    """Return how far a cell is, here or anywhere."""
    return run.status() if cell is None or not isinstance(run, RunDir) else Store(run.path.parent).status(cell)


def _is_wanted(status: Status, failed: bool, missing: bool) -> bool:
    if failed and status in (Status.FAILED, Status.TIMEOUT, Status.CORRUPT):
        return True
    return missing and status in (Status.MISSING, Status.INTERRUPTED)


# --- results --------------------------------------------------------------------------------------


def show_plan(words: Sequence[str]) -> int:
    """List the cells with their ids and how far each is; runs nothing."""
    selection = select(words)
    states = [_status(cell, run) for cell, run in selection.runs]
    for status, (cell, run) in zip(states, selection.runs, strict=True):
        print(f"{status:12} {clean(cell.name if cell else str(run.path))}")
    print(", ".join([f"{len(states)} cells", *(f"{states.count(s)} {s}" for s in Status if s in states)]))
    return 0


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
        from fscost.tables.terminal import show

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
    from fscost.plots.write import width_of, write  # here: matplotlib takes longer to import than a table to make

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
        _say(line)
    print("\n".join([*sketch.caption, *(f"wrote {path}" for path in paths)]))
    return 0


def report(words: Sequence[str], out: Path | None) -> int:
    """Write one page about the selected runs and print its path."""
    selection = select(words)
    subject = subject_of(selection)
    _warn(subject.frames)
    path = out or selection.plan.out / f"{subject.name}_report.html"
    _write(path, page(subject, content(subject)))
    print(f"wrote {path}")
    return 0


def serve_report(words: Sequence[str], ports: Sequence[int]) -> int:
    """Serve the page about the selected runs as they are computed, on the first free one of these ports."""
    from fscost.serve import serve  # alone: what shows progress imports what draws on a terminal
    from fscost.status.look import Selection as Watched

    selection = select(words)

    def subject() -> Subject:
        return subject_of(selection if selection.planned else select(selection.words))  # a folder may have others now

    return serve(Watched(selection.words), subject, ports)


def explain_cells(words: Sequence[str]) -> int:
    """Print for each selected cell where its numbers come from: what was sent, and what FederatedScope logged of it."""
    selection = select([*words, "table=audit"])
    frames = _frames(selection)
    for (_, run), row in zip(selection.runs, frames.cells.to_dict("records"), strict=True):
        _show_lines(heading(row))
        if row["status"] == Status.DONE:
            told = run.read_outcome().get("warnings", ()) if isinstance(run, RunDir) else ()
            own = frames.of(row["cell"])
            _show_lines([*(f"warning: {warning}" for warning in told), *explain(own.messages, own.workers), ""])
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
    frames = gather(selection.runs)
    _warn(frames)
    return frames


def _warn(frames: Frames) -> None:
    for warning in frames.warnings:
        _say(f"warning: {warning}")


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


def subject_of(selection: Selection) -> Subject:
    """Return what a report about a selection is about, collected now."""
    frames = gather(selection.runs)
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


def _settings(one: Planned) -> EngineSettings:
    return EngineSettings.from_config(one.engine)


def _say_engine(made: Plan) -> None:
    if made.engine["name"] == "auto":
        _say(f"engine=auto: {described(made.cells[0].cell.engine, EngineSettings.from_config(made.engine))}")


def _say(line: str) -> None:
    print(clean(line), file=sys.stderr, flush=True)
