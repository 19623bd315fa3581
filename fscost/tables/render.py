"""Write a table in a format: Jinja2 templates that loop, and escaping that is always on."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from fscost.errors import TableError
from fscost.measure import UNITS
from fscost.paths import templates
from fscost.tables.spec import Column, Entry, Heading, Table

FORMATS = {"latex": ".tex", "markdown": ".md", "text": ".txt", "csv": ".csv"}
"""Format → the suffix of its files and templates."""

_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "[": "{[}", "]": "{]}", "×": r"$\times$", "±": r"$\pm$", "\n": " ",
}  # fmt: skip
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
_TEX |= {
    unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('mbd', 'md')}"): rf"$\{name}$" for name in _GREEK.split()
}
_TEX |= {character: f"$^{digit}$" for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")


class _Raw(str):
    """Text that is already in the format's own syntax."""

    __slots__ = ()


def render(table: Table, format: str, template: Path | None = None) -> str:
    """Return `table` as text in one of `FORMATS`; `template` replaces the shipped one.

    Raises TableError naming the template and its line for a template that cannot be rendered.
    """
    if format == "csv" and template is None:
        return _csv(table)
    suffix = FORMATS[format]
    folder, name = (template.parent, template.name) if template else (templates(), f"{table.layout}{suffix}.j2")
    try:
        found = _environment(suffix, folder).get_template(name)
        widths = _widths(table, grouped=suffix == ".txt")
        return found.render(table=table, widths=widths, headings=_headings(table, widths))
    except TemplateNotFound as error:
        raise TableError(f"{folder / name}: no such template; give one with --template FILE") from error
    except TemplateSyntaxError as error:
        raise TableError(f"{folder / name}:{error.lineno}: {error.message}") from error
    except Exception as error:  # whatever a user's template does is the user's mistake
        raise TableError(f"{folder / name}:{_line_of(error, name)}: {error}; it has table, widths, headings") from error


def _line_of(error: Exception, name: str) -> int:
    lines = []
    traceback = error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename.endswith(name):
            lines.append(traceback.tb_lineno)
        traceback = traceback.tb_next
    return lines[-1] if lines else 1


def _environment(suffix: str, folder: Path) -> SandboxedEnvironment:
    escape = _ESCAPES.get(suffix, str)
    delimiters: dict[str, Any] = {}
    if suffix == ".tex":  # braces and % are LaTeX's own
        delimiters = {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<"}
        delimiters |= {"variable_end_string": ">>", "comment_start_string": "<#", "comment_end_string": "#>"}
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, _Raw) else escape(str(value)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **delimiters,
    )
    environment.filters |= {
        "entry": _entry_in(suffix),
        "label": _label,
        "raw": _Raw,
        "padded": _padded,
        "comment": _comment,
    }
    return environment


def escape_tex(text: str) -> str:
    """Return `text` such that LaTeX prints it as it is."""
    return "".join(_TEX.get(character, character) for character in text)


def escape_markdown(text: str) -> str:
    """Return `text` such that Markdown prints it as it is and it cannot end a table cell."""
    return _MARKDOWN.sub(r"\\\1", text.replace("\n", " "))


_ESCAPES: dict[str, Callable[[str], str]] = {".tex": escape_tex, ".md": escape_markdown}


def _entry_in(suffix: str) -> Callable[[Entry, Column], str]:
    """Return the filter that writes an entry in this format."""

    def tex(entry: Entry, column: Column) -> str:
        if entry.span == 0:
            return _Raw("")
        text = escape_tex(entry.text)
        if entry.span > 1:
            return _Raw(rf"\multirow{{{entry.span}}}{{*}}{{{text}}}")
        if column.tex.startswith("S"):
            return _Raw(f"{{{text}}}" if entry.mark else entry.text)
        return _Raw(text)

    def plain(entry: Entry, column: Column) -> str:
        return entry.text

    return tex if suffix == ".tex" else plain


def _comment(text: str) -> _Raw:
    """Return text for a comment of the format: one line, nothing in it is syntax."""
    return _Raw(re.sub(r"\s+", " ", text).replace("-->", "--&gt;"))


def _label(text: str) -> _Raw:
    """Return text as the name of a LaTeX label, which takes no special characters."""
    return _Raw(re.sub(r"[^A-Za-z0-9:._-]", "-", text))


def _widths(table: Table, grouped: bool) -> list[int]:
    """Return the width of each column in characters, for formats that align with spaces."""
    heads = [column.bottom if grouped else column.full_head for column in table.columns]
    widths = [max(len(head), *(len(row.entries[i].text) for row in table.rows)) for i, head in enumerate(heads)]
    if grouped:
        for heading in table.headings:
            widths[heading.last - 1] += max(0, len(heading.text) - _span_width(heading, widths))
    return widths


def _span_width(heading: Heading, widths: list[int]) -> int:
    return sum(widths[heading.first - 1 : heading.last]) + 2 * (heading.last - heading.first)


def _headings(table: Table, widths: list[int]) -> list[str]:
    """Return the upper line of the head: shared headings centred, others to the right, two spaces between columns."""
    return [
        heading.text.rjust(_span_width(heading, widths))
        if heading.first == heading.last
        else heading.text.center(_span_width(heading, widths))
        for heading in table.headings
    ]


def _padded(text: str, width: int, numeric: bool) -> str:
    return text.rjust(width) if numeric else text.ljust(width)


def _csv(table: Table) -> str:
    """Return the raw numbers, unrounded, in the column's unit; a mark stands where there is no number."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([f"{c.key}_{c.unit}" if c.unit in _CSV_UNITS else c.key for c in table.columns])
    for row in table.rows:
        writer.writerow([entry.text if entry.value is None else _number(entry.value) for entry in row.entries])
    return file.getvalue()


_CSV_UNITS = {*UNITS, "s"}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) and value.is_integer() else value
