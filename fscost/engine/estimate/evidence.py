"""What a course logged, and whether an estimate of it can be right."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fscost.cells.measure import SERVER, Link
from fscost.engine.estimate.closed_form import Estimate
from fscost.engine.estimate.closed_form_conditions import check_options
from fscost.errors import ConfigError
from fscost.metering import Message, reported_bytes
from fscost.printable import plural
from fscost.protocol.course_options import Options
from fscost.protocol.datasets import DATA_TYPES
from fscost.protocol.release import Release

Row = Mapping[str, Any]

_ASIZEOF_VARIES = 0.8, 1.35
"""How much smaller and larger FederatedScope's Python can count a message than this one: tensors are 144 or 176 B."""

_UPLOADS_VARY = 0.88, 1.12
"""The same of what the server received, scaled by what clients received: metrics do not grow as tensors do."""

_UPLOADS_VARY_UNSCALED = 0.85, 1.3
"""The same where clients' downloads are not counted, as those of ``federate.online_aggr``."""


@dataclass(frozen=True)
class Evidence:
    """What a course logged: a row per worker of ``system_metrics.log``, and one per evaluation."""

    workers: Sequence[Row]
    evaluations: Sequence[Row]

    @property
    def clients(self) -> list[Row]:
        """The clients' rows."""
        return [row for row in self.workers if row["worker"] != SERVER]

    @property
    def stopped(self) -> int:
        """After how many rounds the server stopped early; 0 where it did not."""
        return max((_whole(row.get("global_convergence_round")) for row in self._server), default=0)

    @property
    def model_sizes(self) -> set[int]:
        """The numbers of parameters that clients logged; those that never trained log 0."""
        return {_whole(row.get("total_model_size")) for row in self.clients} - {0}

    @property
    def metrics(self) -> frozenset[str]:
        """The names of the numbers that evaluations have."""
        return frozenset(name for row in self.evaluations for name in row if name != "round")

    @property
    def upload_bytes(self) -> float:
        """What the clients logged as sent, together."""
        return _sum(self.clients, "total_upload_bytes")

    @property
    def download_bytes(self) -> float:
        """What the clients logged as received, together."""
        return _sum(self.clients, "total_download_bytes")

    @property
    def server_download_bytes(self) -> float:
        """What the server logged as received."""
        return _sum(self._server, "total_download_bytes")

    @property
    def _server(self) -> list[Row]:
        return [row for row in self.workers if row["worker"] == SERVER]


def _sum(rows: Sequence[Row], key: str) -> float:
    return sum(_whole(row.get(key)) for row in rows)


def _whole(value: Any) -> int:
    """Return a logged number, 0 for what is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if is_number else 0


@dataclass(frozen=True)
class Way:
    """One way in which a course may have run, and its messages: a header, and rows per round, type and link.

    `model_size` is the number of parameters of its model, frozen ones too.
    """

    release: Release
    options: Options
    header: Row
    model_size: int
    rows: Sequence[Row]
    metrics: frozenset[str]
    mean_test_samples: float | None

    @property
    def clients(self) -> int:
        """N."""
        return self.options.clients

    def copies(self, *types: str) -> int:
        """Return how many messages of some types there are."""
        return sum(row["messages"] for row in self.rows if row["type"] in types)

    def downloads_bytes(self) -> float | None:
        """Return asizeof, in this Python, of what clients log as received; None where it is not known.

        Their lines are written while they handle finish.
        """
        return self._reported_bytes(row for row in self.rows if row["link"] != Link.UPLINK and row["type"] != "finish")

    def uploads_bytes(self, metrics: frozenset[str]) -> float | None:
        """Return asizeof, in this Python, of what the server logs as received; None where it is not known.

        `metrics` are the names that evaluations have. The server's line is written before its last message is counted.
        """
        each = _asizeof_of(metrics)
        rows = [
            row if row["type"] != "metrics" else {**row, "reported_bytes": row["messages"] * each}
            for row in self.rows
            if row["link"] == Link.UPLINK
        ]
        sent = self._reported_bytes(rows)
        return None if sent is None else sent - self._last_bytes(rows)

    def _reported_bytes(self, rows: Iterable[Row]) -> float | None:
        parts = [row["reported_bytes"] for row in rows]
        return None if None in parts else sum(parts)

    def _last_bytes(self, rows: Sequence[Row]) -> float:
        """Return asizeof of the uploads that the server's line misses: the last one, and those after an early stop."""
        missed = float(sum(row["reported_bytes"] / row["messages"] for row in rows[-1:]))
        if not (stopped := self.options["early_stop.stopped_after"]):
            return missed
        after = [row for row in rows if row["type"] == "model_para" and row["round"] >= stopped]
        return missed + float(sum(row["reported_bytes"] for row in after))


def _asizeof_of(metrics: frozenset[str]) -> int:
    """Return asizeof, in this Python, of what a client answers to an evaluation."""
    answer = {name: number + 0.5 for number, name in enumerate(sorted(metrics))}
    return reported_bytes(Message("metrics", 1, (SERVER,), 0, answer)) or 0


def disagreements(way: Way, log: Evidence) -> Iterator[str]:
    """Yield why a way cannot be how the course ran, each with what it says and what was logged."""
    yield from _of_model(way, log)
    yield from _of_rounds(way, log)
    yield from _of_data(way, log)
    if way.options["federate.mode"] == "standalone":  # the only mode in which anything is counted
        yield from _of_release(way, log)
        yield from _of_downloads(way, log)
        yield from _of_uploads(way, log)


