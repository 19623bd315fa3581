"""What is the same in all rows: it is told once, below the table, and its columns leave."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fscost.cells.outcome import Status
from fscost.tables.column import ColumnSpec
from fscost.tables.comparison import Keys
from fscost.tables.headings import of_axis
from fscost.tables.lines import Line, Run, is_unknown, sizes_of
from fscost.tables.numbers import whole
from fscost.tables.quantities import QUANTITIES
from fscost.tables.spec import TableSpec


def leaving(columns: Sequence[ColumnSpec], lines: Sequence[Line], baselines: Sequence[Line | None]) -> list[ColumnSpec]:
    """Return the columns with ``?`` that tell nothing: rounds that were asked for, and ratios where none is compared.

    A table of one line keeps its rounds: nothing is the same there as anywhere else.
    """
    is_compared = any(base is not None and base is not line for line, base in zip(lines, baselines, strict=True))
    is_as_asked = len(lines) > 1 and all(map(_is_as_asked, (run for line in lines for run in line.runs)))
    return [
        column
        for column in columns
        if column.if_varying and (not is_compared if QUANTITIES[column.quantity].relative else is_as_asked)
    ]


def _is_as_asked(run: Run) -> bool:
    """Return whether a run, if it is done, was trained for the rounds that its row or the note tells."""
    asked, trained = run.get("rounds"), run.get("rounds_trained")
    return run["status"] != Status.DONE or (not is_unknown(trained) and trained == asked)


def size_of_all(lines: Sequence[Line], keys: Keys) -> int | None:
    """Return the number of parameters where its column is to leave as all models have it."""
    sizes = sizes_of(lines)
    found = {sizes.get(line.model) for line in lines}
    return found.pop() if "params" in keys.if_varying and len(found) == 1 < len(lines) else None


def constants_of(keys: Keys, lines: Sequence[Line], shown: Collection[str] = ()) -> Mapping[str, Any]:
    """Return what no row tells as it never differs, by its key; `shown` are the quantities that have columns.

    Rounds are those that were trained, and not told where that is not one number.
    """
    found = {key: value for key, value in keys.constant.items() if value is not None}
    if "rounds" in found:
        found |= {"rounds": None if "rounds" in shown else rounds_of(lines)}
    found["params"] = size_of_all(lines, keys)
    return {key: found[key] for key in _ORDER if found.get(key) is not None}


_ORDER = ("method", "model", "params", "data", "clients", "rounds")


def rounds_of(lines: Sequence[Line]) -> int | None:
    """Return for how many rounds all runs that are done were trained, None where that differs or is not known.

    Where none is done it is for how many they are to be.
    """
    runs = [run for line in lines for run in line.runs]
    done = [run.get("rounds_trained") for run in runs if run["status"] == Status.DONE]
    known = done or [run.get("rounds") for run in runs]
    found = {None if value is None or is_unknown(value) else int(value) for value in known}
    return found.pop() if len(found) == 1 else None


def in_words(constants: Mapping[str, Any], spec: TableSpec) -> Iterator[str]:
    """Yield constants as a note tells them: ``model MLP-64``, ``4,958 parameters``, ``8 rounds``."""
    for key, value in constants.items():
        yield f"{whole(value)} parameters" if key == "params" else of_axis(key, value, spec.label(value))
