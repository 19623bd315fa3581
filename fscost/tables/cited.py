"""Rows of figures that others published, from a CSV or YAML file: what they are told apart by, and their numbers."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fscost.cells.measure import UNITS
from fscost.errors import TableError, nearest
from fscost.files import text_of, why
from fscost.tables.words import Words, as_words
from fscost.yaml_text import NoYaml, load

_NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_VALUE = re.compile(rf"\s*({_NUMBER})\s*(?:(?:±|\+/-|\+-)\s*({_NUMBER}))?\s*(.*?)\s*")
_WITH_UNIT = re.compile(r"(.+?)\s*\(([^()]+)\)")
_NOTHING = ("", "-", "–", "—", "·", "n/a", "NA", "nan", "None", "null", "missing", "failed", "timed out")
_MOST_BYTES = 2**23
_OF_TABLES = ("no_effect", "cited", "marks")
"""Columns of a table's own CSV that are no numbers."""


@dataclass(frozen=True)
class Quoted:
    """A number as it was published, ``40.7 ± 0.2 GB``: `decimals` are the digits behind its point."""

    value: float
    decimals: int
    spread: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class CitedRow:
    """A row of others: its `source`, the keys it is told apart by, and numbers by the names of columns.

    `place` says where it stands, for errors. seeds: over how many its numbers are, None where that is not said.
    """

    place: str
    source: str
    labels: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, Quoted] = field(default_factory=dict)
    seeds: int | None = None


def read_cited(setting: Any, keys: Sequence[str], columns: Sequence[str]) -> list[CitedRow]:
    """Return the rows of a file, or of several in a list.

    `keys` can tell rows apart. `columns` are names that numbers can have, quantities and heads of the layout, besides
    those of a table's own CSV, as ``total_payload_bytes``. Raises
    TableError, with file and line or number of the row, for what is no such row.
    """
    paths = setting if isinstance(setting, list | tuple) else [setting]
    rows = []
    for path in paths:
        if not isinstance(path, str) or not path:
            raise TableError(f"table.cited={path}: must be a CSV or YAML file, or a list of them")
        rows += [_row(place, row, keys, columns) for place, row in _rows(Path(path))]
    return rows


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a file, each with its place."""
    try:
        text = text_of(path, _MOST_BYTES).removeprefix("\ufeff")
        yield from _of_csv(path, text) if path.suffix == ".csv" else _of_yaml(path, text)
    except OSError as error:
        raise TableError(f"table.cited={path}: cannot be read: {why(error)}") from error
    except csv.Error as error:
        raise TableError(f"table.cited={path}: is no CSV: {error}") from error
    except NoYaml as error:
        raise TableError(f"table.cited={path}:{error.line}: is no YAML: {error}") from error


def _of_csv(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",")
    for row in reader:
        if None in row or None in row.values():
            raise TableError(f"{path}:{reader.line_num}: has more or fewer fields than the first line")
        yield f"{path}:{reader.line_num}", row


def _of_yaml(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = load(text)
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise TableError(f"table.cited={path}: must be a list of rows, as - {{source: …, method: …, total: 40.7 GB}}")
    yield from ((f"{path}: row {number}", row) for number, row in enumerate(found, start=1))


def _row(place: str, row: Mapping[str, Any], keys: Sequence[str], columns: Sequence[str]) -> CitedRow:
    given = {str(name).strip(): value for name, value in row.items() if str(value).strip() not in _NOTHING}
    if "source" not in given:
        raise TableError(f"{place}: has no source; say where its numbers are from, as source: Li et al., 2020")
    labels: dict[str, Any] = {}
    numbers: dict[str, Quoted] = {}
    for name, value in given.items():
        if name in keys or name.startswith("fs."):
            labels[name.removeprefix("fs.")] = _label(_text(value, name), f"{place}: {name}")
        elif name not in ("source", "seeds", *_OF_TABLES):
            found = _WITH_UNIT.fullmatch(name)
            head, unit = (found[1], found[2]) if found and found[2] in _UNITS and name not in columns else (name, "")
            if head.removesuffix("_std") not in columns and not any(f"{known}_" in name for known in columns):
                raise TableError(f"{place}: {name}: is no key and no column{nearest(head, [*keys, *columns])}")
            numbers[head] = quoted(value, f"{place}: {name}", unit)
    return CitedRow(place, _source(given["source"]), labels, _with_spreads(numbers), _seeds(given.get("seeds"), place))


_UNITS = {**UNITS, "%": 1, "s": 1, "×": 1, "x": 1}
"""What can stand behind a number."""


def quoted(value: Any, place: str, unit: str = "") -> Quoted:
    """Return a number as it is written, ``91.2 ± 0.4 %`` or ``1,234 kB``; raises TableError for what is none."""
    found = _VALUE.fullmatch(str(value))
    if found is None or isinstance(value, bool) or (found[3] and found[3] not in _UNITS):
        known = f"; units are {', '.join(_UNITS)}{nearest(found[3], _UNITS)}" if found else ""
        raise TableError(f"{place}={value}: must be a number, as 40.7 MB or 91.2 ± 0.4 %{known}")
    mantissa, _, exponent = found[1].lower().partition("e")
    number, spread = (float((text or "0").replace(",", "")) for text in (found[1], found[2]))
    if max(abs(number), spread) >= 1e30 or len(mantissa) > 40 or len(exponent) > 3:
        raise TableError(f"{place}={value}: must be a number of at most 30 digits")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return Quoted(number, decimals, spread if found[2] else None, found[3] or unit)


def _with_spreads(numbers: Mapping[str, Quoted]) -> dict[str, Quoted]:
    """Return the numbers, those that are deviations of others (``NAME_std``, as in CSV) behind them."""
    found = {}
    for name, number in numbers.items():
        if not name.endswith("_std"):
            spread = numbers.get(f"{name}_std")
            found[name] = Quoted(number.value, number.decimals, spread.value if spread else number.spread, number.unit)
    return found


def _source(value: Any) -> str:
    found = _text(value, "source")
    return found if isinstance(found, str) else str(found)


def _text(value: Any, name: str) -> Any:
    """Return a value as it is given; ``{latex: …, text: …}`` are words."""
    return as_words(value, f"cited.{name}") if isinstance(value, Mapping) else value


def _label(value: Any, place: str) -> Any:
    if isinstance(value, list):
        raise TableError(f"{place}={value}: must be text or a number, as 3")
    text = str(value).strip()
    is_count = re.fullmatch(r"\d[\d,]{0,39}", text) and not isinstance(value, (Words, bool))
    return int(text.replace(",", "")) if is_count else value


def _seeds(value: Any, place: str) -> int | None:
    if value is None:
        return None
    if not re.fullmatch("0*[1-9][0-9]{0,8}", str(value)):
        raise TableError(f"{place}: seeds={value}: must be a whole number from 1 to 999,999,999")
    return int(str(value))
