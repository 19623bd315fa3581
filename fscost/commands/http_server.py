"""HTTP on loopback: what a few paths are answered with, to who asks this machine by its own name.

However many ask, and whatever they send or leave unsent, what they take is bounded: connections, bytes and time. As
long as nobody asks, nothing is done.
"""

import gzip
import hashlib
import io
import resource
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.client import HTTP_PORT, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"
_NAMES = (ADDRESS, "localhost", "[::1]")

_MOST_CONNECTIONS = 512
"""Two for each of 200 readers and some; fewer where the process may not open so many files."""

_MOST_BYTES = 2**14
"""So long a request may be, its header fields included."""

_REQUEST_S = 10
"""So long a request may take to be sent, and a new connection to begin one."""

_IDLE_S = 15
"""After so long without another request a connection is closed."""

_ANSWER_S = 60
"""So long an answer may take to be read."""

_LINGER_S = 1.0
"""So long the rest of a request that was refused is waited for."""

_DAY_S = 86_400.0


# --- what is sent ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Body:
    """What a request is answered with; equal contents have the same tag."""

    kind: str
    content: bytes

    @cached_property
    def tag(self) -> str:
        """A text that is another for other content."""
        return tag_of(self.content)

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed by gzip."""
        return gzip.compress(self.content, compresslevel=6, mtime=0)


def tag_of(content: bytes) -> str:
    """Return a short text that is another for other content."""
    return hashlib.sha256(content).hexdigest()[:16]


def _etag(body: Body) -> str:
    """Return the tag as HTTP has it, weak as it is the same whether compressed or not."""
    return f'W/"{body.tag}"'


# --- connections ----------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Answers each connection, so many at `most`, in a thread that ends with the process; no name is ever looked up.

    `answer` says what a path is answered with, None for one that there is not. Raises OSError for a port that cannot be
    had.
    """

    answer: Callable[[str], Body | None]
    most: int
    daemon_threads = True
    request_queue_size = _MOST_CONNECTIONS

    def __init__(self, port: int) -> None:
        super().__init__((ADDRESS, port), _Handler)
        self.most = _most_connections()
        self._free = BoundedSemaphore(self.most)

    def serve(self) -> None:
        """Answer until Ctrl-C; between two requests nothing wakes the process but the end of a day."""
        self.serve_forever(poll_interval=_DAY_S)

    def server_bind(self) -> None:
        """Bind the port, as TCP servers do: those of HTTP ask for the machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; where that cannot be, as too many files are open, rest before the next try."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_LINGER_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or say at once that there is none for so many."""
        if self._free.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
                return
            except RuntimeError:  # no thread can be had
                self._free.release()
        with suppress(OSError):
            request.settimeout(_LINGER_S)
            request.sendall(_CROWDED)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless it is a client that is gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


_CROWDED = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 20\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nService Unavailable\n"
)


def _most_connections() -> int:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if most == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, max(1, most // 2))


class _TooSlow(Exception):
    """A request that was begun and did not end in time."""


class _Sent(io.RawIOBase):
    """What a client sends: of each request no more bytes than one may have, and none that come too late."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left, self._until_s, self._has_begun = _MOST_BYTES, time.monotonic() + _REQUEST_S, False

    def expect_another(self) -> None:
        """Wait for a request anew."""
        self._left, self._until_s, self._has_begun = _MOST_BYTES, time.monotonic() + _IDLE_S, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raise TimeoutError where no request begins, _TooSlow where one does not end, HTTPException for a long one."""
        if self._left <= 0:
            raise HTTPException(f"more than {_MOST_BYTES:,} B")
        try:
            self._connection.settimeout(max(self._until_s - time.monotonic(), 0.001))
            size = self._connection.recv_into(buffer)
        except TimeoutError:
            if self._has_begun:
                raise _TooSlow from None
            raise
        if not self._has_begun:
            self._has_begun, self._until_s = True, time.monotonic() + _REQUEST_S
        self._left -= size
        return size


# --- requests -------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD, for those who asked for this machine by its own name."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fscost", ""
    disable_nagle_algorithm = True  # header fields and content are two packets

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._sent = _Sent(self.connection)
        self.rfile = io.BufferedReader(self._sent)

    def handle(self) -> None:
        self.close_connection = True
        self.handle_one_request()
        while not self.close_connection:
            self._sent.expect_another()
            self.handle_one_request()

    def handle_one_request(self) -> None:
        self.requestline = self.request_version = self.command = ""
        try:
            super().handle_one_request()
        except _TooSlow:
            self.send_error(HTTPStatus.REQUEST_TIMEOUT)
        except HTTPException as error:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG, explain=str(error))

    def do_GET(self) -> None:
        hosts, path = self._target()
        if not self._is_own(hosts):
            self.send_error(HTTPStatus.FORBIDDEN, explain=f"ask for http://{ADDRESS}:{self.server.server_port}/")
        elif self._has_content():
            self.send_error(HTTPStatus.BAD_REQUEST, explain="a request for a page has no content")
        elif (body := self.server.answer(path)) is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self._knows(body):
            self._send(HTTPStatus.NOT_MODIFIED, body, b"")
        else:
            self._send(HTTPStatus.OK, body, body.packed if self._takes_packed() else body.content)

    do_HEAD = do_GET

    def _target(self) -> tuple[list[str], str]:
        """Return whom a request is for, and the path; in absolute form, as to proxies, the target itself says it.

        Source: RFC 9112, 3.2.2.
        """
        if "://" not in self.path.partition("?")[0]:
            return self.headers.get_all("Host", []), self.path.partition("?")[0]
        try:
            url = urlsplit(self.path)
        except ValueError:
            return [], ""
        return [url.netloc] if url.scheme == "http" else [], url.path or "/"

    def _is_own(self, hosts: list[str]) -> bool:
        """Whether a request is for this machine itself, and not for a name that somebody points to it."""
        port = self.server.server_port
        own = [f"{name}:{port}" for name in _NAMES] + [*(_NAMES if port == HTTP_PORT else ())]
        return len(hosts) == 1 and hosts[0].lower() in own

    def _has_content(self) -> bool:
        """Whether something follows the header, which would be taken for the next request."""
        return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"

    def _knows(self, body: Body) -> bool:
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
        self._leave_unread()

    def _leave_unread(self) -> None:
        """End the answer and take what is still sent: closed over it, the connection would lose the answer too."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_S)
            for _ in range(16):
                if not self.connection.recv(2**16):
                    break

    def _end(self, sent: bytes) -> None:
        self.connection.settimeout(_ANSWER_S)  # for all that one call sends
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: a page asks every second."""
