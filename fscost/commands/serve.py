"""The report on loopback: one page that follows a sweep, made again only where a result is new and somebody looks."""

import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from threading import Lock, Thread
from typing import Any

from fscost import __version__
from fscost.api.cell_states import CellState
from fscost.api.watch import Look, Watch
from fscost.cells.metric import percent
from fscost.cells.outcome import Status
from fscost.commands.http_server import ADDRESS, Body, Server, tag_of
from fscost.errors import FscostError, one_line
from fscost.launch.console import duration, facts
from fscost.launch.under_way import Running, seconds_left
from fscost.report import Live, Subject, as_json, content, page

_LOOK_S = 0.5
"""No more often than this the store is looked at, however many pages ask."""

_REST = 2
"""While cells run, the next build waits for this many times as long as the last took: the machine is for the sweep."""

_PATIENCE_S = 3
"""How long the page itself waits for a build that is under way; after that it is the last one, which mends itself."""


def serve(watch: Watch, subject_of: Callable[[], Subject], ports: Sequence[int]) -> int:
    """Serve the page of a selection until Ctrl-C, on the first of these ports that is free; return the exit code.

    `subject_of` collects what the selection is about anew. Raises FscostError where no port can be had, and what
    `subject_of` raises the first time.
    """
    with suppress(KeyboardInterrupt), _listening(ports) as server:
        server.answer = Served(watch, subject_of).answer
        print(f"http://{ADDRESS}:{server.server_port}/", flush=True)
        server.serve()
    return 0


def _listening(ports: Sequence[int]) -> Server:
    for port in ports:
        try:
            return Server(port)
        except OSError as error:
            why = error.strerror
    raise FscostError(
        f"--serve {ports[-1]}: cannot be listened on: {why}; name another port, or leave it out for one that is free"
    )


# --- what is served -------------------------------------------------------------------------------


class _Shown:
    """The content as it was once, and the page that holds it."""

    def __init__(self, subject: Subject) -> None:
        self._subject, self._values = subject, content(subject)
        self.content = Body("application/json", as_json(self._values))
        self.live = Live(tag_of(f"{__version__} {subject.command}".encode()), self.content.tag)

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
