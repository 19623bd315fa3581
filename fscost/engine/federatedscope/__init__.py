"""The federatedscope engine: real FederatedScope in a worker process, every message metered inside it."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fscost.cells import provenance_options
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.engine.base import DEFAULTS, EngineSettings
from fscost.engine.federatedscope import answers
from fscost.engine.federatedscope.answers import options_of
from fscost.engine.federatedscope.interpreter import Interpreter, interpreter, is_within_reach
from fscost.engine.process import WarmWorker, Worker, last_words, outcome_of
from fscost.errors import ConfigError
from fscost.protocol import fs_options, models
from fscost.protocol.client_options import by_client, of_all
from fscost.protocol.codec_conditions import without_codecs
from fscost.protocol.datasets import DATA_TYPES, SPLITTERS
from fscost.protocol.effective_options import broken_claims, own_choices
from fscost.protocol.known_options import KnownOptions
from fscost.protocol.methods import BY_FEDERATE_METHOD
from fscost.protocol.release import PROTOCOLS
from fscost.store.rundir import RunDir

__all__ = [
    "FederatedScopeEngine",
    "described",
    "identify",
    "interpreter",
    "is_within_reach",
    "make_engine",
    "options_of",
    "refusals",
]


class FederatedScopeEngine:
    """Runs cells with FederatedScope in forks of a worker that has imported it once.

    `python` names the interpreter that has it, None for this one. Relative paths start from where it was made.
    """

    def __init__(self, python: str | None) -> None:
        self._python, self._worker, self._home = python, WarmWorker("fscost.worker.fs_course"), Path.cwd()

    def check(self, cell: Cell) -> None:
        """Raise ConfigError for a cell that FederatedScope would crash on or that cannot be metered."""
        if problems := list(_problems(cell)):
            raise ConfigError(*problems)

    def check_here(self, cell: Cell) -> None:
        """Raise ConfigError where the package that ships the cell's data is not installed."""
        _data_file(cell)

    def prepare(self, cell: Cell) -> None:
        """Start the worker.

        Raises ConfigError where there is no FederatedScope, or one of another release than the cell's, or no data.
        """
        found = interpreter(self._python)
        if found.protocol != cell.protocol:
            raise ConfigError(
                f"engine.protocol={cell.protocol}: there is {found.description}; name another interpreter with "
                "engine.python=PATH, or leave engine.protocol out"
            )
        _check_asked(cell, found)
        self.check_here(cell)
        self._started(found)

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run one cell and write its ledger and logs; what ends its process is the outcome's reason."""
        found = interpreter(self._python)
        worker = self._started(found)
        request = {
            "into": str(into.path.resolve()),
            "log": str(into.engine_log.resolve()),
            "asked": dict(fs_options.leaves(cell.fs)),
            "home": str(self._home),
            "protocol": cell.protocol,
            "data_file": _data_file(cell),
        }
        return _outcome(cell, into, worker.ask(request | settings.as_request()), found, worker.versions)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _started(self, found: Interpreter) -> Worker:
        return self._worker.started(found.python, f"engine.python={found.python}: FederatedScope cannot be imported")


def make_engine(python: str | None) -> FederatedScopeEngine:
    """Return the engine that runs under an interpreter, None for this one."""
    return FederatedScopeEngine(python)


def identify(python: str | None) -> tuple[str, KnownOptions]:
    """Return the message protocol of an interpreter's FederatedScope, and its options.

    Raises ConfigError where there is none.
    """
    found = interpreter(python)
    return found.protocol, options_of(found)


def refusals(python: str | None, cells: Sequence[Cell]) -> list[str]:
    """Return for each cell why an interpreter's FederatedScope does not run it, in its own words, or nothing."""
    shared, words = _shared_files(cells), answers.refusals(interpreter(python), cells)
    return [shared.get(cell.id) or word for cell, word in zip(cells, words, strict=True)]


