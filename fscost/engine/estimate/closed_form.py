"""The ledger of a course in closed form: rounds × clients × contents, nothing trained, no tensor allocated.

The messages are those of FederatedScope's protocol, as the builtin engine sends them one by one.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import fscost
from fscost.cells.cell import Cell
from fscost.cells.measure import SERVER, Link
from fscost.cells.outcome import Outcome, Provenance, Status
from fscost.engine.estimate.message_contents import Contents
from fscost.engine.estimate.sample_counts import ONE_BYTE, Alike, equally_long, groups_of
from fscost.errors import one_line
from fscost.files import write_whole
from fscost.metering import Ledger, Message, Sizes, enclosed, meter, meter_content
from fscost.metering.ledger import Tally
from fscost.protocol.course_options import Options
from fscost.store.rundir import RunDir


def run_cell(cell: Cell, into: RunDir, make: Callable[[Options], Estimate]) -> Outcome:
    """Compute the ledger of one cell and write it; `make` returns its estimate. Never raises for a cell without one."""
    begin_s = time.monotonic()
    status, reason, log = Status.DONE, "", "estimated in closed form; nothing was trained"
    warnings: tuple[str, ...] = ()
    try:
        estimate = make(Options(cell))
        write_whole(into.ledger, estimate.ledger().lines(), synced=False)  # see fscost.store.rundir
        warnings = estimate.contents.warnings
    except (ValueError, ArithmeticError, RuntimeError) as error:
        status, reason, log = Status.FAILED, one_line(error), traceback.format_exc()
    write_whole(into.engine_log, log.splitlines(), synced=False)
    return Outcome(
        status=status,
        reason=reason,
        warnings=warnings,
        wall_s=time.monotonic() - begin_s,
        provenance=Provenance(
            engine=cell.engine,
            protocol=cell.protocol,
            fs_commit=None,
            versions=_versions(),
            host=platform.node(),
            device="none",
            seed=cell.get("seed"),
        ),
    )


_SHARE = "ss_model_para"
_WITH_MODEL = ("model_para", _SHARE, "evaluate", "finish")

Parts = list[tuple[int, Sizes]]
"""Copies of messages and the bytes of one of them."""


@dataclass(frozen=True)
class Made:
    """A content, known by how it is made; equal ones are made and metered once for all messages and cells."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@lru_cache(maxsize=4096)  # asizeof alone takes longer than everything else
def _metered(content: Made, msg_type: str, pickled: bool) -> Sizes:
    return meter_content(Message(msg_type, SERVER, (), 0, content.make(*content.arguments)), pickled=pickled)


def _nothing() -> None:
    """Return the content of a message that has none."""


def _metrics(contents: Contents, *totals: tuple[str, int]) -> dict[str, Any]:
    return contents.metrics(dict(totals))


def _contents_of(cell: Cell) -> Contents:
    """Return the contents of a cell's messages; cells share them that differ in clients, rounds and seed alone."""
    federate = {name: value for name, value in cell.fs["federate"].items() if name != "sample_client_num"}
    one = {name: value for name, value in cell.fs.items() if name != "course"} | {
        "seed": 0,
        "federate": federate | {"client_num": 1, "total_round_num": 1},
    }
    return _contents(cell.protocol, json.dumps(one, sort_keys=True))


@lru_cache(maxsize=64)
def _contents(protocol: str, fs: str) -> Contents:
    return Contents(Options(Cell(engine="estimate", protocol=protocol, fs=json.loads(fs))))


@cache
def _versions() -> dict[str, str]:
    """Return what sizes depend on; asizeof counts a tensor of any release of torch alike in this Python."""
    from importlib.metadata import PackageNotFoundError, version  # with what reads e-mail: 10 ms, and a plan needs none

    found = {"python": sys.version.split()[0], "fscost": fscost.__version__}
    with suppress(PackageNotFoundError):  # nothing here imports it
        found["torch"] = version("torch")
    return found


