"""``python readers.py fscost|pandas|duckdb FOLDER``: print the seconds that reading all runs below FOLDER takes."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

_KINDS = ("ledger.jsonl", "system_metrics.log")


def fscost(folder: Path) -> Callable[[], object]:
    """Read with fscost: all frames."""
    from fscost.collect import gather, runs_below

    return lambda: gather(runs_below(folder))


def pandas(folder: Path) -> Callable[[], object]:
    """Read with pandas: one frame of all ledgers, one of all logs."""
    import pandas as pd

    return lambda: [
        pd.concat([pd.read_json(path, lines=True) for path in sorted(folder.glob(f"*/{kind}"))]) for kind in _KINDS
    ]


def duckdb(folder: Path) -> Callable[[], object]:
    """Read with DuckDB: the same two frames."""
    import duckdb

    query = "select * from read_json('{}', format='newline_delimited', filename=true)"
    connection = duckdb.connect()
    return lambda: [connection.execute(query.format(folder / "*" / kind)).df() for kind in _KINDS]


if __name__ == "__main__":
    read = {"fscost": fscost, "pandas": pandas, "duckdb": duckdb}[sys.argv[1]](Path(sys.argv[2]))
    begin_s = time.monotonic()
    read()
    print(time.monotonic() - begin_s)
