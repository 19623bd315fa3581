"""`report --serve`: what it answers, to whom, and when the content is made again."""

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, Popen
from sys import executable

import pytest

from fscost.api.results import Results
from fscost.api.selection import select
from fscost.api.watch import Watch
from fscost.cells.outcome import Outcome, Status
from fscost.commands.serve import Served
from fscost.errors import TableError
from fscost.report import Subject
from tests.commands.test_status import finish
from tests.conftest import Result, cells_of, in_process
from tests.served import Server, serving, squares
from tests.waiting import until

FAST = ("engine=estimate", "model=lr", "rounds=2", "clients=2,3")
TRAINED = ("engine=builtin", "model=convnet2", "rounds=1000000")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    with serving(*FAST, cwd=tmp_path_factory.mktemp("served")) as started:
        yield started


@pytest.mark.pipeline
def test_the_page_asks_nobody_else_and_knows_what_it_holds(server: Server) -> None:
    answer, page = server.ask("/")
    text = page.decode()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "connect-src 'self' data:;" in text
    assert f'data-content="{server.told("/progress")["content"]}"' in text
    assert f'data-page="{server.told("/progress")["page"]}"' in text
    assert "data-page" not in report_of(server)


def report_of(server: Server) -> str:
    """The page of the same cells as a file."""
    store = Path(f"/proc/{server.process.pid}/cwd").resolve()
    assert in_process("report", *FAST, "--out", "page.html", cwd=store).code == 0
    return (store / "page.html").read_text()


@pytest.mark.pipeline
def test_the_content_is_json_and_compressed_for_who_takes_it(server: Server) -> None:
    answer, plain = server.ask("/content")
    packed, content = server.ask("/content", Accept_Encoding="gzip, br")
    assert json.loads(plain)["summary"] == "comm_cost: 2 cells, 2 missing"
    assert (answer.headers["Content-Encoding"], packed.headers["Content-Encoding"]) == (None, "gzip")
    assert gzip.decompress(content) == plain
    assert answer.headers["ETag"] == packed.headers["ETag"]
    assert packed.headers["Vary"] == "Accept-Encoding"


@pytest.mark.pipeline
@pytest.mark.parametrize("path", ["/", "/content", "/progress", "/?from=bookmark"])
def test_what_the_browser_has_is_not_sent_again(server: Server, path: str) -> None:
    answer, content = server.ask(path)
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-cache", "nosniff")
    tag = answer.headers["ETag"]
    again, nothing = server.ask(path, If_None_Match=f'"other", {tag}')
    assert (again.status, again.headers["ETag"], nothing) == (304, tag, b"")
    assert server.ask(path, If_None_Match='"other"')[1] == content
    head, nothing = server.ask(path, "HEAD")
    assert (head.status, head.headers["Content-Length"], nothing) == (200, str(len(content)), b"")


