"""The page: what it shows as JSON values, and all of it in one file."""

import base64
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from jinja2 import Environment

from fscost.cells.measure import MEASURES
from fscost.cells.outcome import Status
from fscost.plots.looks import CLASSES
from fscost.printable import clean
from fscost.privacy import private, without_places
from fscost.protocol.no_effect import WORDS, options_in
from fscost.report.cell_sections import sections
from fscost.report.page_views import TRAFFICS, Subject, figures, tables, units_of
from fscost.resources import templates
from fscost.tables.formats.tex_escape import escape
from fscost.tables.lines import is_unknown, plain, records_of
from fscost.tables.marks import UNKNOWN
from fscost.tables.numbers import printed, whole
from fscost.tables.option_values import Given, given, number_of
from fscost.tables.provenance import provenance
from fscost.tables.render import environment


@dataclass(frozen=True)
class Live:
    """Digests of a page that is served and of its `content`: from them it knows whether it is still the newest."""

    page: str
    content: str


_AXES = ("method", "model", "data", "clients", "rounds", "seed")


def content(subject: Subject) -> dict[str, Any]:
    """Return all that the page shows, as JSON values; texts are plain, and sections of cells HTML.

    No character of a text hides, or turns or breaks what stands beside it.
    """
    section = _environment().get_template("cell.html.j2")
    cells = [cell if subject.spec.tells_all else _anonymous(cell) for cell in sections(subject)]
    shown = {
        "summary": _summary(subject),
        "failures": [
            {key: cell[key] for key in ("id", "name", "status", "reason")}
            for cell in cells
            if cell["status"] not in (Status.DONE, Status.MISSING)
        ],
        "missing": sum(cell["status"] == Status.MISSING for cell in cells),
        "to_do": [*subject.to_do],
        "warnings": subject.frames.warnings,
        "start": {"measure": subject.spec.measure, "traffic": subject.spec.traffic, "unit": subject.spec.unit},
        "tables": tables(subject),
        "figures": figures(subject),
        "shown": [*subject.figures],
        "classes": CLASSES,
        "tex": _tex(),
        "index": _index(subject),
        "cells": {cell["id"]: {"name": cell["name"], "status": cell["status"]} for cell in cells},
        "provenance": [*provenance(records_of(subject.frames.cells), subject.command, subject.frames.rounds)],
    }
    cleaned: dict[str, Any] = _mapped(clean, shown if subject.spec.tells_all else _mapped(without_places, shown))
    for cell in cells:
        cleaned["cells"][cell["id"]]["html"] = section.render(cell=cell)
    return cleaned


