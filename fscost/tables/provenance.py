"""Where the numbers of a table come from: the command, the engines and a digest of the cells."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fscost import __version__
from fscost.cells.outcome import Status
from fscost.printable import plural
from fscost.tables.lines import Record, is_missing

if TYPE_CHECKING:
    import pandas as pd


def provenance(cells: Sequence[Record], command: str, rounds: "pd.DataFrame | None" = None) -> Iterator[str]:
    """Yield where the numbers come from, for a comment in the file; nothing where no command makes it again."""
    if not command:
        return
    yield f"fscost {__version__}: {command}"
    sources: dict[tuple[Any, Any], list[Record]] = {}
    for cell in cells:
        sources.setdefault((_shown(cell["engine"]), _shown(cell["protocol"])), []).append(cell)
    for (engine, protocol), own in sources.items():
        commits = dict.fromkeys(str(name) for cell in own if not is_missing(name := cell.get("fs_commit")))
        commit = f", commit {', '.join(commits)}" if commits else ""
        done = sum(cell["status"] == Status.DONE for cell in own)
        cells_done = f"{done} of {plural(len(own), 'cell')} done"
        yield f"engine {engine}, message protocol of FederatedScope {protocol}{commit}: {cells_done}"
    yield f"digest of the cells: sha256 {digest(cells, rounds)}"


def _shown(name: Any) -> Any:
    return "nan" if is_missing(name) else name


def digest(cells: Sequence[Record], rounds: "pd.DataFrame | None") -> str:
    """Return the sha256 of the cells' ids, states, totals and metrics: equal for equal results, whenever computed."""
    names = [*cells[0]] if cells else []
    of_cells = {name: [cell[name] for cell in cells] for name in names}
    of_rounds = {} if rounds is None else {str(name): values.tolist() for name, values in rounds.items()}
    lines = [*_results(of_cells), *_results(of_rounds)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _results(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    names = sorted(name for name in columns if name not in _NOT_RESULTS)
    rows = zip(*(_canonicals(columns[name]) for name in names), strict=True)
    return [*names, *sorted(f"[{', '.join(row)}]" for row in rows)]


def _canonicals(values: Sequence[Any]) -> list[str]:
    """Return the texts of a column in quotes; each of its values is written once, as most columns have few."""
    if len(kinds := {*map(type, values)}) > 1 or not kinds <= {int, float, str}:
        return [repr(_canonical(value)) for value in values]
    texts = {value: repr(_canonical(value)) for value in {*values}}
    return [texts[value] for value in values]


def _canonical(value: Any) -> str:
    return "" if is_missing(value) else str(int(value) if _is_whole(value) else value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


_NOT_RESULTS = (
    "wall_s",
    "reason",
    "path",
    "no_effect",
    "framework",
    "id",
    "repeat",
    "sweep",
)  # id and repeat are in ``cell``
