"""Write a figure as PDF, PNG, SVG and PGF, its numbers as CSV: the same bytes for the same numbers, on any machine."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from shutil import which
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from fscost.cells.cell import AXES
from fscost.errors import StoreError, TableError
from fscost.outputs import output
from fscost.plots import bar_figures, line_figures
from fscost.plots.figure_view import Sketch
from fscost.plots.style import RC, WIDTHS_IN, Page, for_latex, printable
from fscost.printable import in_one_line
from fscost.tables.formats.tex_escape import comment

_SUFFIXES = (".pdf", ".png", ".svg", ".pgf", ".csv")

_DRAWN = line_figures.DRAWN | bar_figures.DRAWN
_EXACT = 2**53


def width_of(setting: str | float) -> float:
    """Return the width of a figure: ``column``, ``page``, or a number of inches; raises TableError for another."""
    text = str(setting)
    if text in WIDTHS_IN:
        return WIDTHS_IN[text]
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not 2 <= float(text) <= 20:
        raise TableError(f"--width {text}: must be column, page or a number of inches from 2 to 20")
    return float(text)


def page_of(width: str | float, *, from_zero: bool = False, at_ends: bool = False) -> Page:
    """Return what a figure is drawn for, with the fonts of PDF and PNG; raises TableError for a width."""
    return Page(width_of(width), printable, from_zero=from_zero, at_ends=at_ends)


@dataclass(frozen=True, repr=False)
class Plot:
    """A figure, ready to be drawn; it is shown in notebooks.

    kind: which figure it is. name: what its files are called. provenance: lines that go into the files. page: what it
    is drawn for. places: what values that are places are called in CSV.
    """

    kind: str
    sketch: Sketch
    name: str
    provenance: Sequence[str]
    page: Page
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def caption(self) -> str:
        """What is drawn, in sentences."""
        return "\n".join(self.sketch.caption)

    @property
    def untold(self) -> list[str]:
        """What is not drawn, or not all of it, in words."""
        left = line_figures.left_out(self.sketch, self.page) if self.kind in line_figures.DRAWN else []
        more = f"{', '.join(left)}: only as grey lines, as no more panels fit on a page; see the CSV"
        return [*self.sketch.untold, *[more] * bool(left)]

    @property
    def figure(self) -> Figure:
        """Matplotlib's figure, to be changed or put elsewhere; pyplot does not know it."""
        with _own_style():
            return _DRAWN[self.kind](self.sketch, self.page)

    def to_csv(self) -> str:
        """Return all numbers that are drawn, in base units; a row without numbers says why."""
        return table(self.sketch, self.places)

    def to_frame(self) -> pd.DataFrame:
        """Return all numbers that are drawn, typed and in base units: the rows of `to_csv`, NA where there is none."""
        return pd.read_csv(io.StringIO(self.to_csv()), dtype_backend="numpy_nullable")

    def save(self, folder: "str | PathLike[str]" = ".", *, pgf: bool = False, svg: bool = False) -> list[Path]:
        """Write PDF, PNG and CSV, and PGF or SVG if asked, into a folder; return the paths.

        Raises TableError for a name of a file, and for PGF without LaTeX, which measures its text, and StoreError for
        a folder that cannot be written.
        """
        if Path(folder).suffix in _SUFFIXES and not Path(folder).is_dir():
            raise TableError(f"out={folder}: a figure is several files, in a folder; name that, as out=figures")
        if pgf and not which("pdflatex"):
            raise TableError("--pgf: needs pdflatex, which measures the text; install it or leave --pgf out")
        made = {".csv": self.to_csv().encode(errors="replace")}
        with _own_style():
            made |= self._drawn(pgf=pgf, svg=svg)
        stem = Path(folder) / self.name
        try:
            stem.parent.mkdir(parents=True, exist_ok=True)
            return [_write(stem.with_name(stem.name + suffix), content) for suffix, content in made.items()]
        except OSError as error:
            raise StoreError(
                f"out={stem.parent}: cannot be written: {error.strerror}; choose another folder"
            ) from error

    def _drawn(self, *, pgf: bool, svg: bool) -> dict[str, bytes]:
        drawn, about = _DRAWN[self.kind](self.sketch, self.page), "\n".join(self.provenance)
        made = {
            ".pdf": _saved(drawn, "pdf", metadata={"Subject": about, "CreationDate": None}),
            ".png": _saved(drawn, "png", metadata={"Description": about, "Software": None}),
        }
        if svg:
            made[".svg"] = _saved(drawn, "svg", metadata={"Description": about, "Date": None})
        if pgf:
            head = "".join(f"% {comment(line)}\n" for line in self.provenance)
            page = replace(self.page, text=for_latex)
            made[".pgf"] = head.encode() + _measured(_DRAWN[self.kind](self.sketch, page))
        return made

    def __repr__(self) -> str:
        return "\n".join([f"figure {self.kind}: {self.caption}", *(f"not drawn: {line}" for line in self.untold)])

    def _repr_png_(self) -> bytes:
        with _own_style():
            return _saved(self.figure, "png")


@contextmanager
def _own_style() -> Iterator[None]:
    """Draw as papers have it, whatever style a user has, and leave that as it was."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault | RC):
        yield


def _saved(figure: Figure, format: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=format, **settings)
    return file.getvalue()


def _measured(figure: Figure) -> bytes:
    """Return a figure as PGF; raises TableError where LaTeX cannot measure a name, as with commands of a document."""
    try:
        return _saved(figure, "pgf")
    except ValueError as error:
        told = next((line[2:] for line in str(error).splitlines() if line.startswith("! ")), "an error")
        raise TableError(
            f"--pgf: LaTeX, which measures names, cannot read one of them: {told.rstrip('.')}; "
            "it knows no command of your document: give labels in those of LaTeX, or leave --pgf out"
        ) from error


def _write(path: Path, content: bytes) -> Path:
    with output(path) as file:
        file.write(content)
    return path


def table(sketch: Sketch, places: Mapping[str, str] | None = None) -> str:
    """Return all numbers that are drawn as CSV, in base units; a row without numbers says why.

    Values that are `places` are called as these say.
    """
    axes = [axis for axis in AXES if axis != "seed"]
    axes += [key for key in sketch.parts[0].line.axes if key not in axes]
    numbers = dict.fromkeys(name for record in sketch.records for name in record)
    file = io.StringIO(newline="")
    useless = ["no_effect"] if any(part.line.no_effect for part in sketch.parts) else []
    names = [*axes, *numbers, "seeds", "status", *useless, "cells"]
    writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for part in sketch.parts:
        run = part.line.runs[0]
        own = {axis: part.line.axes.get(axis, run.get(axis)) for axis in axes}
        named = {axis: (places or {}).get(str(value), value) for axis, value in own.items()}
        named |= {
            "seeds": len(part.line.runs),
            "status": part.mark or part.line.status,
            "no_effect": "; ".join(part.line.no_effect),
            "cells": " ".join(part.line.ids),
        }
        named = {name: in_one_line(own) if isinstance(own, str) else own for name, own in named.items()}
        writer.writerows(named | {name: _number(record[name]) for name in record} for record in part.records or [{}])
    return file.getvalue()


def _number(value: Any) -> Any:
    """Return whole bytes without decimals."""
    return int(value) if isinstance(value, float) and abs(value) <= _EXACT and value.is_integer() else value