def _of_model(way: Way, log: Evidence) -> Iterator[str]:
    params = way.model_size
    expected = {params, 2 * params} if way.options.method == "ditto" else {params}  # of its personal model too
    if wrong := log.model_sizes - expected:
        yield f"its model has {params:,} parameters, the log's total_model_size is {max(wrong):,}{_ANOTHER_MODEL}"
    elif not log.model_sizes and way.options["data.type"] == "samples" and way.options["model.type"] != "spec":
        yield f"the log has no total_model_size, so that the size of the model cannot be confirmed{_ANOTHER_MODEL}"


_ANOTHER_MODEL = ", give the model with shapes=FILE or parameters=COUNT"


def _of_rounds(way: Way, log: Evidence) -> Iterator[str]:
    rounds, every = log.stopped or way.options.rounds, way.options["eval.freq"]
    expected, found = -(-rounds // every), len({row["round"] for row in log.evaluations})
    if not log.evaluations:
        return
    if found != expected:
        wanted = plural(expected, "evaluation")
        yield f"{plural(rounds, 'round')} with eval.freq={every} have {wanted}, the log has {found}"
    elif (last := max(row["round"] for row in log.evaluations)) != rounds:
        yield f"the last of its rounds is {rounds}, the log's last evaluation is of round {last}"


def _of_data(way: Way, log: Evidence) -> Iterator[str]:
    """Yield whether the data are others than those of that name here."""
    expected, found = way.mean_test_samples, next((row.get("test_total") for row in log.evaluations), None)
    if way.options.global_evaluation:
        return
    if expected is not None and found is not None and abs(found - expected) > 0.5:
        yield f"clients have {expected:g} test samples in the mean, the log's test_total is {found:g}"


def _of_release(way: Way, log: Evidence) -> Iterator[str]:
    counts_uploads = way.release.counts_uploads
    if counts_uploads != (log.upload_bytes > 0):
        does = "counts uploads" if counts_uploads else "counts no uploads"
        yield f"FederatedScope {way.release.name} {does}, the clients' total_upload_bytes are {log.upload_bytes:,.0f}"


def _of_downloads(way: Way, log: Evidence) -> Iterator[str]:
    """Yield whether clients' counts are none of so many messages with that model."""
    if way.options["federate.online_aggr"] or not log.clients:
        return  # not counted
    predicted, found = way.downloads_bytes(), log.download_bytes
    if predicted and not _ASIZEOF_VARIES[0] * predicted <= found <= _ASIZEOF_VARIES[1] * predicted:
        yield f"clients' downloads would count some {predicted:,.0f} B, the log has {found:,.0f} B"
        return
    copies = way.copies("model_para", "evaluate") - way.copies("model_para") // 2
    if downloads_are_alike(way) and (found - way.clients * converged_bytes(way)) % (8 * copies):
        yield f"clients received {copies:,} equal messages, of which {found:,.0f} B as logged are no multiple"


def downloads_are_alike(way: Way) -> bool:
    """Return whether all that clients receive before they log, but for an early stop's word, is counted alike."""
    kinds = {row["type"] for row in way.rows if row["link"] == Link.DOWNLINK} - {"finish", "converged"}
    return kinds <= {"model_para", "evaluate"} and way.options["quantization.method"] == "none"


def converged_bytes(way: Way) -> int:
    """Return asizeof of what the message ``converged`` carries, 0 without an early stop."""
    rows = [row for row in way.rows if row["type"] == "converged"]
    return sum(row["reported_bytes"] // row["messages"] for row in rows)


def _of_uploads(way: Way, log: Evidence) -> Iterator[str]:
    """Yield whether the server's count is not that of these entries: releases upload all of them, or parameters only.

    It is measured by what clients received of the same model, so that it does not matter which Python counted.
    """
    received, sent, found = way.uploads_bytes(log.metrics), way.downloads_bytes(), log.server_download_bytes
    if not received or not sent or not found or (way.copies("metrics") and not log.metrics):
        return
    least, most = _UPLOADS_VARY if log.download_bytes else _UPLOADS_VARY_UNSCALED
    predicted = received * (log.download_bytes / sent if log.download_bytes else 1)
    if not least * predicted <= found <= most * predicted:
        yield f"the server's downloads would count some {predicted:,.0f} B, the log has {found:,.0f} B"


def way_of(release: Release, options: Options) -> Way:
    """Return the messages of a course in closed form; raises ConfigError for options of which none is known."""
    if own := [method.name for method in options.used_methods if method.is_own]:
        raise ConfigError(f"fs.federate.method={own[0]}: what a FederatedScope of one's own sends for it is not known")
    check_options(options.cell)
    estimate = Estimate(options)
    header, *rows = map(json.loads, estimate.ledger().lines())
    is_known = options["data.type"] in (*DATA_TYPES, "toy")
    return Way(
        release,
        options,
        header,
        estimate.contents.model_size,
        [row for row in rows if "type" in row],
        frozenset(name for one in estimate.groups for name in estimate.contents.metrics(one.samples)),
        sum(one.clients * one.samples["test"] for one in estimate.groups) / options.clients if is_known else None,
    )
