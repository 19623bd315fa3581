"""The report on loopback: one page that follows a sweep, made again only where a result is new and somebody looks."""

import gzip
import hashlib
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.client import HTTP_PORT
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock, Thread
from typing import Any

from fscost import __version__
from fscost.api.cell_states import CellState
from fscost.api.watch import Look, Watch
from fscost.cells.metric import percent
from fscost.cells.outcome import Status
from fscost.errors import FscostError, one_line
from fscost.launch.console import duration, facts
from fscost.launch.under_way import Running, seconds_left
from fscost.report import Live, Subject, as_json, content, page

ADDRESS = "127.0.0.1"
_NAMES = (ADDRESS, "localhost", "[::1]")
_LOOK_S = 0.5
"""No more often than this the store is looked at, however many pages ask."""

_REST = 2
"""While cells run, the next build waits for this many times as long as the last took: the machine is for the sweep."""

_PATIENCE_S = 3
"""How long the page itself waits for a build that is under way; after that it is the last one, which mends itself."""

_IDLE_S = 60
"""After so long without a request a connection is closed."""


def serve(watch: Watch, subject_of: Callable[[], Subject], ports: Sequence[int]) -> int:
    """Serve the page of a selection until Ctrl-C, on the first of these ports that is free; return the exit code.

    `subject_of` collects what the selection is about anew. Raises FscostError where no port can be had, and what
    `subject_of` raises the first time.
    """
    with suppress(KeyboardInterrupt), _listening(ports) as server:
        server.served = Served(watch, subject_of)
        print(f"http://{ADDRESS}:{server.server_port}/", flush=True)
        server.serve_forever()
    return 0


def _listening(ports: Sequence[int]) -> "_Server":
    for port in ports:
        try:
            return _Server((ADDRESS, port), _Handler)
        except OSError as error:
            why = error.strerror
    raise FscostError(
        f"--serve {ports[-1]}: cannot be listened on: {why}; name another port, or leave it out for one that is free"
    )


