"""The sections of cells: what was computed, where, what was sent, and how that adds up."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from fscost.cells.cell import Cell
from fscost.cells.measure import COLUMNS
from fscost.cells.outcome import Status
from fscost.cells.provenance_options import is_host
from fscost.files import opened, why
from fscost.report.page_views import Subject
from fscost.store.run import Run
from fscost.tables.captions import no_effect_said
from fscost.tables.lines import Record, by_columns, is_missing, is_unknown
from fscost.tables.marks import UNKNOWN
from fscost.tables.numbers import printed, whole
from fscost.tables.origins import explain

_COUNTS = ["messages", *COLUMNS]
_LOG_LINES = 20
_LOG_BYTES = 8192


def sections(subject: Subject) -> Iterator[dict[str, Any]]:
    """Yield what the template of a section gets, cell by cell."""
    frames = subject.frames
    messages, workers = subject.compared.messages, subject.compared.workers
    for (cell, run), row in zip(subject.runs, frames.cells.to_dict("records"), strict=True):
        name = row["cell"]
        section = _section(cell, run, row, messages.get(name, ()), workers.get(name, ()))
        section["configuration"] = [*_configuration(cell, tells_all=subject.spec.tells_all)] if cell else []
        section["warnings"] = [
            *no_effect_said([{str(key): value for key, value in row.items()}], subject.spec),
            *section["warnings"],
        ]
        yield section | {"ledger": [*_ledger(messages.get(name, ()))], "command": subject.commands.get(name)}


def _section(
    cell: Cell | None, run: Run, row: Mapping[Any, Any], sent: Sequence[Record], logged: Sequence[Record]
) -> dict[str, Any]:
    is_done = row["status"] == Status.DONE
    outcome = run.outcome()
    return {
        "id": row["cell"],
        "name": cell.name if cell else str(run.path),
        "status": str(row["status"]),
        "reason": "" if is_unknown(row.get("reason")) else str(row["reason"]),
        "warnings": outcome.get("warnings", ()),
        "path": str(run.path),
        "facts": [*_facts(row, outcome)],
        "arithmetic": [*explain(sent, logged)] if is_done else [],
        "log": _tail(run),
    }


def _configuration(cell: Cell, *, tells_all: bool) -> Iterator[str]:
    """Yield the lines of a configuration, as its YAML has them; where it ran and wrote only where all is told."""
    told = cell.fs if tells_all else _without_hosts(cell.fs)
    for name in sorted(told):
        yield from _yaml(name, json.dumps(told[name]))


def _without_hosts(tree: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    kept = {key: value for key, value in tree.items() if not is_host(f"{section}{key}")}
    return {k: _without_hosts(v, f"{section}{k}.") if isinstance(v, Mapping) else v for k, v in kept.items()}


@lru_cache(maxsize=4096)  # cells of a sweep differ in few of them, and YAML takes longer than all else of a section
def _yaml(name: str, value: str) -> list[str]:
    return yaml.safe_dump({name: json.loads(value)}, allow_unicode=True).splitlines()


def _facts(row: Mapping[Any, Any], outcome: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the numbers depend on besides the configuration, each fact with its name."""
    found = outcome.get("provenance") or {}
    if not is_unknown(row.get("engine")):
        yield "engine", str(row["engine"])
    if not is_unknown(row.get("protocol")):
        yield "message protocol of FederatedScope", str(row["protocol"])
    if found.get("fs_commit"):
        yield "FederatedScope's git commit", found["fs_commit"]
    yield from ((name, str(found[name])) for name in ("host", "device", "seed") if name in found)
    if not is_unknown(row.get("params")):
        yield "parameters", whole(int(row["params"]))
    if outcome.get("wall_s"):
        yield "wall time", f"{printed(outcome['wall_s'], 2)} s"
    if outcome.get("peak_rss_bytes"):
        yield "peak memory", f"{printed(outcome['peak_rss_bytes'] / 2**20, 0)} MiB"
    if versions := found.get("versions"):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())


def _ledger(messages: Sequence[Record]) -> Iterator[list[str]]:
    """Yield by traffic class, link and type in how many rounds a cell sent it, how often, and its bytes."""
    for names, rows in by_columns(messages, "traffic", "link", "type").items():
        rounds = len({row["round"] for row in rows})
        yield [*map(str, names), whole(rounds), *(_total([row[column] for row in rows]) for column in _COUNTS)]


def _total(sizes: Sequence[Any]) -> str:
    return UNKNOWN.sign if any(map(is_missing, sizes)) else whole(int(sum(sizes)))


def _tail(run: Run) -> list[str]:
    """Return the last lines that the engine printed; what fscost did not launch has none."""
    log = run.engine_log
    if log is None or not log.exists():
        return []
    try:
        with opened(log) as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            return file.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError as error:
        return [f"cannot be read: {why(error)}"]