@pytest.mark.pipeline
@pytest.mark.parametrize("path", ["/etc/passwd", "/../pyproject.toml", "/content/", "/runs", "/%2e%2e/"])
def test_no_file_is_served(server: Server, path: str) -> None:
    answer, text = server.ask(path)
    assert (answer.status, text) == (404, b"Not Found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.pipeline
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_nothing_can_be_done_but_read(server: Server, method: str) -> None:
    answer, _ = server.ask("/content", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.pipeline
def test_other_names_for_this_machine_are_refused(server: Server) -> None:
    for host in (
        f"127.0.0.1:{server.port}",
        f"localhost:{server.port}",
        f"LocalHost:{server.port}",
        f"[::1]:{server.port}",
    ):
        assert server.ask("/progress", Host=host)[0].status == 200, host
    for host in (
        "evil.example",
        f"evil.example:{server.port}",
        "127.0.0.1",
        "localhost:1",
        f"localhost:{server.port}.evil",
    ):
        for path in ("/", "/content", "/progress", "/none"):
            assert server.ask(path, Host=host)[0].status == 403, host
    for lines in ("", f"Host: localhost:{server.port}\r\nHost: evil.example\r\n"):
        assert raw(server, f"GET /content HTTP/1.1\r\n{lines}\r\n").startswith(b"HTTP/1.1 403 ")
    assert raw(server, "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def raw(server: Server, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request.encode())
        return connection.recv(1000)


@pytest.mark.pipeline
@pytest.mark.parametrize("request_line", ["GET", "\0\1\2 / HTTP/1.1", "GET / HTTP/9", f"GET /{'x' * 70_000} HTTP/1.1"])
def test_nonsense_is_refused_and_the_server_goes_on(server: Server, request_line: str) -> None:
    assert re.match(rb"HTTP/1.1 [45]\d\d |Bad Request", raw(server, f"{request_line}\r\n\r\n"))
    assert server.ask("/progress")[0].status == 200


@pytest.mark.pipeline
def test_nothing_listens_outside_loopback(server: Server) -> None:
    rows = [line.split() for net in ("tcp", "tcp6") for line in Path(f"/proc/net/{net}").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{server.port:04X}")]
    assert listening == [f"0100007F:{server.port:04X}"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port))


@pytest.mark.pipeline
def test_nothing_is_done_while_nobody_asks(server: Server) -> None:
    assert server.ask("/progress")[0].status == 200

    def is_at_rest() -> bool:
        before = switches(server)
        time.sleep(1.5)
        return switches(server) == before

    until(is_at_rest, "for a server that nobody asks")


def switches(server: Server) -> dict[Path, str]:
    """How often each thread of the server has rested."""
    found = Path(f"/proc/{server.process.pid}/task").glob("*/status")
    return {path: re.findall(r"voluntary_ctxt_switches:\t(\d+)", path.read_text())[0] for path in found}


# --- as cells end ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_results_appear_as_cells_end(here: Path, fscost: Callable[..., Result]) -> None:
    with serving(*FAST, cwd=here) as server:
        first = server.told("/progress")
        assert [square["state"] for square in squares(first)] == ["missing", "missing"]
        assert (first["totals"], first["is_over"], first["running"]) == ("2 cells, 2 missing", False, [])
        assert fscost(*FAST[:-1], "clients=3").code == 0
        half = server.told_until("/progress", lambda told: told["content"] != first["content"])
        assert [square["state"] for square in squares(half)] == ["missing", "done"]
        assert server.told("/content")["summary"] == "comm_cost: 2 cells, 1 done, 1 missing"
        assert fscost(*FAST).code == 0
        last = server.told_until("/progress", lambda told: told["is_over"])
        assert (last["totals"], last["problem"]) == ("2 cells, 2 done", "")
        assert last["page"] == first["page"]
        assert server.told("/content")["summary"] == "comm_cost: 2 cells, 2 done"
        assert f'data-content="{last["content"]}"' in server.ask("/")[1].decode()


@pytest.mark.pipeline
def test_a_cell_that_runs_is_told_round_by_round(here: Path) -> None:
    with serving(*TRAINED, cwd=here) as server:
        sweep = Popen([executable, "-m", "fscost", *TRAINED], cwd=here, stdout=DEVNULL, stderr=DEVNULL)
        try:
            told = server.told_until("/progress", lambda told: re.search("accuracy.* left", squares(told)[0]["text"]))
        finally:
            sweep.kill()
            sweep.wait()
        (square,) = squares(told)
        (name, *facts) = told["running"][0]
        running = rf"{name}, running, round \d+ of 1000000, accuracy \d+\.\d %, about .+ left"
        assert re.fullmatch(running, square["text"])
        assert 0 < square["part"] < 1
        assert re.match(r"round \d+/1000000$", facts[0])
        assert re.match(r"1 cell, 1 running; about .+ left$", told["totals"])
        told = server.told_until("/progress", lambda told: squares(told)[0]["state"] == "interrupted")
        assert (told["running"], squares(told)[0]["text"]) == ([], f"{name}, interrupted")


@pytest.mark.pipeline
def test_runs_of_an_empty_folder_join_as_they_come(here: Path) -> None:
    (here / "found").mkdir()
    with serving("found", cwd=here) as server:
        assert server.told("/content")["summary"].endswith(": 0 cells")
        assert server.told("/progress")["grids"] == []
        cells = cells_of(*FAST)
        finish(cells[0], Outcome(status=Status.FAILED, reason="<b>why</b>"), here / "found/deep/runs")
        content = server.told_until("/content", lambda told: told["cells"])
        assert [cell["reason"] for cell in content["failures"]] == ["<b>why</b>"]
        (square,) = squares(server.told("/progress"))
        assert square == {"state": "failed", "text": f"{cells[0].name}, failed, <b>why</b>"}
        strange = here / "found" / "<script>alert(1)<!-- 🦉"
        strange.mkdir()
        (strange / "eval_results.log").write_text("")
        told = server.told_until("/progress", lambda told: len(squares(told)) == 2)
        assert told["grids"][-1]["title"] == "unknown cells"
        assert "<script>alert(1)" in squares(told)[-1]["text"]
        assert b"<script>alert(1)" not in server.ask("/")[1]


@pytest.mark.pipeline
def test_a_folder_that_is_gone_leaves_the_page_up(here: Path) -> None:
    cell = cells_of(*FAST)[0]
    finish(cell, Outcome(status=Status.FAILED), here / "found")
    with serving("found", cwd=here) as server:
        before = server.told("/content")
        (here / "found").rename(here / "away")
        told = server.told_until("/progress", lambda told: told["problem"])
        assert told["problem"] == "found: no such folder; give a store, a run directory or overrides"
        assert server.told("/content") == before
        (here / "away").rename(here / "found")
        assert server.told_until("/progress", lambda told: not told["problem"])["problem"] == ""


# --- what is made, and how often ------------------------------------------------------------------


class Made:
    """Subjects of a selection, counted; the next one waits for `go` and may fail."""

    def __init__(self) -> None:
        self.count, self.error, self.go = 0, None, threading.Event()
        self.go.set()

    def __call__(self) -> Subject:
        self.count += 1
        self.go.wait()
        if self.error:
            raise self.error
        return Results(select(FAST)).subject()

    error: Exception | None


def asked_until(served: Served, is_it: Callable[[dict[str, object]], object]) -> dict[str, object]:
    for _ in range(1200):
        body = served.answer("/progress")
        assert body is not None
        if is_it(told := json.loads(body.content)):
            break
        threading.Event().wait(0.1)
    return told


@pytest.mark.pipeline
def test_one_build_is_made_for_all_who_ask_and_the_last_is_served_meanwhile(here: Path) -> None:
    made = Made()
    served = Served(Watch(select(FAST)), made)
    before = served.answer("/content")
    assert asked_until(served, lambda told: True)["totals"] == "2 cells, 2 missing"
    made.go.clear()
    finish(cells_of(*FAST)[0], Outcome(status=Status.FAILED))
    assert asked_until(served, lambda _: made.count == 2)["is_over"] is False
    asking = [threading.Thread(target=served.answer, args=["/"]) for _ in range(10)]
    for thread in asking:
        thread.start()
    assert served.answer("/content") is before
    made.go.set()
    for thread in asking:
        thread.join()
    last = asked_until(served, lambda told: told["content"] != before.tag)
    for _ in range(3):
        threading.Event().wait(0.6)
        assert served.answer("/content").tag == last["content"]
    assert made.count == 2


@pytest.mark.pipeline
@pytest.mark.parametrize("error", [TableError("a and b must not be averaged"), ZeroDivisionError("x")])
def test_a_build_that_fails_leaves_the_last_and_says_so(
    here: Path, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made()
    served = Served(Watch(select(FAST)), made)
    before, made.error = served.answer("/content"), error
    cells = cells_of(*FAST)
    finish(cells[0], Outcome(status=Status.FAILED))
    told = asked_until(served, lambda told: told["problem"])
    assert str(error) in str(told["problem"])
    assert served.answer("/content") is before
    assert ("Traceback" in capsys.readouterr().err) == (not isinstance(error, TableError))
    made.error = None
    finish(cells[1], Outcome(status=Status.FAILED))
    assert asked_until(served, lambda told: told["is_over"])["problem"] == ""
    assert json.loads(served.answer("/content").content)["summary"] == "comm_cost: 2 cells, 2 failed"


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_says_where_it_is_and_ends_well_with_ctrl_c(here: Path) -> None:
    with serving(*FAST, cwd=here) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url)
        assert server.ask("/")[0].status == 200
        assert server.interrupt() == (0, "", "")
    assert list(here.iterdir()) == []


@pytest.mark.slow
def test_a_port_that_is_taken(here: Path) -> None:
    with serving(*FAST, cwd=here) as first:
        done = in_process("report", *FAST, "--serve", str(first.port), cwd=here)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"fscost: --serve {first.port}: cannot be listened on: Address already in use; ")
        assert len(done.err.splitlines()) == 1
    with serving(*FAST, cwd=here, port="auto") as first, serving(*FAST, cwd=here, port="auto") as second:
        assert first.port != second.port
        assert {server.ask("/progress")[0].status for server in (first, second)} == {200}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--serve", "70000", *FAST], "must be a port, a whole number from 0 (any free one) to 65535"),
        (["--serve=-1", *FAST], "must be a port"),
        (["--serve=x", *FAST], "must be a port"),
        (["--serve", *FAST, "--out", "x.html"], "not allowed with argument --serve"),
        (["--serve", "nowhere"], "nowhere: no such folder"),
        (["--serve"], "no sweep was run"),
        (["--serve", "clients=0"], "clients=0: must be"),
        (["--serve", *FAST, "table.unit=furlong"], "table.unit=furlong"),
    ],
)
def test_mistakes_get_one_line(here: Path, fscost: Callable[..., Result], words: list[str], sentence: str) -> None:
    done = fscost("report", *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1
