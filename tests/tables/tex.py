"""LaTeX as it is installed: documents are compiled, and what the log says of them is told."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ENGINES = [
    pytest.param(engine, marks=pytest.mark.skipif(shutil.which(engine) is None, reason=f"{engine} is not installed"))
    for engine in ("pdflatex", "lualatex")
]
NEEDS_PDFLATEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")

NEEDS_PDFTOTEXT = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")


_MOST_RUNS = 3


@dataclass(frozen=True)
class Compiled:
    """A document that was compiled: its pages, the widths in pt by which lines stick out, and the log."""

    pdf: Path
    pages: int
    overfull_pt: list[float]
    log: str


def compiled(document: str, folder: Path, engine: str = "pdflatex") -> Compiled:
    """Compile a document, again where tables over pages find their widths; fails if that stops, prints a wrong
    character or leaves one out.
    """
    source = folder / "page.tex"
    source.write_text(document, encoding="utf-8")
    for _ in range(_MOST_RUNS):
        done = subprocess.run(
            [engine, "-interaction=nonstopmode", "-halt-on-error", source.name],
            cwd=folder, capture_output=True, env={**os.environ, "max_print_line": "1000"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        log = source.with_suffix(".log").read_text(errors="replace")
        if "Table widths have changed" not in log and "Overfull" not in log:  # notes have no width in the first run
            break
    assert "Missing character" not in log
    written = re.search(r"Output written on page\.pdf \((\d+) page", log)
    assert written, log[-2000:]
    overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    return Compiled(source.with_suffix(".pdf"), int(written[1]), overfull, log)


def text_of(pdf: Path) -> str:
    """Return the text of a document as pdftotext finds it."""
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True).stdout


def right_edges_pt(pdf: Path, word: str) -> list[float]:
    """Return where each occurrence of a word ends on its line, in pt."""
    found = subprocess.run(["pdftotext", "-bbox", pdf, "-"], capture_output=True, text=True, check=True).stdout
    return [float(right) for right in re.findall(rf'xMax="([\d.]+)" yMax="[\d.]+">{re.escape(word)}<', found)]
