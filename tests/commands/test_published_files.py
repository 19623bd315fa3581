"""What is published of a sweep tells neither who computed it nor where, unless that is asked for."""

import base64
import gzip
import re
import shutil
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fscost import privacy
from fscost.cells.outcome import Outcome, Provenance, Status
from tests.commands.test_status import finish
from tests.conftest import Result, cells_of

GRID = ("engine=estimate", "method=fedavg,fedprox", "model=lr", "clients=2", "rounds=2")
TOLD = re.compile(rb"mzoe|/home/|node-17|[^\s'\"`>]*/somewhere/[^\s'\"`<]*")
PROVENANCE = Provenance("estimate", "master", None, {"python": "3.11"}, "node-17", "cpu", 0)
OF_FOLDERS = ("fs.data.root=/somewhere/deep/a,/somewhere/else/a",)  # which alone tell rows apart


@pytest.fixture
def zoe(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of somebody who works elsewhere, and whose last cell failed on another machine."""
    for name, value in {"HOME": "/home/mzoe", "LOGNAME": "mzoe", "USER": "mzoe"}.items():
        monkeypatch.setenv(name, value)
    privacy._own_names.cache_clear()
    (here / "here").mkdir()
    monkeypatch.chdir(here / "here")
    yield here / "somewhere" / "mzoe"
    privacy._own_names.cache_clear()


def computed(zoe: Path, fscost: Callable[..., Result]) -> list[str]:
    """The words that select a sweep with a run that failed."""
    words = [*GRID, *OF_FOLDERS, f"store={zoe}/runs", f"out={zoe}/out"]
    assert fscost(*words).code == 0
    cell = cells_of(*GRID, "method=fedavg", OF_FOLDERS[0].partition(",")[0])[0]
    shutil.rmtree(next((zoe / "runs").glob(f"*{cell.id}")))
    why = "FileNotFoundError: '/home/kim/a/b.pt' of mzoe"
    failed = Outcome(status=Status.FAILED, reason=why, warnings=[why], provenance=PROVENANCE)
    finish(cell, failed, zoe / "runs")
    (zoe / "runs" / cell.name / "engine.log").write_text(f"mzoe@node-17:{zoe}/x$ python\n")
    return words


def files(zoe: Path, fscost: Callable[..., Result], *words: str) -> Iterator[tuple[str, bytes]]:
    """All files that are written of a sweep, with what is packed in them."""
    out = zoe / "files"
    for format in ("latex", "markdown", "html", "csv", "text"):
        assert fscost("table", *words, "--format", format, "--out", f"{out}/table.{format}").code == 0
    assert fscost("table", "table=audit", *words, "--format", "latex", "--out", f"{out}/audit.tex").code == 0
    assert fscost("collect", *words, "--out", f"{out}/frames").code == 0
    assert fscost("plot", "traffic", *words, "--out", str(out), "--svg").code == 0
    assert fscost("report", *words, "--out", f"{out}/report.html").code == 0
    for path in (path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix != ".parquet"):
        yield path.name, b"\n".join(unpacked(path))


def unpacked(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    packed = re.findall(rb"H4sI[A-Za-z0-9+/=]{500,}", content) if path.suffix == ".html" else []
    yield re.sub(rb"[A-Za-z0-9+/=]{500,}", b"", content)
    yield from (own for text in packed if b"DataTable" not in (own := gzip.decompress(base64.b64decode(text))))
    if path.suffix == ".pdf":
        yield from (
            zlib.decompress(text) for text in re.findall(rb"FlateDecode.*?stream\n(.*?)\nendstream", content, re.S)
        )


@pytest.mark.pipeline
def test_who_and_where_stands_in_no_file_unless_it_is_asked_for(zoe: Path, fscost: Callable[..., Result]) -> None:
    words = computed(zoe, fscost)
    private = dict(files(zoe, fscost, *words))
    full = dict(files(zoe, fscost, *words, "table.provenance=full"))
    told = {name: {text for text in TOLD.findall(content)} for name, content in private.items()}
    assert {name: texts for name, texts in told.items() if texts} == {}
    host = socket.gethostname().encode()
    assert re.search(rb"<dt>host</dt>", private["report.html"]) is None and host
    assert {name for name, content in full.items() if TOLD.search(content)} >= {
        "table.latex", "table.markdown", "table.html", "table.csv", "table.text", "audit.tex", "cells.csv",
        "report.html", "traffic.pdf", "traffic.png", "traffic.svg",
    }  # fmt: skip
    assert b"/a (1)" in private["table.csv"]
    assert b"/a (2)" in private["table.csv"]
    shown = fscost("table", *words).out
    assert "/somewhere/deep/a" in shown
