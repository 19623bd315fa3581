"""FederatedScope's log dialect; the only module that knows it.

``system_metrics.log`` holds a JSON object per worker and two merged lines (sys_avg, sys_std). ``eval_results.log``
holds a Python dict per line, with bare ``nan`` and ``inf``. Its rounds count from 0 where clients evaluate and from
1 where the server does; here a round is always the number of rounds that were trained.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Warn = Callable[[str], None]

_FORMS = ("Results_weighted_avg", "Results_avg", "Results_raw")
"""What a round's metrics are read from, the best first: means over clients by samples, plain means, the server's."""


def read_system_metrics(path: Path, warn: Warn) -> list[Row]:
    """Return one row per worker, FederatedScope's keys as they are and ``id`` as ``worker`` (0 = server).

    Lines that are no worker's are told to `warn` with file and line, and left out.
    """
    rows = []
    for number, line in _lines(path, warn):
        try:
            content = json.loads(line)
        except json.JSONDecodeError as error:
            warn(f"{path}:{number}: no JSON ({error.msg}), line left out")
            continue
        if not isinstance(content, dict) or "id" not in content:
            warn(f"{path}:{number}: no worker's id, line left out")
        elif content["id"] not in ("sys_avg", "sys_std"):
            rows.append({"worker": int(content.pop("id"))} | content)
    return rows


def read_eval_results(path: Path, warn: Warn) -> list[Row]:
    """Return one row per evaluation of the global model: ``round`` and the metrics, missing ones as nan."""
    rows = []
    for number, line in _lines(path, warn):
        try:
            content = _parse(line)
        except (SyntaxError, ValueError):
            warn(f"{path}:{number}: no Python dict, line left out")
            continue
        if content.get("Role") != "Server #" or not isinstance(content.get("Round"), int):
            continue
        form = next((form for form in _FORMS if form in content), None)
        if form is not None:
            trained = content["Round"] + (form != "Results_raw")
            rows.append({"round": trained} | {key: _number(value) for key, value in content[form].items()})
    return rows


def _lines(path: Path, warn: Warn) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        warn(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _parse(line: str) -> Row:
    """Return the dict of a line; ``nan`` becomes None and ``inf`` a number too large for a float."""
    literal = re.sub(r"(?<![\w'])nan(?![\w'])", "None", re.sub(r"(?<![\w'])inf(?![\w'])", "1e999", line))
    content = ast.literal_eval(literal)
    if not isinstance(content, dict):
        raise ValueError("no dict")
    return content


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