# --- what is served -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Body:
    """What a request is answered with; equal contents have the same tag."""

    kind: str
    content: bytes

    @cached_property
    def tag(self) -> str:
        """A text that is another for other content."""
        return _tag(self.content)

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed by gzip."""
        return gzip.compress(self.content, compresslevel=6, mtime=0)


class _Shown:
    """The content as it was once, and the page that holds it."""

    def __init__(self, subject: Subject) -> None:
        self._subject, self._values = subject, content(subject)
        self.content = Body("application/json", as_json(self._values))
        self.live = Live(_tag(f"{__version__} {subject.command}".encode()), self.content.tag)

    @cached_property
    def page(self) -> Body:
        return Body("text/html; charset=utf-8", page(self._subject, self._values, self.live).encode())


class Served:
    """What is known of a selection, brought up to date when it is asked for."""

    def __init__(self, watch: Watch, subject_of: Callable[[], Subject]) -> None:
        self._watch, self._subject_of = watch, subject_of
        self._lock = Lock()
        self._look = watch.look()
        self._looked_s = self._built_s = time.monotonic()
        self._rest_s = 0.0
        self._made_of = self._look.stamps
        self._shown = _Shown(subject_of())
        self._builder: Thread | None = None
        self._unseen = self._unbuilt = ""
        self._progress = self._told()

    def answer(self, path: str) -> Body | None:
        """Return what a path is answered with, None for one that there is not."""
        if path not in ("/", "/content", "/progress"):
            return None
        with self._lock:
            self._bring_up_to_date()
            builder = self._builder
        if path == "/" and builder:
            builder.join(_PATIENCE_S)
        with self._lock:
            shown, progress = self._shown, self._progress
        return {"/": lambda: shown.page, "/content": lambda: shown.content, "/progress": lambda: progress}[path]()

    def _bring_up_to_date(self) -> None:
        """Look again, and begin a build where results are others."""
        now_s = time.monotonic()
        if now_s < self._looked_s + _LOOK_S:
            return
        try:
            self._look, self._unseen = self._watch.look(), ""
        except (FscostError, OSError) as error:
            self._unseen = _said(error)
        self._looked_s = time.monotonic()
        has_rested = now_s >= self._built_s + self._rest_s or not self._look.is_running
        if self._look.stamps != self._made_of and has_rested and not self._builder:
            self._made_of = self._look.stamps
            self._builder = Thread(target=self._build, daemon=True)
            self._builder.start()
        self._progress = self._told()

    def _build(self) -> None:
        """Collect and count anew; where that fails, the last stays and the progress says why."""
        begin_s = time.monotonic()
        shown, made_of, unbuilt = self._shown, self._made_of, ""
        try:
            shown = _Shown(self._subject_of())
        except Exception as error:  # whatever happens, the page stays up
            unbuilt = _said(error)
            made_of = () if isinstance(error, OSError) else made_of  # a file was swapped meanwhile; try again
        with self._lock:
            self._shown, self._made_of, self._unbuilt = shown, made_of, unbuilt
            self._builder, self._built_s = None, time.monotonic()
            self._rest_s = _REST * (self._built_s - begin_s)
            self._progress = self._told()

    def _told(self) -> Body:
        live, look = self._shown.live, self._look
        problems = [text for text in (self._unseen, self._unbuilt) if text]
        told = {"page": live.page, "content": live.content, "problem": "; ".join(problems)}
        is_last = look.is_over and self._look.stamps == self._made_of and not self._builder
        return Body("application/json", as_json(told | progress(look) | {"is_over": is_last}))


def _said(error: Exception) -> str:
    if isinstance(error, FscostError):
        return str(error)
    if not isinstance(error, OSError):
        traceback.print_exception(error, file=sys.stderr)
    return one_line(error)


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


# --- progress -------------------------------------------------------------------------------------


def progress(look: Look) -> dict[str, Any]:
    """Return a look as JSON values: totals, a grid of methods and clients for each model and data, and what runs."""
    running = {one.cell.id: one for one in look.running}
    return {
        "totals": look.totals,
        "others": look.others,
        "grids": [*_grids(look.cells, running)],
        "running": [[one.cell.name, *facts(one)] for one in look.running],
    }


def _grids(cells: Sequence[CellState], running: dict[str, Running]) -> Iterator[dict[str, Any]]:
    """Yield the grids; runs of which the cell is not known are one of their own, with 0 clients, and null are all."""
    axes = [seen.cell.axes if seen.cell else {} for seen in cells]
    is_one = len({own["data"] for own in axes if own}) == 1
    grids: dict[str, dict[tuple[str, int | None], list[dict[str, Any]]]] = {}
    for seen, own in zip(cells, axes, strict=True):
        title = (
            ", ".join(str(own[name]) for name in ("model", "data")[: 1 if is_one else 2]) if own else "unknown cells"
        )
        place = str(own.get("method", "")), own.get("clients", 0)
        grids.setdefault(title, {}).setdefault(place, []).append(_square(seen, running))
    for title, grid in grids.items():
        clients = sorted({clients for _, clients in grid}, key=lambda number: math.inf if number is None else number)
        methods = dict.fromkeys(method for method, _ in grid)
        rows = [[method, [grid.get((method, number), []) for number in clients]] for method in methods]
        yield {"title": title, "clients": clients, "rows": rows}


def _square(seen: CellState, running: dict[str, Running]) -> dict[str, Any]:
    """Return the state of a cell, what there is to say of it, and which part of its rounds is done."""
    one = running.get(seen.cell.id) if seen.cell and seen.status is Status.RUNNING else None
    told = {"state": str(seen.status), "text": ", ".join([seen.name, str(seen.status), *_details(seen, one)])}
    return told | {"part": one.rounds_done / one.rounds} if one else told


def _details(seen: CellState, one: Running | None) -> Iterator[str]:
    if seen.reason and seen.has_failed:
        yield seen.reason
    if one is None:
        if seen.wall_s:
            yield duration(seen.wall_s)
        return
    yield "round not known" if one.round is None else f"round {one.round} of {one.rounds}"
    if one.accuracy is not None:
        yield f"accuracy {percent(one.accuracy):.1f} %"
    left_s = seconds_left([], [one], [], 1)
    yield f"for {duration(one.run_s)}" if left_s is None else f"about {duration(left_s)} left"


# --- HTTP -----------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    """Threads that end with the process; no name is ever looked up."""

    served: Served
    daemon_threads = True

    def server_bind(self) -> None:
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of what `Served` has, for those who asked for this machine by its own name."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fscost", ""
    wbufsize = -1
    timeout = _IDLE_S

    def do_GET(self) -> None:
        if not self._is_asked_for():
            self.send_error(HTTPStatus.FORBIDDEN, explain=f"ask for http://{ADDRESS}:{self.server.server_port}/")
        elif (body := self.server.served.answer(self.path.partition("?")[0])) is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self._has(body):
            self._send(HTTPStatus.NOT_MODIFIED, body, b"")
        else:
            self._send(HTTPStatus.OK, body, body.packed if self._takes_packed() else body.content)

    do_HEAD = do_GET

    def _is_asked_for(self) -> bool:
        """Whether the request is for this machine itself, and not for a name that somebody points to it."""
        port = self.server.server_port
        own = [f"{name}:{port}" for name in _NAMES] + [*(_NAMES if port == HTTP_PORT else ())]
        asked = self.headers.get_all("Host", [])
        return len(asked) == 1 and asked[0].lower() in own

    def _has(self, body: Body) -> bool:
        tags = self.headers.get("If-None-Match", "").split(",")
        return _etag(body) in (tag.strip() for tag in tags)

    def _takes_packed(self) -> bool:
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def _send(self, status: HTTPStatus, body: Body, sent: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", _etag(body))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("X-Content-Type-Options", "nosniff")
        if status is HTTPStatus.OK:
            self.send_header("Content-Type", body.kind)
            self.send_header("Content-Length", str(len(sent)))
            if sent is not body.content:
                self.send_header("Content-Encoding", "gzip")
        self._end(sent)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse in one line of text; what the base class calls not implemented are methods that are not allowed."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        text = f"{status.phrase}{f': {explain}' if explain else ''}\n".encode()
        self.send_response(status)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")  # what else it sent is no request
        self._end(text)

    def _end(self, sent: bytes) -> None:
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: a page asks every second."""


def _etag(body: Body) -> str:
    """Return the tag as HTTP has it, weak as it is the same whether compressed or not."""
    return f'W/"{body.tag}"'