class Estimate:
    """The messages of one cell."""

    def __init__(self, options: Options) -> None:
        self.options, self.contents = options, _contents_of(options.cell)
        self.release = options.release
        self.clients, self.per_round = options.clients, options.clients_per_round
        self.groups = list(groups_of(options))
        self.stopped = int(options["early_stop.stopped_after"])
        self.trained = min(self.stopped + 1, options.rounds) if self.stopped else options.rounds
        header = self.contents.header | {"protocol": options.cell.protocol, "clients": self.clients}
        self.found = Ledger(header)

    def ledger(self) -> Ledger:
        """Return the ledger: a line per round, type and link; workers are left out, as they are in no closed form."""
        self._join()
        self._train()
        self._evaluate()
        if self.stopped:
            self._broadcast("converged", [self.stopped], self.clients, self.release.converged_content)
        once_more = self.options["fedswa.use"] and not self.options.global_evaluation
        end = self.options.rounds + bool(once_more or self.stopped)  # FedSWA evaluates once more before it ends
        self._broadcast("finish", [end], self.clients, Made(self.contents.finished))
        return self.found

    def _join(self) -> None:
        self._from_clients("join_in", [0], lambda _: Made(_nothing))
        if asked := self.options["federate.join_in_info"].copy():
            self._to_each("ask_for_join_in_info", [0], asked)
            samples = self.options.joining_samples
            self._from_clients("join_in_info", [-1], lambda one: {"num_sample": samples(one.samples["train"])})
        if self.options["federate.use_ss"]:
            self._broadcast("address", [0], self.clients, dict.fromkeys(range(1, self.clients + 1)))

    def _train(self) -> None:
        rounds = range(self.trained)  # after an early stop one more than was aggregated: it was already under way
        whole = rounds[: self.contents.begins_in_full]
        self._broadcast("model_para", whole, self.per_round, Made(self.contents.downloaded_first))
        self._broadcast("model_para", rounds[len(whole) :], self.per_round, Made(self.contents.downloaded))
        if self.options["federate.use_ss"]:
            self._add("ss_model_para", Link.PEER, rounds, self._shares, self.clients)
        self._add("model_para", Link.UPLINK, rounds, self._uploads, self.per_round)

    def _shares(self, state: int) -> Parts:
        """Return the messages of every client to every other one."""
        share, alike = Made(self.contents.secret_share), list(equally_long(self.clients))
        return [
            (len(some) * (len(others) - (some == others)), self._sizes(_SHARE, some[0], [others[-1]], state, share))
            for some in alike
            for others in alike
        ]

    def _uploads(self, state: int) -> Parts:
        def upload(one: Alike) -> Sizes:
            sample_size = self.options.local_steps.sample_size(one.samples["train"])
            content = Made(self.contents.uploaded, (sample_size,))
            return self._sizes("model_para", one.one, [SERVER], state, content)

        return self._of_sampled([(one.clients, upload(one)) for one in self.groups])

    def _evaluate(self) -> None:
        states = self._evaluation_states()
        self._broadcast("evaluate", states, self.clients, Made(self.contents.evaluated))
        self._from_clients("metrics", states, lambda one: Made(_metrics, (self.contents, *self._totals(one).items())))

    def _evaluation_states(self) -> list[int]:
        if not self.options.evaluations:
            return []
        rounds, every = self.stopped or self.options.rounds, self.options["eval.freq"]
        after = [*range(every, rounds + 1, every)] + ([rounds] if rounds % every else [])
        after += [rounds] if self.options["fedswa.use"] else []  # once more, with the averaged weights
        return [state - self.release.first_evaluation_is_round_0 for state in after]

    def _totals(self, one: Alike) -> dict[str, int]:
        """Return the samples that an evaluation of each split sees: of train, those of one local update."""
        return one.samples | {"train": self.options.local_steps.sample_size(one.samples["train"])}

    # --- many messages at once ---------------------------------------------------------------------

    def _broadcast(self, msg_type: str, states: Iterable[int], receivers: int, content: Any) -> None:
        """Add one message to several clients in each of these rounds; every copy carries the list of receivers."""
        depends = receivers < self.clients and self.clients > ONE_BYTE  # who is sampled decides how long the list is

        def parts(state: int) -> Parts:
            sizes = self._sizes(msg_type, SERVER, range(1, receivers + 1), state, content)
            return [(receivers, sizes._replace(wire_bytes=None) if depends else sizes)]

        self._add(msg_type, Link.DOWNLINK, states, parts, receivers)

    def _to_each(self, msg_type: str, states: Iterable[int], content: Any) -> None:
        """Add a message of its own to every client."""

        def parts(state: int) -> Parts:
            return [(one.clients, self._sizes(msg_type, SERVER, [one.one], state, content)) for one in self.groups]

        self._add(msg_type, Link.DOWNLINK, states, parts, self.clients)

    def _from_clients(self, msg_type: str, states: Iterable[int], content: Callable[[Alike], Any]) -> None:
        """Add one message of every client in each of these rounds."""

        def parts(state: int) -> Parts:
            return [(o.clients, self._sizes(msg_type, o.one, [SERVER], state, content(o))) for o in self.groups]

        self._add(msg_type, Link.UPLINK, states, parts, self.clients)

    def _of_sampled(self, parts: Parts) -> Parts:
        """Return the messages of those that were sampled; where it matters who they are, a measure is unknown."""
        if self.per_round == self.clients:
            return parts
        columns = [set(column) for column in zip(*(each for _, each in parts), strict=True)]
        return [(self.per_round, Sizes(*(column.pop() if len(column) == 1 else None for column in columns)))]

    def _sizes(self, msg_type: str, sender: int, receivers: list[int] | range, state: int, content: Any) -> Sizes:
        to = receivers if isinstance(receivers, range) else tuple(receivers)
        message, pickled = Message(msg_type, sender, to, state, content), self.release.pickles
        if isinstance(content, Made):
            sizes = enclosed(message, _metered(content, msg_type, pickled))
        else:
            sizes = meter(message, pickled=pickled)
        if self.options["federate.use_ss"] and msg_type in ("model_para", _SHARE) and sender != SERVER:
            sizes = sizes._replace(reported_bytes=None)  # asizeof of arrays depends on what they are views of
        if self.contents.is_count and msg_type in _WITH_MODEL:
            return sizes._replace(reported_bytes=None, wire_bytes=None)
        return sizes._replace(wire_bytes=None) if self._encodes_values(msg_type, state) else sizes

    def _encodes_values(self, msg_type: str, state: int) -> bool:
        """Return whether a message's length depends on counters, whose values only training shows."""
        if msg_type not in _WITH_MODEL or (msg_type == "model_para" and self.release.pickles):
            return False
        return self._counters_may_be_long(state)

    def _counters_may_be_long(self, state: int) -> bool:
        """Return whether batch norm's averaged counters of batches may have outgrown one byte by now."""
        if not self.options.uploads_buffers or not self.contents.has_counters:
            return False
        most = max(one.samples["train"] for one in self.groups)
        rounds = min(state, self.trained) + 1
        return rounds * sum(self.options.local_steps.batches(most)) > ONE_BYTE

    def _add(
        self, msg_type: str, link: Link, states: Iterable[int], parts: Callable[[int], Parts], clients: int
    ) -> None:
        """Add messages of so many clients to each of these rounds; those of equally long numbers are equally long."""
        known: dict[tuple[int, bool], Tally] = {}
        for state in states:
            digits = (state.bit_length() + 6) // 7 if state >= 0 else -1
            alike = digits, self._counters_may_be_long(state)
            if alike not in known:
                known[alike] = _tally(parts(state))
            self.found.add((state, msg_type, link), known[alike], clients)


def _tally(parts: Parts) -> Tally:
    total = Tally()
    for copies, each in parts:
        total.add(copies, each)
    return total
