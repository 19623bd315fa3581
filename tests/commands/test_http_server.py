"""The server on loopback: what it takes and bears, from whoever asks in whatever way."""

import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest

from fscost.commands import http_server
from fscost.commands.http_server import Body, Server
from tests.waiting import until

PAGE = Body("text/plain", b"page " * 200_000)
OWN_S = 0.3
"""What a request may take here, where the test waits for it."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(http_server, "_MOST_CONNECTIONS", 250)
    with Server(0) as started:
        started.answer = lambda path: PAGE if path in ("/", "/content") else None
        Thread(target=started.serve, daemon=True).start()
        yield started
        Thread(target=started.shutdown, daemon=True).start()
        connected(started).close()  # which wakes it


def connected(server: Server) -> socket.socket:
    return socket.create_connection((http_server.ADDRESS, server.server_port), timeout=60)


def answer(connection: socket.socket) -> bytes:
    """All that is sent until the connection is closed."""
    with connection:
        return b"".join(iter(lambda: connection.recv(2**16), b""))


def asked(server: Server, request: str, *headers: str) -> bytes:
    connection = connected(server)
    host = [] if any(one.startswith("Host:") for one in headers) else [f"Host: localhost:{server.server_port}"]
    connection.sendall("".join(f"{line}\r\n" for line in [request, *host, *headers, "Connection: close", ""]).encode())
    return answer(connection)


def status(text: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d+) ", text)
    return int(found[1]) if found else 0


def test_a_target_in_absolute_form_says_itself_whom_it_is_for(server: Server) -> None:
    own = f"http://127.0.0.1:{server.server_port}"
    wanted = {f"{own}/": 200, own: 200, f"{own}/content?x": 200, f"HTTP{own[4:]}/": 200, f"{own}/etc/passwd": 404}
    refused = ["http://evil.example/", f"https{own[4:]}/", "http://[::1", f"http://x@127.0.0.1:{server.server_port}/"]
    for target, code in (wanted | dict.fromkeys(refused, 403)).items():
        assert status(asked(server, f"GET {target} HTTP/1.1", "Host: proxy.example")) == code, target
    assert status(asked(server, "GET /?at=http://evil.example HTTP/1.1")) == 200
    assert status(asked(server, "GET * HTTP/1.1")) == 404


def test_a_request_that_is_too_long_is_refused(server: Server) -> None:
    assert status(asked(server, f"GET /{'x' * 70_000} HTTP/1.1")) == 414
    assert status(asked(server, "GET / HTTP/1.1", f"X: {'x' * 30_000}")) == 431
    assert status(asked(server, "GET / HTTP/1.1", *(f"X-{n}: {'x' * 200}" for n in range(99)))) == 431
    assert status(asked(server, "GET / HTTP/1.1", *(f"X-{n}: 1" for n in range(200)))) == 431
    assert status(asked(server, "GET / HTTP/1.1", f"Cookie: {'x' * 8_000}")) == 200  # of other servers on localhost


def test_what_follows_a_request_is_not_taken_for_another(server: Server) -> None:
    for header in ("Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: x"):
        assert asked(server, "GET / HTTP/1.1", header).count(b"HTTP/1.1 ") == 1
        assert status(asked(server, "GET / HTTP/1.1", header)) == 400
    assert status(asked(server, "POST / HTTP/1.1", "Content-Length: 1000000")) == 405


def test_many_requests_of_one_connection_and_parts_that_are_not_had(server: Server) -> None:
    one = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nRange: bytes=0-3\r\n\r\n"
    with connected(server) as connection:
        connection.sendall((one * 3).encode())
        with connection.makefile("rb") as sent:
            for _ in range(3):
                header = b"".join(iter(sent.readline, b"\r\n"))
                assert status(header) == 200
                assert sent.read(int(header.partition(b"Content-Length: ")[2].split()[0])) == PAGE.content


def test_what_is_sent_too_slowly_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_REQUEST_S", OWN_S)
    monkeypatch.setattr(http_server, "_IDLE_S", OWN_S)
    assert answer(connected(server)) == b""
    slow = connected(server)
    slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
    for _ in range(5):
        time.sleep(OWN_S / 3)
        slow.send(b"x")
    assert status(answer(slow)) == 408
    idle = connected(server)
    idle.sendall(f"HEAD / HTTP/1.1\r\nHost: localhost:{server.server_port}\r\n\r\n".encode())
    assert status(answer(idle)) == 200  # and closed then


def test_readers_come_at_once_and_more_than_it_bears_are_told(server: Server) -> None:
    request = f"GET /content HTTP/1.1\r\nHost: localhost:{server.server_port}\r\nConnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        readers = [stack.enter_context(connected(server)) for _ in range(200)]
        for reader in readers:
            reader.sendall(request)
        assert {len(answer(reader)) > len(PAGE.content) for reader in readers} == {True}
        waiting = [stack.enter_context(connected(server)) for _ in range(250)]
        assert status(answer(connected(server))) == 503
        for one in waiting:
            one.close()
        until(lambda: status(asked(server, "GET /content HTTP/1.1")) == 200)


def test_readers_can_wait_for_a_server_that_still_collects() -> None:
    with Server(0) as server, ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(socket.create_connection(server.server_address[:2], timeout=5))


def test_few_files_make_few_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        with Server(0) as server:
            assert server.most == 50
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
