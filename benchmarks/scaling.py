"""Sweeps of many estimated cells, and ledgers of many rounds: time and memory, beside those of few."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import FSCOST, Row, Took, in_turn, seconds_of, took

_FEW, _MANY = 1000, 20_000
_SHORT, _LONG = 1000, 100_000
_VERBS = ("plan", "-m", "status", "table")
_ROUNDS = ("engine=estimate", "model=lr", "clients=3")

_FILES = (
    "the sweep also reads every ledger before it believes that a cell is done, and writes the table, of which the next "
    "row is a limit, and the frames in every format"
)
_PRINTED = "most of what it takes beside `status` is `import pandas`"


def rows(folder: Path) -> Iterator[Row]:
    """Measure whole commands."""
    yield from _nothing_to_do(folder)
    yield from _per_cell(folder)
    yield _long_ledger(folder)


def _nothing_to_do(folder: Path) -> Iterator[Row]:
    words = (*_cells(_FEW), f"store={folder / str(_FEW)}")
    seconds_of(*FSCOST, "-m", *words, cwd=folder)
    verbs = ("-m", "table", "status")
    found = in_turn(*(lambda verb=verb: seconds_of(*FSCOST, verb, *words, cwd=folder) for verb in verbs))
    sweep, table, status = (f"`fscost {verb} {' '.join(_cells(_FEW))}`" for verb in verbs)
    work, beside = f"a sweep with nothing left to do, {_FEW:,} cells", "`status` of the same"
    yield Row(work, beside, sweep, status, 1.5, [a / b for a, _, b in found], limit=_FILES)
    work, ratios = "its table alone, as the sweep prints it", [a / b for _, a, b in found]
    yield Row(work, beside, table, status, 1.5, ratios, note=_PRINTED)


def _per_cell(folder: Path) -> Iterator[Row]:
    """Measure each verb once: the many take minutes."""
    few, many = (_took(count, folder) for count in (_FEW, _MANY))
    for verb in _VERBS:
        work = f"{_MANY:,} estimated cells, `{verb}`: time per cell"
        ratio = many[verb].wall_s / _MANY / (few[verb].wall_s / _FEW)
        ours, theirs = (f"`fscost {verb} {' '.join(_cells(count))}`" for count in (_MANY, _FEW))
        note = f"{1000 * many[verb].wall_s / _MANY:.2f} ms per cell, {many[verb].peak_bytes / 1e6:,.0f} MB at most"
        yield Row(work, f"{_FEW:,} of them", ours, theirs, 1.1, [ratio], note=note)


def _took(count: int, folder: Path) -> dict[str, Took]:
    store = f"store={folder / f'new_{count}'}"
    return {verb: took(*FSCOST, verb, *_cells(count), store, cwd=folder) for verb in _VERBS}


def _cells(count: int) -> tuple[str, ...]:
    return (
        "engine=estimate",
        "model=lr",
        "clients=range(1,101)",
        "method=fedavg,fedprox",
        f"seed=range(0,{count // 200})",
    )


def _long_ledger(folder: Path) -> Row:
    peaks = [_peak(rounds, folder) for rounds in (_LONG, _SHORT)]
    ours, theirs = (f"`fscost table {' '.join(_ROUNDS)} rounds={rounds}`" for rounds in (_LONG, _SHORT))
    note = " and ".join(f"{peak / 1e6:,.0f} MB" for peak in peaks)
    work = f"`table` of a ledger of {_LONG:,} rounds: peak memory"
    ratio = [peaks[0] / peaks[1]]
    return Row(work, f"{_SHORT:,} rounds", ours, theirs, 1.5, ratio, of="of bytes", note=note)


def _peak(rounds: int, folder: Path) -> int:
    words = (*_ROUNDS, f"rounds={rounds}", f"store={folder / 'rounds'}")
    seconds_of(*FSCOST, *words, cwd=folder)
    return took(*FSCOST, "table", *words, cwd=folder).peak_bytes
