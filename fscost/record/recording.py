"""A recording: the messages of a training loop and its evaluations, in the order in which they come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from types import TracebackType
from typing import Any, NoReturn

from fscost.cells.measure import SERVER, Traffic, traffic_of
from fscost.errors import StoreError
from fscost.files import write_whole
from fscost.metering import Ledger, Message
from fscost.metering.content import LARGE_TEXT_BYTES
from fscost.printable import plural
from fscost.protocol.release import NEWEST
from fscost.record.message_sizes import NOT_GIVEN, Unmetered, sizes_of
from fscost.record.place import place_of
from fscost.record.recorded_rounds import Evaluated, RecordError, RoundCount
from fscost.record.settings import Settings
from fscost.store.rundir import RunDir
from fscost.worker.round_file import Progress

OWN_CODE = "own code"
_THE_SERVER: Any = object()

_open: Recording | None = None


class Recording:
    """Counts messages while its ``with`` lasts; at its end they are a run directory.

    Threads may share it, other processes cannot. What it is told and cannot be raises RecordError; after that, or when
    an exception leaves the ``with``, the run has failed and there is no ledger.
    """

    def __init__(self, settings: Settings) -> None:
        self.framework = settings.framework or OWN_CODE
        self._settings, self._lock, self._pid, self._is_over = settings, RLock(), 0, False
        self._workers = {name: worker for worker, name in enumerate(settings.names, start=1)}
        self._place = place_of(settings)
        self._run: RunDir | None = None
        self._progress: Progress | None = None
        self._rounds, self._evaluated, self._unmetered = RoundCount(settings.rounds), Evaluated(), Unmetered()
        self._ledger = Ledger({"protocol": NEWEST.protocol, "clients": len(self._workers)})
        self._traffic: dict[str, Traffic] = {}
        self._to_nobody = 0
        self.notes: list[str] = []
        self._wrong: BaseException | None = None

    # --- what a loop says -------------------------------------------------------------------------

    def downlink(self, content: Any = NOT_GIVEN, *, round: int, clients: Any = None, **about: Any) -> None:
        """Count a message of the server to `clients`, a copy for each; to all clients, where none are named.

        `content` is what is sent; where only the bytes of a copy are known, ``payload_bytes=`` and ``scalar_bytes=``
        say them. ``wire_bytes=`` is the size of a copy as it is serialised. ``type=`` is the type of the message,
        ``model_para`` for the model, and ``traffic=`` is training, evaluation or control.
        """
        self._record(content, _THE_SERVER, [*self._workers] if clients is None else clients, round, **about)

    def uplink(self, content: Any = NOT_GIVEN, *, client: Any, round: int, **about: Any) -> None:
        """Count a message of `client` to the server; all else is as in `downlink`."""
        self._record(content, client, _THE_SERVER, round, **about)

    def peer(self, content: Any = NOT_GIVEN, *, sender: Any, receivers: Any, round: int, **about: Any) -> None:
        """Count a message of a client to others; all else is as in `downlink`."""
        self._record(content, sender, receivers, round, **about)

    def evaluated(self, *, round: int, **metrics: Any) -> None:
        """Note metrics of the model as it is after the training of `round`: ``test_acc=0.93``."""
        with self._turn():
            self._evaluated.add(round, metrics)
            if self._run and self._rounds.first is not None:  # for those who look at the run while it lasts
                lines = self._evaluated.lines(self._rounds.first)
                write_whole(self._run.eval_results, lines, synced=False)

    @property
    def client_names(self) -> Sequence[Any]:
        """The names of the clients, in the order of their worker ids."""
        return self._settings.names

    def worker(self, name: Any) -> int:
        """Return the worker id of a client; raises RecordError for a name that none of them has."""
        try:
            return self._workers[name]
        except (KeyError, TypeError):
            shown = [*self._workers]
            known = f"{shown[0]} to {shown[-1]}" if len(shown) > 3 else ", ".join(map(str, shown))
            raise RecordError(
                f"client {name!r}: there is none; clients are {known}, and clients= may name them"
            ) from None

    # --- the with ---------------------------------------------------------------------------------

    def __enter__(self) -> Recording:
        """Begin; raises RecordError inside another recording, StoreError where the run cannot be written."""
        global _open
        if _open is not None and _open._pid == os.getpid():
            raise RecordError("fscost.record(): another recording is open; one at a time")
        if self._pid:
            raise RecordError("fscost.record(): this recording was used already; make another")
        try:
            self._run = self._place.begin()
        except BaseException:
            self._place.close()
            raise
        _open, self._pid = self, os.getpid()
        self._progress = Progress(self._run.progress) if self._run else None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End: write the run, or that it failed and why."""
        global _open
        if self._pid != os.getpid():
            return  # a fork of the process that records: what happens to it is not the recording's end
        _open, self._is_over = None, True
        try:
            self._end(error)
        except OSError as full:
            raise StoreError(f"{self._run.path if self._run else 'the recording'}: cannot be written: {full}") from full
        finally:
            self._place.close()

    def _end(self, error: BaseException | None) -> None:
        if not error and not self._wrong and not self._ledger.by_type and not self._evaluated:
            self._wrong = RecordError("nothing was recorded: no message and no evaluation")
        if reason := self._wrong or error:
            self._place.failed(max(1, self._rounds.begun), reason)
            if error is None:
                raise reason
            return
        self._write()

    def __reduce__(self) -> NoReturn:
        raise RecordError("a recording counts in one process: let others return what they send, and count it here")

    # --- inside -----------------------------------------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one thread at a time record; whatever goes wrong here makes the recording worthless."""
        if self._pid != os.getpid():
            self._refuse()
        with self._lock:
            if self._is_over:
                raise RecordError("the recording is over: its with has ended")
            try:
                yield
            except BaseException as error:
                self._wrong = self._wrong or error
                raise

    def _refuse(self) -> NoReturn:
        if not self._pid:
            raise RecordError("the recording has not begun: write with fscost.record(…) as run:")
        self.__reduce__()

    def _record(
        self, content: Any, sender: Any, receivers: Any, round: Any, *,
        type: str = "model_para", traffic: str | None = None,
        payload_bytes: int | None = None, scalar_bytes: int | None = None, wire_bytes: int | None = None,
    ) -> None:  # fmt: skip
        """Count one message."""
        with self._turn():
            told = {"payload_bytes": payload_bytes, "scalar_bytes": scalar_bytes, "wire_bytes": wire_bytes}
            each, why = sizes_of(content, told)
            to = (SERVER,) if receivers is _THE_SERVER else self._several(receivers)
            source = SERVER if sender is _THE_SERVER else self.worker(sender)
            if source in to:
                raise RecordError(f"client {sender!r}: sends to itself; what a client keeps is no message")
            state = self._state(self._traffic_of(type, traffic), round)
            if not to:
                self._to_nobody += 1
                return
            self._ledger.record(Message(type, source, to, state, None if content is NOT_GIVEN else content), each)
            if why:
                self._unmetered.add(type, why, len(to))

    def _several(self, names: Any) -> tuple[int, ...]:
        one = isinstance(names, (str, bytes)) or not isinstance(names, Iterable)
        workers = tuple(self.worker(name) for name in ([names] if one else names))
        if len({*workers}) < len(workers):
            raise RecordError(f"clients={names}: names one of them twice")
        return workers

    def _traffic_of(self, msg_type: Any, traffic: str | None) -> Traffic:
        """Return the traffic class of a type, which it keeps; raises RecordError for another one, or an unknown one."""
        if not isinstance(msg_type, str) or not msg_type:
            raise RecordError(f"type={msg_type!r}: must be a text")
        if traffic is not None and traffic not in [*Traffic]:
            raise RecordError(f"traffic={traffic!r}: must be {', '.join(Traffic)}")
        usual = traffic_of(msg_type)
        own = self._traffic.setdefault(msg_type, usual if traffic is None else Traffic(traffic))
        if traffic is not None and own != traffic:
            raise RecordError(
                f"traffic={traffic}: messages of type {msg_type} were {own} before; give them another type="
            )
        if own is not usual:
            self._ledger.traffic[msg_type] = own
        return own

    def _state(self, traffic: Traffic, round: Any) -> int:
        if traffic is Traffic.CONTROL:
            return self._rounds.state_of_control(round)
        state = self._rounds.state(round)
        if self._progress:
            self._progress.reaches(state + 1)
        return state

    def _write(self) -> None:
        first = self._rounds.first
        if first is None:
            first = self._evaluated.first_round(self._settings.rounds)
        rounds = max(self._rounds.begun, self._evaluated.last(first), 1)
        warnings = tuple(self._warnings(first, rounds))
        axes = self._settings.known_axes(rounds)
        self._ledger.header.update(axes=axes, framework=self.framework, warnings=warnings)
        run = self._place.fresh(rounds)
        write_whole(run.eval_results, self._evaluated.lines(first))
        write_whole(run.ledger, self._ledger.lines())
        self._place.done(run, warnings)

    def _warnings(self, first: int, rounds: int) -> Iterator[str]:
        asked = self._settings.rounds
        if asked is not None and rounds < asked:
            yield f"{rounds} of {plural(asked, 'round')} were recorded"
        if self._to_nobody:
            yield f"to no client, and counted as none: {plural(self._to_nobody, 'message')}"
        if early := self._evaluated.before(first):
            yield f"the evaluation of round {early[0]}, before any training, is in no table: its metrics are left out"
        yield from dict.fromkeys(self.notes)
        yield from self._unmetered.warnings()
        yield from _numbers_alone(self._ledger)
        yield from self._ledger.warnings()


def _numbers_alone(ledger: Ledger) -> Iterator[str]:
    """Yield a line for each type of messages that have many numbers, and none of them in a tensor."""
    scalars: dict[str, int] = {}
    for (_, msg_type, _), tally in ledger.by_type.items():
        if tally.sizes.payload_bytes == 0 and (tally.sizes.scalar_bytes or 0) > LARGE_TEXT_BYTES * tally.messages:
            scalars[msg_type] = scalars.get(msg_type, 0) + (tally.sizes.scalar_bytes or 0)
    for msg_type, size in scalars.items():
        yield (
            f"{msg_type}: {size:,} B of numbers and texts in lists, none in a tensor or an array: payload leaves them "
            "out, content counts them (table.measure=content)"
        )


def the_open_one() -> Recording:
    """Return the recording that is open in this process; raises RecordError where none is."""
    if _open is None or _open._pid != os.getpid():
        raise RecordError("fscost.record.flower(grid): no recording is open; write with fscost.record(…): around it")
    return _open
