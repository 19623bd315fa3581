"""FederatedScope's log dialect; the only module that knows it.

``system_metrics.log`` holds a JSON object per worker and two merged lines (sys_avg, sys_std). ``eval_results.log``
holds a Python dict per line, with bare ``nan`` and ``inf``, and counts rounds from 0 or from 1; here a round is always
the number of rounds that were trained.
"""

import ast
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from fscost.cells.measure import SERVER
from fscost.collect.rounds import FROM_1, Schedule, offset_of, usual_offset
from fscost.files import opened, text_of, why
from fscost.printable import plural
from fscost.protocol.fs_options import leaves
from fscost.store.json_lines import NoJson, loads, loads_lines
from fscost.yaml_text import NoYaml, load

Row = dict[str, Any]
Warn = Callable[[str], None]

_FORMS = ("Results_weighted_avg", "Results_avg", "Results_raw")
"""What a round's metrics are read from, the best first: means over clients by samples, plain means, the server's."""


def read_system_metrics(path: Path, warn: Warn, *, server_twice: bool = False) -> list[Row]:
    """Return one row per worker's line: ``worker`` (0 = server), ``run``, and FederatedScope's keys as they are.

    ``run`` is 1, and more where a worker is there again: a second run was appended to the file. Such lines, and those
    that are no worker's, are warnings with file and line. `server_twice` says that the server writes its line a
    second time, as that of distributed mode does; it is left out.
    """
    lines = _text(path, warn).splitlines()
    if (found := _at_once(lines)) is not None:
        return found
    rows: list[Row] = []
    seen: dict[int, int] = {}
    names = _Names(path, warn)
    for number, content in _line_by_line(lines, path, warn):
        worker = int(content.pop("id"))
        if server_twice and worker == SERVER and seen.get(worker) == 1:
            server_twice = False
            continue
        run = seen[worker] = seen.get(worker, 0) + 1
        if run > 1:
            warn(f"{path}:{number}: worker {worker} is there again, so the file holds more than one run of it")
        rows.append({"worker": worker, "run": run, **names.kept(content, number)})
    return rows


def _at_once(lines: list[str]) -> list[Row] | None:
    """Return the rows of a log as most are; None where a line is odd, a worker there twice, or a name no column's."""
    of_workers = [line for line in lines if not line.startswith(_MERGED)]
    values = loads_lines("\n".join(of_workers), of_workers, "LogLine") or []
    ids = [value.pop("id", None) for value in values]
    if {*map(type, ids)} != {int} or len({*ids}) < len(ids) or min(ids) < 0 or max(ids) >= _MOST_WORKERS:
        return None
    if any(map(_is_no_name, {*chain.from_iterable(values)})):
        return None
    return [{"worker": id, "run": 1, **value} for id, value in zip(ids, values, strict=True)]


_MERGED = '{"id": "sys_'


def _line_by_line(lines: list[str], path: Path, warn: Warn) -> Iterator[tuple[int, Row]]:
    """Yield the lines of workers with their numbers; a line that is none is a warning, unless it merges the others."""
    for number, line in _numbered(lines):
        try:
            content = loads(line)
        except NoJson as error:
            warn(f"{path}:{number}: {error}, line left out")
            continue
        if isinstance(content, dict) and _has_worker(content):
            yield number, dict(_figures(content, f"{path}:{number}", warn))
        elif not isinstance(content, dict) or content.get("id") not in ("sys_avg", "sys_std"):
            warn(f"{path}:{number}: no worker's id, line left out")


def _has_worker(content: Row) -> bool:
    id = content.get("id")
    return 0 <= id < _MOST_WORKERS if type(id) is int else isinstance(id, str) and bool(_WORKER.fullmatch(id))


_COUNTS = ("total_upload_bytes", "total_download_bytes")
_WORKER, _MOST_WORKERS = re.compile(r"[0-9]{1,9}"), 10**9


def _figures(content: Row, where: str, warn: Warn) -> Iterator[tuple[str, Any]]:
    """Yield what is a number, or unknown; whatever stands where bytes are counted is kept, to be told as it is."""
    for name, value in content.items():
        is_count = name in _COUNTS
        if name == "id" or value is None or type(value) is float:
            yield name, value
        elif type(value) is int and abs(value) < _MOST:
            yield name, value if is_count or abs(value) < 2**63 else float(value)
        else:
            warn(f"{where}: {_shown(name)} is {_shown(value)}, which is no number{'' if is_count else '; left out'}")
            yield from [(name, value)] * is_count


def _shown(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:40]


class _Names:
    """Which figures of a file have a name that a column can have; of the others each is told once."""

    def __init__(self, path: Path, warn: Warn) -> None:
        self._path, self._warn = path, warn
        self._good: set[Any] = set()
        self._told: set[Any] = set()

    def kept(self, figures: Row, number: int) -> Row:
        """Return the figures of a line without those whose names are columns of ours, or none."""
        if self._good.issuperset(figures):
            return figures
        for name in figures.keys() - self._good - self._told:
            if _is_no_name(name):
                self._warn(f"{self._path}:{number}: {_shown(str(name))!r} is no name that a figure can have; left out")
                self._told.add(name)
            else:
                self._good.add(name)
        return {name: value for name, value in figures.items() if name in self._good}


