"""``python -m benchmarks [NAME…]``: measure all, or what is named, print the table; all of it becomes RESULTS.md."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import collecting, loops, metering, overhead, start, training
from benchmarks.pairs import PAIRS, Row, machine

ROWS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "loops": loops.rows,
    "overhead": overhead.rows,
    "training": training.rows,
    "collecting": collecting.rows,
    "metering": metering.rows,
    "start": start.rows,
}
_HEAD = (
    "| work | by fscost | instead | ratio: median (least–most) | goal | met | |\n"
    "|---|---|---|---|---|---|---|"
)  # fmt: skip
_VERSIONS = ("fscost", "pandas", "pyarrow", "hydra-core", "torch", "duckdb")


def main(names: Sequence[str]) -> None:
    """Measure and print; all of it is written too."""
    unknown = set(names) - ROWS.keys()
    if unknown:
        raise SystemExit(f"{', '.join(sorted(unknown))}: no such benchmark; there are {', '.join(ROWS)}")
    begin_s = time.monotonic()
    lines = [_HEAD]
    print(_HEAD, flush=True)
    for name in names or ROWS:
        with TemporaryDirectory() as folder:
            for row in ROWS[name](Path(folder)):
                lines.append(row.line())
                print(row.line(), flush=True)
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS if find_spec(name.partition("-")[0]))
    told = (
        f"{machine()}; {versions}. Ratios of wall time, fscost's over the other's, of {PAIRS} pairs taken in turn in "
        f"one run of `make bench`, which took {time.monotonic() - begin_s:.0f} s; `fscost` is `python -m fscost`."
    )
    print(f"\n{told}")
    if not names:
        Path(__file__).with_name("RESULTS.md").write_text("\n".join(["# Results", "", told, "", *lines, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
