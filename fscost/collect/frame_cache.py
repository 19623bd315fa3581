"""Frames of many runs as they were gathered before, kept in the store: safe to delete, and never believed alone.

They are taken again only where the content of every file of every run is the same, and so is fscost. All of it is
hashed anew, as times and sizes of files do not tell. Where nothing can be written, nothing is kept.
"""

# .frames history: 1 - first version; a first line with the key and the digest of what follows, the warnings as JSON in
# a line, and each frame as an Arrow stream

import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

import fscost
from fscost.cells.cell import Cell
from fscost.files import content_of, digest_of, is_settled, is_there, whole
from fscost.outputs import remove_left
from fscost.store.run import Run
from fscost.store.rundir import RunDir

Runs = Sequence[tuple[Cell | None, Run]]
Stamp = tuple[str, int, int, int, int, int]
"""Of a file its name, kind, inode, size in bytes, and when it and its inode were written, in ns."""

Kept = tuple[pd.DataFrame | Callable[[], pd.DataFrame], list[pd.DataFrame], list[str]]
"""The frame of messages, or what makes it, then nothing is kept; the others; and the warnings that belong to them."""

NAME = ".frames"
_FORMAT = 1
_LEAST_BYTES = 2**23
"""Runs of fewer bytes are read in a tenth of a second."""


def kept_or_made(runs: Runs, make: Callable[[], Kept]) -> Kept:
    """Return the frames of runs that were made before, where nothing has changed since, else those of `make`.

    Of runs that fscost did not launch, and of few, nothing is kept; nor of those of which something was read before.
    """
    own = [run for _, run in runs if isinstance(run, RunDir)]
    if not own or len(own) < len(runs):
        return make()
    place, were_read = own[0].path.parent / NAME, any(run.is_read for run in own)
    if were_read and not is_there(place) or (key := _key(runs)) is None:
        return make()
    if (found := _kept(place, key)) is not None:
        return found
    made = make()
    if not were_read and _key(runs) == key:  # nothing was written while it was read
        with suppress(OSError, pa.ArrowException):
            _keep(place, key, made)
    return made


def _kept(place: Path, key: str) -> Kept | None:
    try:
        head, _, body = content_of(place).partition(b"\n")
        if head != _head(key, body):
            return None
        warnings, _, packed = body.partition(b"\n")
        source = pa.BufferReader(packed)
        frames = []
        while source.tell() < source.size():
            frames.append(pa.ipc.open_stream(source).read_pandas())
        messages, *others = frames
        return messages, others, json.loads(warnings)
    except (OSError, ValueError, pa.ArrowException):
        return None


def _head(key: str, body: bytes) -> bytes:
    return f"{_FORMAT} {key} {hashlib.sha256(body).hexdigest()}".encode()


def _keep(place: Path, key: str, made: Kept) -> None:
    """Write frames, unless one is not made, or would be another when it is read again."""
    messages, others, warnings = made
    if callable(messages):
        return
    packed = pa.BufferOutputStream()
    for frame in (messages, *others):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if not _is_same(frame, table.to_pandas()):
            return
        with pa.ipc.new_stream(packed, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_table(table)
    body = json.dumps(warnings).encode() + b"\n" + packed.getvalue().to_pybytes()
    remove_left(place)
    with whole(place, synced=False) as file:
        file.write(_head(key, body) + b"\n" + body)


def _is_same(frame: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether frames are the same, values that are missing included, as None is not nan."""
    mixed = [name for name in frame if frame[name].dtype == object]
    return frame.equals(other) and all([*map(type, frame[name])] == [*map(type, other[name])] for name in mixed)


# --- what frames are made of ----------------------------------------------------------------------


def _key(runs: Runs) -> str | None:
    """Return the digest of all that frames of runs depend on; None for few bytes, and where a file cannot be read."""
    try:
        states = [_stamps(str(run.path)) for _, run in runs]
        if sum(stamp[3] for stamps in states for stamp in stamps) < _LEAST_BYTES:
            return None
        digest = hashlib.sha256(_code().encode())
        for (cell, run), stamps in zip(runs, states, strict=True):
            told = [str(run.path), cell and cell.id, _content(str(run.path), stamps)]
            digest.update(json.dumps(told).encode())
    except OSError:
        return None
    return digest.hexdigest()


def _stamps(folder: str) -> tuple[Stamp, ...]:
    """Return the stamps of what is in a folder, none where there is no such folder; raises OSError."""
    try:
        with os.scandir(folder) as found:
            entries = [(entry.name, entry.stat()) for entry in found]
    except FileNotFoundError:
        return ()
    of_each = ((name, stat.S_IFMT(s.st_mode), s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in entries)
    return tuple(sorted(of_each))


def _content(folder: str, stamps: tuple[Stamp, ...]) -> str:
    """Return the digest of the files in a folder; those of long ago are hashed once in a process."""
    newest_ns = max((max(stamp[4:]) for stamp in stamps), default=0)
    return (_hashed if is_settled(newest_ns) else _hashed.__wrapped__)(folder, stamps)


@lru_cache(maxsize=2**15)
def _hashed(folder: str, stamps: tuple[Stamp, ...]) -> str:
    """Return the digest of the names and contents of files; of a folder in it the name alone."""
    digest = hashlib.sha256()
    for name, kind, *_ in stamps:
        content = "" if kind == stat.S_IFDIR else digest_of(f"{folder}/{name}")
        digest.update(f"{name!r} {kind} {content}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _code() -> str:
    """Return the digest of what reads runs: fscost's own files, and the versions of what it reads them with."""
    root = Path(fscost.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".json"))
    digest = hashlib.sha256(f"{sys.version} {pd.__version__} {pa.__version__}".encode())
    for path in files:
        digest.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
