"""Transports that a FederatedScope of somebody's own has: what they send past the metered one ends the course."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import wraps
from typing import Any

from fscost.worker.recorder import Recorder

UNMETERED = "run its main.py, and read its logs with collect"


def watch_transports(runner: Any, recorder: Recorder) -> None:
    """Make every transport say so that sends a message past ``StandaloneCommManager.send``, where `recorder` is.

    A class below it may do anything before and after; the first message of a course, ``join_in``, shows whether it goes
    through, before any training. Raises RuntimeError where a worker of `runner` has a transport that is no such class.
    """
    from federatedscope.core.communication import StandaloneCommManager

    for transport in _transports(runner):
        if not isinstance(transport, StandaloneCommManager):
            raise RuntimeError(_past(type(transport), "messages"))
    for kind in _below(StandaloneCommManager):
        if "send" in vars(kind):
            _watch(kind, recorder)


def _transports(runner: Any) -> Iterator[Any]:
    """Yield the transports of a runner's workers, as far as it holds them."""
    clients = getattr(runner, "client", None)
    listed: Iterable[Any] = clients.values() if isinstance(clients, dict) else ()
    for worker in (runner, getattr(runner, "server", None), *listed):
        if (transport := getattr(worker, "comm_manager", None)) is not None:
            yield transport


def _below(kind: Any) -> Iterator[Any]:
    for own in kind.__subclasses__():
        yield own
        yield from _below(own)


def _watch(kind: Any, recorder: Recorder) -> None:
    send = kind.send

    @wraps(send)
    def watched(transport: Any, message: Any, *more: Any, **named: Any) -> Any:
        before = recorder.sent
        result = send(transport, message, *more, **named)
        if recorder.sent == before:
            raise RuntimeError(_past(kind, str(message.msg_type)))
        return result

    kind.send = watched


def _past(kind: Any, what: str) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    return f"{name} sends {what} past StandaloneCommManager.send, where they would be metered; {UNMETERED}"