def _anonymous(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a section tells without where its run happened and who ran it."""
    host = [value for name, value in cell["facts"] if name == "host"]
    kept = {**cell, "facts": [fact for fact in cell["facts"] if fact[0] != "host"]}
    anonymous: dict[str, Any] = _mapped(lambda text: private(text, host), kept)
    return anonymous


def _tex() -> dict[str, str]:
    """Return what stands in LaTeX for characters that the page copies, other than letters of ASCII and digits.

    They are in the order of their code points, as a page is the same bytes whenever it is made.
    """
    characters = {*map(chr, range(0x21, 0x180)), *map(chr, range(0x370, 0x400)), *"–—‘’“”…†‡•→←↑↓≤≥≈⁻⁰¹²³⁴⁵⁶⁷⁸⁹"}
    found = {character: escape(character) for character in sorted(characters) if character.isprintable()}
    return {character: tex for character, tex in found.items() if tex != character}


def _mapped(form: Callable[[str], str], value: Any) -> Any:
    """Return JSON values with each text in a form."""
    if isinstance(value, str):
        return form(value)
    if isinstance(value, Mapping):
        return {key: _mapped(form, item) for key, item in value.items()}
    return [_mapped(form, item) for item in value] if isinstance(value, list | tuple) else value


def page(subject: Subject, shown: Mapping[str, Any], live: Live | None = None) -> str:
    """Return the page that shows `shown`, the `content` of a subject; whatever it needs is in it.

    With `live` it asks the server that it came from for newer content.
    """
    folder = templates() / "report"
    script = "\n".join((folder / name).read_text() for name in ("report.js", *(["live.js"] if live else [])))
    return _environment().get_template("report.html.j2").render(
        title=subject.spec.title or subject.name,
        summary=shown["summary"],
        measures=MEASURES.values(),
        traffics=TRAFFICS,
        units=units_of(subject),
        start=shown["start"],
        styles=[datatables_style(), (folder / "report.css").read_text()],
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=packed(as_json(shown)),
        datatables=datatables(),
        plotly=plotly(),
        connect="'self' data:" if live else "data:",
        live=live,
    )  # fmt: skip


def as_json(values: Any) -> bytes:
    """Return values as JSON."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _environment() -> Environment:
    return environment("html", templates() / "report")


def _summary(subject: Subject) -> str:
    """Return how many cells are in which state."""
    states = Counter(subject.frames.cells.get("status", ()))
    counts = (f"{whole(states[status])} {status}" for status in Status if states[status])
    number = len(subject.frames.cells)
    return ", ".join([f"{subject.name}: {whole(number)} cell{'' if number == 1 else 's'}", *counts])


def _index(subject: Subject) -> dict[str, Any]:
    """Return the list of cells as a table: what differs between them, how each ended and its main numbers."""
    rows = subject.frames.cells.to_dict("records")
    options = {name: given(values) for name, values in subject.extra.items()}
    varying = [axis for axis in (*_AXES, *subject.extra) if len({str(row.get(axis)) for row in rows}) > 1]
    is_useless = any(options_in(row.get("no_effect")) for row in rows)
    axes = ["method", *varying] if "method" not in varying and (is_useless or not varying) else varying
    return {
        "columns": [
            *(["", axis, axis in ("clients", "rounds", "seed"), False] for axis in axes),
            *(["", head, is_number, is_number] for head, is_number in _ENDS),
        ],
        "rows": [[row["cell"], *_index_row(row, axes, options)] for row in rows],
    }


_ENDS = (("state", False), ("training payload (B)", True), ("wall time (s)", True))


def _index_row(
    row: Mapping[Any, Any], axes: Sequence[str], options: Mapping[str, Mapping[str, Given]]
) -> Iterator[Any]:
    cell = row["id"]
    for axis in axes:
        value = plain(options[axis].get(cell) if axis in options else row.get(axis))
        number = number_of(value)
        words = [WORDS[option] for option in options_in(row.get("no_effect")) if axis == "method"]
        text = f"{value} ({', '.join(words)})" if words else str(value)
        yield UNKNOWN.sign if value is None else text if number is None else [text, number]
    yield str(row["status"])
    sent = [row.get(f"training_{link}_payload_bytes") for link in ("uplink", "downlink", "peer")]
    yield _number(None if any(map(is_unknown, sent)) else sum(sent), 0)
    yield _number(row.get("wall_s"), 2)


def _number(value: Any, decimals: int) -> Any:
    return [UNKNOWN.sign, None, "mark"] if is_unknown(value) else [printed(value, decimals), value]


# --- libraries, out of the Python packages that carry them -----------------------------------------


@cache
def datatables() -> str:
    """Return DataTables, an ES module whose default export is its class, packed."""
    return packed(_file("itables", "itables/html/dt_bundle.js"))


@cache
def datatables_style() -> str:
    """Return DataTables' style sheet."""
    return _file("itables", "itables/html/dt_bundle.css").decode()


@cache
def plotly() -> str:
    """Return Plotly, a script that defines ``Plotly``, packed."""
    return packed(_file("plotly", "plotly/package_data/plotly.min.js"))


def packed(content: bytes) -> str:
    """Return content as text for a page: compressed by gzip, the same for the same content, in base64."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _file(package: str, path: str) -> bytes:
    return Path(str(distribution(package).locate_file(path))).read_bytes()
