"""Write a table in a format: Jinja2 templates that loop, and escaping that is always on."""

from collections.abc import Iterable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError

from fscost.errors import TableError
from fscost.outputs import write_output
from fscost.resources import templates
from fscost.tables.anonymity import anonymous
from fscost.tables.formats import FORMATS, Format, Raw
from fscost.tables.sandbox import Sandbox, bounded
from fscost.tables.table import Table


def render(table: Table, format: str, template: Path | None = None, *, standalone: bool = False) -> str:
    """Return `table` as text in one of `FORMATS`; `template` replaces the shipped one.

    `standalone` makes a document of its own of it. Raises TableError for a format that has none, and naming the
    template and its line for a template that cannot be rendered.
    """
    made, table = FORMATS[format], anonymous(table)
    if standalone and not made.has_document:
        with_documents = " or ".join(other.name for other in FORMATS.values() if other.has_document)
        raise TableError(f"--standalone: {format} has no documents of its own; use --format {with_documents}")
    if made.write:
        if template:
            raise TableError(f"--template {template}: {format} has no templates; use another --format")
        return made.write(table)
    return _filled(table, made, template, standalone=standalone)


def _filled(table: Table, made: Format, template: Path | None, *, standalone: bool) -> str:
    """Return what a template makes of a table."""
    folder, name = (template.parent, template.name) if template else (templates(), f"{table.template}{made.suffix}.j2")
    context = {**made.context(table), "body": name}
    try:
        page = f"document{made.suffix}.j2" if standalone else name
        with bounded() if template else nullcontext():
            return environment(made.name, folder.resolve()).get_template(page).render(table=table, **context)
    except TemplateNotFound as error:
        raise TableError(f"{folder / name}: no such template; give one with --template FILE") from error
    except TemplateSyntaxError as error:
        raise TableError(f"{folder / name}:{error.lineno}: {error.message}") from error
    except MemoryError as error:
        raise TableError(f"{folder / name}:{_line_of(error, name)}: takes too much memory") from error
    except Exception as error:  # whatever a user's template does is the user's mistake
        known = ", ".join(["table", *context])
        raise TableError(f"{folder / name}:{_line_of(error, name)}: {error}; it has {known}") from error


def format_of(path: Path | None) -> str | None:
    """Return the format that a file or a template is called after, as ``table.tex`` or ``mine.md.j2``, if any."""
    name = path.name.removesuffix(".j2") if path else ""
    return next((format.name for format in FORMATS.values() if name.endswith(format.suffix)), None)


def save(table: Table, path: Path, *, standalone: bool = False) -> Path:
    """Write the table in the format that the file is called after and return its path; raises TableError for none."""
    if (format := format_of(path)) is None:
        suffixes = ", ".join(format.suffix for format in FORMATS.values())
        raise TableError(f"{path}: no format is called so; name a file that ends with {suffixes}")
    write_output(path, render(table, format, standalone=standalone))
    return path


def _line_of(error: Exception, name: str) -> int:
    lines = []
    traceback: TracebackType | None = error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename.endswith(name):
            lines.append(traceback.tb_lineno)
        traceback = traceback.tb_next
    return lines[-1] if lines else 1


@cache  # with what it has compiled; a template that changes in the meantime is read again
def environment(format: str, folder: Path) -> Sandbox:
    """Return an environment whose templates can include, import and extend those beside them and the shipped ones.

    What they print is escaped for one of the formats that have templates.
    """
    made = FORMATS[format]
    environment = Sandbox(
        loader=ChoiceLoader([FileSystemLoader(folder, "utf-8-sig"), FileSystemLoader(templates())]),
        undefined=StrictUndefined,
        finalize=lambda value: (
            value if isinstance(value, Raw) else made.escape(value if isinstance(value, str) else str(value))
        ),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **made.delimiters,
    )
    environment.filters |= {**made.filters, "raw": Raw, "lines": lambda lines: _lines(made, lines)}
    return environment


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)  # str() would take from `Words` what LaTeX prints


def _lines(format: Format, lines: Iterable[str]) -> Raw:
    """Return lines that stay lines, each escaped."""
    return Raw("\n".join(format.escape(str(line)) for line in lines))