def _shared_files(cells: Sequence[Cell]) -> dict[str, str]:
    """Return for each cell that would write a file which another one writes too, what to do about it, by its id."""
    writers: dict[str, list[str]] = {}
    for cell in cells:
        for name, value in fs_options.leaves(cell.fs):
            if provenance_options.is_save(name) and str(value).startswith(("/", "~")):
                writers.setdefault(f"fs.{name}={value}", []).append(cell.id)
    return {
        cell: f"{place}: {len(own)} cells would write it; a relative path lies in the run directory of each"
        for place, own in writers.items()
        for cell in own
        if len(own) > 1
    }


def described(python: str | None) -> str:
    """Return which FederatedScope an interpreter has, in words; raises ConfigError where it has none."""
    return interpreter(python).description


def _check_asked(cell: Cell, found: Interpreter) -> None:
    """Refuse what this FederatedScope does not have or crashes on: where a protocol is named, no plan asks it."""
    there, asked = options_of(found), dict(fs_options.leaves(cell.fs))
    there.check_crashes(asked)
    for options in (of_all(asked), *by_client(asked).values()):
        for name, value in options.items():
            if name not in fs_options.known() and not fs_options.is_open(name):
                there.check(name, value)


def _data_file(cell: Cell) -> str | None:
    """Return where data are that FederatedScope's interpreter need not have, None where it has them itself."""
    data = DATA_TYPES.get(cell.get("data.type"))
    if data is None or (data.source.package == "sklearn" and find_spec("sklearn") is None):
        return None  # FederatedScope itself needs scikit-learn
    return str(data.file())


def _problems(cell: Cell) -> Iterator[str]:
    yield from fs_options.not_federatedscopes(cell.fs)
    yield from without_codecs(cell.fs)
    yield from _no_method_of_its_own(cell)
    yield from models.problems(cell)
    if cell.get("federate.mode") == "distributed":
        yield (
            "fs.federate.mode=distributed: engine=federatedscope runs FederatedScope's standalone mode, whose messages "
            "are the same; output of distributed runs can be read with collect"
        )
    if (backend := cell.get("backend", "torch")) != "torch":
        yield f"fs.backend={backend}: engine=federatedscope meters torch's tensors; take fs.backend=torch"
    splitter = cell.get("data.splitter")
    if cell.get("data.type") in DATA_TYPES and splitter not in SPLITTERS:
        yield f"fs.data.splitter={splitter}: the digits are split over clients by {' or '.join(SPLITTERS)}"


def _no_method_of_its_own(cell: Cell) -> Iterator[str]:
    """Yield that no release of FederatedScope has the method: it would train as FedAvg, and say so in its log alone."""
    method = cell.get("federate.method")
    if cell.protocol in PROTOCOLS and (known := BY_FEDERATE_METHOD.get(str(method).lower())) and known.is_own:
        engines = "engine=estimate counts it" if known.name == "spec" else "engine=builtin trains it"
        yield (
            f"fs.federate.method={method}: FederatedScope has no such method and would train FedAvg; {engines}; one "
            "that you registered needs another name"
        )


def _outcome(cell: Cell, into: RunDir, reply: dict[str, Any], found: Interpreter, versions: dict[str, str]) -> Outcome:
    status, reason = Status(reply["status"]), str(reply["reason"])
    warnings = tuple(reply.get("warnings", ()))
    if status is Status.DONE:
        asked = dict(fs_options.leaves(cell.fs))
        warnings += tuple(own_choices(asked, reply["used"]))
        if broken := list(broken_claims(asked, reply["used"])):  # by the course itself: before it, the worker looked
            status, reason = Status.FAILED, f"this is not the cell that was asked for: {'; '.join(broken)}"
    elif reply.get("silent") and (words := last_words(into.engine_log)):
        reason += f"; its last words: {words}"
    return outcome_of(
        cell,
        reply | {"status": status, "reason": reason},
        versions=versions,
        device=reply.get("device", "unknown"),
        warnings=warnings,
        fs_commit=found.commit,
    )
