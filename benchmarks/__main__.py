"""``python -m benchmarks [NAME…]``: measure all, or what is named, print the table and write RESULTS.md."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import collecting, overhead, start, training
from benchmarks.pairs import PAIRS, Row, machine

ROWS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "start": start.rows,
    "overhead": overhead.rows,
    "collecting": collecting.rows,
    "training": training.rows,
}
_HEAD = "| work | against | ratio of | median (least–most) | goal | |\n|---|---|---|---|---|---|"
_VERSIONS = ("pandas", "pyarrow", "hydra-core", "torch", "duckdb")


def main(names: Sequence[str]) -> None:
    """Measure and print; all of it is written too."""
    unknown = set(names) - ROWS.keys()
    if unknown:
        raise SystemExit(f"{', '.join(sorted(unknown))}: no such benchmark; there are {', '.join(ROWS)}")
    begin_s = time.monotonic()
    lines = [_HEAD]
    print(_HEAD)
    for name in names or ROWS:
        with TemporaryDirectory() as folder:
            for row in ROWS[name](Path(folder)):
                lines.append(row.line())
                print(row.line(), flush=True)
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    took_s = time.monotonic() - begin_s
    told = f"{machine()}; {versions}. Ratios of seconds in {PAIRS} pairs, alternated; all took {took_s:.0f} s."
    print(f"\n{told}")
    if not names:
        Path(__file__).with_name("RESULTS.md").write_text("\n".join(["# Results", "", told, "", *lines, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