def _is_no_name(name: Any) -> bool:
    return not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or bool(_OURS.fullmatch(name))


_LONGEST_NAME = 200

_OURS = re.compile(r"cell|worker|run|round|of|id|(sent|received)_.*|(training|evaluation|control)_[a-z]+_[a-z_]+")
"""What columns of the frames are called that no figure or metric of somebody else's may take."""


def read_config(path: Path, warn: Warn) -> dict[str, Any] | None:
    """Return the options of a ``config.yaml`` by dotted name, None where it is none of FederatedScope's."""
    try:
        tree = load(text_of(path, _MOST_CONFIG_BYTES))
    except OSError as error:
        warn(f"{path}: cannot be read: {why(error)}")
        return None
    except NoYaml as error:
        warn(f"{path}:{error.line}: cannot be read: {error}")
        return None
    if not isinstance(tree, dict) or not {"federate", "data", "vertical"} & tree.keys():
        return None
    return dict(leaves(tree))


_MOST_CONFIG_BYTES = 2**23


def is_count(value: Any) -> bool:
    """Return whether a figure can be a count: a finite whole number of at least 0, as large as frames can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST and value % 1 == 0


def are_counts(values: Iterable[Any]) -> bool:
    """Return whether all figures can be counts; whole numbers are looked at together, as a store has a million."""
    found = [*values]
    if {*map(type, found)} <= {int}:
        return min(found, default=0) >= 0 and max(found, default=0) < _MOST
    return all(map(is_count, found))


_MOST = 10**38


@dataclass(frozen=True)
class Evaluations:
    """The server's evaluations: a row each with ``round``, rounds trained, and the metrics, missing ones as nan.

    `has_final` is whether the line of the best results is there, `behind_final` the round that lines of clients
    behind it name. `is_appended` is whether rounds begin again, as of a second run that was written to the same file.
    """

    rows: list[Row] = field(default_factory=list)
    has_final: bool = False
    behind_final: int | None = None
    is_appended: bool = False

    @property
    def last(self) -> int | None:
        """After how many rounds the last evaluation was."""
        return self.rows[-1]["round"] if self.rows else None


class _Logged(NamedTuple):
    """A line of the server: its round as it is there, whether the server evaluates itself, and the metrics."""

    number: int
    is_own: bool
    metrics: Row


def read_eval_results(path: Path, warn: Warn, schedule: str | Schedule, stopped: Any = None) -> list[Row]:
    """Return the rows of `read_evaluations`; instead of a schedule, the release that wrote them will do."""
    return read_evaluations(path, warn, _known(schedule), stopped).rows


def _known(schedule: str | Schedule) -> Schedule:
    return Schedule(schedule) if isinstance(schedule, str) else schedule


def read_evaluations(path: Path, warn: Warn, schedule: Schedule, stopped: Any = None) -> Evaluations:
    """Return the evaluations of the global model.

    `schedule` is when they were to be, `stopped` the server's ``global_convergence_round``; with the lines themselves
    they show from where rounds are counted. Where that is not known, rounds are as logged, with a warning.
    """
    logged, behind_final, final_at = _lines(path, warn)
    ends = stopped if isinstance(stopped, int) and stopped > 0 else schedule.rounds if final_at is not None else None
    genuine = logged[:final_at] if schedule.repeats else logged
    offsets = {}
    for is_own in dict.fromkeys(line.is_own for line in logged):
        numbers = [line.number for line in genuine if line.is_own == is_own]
        usual = FROM_1 if is_own else usual_offset(schedule.protocol)
        found = offset_of(numbers, schedule, usual, ends) if numbers else usual
        if found is None and numbers:
            warn(f"{path}: {_undecided(numbers, schedule)}; its rounds are shown as logged")
        offsets[is_own] = found or FROM_1
    rows = [{"round": line.number + offsets[line.is_own]} | line.metrics for line in logged]
    for row in rows[len(genuine) :]:
        row["round"] = rows[len(genuine) - 1]["round"] if genuine else row["round"]
    rounds = [row["round"] for row in rows]
    return Evaluations(rows, final_at is not None, behind_final, is_appended=rounds != sorted(rounds))


def _undecided(numbers: Sequence[int], schedule: Schedule) -> str:
    """Return in words what the logged rounds leave open."""
    asked = f"with {plural(schedule.rounds or 'unknown', 'round')} and eval.freq {schedule.freq or 'unknown'}"
    return f"rounds {numbers[0]} to {numbers[-1]} do not tell whether they count from 0 or from 1 {asked}"


def _lines(path: Path, warn: Warn) -> tuple[list[_Logged], int | None, int | None]:
    """Return the server's lines, the round of clients' lines behind the first ``Final``, and how many are before it."""
    logged: list[_Logged] = []
    behind_final = final_at = None
    names = _Names(path, warn)
    for number, line in _numbered(_text(path, warn).splitlines()):
        if line.startswith(_OF_CLIENT):  # a client's own evaluation, of which there may be a hundred
            if final_at is not None and behind_final is None and (named := _ROUND.search(line)):
                behind_final = int(named[1])
            continue
        try:
            content = _parse(line)
            found_line = _evaluation(content)
        except _NO_NUMBERS:
            warn(f"{path}:{number}: no Python dict of numbers, line left out")
            continue
        if found_line is not None:
            metrics = names.kept(found_line.metrics, number)
            logged.append(found_line if metrics is found_line.metrics else found_line._replace(metrics=metrics))
        elif content.get("Round") == "Final" and final_at is None:
            final_at = len(logged)
    return logged, behind_final, final_at


def newest_evaluation(path: Path, schedule: str | Schedule) -> Row | None:
    """Return the last row that `read_eval_results` would, of a file that is still written; None where there is none.

    Only its begin, which shows from where rounds count, and its end are read: it may be long, and is looked at often.
    Raises OSError.
    """
    known = _known(schedule)
    with opened(path) as file:
        first = next(_logged(file.read(_END_BYTES)), None)
        size = file.seek(0, os.SEEK_END)
        for end_bytes in (min(size, _END_BYTES), min(size, _LONGEST_END_BYTES)):
            file.seek(size - end_bytes)
            if newest := next(_logged(file.read(end_bytes), backwards=True), None):
                numbers = [line.number for line in (first, newest) if line and line.is_own == newest.is_own]
                usual = FROM_1 if newest.is_own else usual_offset(known.protocol)
                return {"round": newest.number + (offset_of(numbers, known, usual) or FROM_1)} | newest.metrics
    return None


def _logged(part: bytes, *, backwards: bool = False) -> Iterator[_Logged]:
    """Yield the server's evaluations in a part of a file, whose first and last line may be cut."""
    lines = part.decode(errors="replace").splitlines()
    for line in reversed(lines) if backwards else lines:
        with suppress(*_NO_NUMBERS):
            if logged := _evaluation(_parse(line)):
                yield logged


