"""``python readers.py KIND FOLDER``: print the seconds of reading all runs; the kinds are the functions below."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_KINDS = ("ledger.jsonl", "system_metrics.log")

_LAYOUTS = ("comm_cost", "accuracy_cost", "compression", "matrix", "model_size", "published", "to_target", "traffic")


def first(folder: Path) -> Callable[[], object]:
    """Make the table with fscost, of which nothing was kept."""
    return _tables(folder, _LAYOUTS[:1])


def layouts(folder: Path) -> Callable[[], object]:
    """Make one layout after another, of which nothing was kept."""
    return _tables(folder, _LAYOUTS)


def again(folder: Path) -> Callable[[], object]:
    """Make the table that was made before."""
    first(folder)()
    _forget()
    return lambda: _table(folder, _LAYOUTS[0])


def _tables(folder: Path, names: tuple[str, ...]) -> Callable[[], object]:
    from fscost.collect import frame_cache

    (folder / frame_cache.NAME).unlink(missing_ok=True)
    _table(folder / next(folder.iterdir()).name, _LAYOUTS[0])  # what is imported only then
    return lambda: [_table(folder, name) for name in names]


def _table(folder: Path, layout: str) -> object:
    import fscost

    return fscost.table(folder, layout=layout).to_text()


def _forget() -> None:
    """Forget what this process knows of files: another command would be one of its own."""
    from fscost.collect import frame_cache
    from fscost.store import rundir

    frame_cache._hashed.cache_clear()
    rundir._cell_in.cache_clear()


def frames(folder: Path) -> Callable[[], object]:
    """Read with fscost: all frames, of which nothing was kept."""
    from fscost.collect import frame_cache, gather, runs_below

    (folder / frame_cache.NAME).unlink(missing_ok=True)
    return lambda: gather(runs_below(folder))


def unchanged(folder: Path) -> Callable[[], object]:
    """Find the runs, read their cells and hash every file: what alone tells that none has changed."""
    from fscost.collect import frame_cache, runs_below

    return lambda: frame_cache._key([*runs_below(folder)])


def parts(folder: Path) -> Callable[[], object]:
    """Read with a bare loop, and the evaluations as fscost does, and make a table of frames that are there."""
    from fscost.collect.fs_logs import read_eval_results

    read, logs = bare(folder), [*folder.glob("*/eval_results.log")]
    first(folder)()
    return lambda: [read(), [read_eval_results(path, print, "master") for path in logs], _table(folder, _LAYOUTS[0])]


def bare(folder: Path) -> Callable[[], object]:
    """Read with a bare loop: every file once, its digest, its JSON, frames of that; nothing of it is checked."""
    from collections import defaultdict
    from hashlib import sha256

    import pandas as pd
    from msgspec.json import Decoder

    from fscost.files import content_of

    def read() -> list[pd.DataFrame]:
        columns: dict[str, dict[str, list[object]]] = {kind: defaultdict(list) for kind in ("type", "worker", "id")}
        for path in folder.glob("*/*"):
            content = content_of(path)
            sha256(content).hexdigest()
            rows = Decoder().decode_lines(content) if path.name in _KINDS else []
            for kind, into in columns.items():
                for name, values in _columns([row for row in rows if kind in row]):
                    into[name] += values
        return [pd.DataFrame(of_kind) for of_kind in columns.values()]

    return read


def _columns(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[object]]]:
    """Yield the columns of rows that have the names of the first, those of a mapping in it too."""
    for name, first in rows[0].items() if rows else ():
        values: list[Any] = [row.get(name) for row in rows]
        if isinstance(first, dict):
            yield from ((f"{name}_{below}", own) for below, own in _columns(values))
        else:
            yield name, values


def pandas(folder: Path) -> Callable[[], object]:
    """Read with pandas every fourth run: one frame of their ledgers, one of their logs."""
    import pandas as pd

    return lambda: [
        pd.concat([pd.read_json(path, lines=True) for path in sorted(folder.glob(f"*/{kind}"))[::4]]) for kind in _KINDS
    ]


def duckdb(folder: Path) -> Callable[[], object]:
    """Read with DuckDB, on one core as fscost does: the same two frames."""
    import duckdb

    query = "select * from read_json('{}', format='newline_delimited', filename=true)"
    connection = duckdb.connect(config={"threads": 1})
    return lambda: [connection.execute(query.format(folder / "*" / kind)).df() for kind in _KINDS]


if __name__ == "__main__":
    read = globals()[sys.argv[1]](Path(sys.argv[2]))
    begin_s = time.monotonic()
    read()
    print(time.monotonic() - begin_s)
