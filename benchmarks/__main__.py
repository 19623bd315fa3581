"""``python -m benchmarks [NAME…]``: measure all, or what is named, print the table; all of it becomes RESULTS.md."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import collecting, loops, metering, opening, overhead, reporting, scaling, start, training
from benchmarks.pairs import PAIRS, Row, machine

ROWS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "loops": loops.rows,
    "overhead": overhead.rows,
    "training": training.rows,
    "collecting": collecting.rows,
    "scaling": scaling.rows,
    "metering": metering.rows,
    "start": start.rows,
    "opening": opening.rows,
    "reporting": reporting.rows,
}
_HEAD = "| | work | beside | ratio: median (least–most) | goal | met | |\n|---|---|---|---|---|---|---|"
_VERSIONS = ("fscost", "pandas", "pyarrow", "hydra-core", "torch", "duckdb")


def main(names: Sequence[str]) -> None:
    """Measure and print; all of it is written too."""
    unknown = set(names) - ROWS.keys()
    if unknown:
        raise SystemExit(f"{', '.join(sorted(unknown))}: no such benchmark; there are {', '.join(ROWS)}")
    begin_s = time.monotonic()
    lines, commands = [_HEAD], list[str]()
    print(_HEAD, flush=True)
    for number, row in enumerate(_measured(names or [*ROWS]), start=1):
        lines.append(row.line(number))
        commands.append(row.commands(number))
        print(lines[-1], flush=True)
    text = "\n".join(
        ["# Results", "", _told(time.monotonic() - begin_s), "", *lines, "", "## Commands", "", *commands, ""]
    )
    if names:
        print(text.partition(lines[-1])[2])
    else:
        Path(__file__).with_name("RESULTS.md").write_text(text)


def _measured(names: Sequence[str]) -> Iterator[Row]:
    for name in names:
        with TemporaryDirectory() as folder:
            yield from ROWS[name](Path(folder))


def _told(wall_s: float) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS if find_spec(name.partition("-")[0]))
    return (
        f"{machine()}; {versions}. Ratios of wall time, fscost's over the other's, of {PAIRS} pairs taken in turn in "
        f"one run of `make bench`, which took {wall_s:.0f} s. `fscost` is `python -m fscost`."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
