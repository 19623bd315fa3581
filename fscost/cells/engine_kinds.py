"""What kinds of engines there are: all that other rooms ask of one. A new engine is a room and a line here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class EngineKind:
    """What an engine is.

    `counted` says in figures what counted the bytes that are no payload. `trains` is whether models learn, so that
    there are evaluations; `writes_logs` whether it writes FederatedScope's logs; `waits_for_disk` whether a result is
    worth to be on the disk before the next one begins. `has_interpreter` is whether it runs under ``engine.python``,
    whose options are then its own: its room has ``identify(python, protocol)`` too. `logs_workers` is whether there is
    a line of each worker among the logs. `encodes_itself` is whether messages are serialised, and sent, as the training
    code does it, and not as FederatedScope; `takes_any_word` whether nobody here knows that code, so that methods,
    models and data are called as its user likes. `framework` is what trained, unless a run's ledger says it.
    """

    name: str
    counted: str = "log"
    trains: bool = True
    writes_logs: bool = True
    waits_for_disk: bool = True
    has_interpreter: bool = False
    logs_workers: bool = True
    encodes_itself: bool = False
    takes_any_word: bool = False
    framework: str = "own code"


_KINDS = (
    EngineKind("builtin", "log of the builtin engine", framework="fscost"),
    EngineKind(
        "estimate", "asizeof, closed form", trains=False, writes_logs=False, waits_for_disk=False, framework="estimate"
    ),
    EngineKind("command", "not counted", logs_workers=False, encodes_itself=True, takes_any_word=True),
    EngineKind("federatedscope", "FederatedScope's log", has_interpreter=True, framework="FederatedScope"),
)

RECORDED = "recorded"
_WITHOUT_ROOM = (
    EngineKind(RECORDED, "not counted", logs_workers=False, encodes_itself=True),
    EngineKind("listed", "as the list says", writes_logs=False, encodes_itself=True),
)
"""What ``fscost.record`` writes of a training code that no engine started, and messages that somebody else counted."""

ENGINES = {kind.name: kind for kind in _KINDS}
"""Every engine by its name, which is that of its room in ``fscost/engine`` and of its file in ``conf/engine``."""

_ALL = {kind.name: kind for kind in (*_KINDS, *_WITHOUT_ROOM)}

FEDERATEDSCOPE, WITHOUT_FEDERATEDSCOPE = "federatedscope", "builtin"
"""What ``engine=auto`` means where there is a FederatedScope, and where there is none."""


def engine_kind(engine: str) -> EngineKind:
    """Return what an engine is; of one that is not here, whose runs are, one that trains and writes logs."""
    return _ALL.get(engine) or EngineKind(engine)


def untrained() -> Iterator[str]:
    """Yield the names of the engines that train nothing."""
    return (kind.name for kind in _KINDS if not kind.trains)
