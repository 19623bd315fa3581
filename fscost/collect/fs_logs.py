"""FederatedScope's log dialect; the only module that knows it.

``system_metrics.log`` holds a JSON object per worker and two merged lines (sys_avg, sys_std). ``eval_results.log``
holds a Python dict per line, with bare ``nan`` and ``inf``. Since v0.3.0 its rounds count from 0 where clients
evaluate and from 1 where the server does; here a round is always the number of rounds that were trained.
"""

import ast
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fscost.fast_json import loads, loads_lines
from fscost.measure import binary_text
from fscost.metering import first_evaluation_is_round_0
from fscost.vocabulary import leaves

Row = dict[str, Any]
Warn = Callable[[str], None]

_FORMS = ("Results_weighted_avg", "Results_avg", "Results_raw")
"""What a round's metrics are read from, the best first: means over clients by samples, plain means, the server's."""


def read_system_metrics(path: Path, warn: Warn) -> list[Row]:
    """Return one row per worker's line: ``worker`` (0 = server), ``run``, and FederatedScope's keys as they are.

    ``run`` is 1, and more where a worker is there again: a second run was appended to the file, or the server of
    distributed mode wrote twice. Such lines, and those that are no worker's, are told to `warn` with file and line.
    """
    rows: list[Row] = []
    seen: dict[int, int] = {}
    for number, content in _values(path, warn):
        if not isinstance(content, dict) or not str(content.get("id")).isdigit():
            if not isinstance(content, dict) or content.get("id") not in ("sys_avg", "sys_std"):
                warn(f"{path}:{number}: no worker's id, line left out")
            continue
        worker = int(content.pop("id"))
        run = seen[worker] = seen.get(worker, 0) + 1
        if run > 1:
            warn(f"{path}:{number}: worker {worker} is there again, so the file holds more than one run of it")
        rows.append({"worker": worker, "run": run, **content})
    return rows


def read_config(path: Path, warn: Warn) -> dict[str, Any] | None:
    """Return the options of a ``config.yaml`` by dotted name, None where it is none of FederatedScope's."""
    try:
        tree = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        first, *_ = str(error).splitlines() or [""]
        warn(f"{path}: cannot be read: {first}")
        return None
    if not isinstance(tree, dict) or not {"federate", "data", "vertical"} & tree.keys():
        return None
    return dict(leaves(tree))


def merged(rows: list[Row], key: str) -> str | None:
    """Return FederatedScope's sys_avg of a counter: the mean over server and clients, 1024-based, to the character.

    None where a worker is there twice, as FederatedScope then merges nothing, or where the counter is missing.
    """
    values = [float(row[key]) for row in rows if isinstance(row.get(key), _NUMBER)]
    if not values or len(values) < len(rows) or any(row["run"] > 1 for row in rows):
        return None
    return binary_text(float(np.mean(values)))


_NUMBER = (int, float)


def read_eval_results(path: Path, warn: Warn, protocol: str) -> list[Row]:
    """Return one row per evaluation of the global model: ``round`` and the metrics, missing ones as nan.

    `protocol` is the release that wrote them, as they count rounds differently.
    """
    rows = []
    for number, line in _numbered(_text(path, warn).splitlines()):
        if line.startswith(_OF_CLIENT):
            continue  # a client's own evaluation, of which there may be a hundred for one of the server's
        try:
            row = _evaluation(_parse(line), first_evaluation_is_round_0(protocol))
        except _NO_NUMBERS:
            warn(f"{path}:{number}: no Python dict of numbers, line left out")
            continue
        if row is not None:
            rows.append(row)
    return rows


def newest_evaluation(path: Path, protocol: str) -> Row | None:
    """Return the last row that `read_eval_results` would, of a file that is still written; None where there is none.

    Only the end of the file is read, as it may be long and is looked at often. Raises OSError.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for end_bytes in (min(size, _END_BYTES), min(size, _LONGEST_END_BYTES)):
            file.seek(size - end_bytes)
            for line in reversed(file.read(end_bytes).decode(errors="replace").splitlines()):
                with suppress(*_NO_NUMBERS):  # the first may be cut by where reading began, the last half written
                    if row := _evaluation(_parse(line), first_evaluation_is_round_0(protocol)):
                        return row
    return None


_OF_CLIENT = "{'Role': 'Client #"

_NO_NUMBERS = (SyntaxError, ValueError, TypeError, AttributeError)
"""What a line raises that is no Python dict of numbers."""

_END_BYTES, _LONGEST_END_BYTES = 2**15, 2**20
"""How much of a file's end is read: most lines have 1 kB; those of evaluations told client by client have more."""


def _evaluation(content: Row, from_0: bool) -> Row | None:
    """Return a line's round and metrics, None for a line that is not the server's evaluation of one round."""
    form = next((form for form in _FORMS if form in content), None)
    if content.get("Role") != "Server #" or not isinstance(content.get("Round"), int) or form is None:
        return None
    trained = content["Round"] + (from_0 and form != "Results_raw")
    return {"round": trained} | {key: _number(value) for key, value in content[form].items()}


def _values(path: Path, warn: Warn) -> Iterator[tuple[int, Any]]:
    """Yield the JSON of each line with its number; a line that is none is told to `warn` and left out."""
    text = _text(path, warn)
    lines = text.splitlines()
    if (values := loads_lines(text, lines)) is not None:
        yield from enumerate(values, start=1)
        return
    for number, line in _numbered(lines):
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            warn(f"{path}:{number}: no JSON ({error.msg}), line left out")


def _text(path: Path, warn: Warn) -> str:
    """Return a file's text; one that cannot be read is told to `warn` and empty."""
    try:
        return path.read_bytes().decode()  # not read_text: that looks at each line end, which splitlines does too
    except (OSError, UnicodeDecodeError) as error:
        warn(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return ""


def _numbered(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty with their numbers."""
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _parse(line: str) -> Row:
    """Return the dict of a line; ``nan`` becomes None and ``inf`` a number too large for a float.

    Most are JSON once they have its quotes, which is read ten times as fast as Python.
    """
    plain = _INF.sub("1e999", line) if "inf" in line else line
    try:
        content = loads((_NAN.sub("null", plain) if "nan" in plain else plain).replace("'", '"'))
    except json.JSONDecodeError:
        content = ast.literal_eval(_NAN.sub("None", plain))
    if not isinstance(content, dict):
        raise ValueError("no dict")
    return content


_INF, _NAN = (re.compile(rf"(?<![\w'])(?:{word})(?![\w'])") for word in ("inf", "nan"))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
