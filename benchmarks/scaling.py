"""Sweeps of many estimated cells, and ledgers of many rounds: time and memory, beside those of few."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path

from benchmarks.pairs import FSCOST, GATHERED, GATHERED_SHOWN, Row, Took, in_turn, seconds_of, took
from fscost.cells.cell import Cell
from fscost.collect import frame_cache
from fscost.store.integrity import sealed
from fscost.store.rundir import RunDir

_FEW, _MANY = 1000, 20_000
_SHORT, _LONG = 1000, 1_000_000
_VERBS = ("plan", "-m", "status", "table")
_ROUNDS = ("engine=estimate", "model=lr", "clients=3", f"rounds={_SHORT}")

_FILES = (
    "most of it is what `status` does and what makes the frames, see the next row; then come the tables and frames in "
    "every format"
)
_HALVES = (
    "parts of the row above, each in a process of its own; in one, what both do is done once: the cells are read, and "
    "a few modules imported"
)


def rows(folder: Path) -> Iterator[Row]:
    """Measure whole commands."""
    yield from _nothing_to_do(folder)
    yield from _per_cell(folder)
    yield _long_ledger(folder)


def _nothing_to_do(folder: Path) -> Iterator[Row]:
    words = (*_cells(_FEW), f"store={folder / str(_FEW)}")
    seconds_of(*FSCOST, "-m", *words, cwd=folder)

    def gathered() -> float:
        (folder / str(_FEW) / frame_cache.NAME).unlink(missing_ok=True)
        return seconds_of(*GATHERED, str(_FEW), cwd=folder)

    sweep, status = (partial(seconds_of, *FSCOST, verb, *words, cwd=folder) for verb in ("-m", "status"))
    found = in_turn(sweep, gathered, status)
    of_sweep, of_status = (f"`fscost {verb} {' '.join(_cells(_FEW))}`" for verb in ("-m", "status"))
    beside = "`status` of the same"
    work = f"a sweep with nothing left to do, {_FEW:,} cells"
    yield Row(work, beside, of_sweep, of_status, 1.5, [a / b for a, _, b in found], limit=_FILES)
    work, ratios = "the same `status`, and their frames alone", [(a + b) / b for _, a, b in found]
    yield Row(work, beside, f"{of_status} and {GATHERED_SHOWN}", of_status, 1.5, ratios, limit=_HALVES)


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
    seconds_of(*FSCOST, *_ROUNDS, f"store={folder / 'short'}", cwd=folder)
    long = _lengthened(folder / "short", folder / "long")
    peaks = [took(*FSCOST, "table", store, cwd=folder).peak_bytes for store in ("long", "short")]
    note = f"{' and '.join(f'{peak / 1e6:,.0f} MB' for peak in peaks)}; the ledger has {long / 1e6:,.0f} MB"
    work, beside = f"`table` of a ledger of {_LONG:,} rounds: peak memory", f"{_SHORT:,} rounds"
    ours, theirs = f"`fscost table` of {_LONG:,} rounds", f"`fscost table {' '.join(_ROUNDS)}`"
    return Row(work, beside, ours, theirs, 1.5, [peaks[0] / peaks[1]], of="of bytes", note=note)


def _lengthened(store: Path, into: Path) -> int:
    """Write the one run of a store with more rounds, which are all as its last one; return the bytes of its ledger."""
    like = next(path.parent for path in store.glob("*/cell.json"))
    cell = RunDir(like).read_cell()
    fs = {**cell.fs, "federate": {**cell.fs["federate"], "total_round_num": _LONG}}
    other = Cell(engine=cell.engine, protocol=cell.protocol, fs=fs)
    run = RunDir(Path(shutil.copytree(like, into / other.name)))
    run.write_cell(other)
    last = f'"round": {_SHORT - 1},'
    *lines, _ = run.ledger.read_bytes().splitlines(keepends=True)
    of_last = b"".join(line for line in lines if last.encode() in line).decode()
    digest = sha256()
    with run.ledger.open("wb") as file:
        for text in chain(lines, (of_last.replace(last, f'"round": {n},').encode() for n in range(_SHORT, _LONG))):
            digest.update(text)
            file.write(text)
        file.write(f"{json.dumps({'sha256': digest.hexdigest()})}\n".encode())
    outcome = {name: value for name, value in run.read_outcome().items() if name not in ("files", "digest")}
    run.outcome_file.write_text(f"{sealed(outcome, run.path)}\n")
    return run.ledger.stat().st_size