_OF_CLIENT = "{'Role': 'Client #"
_ROUND = re.compile(r"'Round': (\d{1,15})\b")

_NO_NUMBERS = (SyntaxError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError)
"""What a line raises that is no Python dict of numbers."""

_END_BYTES, _LONGEST_END_BYTES = 2**15, 2**20
"""How much of a file's end is read: most lines have 1 kB; those of evaluations client by client have more."""


def _evaluation(content: Row) -> _Logged | None:
    """Return a line's round and metrics, None for a line that is not the server's evaluation of one round."""
    form = next((form for form in _FORMS if form in content), None)
    number = content.get("Round")
    if content.get("Role") != "Server #" or type(number) is not int or form is None:
        return None
    if abs(number) >= _MOST_ROUNDS:
        raise ValueError("no round")
    metrics = {key: _number(value) for key, value in content[form].items() if _is_number(value)}
    return _Logged(number, form == "Results_raw", metrics)


_MOST_ROUNDS = 10**15


def _text(path: Path, warn: Warn) -> str:
    """Return a file's text; one that cannot be read is a warning, and empty."""
    try:
        return text_of(path)
    except OSError as error:
        warn(f"{path}: cannot be read: {why(error)}")
        return ""


def _numbered(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty with their numbers."""
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _parse(line: str) -> Row:
    """Return the dict of a line; ``nan`` becomes None and ``inf`` a number too large for a float.

    Most are JSON once they have its quotes, which is read ten times as fast as Python.
    """
    plain = _WRAPPED.sub(r"\1", line) if "(" in line else line
    plain = _INF.sub("1e999", plain) if "inf" in plain else plain
    try:
        content = loads((_NAN.sub("null", plain) if "nan" in plain else plain).replace("'", '"'))
    except NoJson:
        content = ast.literal_eval(_NAN.sub("None", plain))
    if not isinstance(content, dict):
        raise ValueError("no dict")
    return content


_INF, _NAN = (re.compile(rf"(?<![\w'])(?:{word})(?![\w'])") for word in ("inf", "nan"))


_WRAPPED = re.compile(r"(?:\b(?:np|numpy|torch)\.)?\b(?:u?int\d*|float\d*|array|tensor)\(([-+.\w]+)(?:, [^()]*)?\)")
"""Numbers as numpy 2 and torch write them, ``np.float64(0.7)`` and ``tensor(0.7, device='cuda:0')``."""


def _is_number(value: Any) -> bool:
    """Return whether a metric is one, and no matrix or report that somebody registered as a metric too."""
    return not isinstance(value, (list, tuple, dict, str, bool))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
