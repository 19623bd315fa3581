"""Whether what FederatedScope logged can be what travelled: the fewest bytes of a model, and what is below them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fscost.cells.measure import SERVER
from fscost.cells.provenance_options import is_provenance
from fscost.collect.fs_logs import Row, are_counts, is_count
from fscost.protocol.fs_options import default, is_open, known
from fscost.protocol.methods import ALSO_NAMED, OF_FEDERATEDSCOPE, WITHOUT_MODEL
from fscost.protocol.release import RELEASES

_LINKS = {"upload": "total_upload_bytes", "download": "total_download_bytes"}

_NOTHING = "every figure is 0: FederatedScope counts nothing in distributed mode"
_NO_COUNT = "every figure is 0: nothing was counted"
_NO_UPLOAD = "upload is 0 for every worker though clients trained: it is not counted in standalone mode since v0.3.0"
_NO_DOWNLOAD = "download is 0 for every client though clients trained"
_ONLINE = f"{_NO_DOWNLOAD}: what federate.online_aggr hands to them is not counted"


class Log(NamedTuple):
    """What FederatedScope logged of one run, and its options by dotted name, none where they are not known."""

    workers: Sequence[Row]
    options: Mapping[str, Any] = {}
    is_distributed: bool = False


def implausible(cells: Sequence[Row], logs: Mapping[str, Log]) -> list[str]:
    """Complete the column ``implausible`` with what only several logs show, and return one warning about all of it.

    `logs` are by the names of the cells.
    """
    same = same_bytes_of_other_models(logs)
    for row in cells:
        if row["cell"] in logs:
            found = [text for text in (row["implausible"], same.get(row["cell"])) if text]
            row["implausible"] = "; ".join(found) or None
    doubted = [row for row in cells if row.get("implausible")]
    if not doubted:
        return []
    first, more = doubted[0], len(doubted) - 1
    others = f" (and {more} more logs with doubtful counts; table=audit tells all)" if more else ""
    return [f"{first.get('path', first['cell'])}: implausible: {first['implausible']}{others}"]


def doubts_of(log: Log) -> Iterator[str]:
    """Yield what is implausible about the log of one run."""
    yield from no_counts(log.workers)
    yield from _zeros(log)
    yield from _less_than_a_model(log)
    yield from _more_than_was_sent(log)


def no_counts(workers: Sequence[Row]) -> Iterator[str]:
    """Yield which figures are no number of bytes, or of a counter that went back."""
    figures = [worker[key] for key in _LINKS.values() for worker in workers if key in worker]
    if are_counts(figures) and {worker["run"] for worker in workers} <= {1}:
        return
    before: dict[tuple[int, str], float] = {}
    for worker in workers:
        for link, key in _LINKS.items():
            value = worker.get(key, 0)
            if not is_count(value):
                yield f"{link} of {_name(worker)} is {_shown(value)}, which is no number of bytes"
                continue
            last = before.get((worker["worker"], link), 0)
            if value < last:
                yield f"{link} of {_name(worker)} shrinks from {last:,.0f} B to {value:,.0f} B in a later line"
            before[worker["worker"], link] = value


def _shown(value: Any) -> str:
    return repr(value)[:40].replace(";", ",")


# --- counted as nothing ---------------------------------------------------------------------------


def _zeros(log: Log) -> Iterator[str]:
    """Yield what is 0 though something was sent."""
    known = {link: _counts(log.workers, link) for link in _LINKS}
    if all(known.values()) and not any(any(counts.values()) for counts in known.values()):
        yield _NOTHING if log.is_distributed or not log.options else _NO_COUNT
        return
    for link, counts in known.items():
        did = [own for own in log.workers if own.get("total_flops") or own.get("total_model_size")]
        trained = {own["worker"] for own in did if own["worker"]} & counts.keys()
        silent = sorted(worker for worker in trained if not counts[worker])
        if link == "upload" and trained and not any(counts.values()):
            yield _NO_UPLOAD
        elif link == "download" and trained and len(silent) == len(trained):
            yield _ONLINE if log.options.get("federate.online_aggr") else _NO_DOWNLOAD
        elif silent:
            yield f"{link} of {_names(silent)} is 0 though {'they' if len(silent) > 1 else 'it'} trained"


def _counts(workers: Sequence[Row], link: str) -> dict[int, float]:
    """Return what each worker logged of a link, where that is a count; of several lines the last."""
    key = _LINKS[link]
    return {worker["worker"]: worker[key] for worker in workers if key in worker and is_count(worker[key])}


# --- less than one model --------------------------------------------------------------------------


def _less_than_a_model(log: Log) -> Iterator[str]:
    """Yield for each link that clients, or else the server, report less than a model for each client that took part."""
    sizes = {worker["worker"]: size for worker in log.workers if worker["worker"] and (size := _model_size(worker))}
    for link, counts in ((link, _counts(log.workers, link)) for link in _LINKS):
        least = {worker: least_bytes(size, log.options, link) for worker, size in sizes.items()}
        too_few = {w: counts[w] for w, model in least.items() if 0 < counts.get(w, 0) < model.size}
        if too_few:
            worst = max(too_few, key=lambda worker: too_few[worker])
            model = f"less than one model of {sizes[worst]:,.0f} parameters, {least[worst]}"
            yield f"{link} of {_names([*too_few])} is at most {too_few[worst]:,.0f} B, {model}"
            continue
        all_models, other = sum(model.size for model in least.values()), _counts(log.workers, _OF_SERVER[link])
        if 0 < other.get(SERVER, 0) < all_models:
            way = f"{_OF_SERVER[link]} of the server is {other[SERVER]:,.0f} B"
            yield f"{way}, less than one model per client that took part"


_OF_SERVER = {"upload": "download", "download": "upload"}
"""What clients log → what the server logs of the same messages."""


def _model_size(worker: Row) -> float:
    """Return what total_model_size says of a client that trained: the number of parameters; 0 where it does not."""
    size = worker.get("total_model_size")
    return float(size) if is_count(size) and size is not None else 0


def _more_than_was_sent(log: Log) -> Iterator[str]:
    """Yield that clients received more than the server sent them, where nobody else sends to them."""
    if log.options.get("federate.use_ss") or log.options.get("vertical.use"):
        return
    received = sum(size for worker, size in _counts(log.workers, "download").items() if worker != SERVER)
    if (sent := _counts(log.workers, "upload").get(SERVER, 0)) and received > sent:
        yield f"clients downloaded {received:,.0f} B in all, more than the {sent:,.0f} B that the server uploaded"


# --- the same for all models ----------------------------------------------------------------------


def same_bytes_of_other_models(logs: Mapping[str, Log]) -> dict[str, str]:
    """Return, by run, that its clients downloaded as much as those of another run with a model of another size.

    Only runs of as many rounds and evaluations are compared; where no model is sent, nothing depends on its size.
    """
    alike: dict[tuple[Any, ...], list[str]] = {}
    for run, log in logs.items():
        downloads = tuple(sorted(size for worker, size in _counts(log.workers, "download").items() if worker))
        if any(downloads) and _parameters(log):
            rounds = (str(log.options.get(name)) for name in ("federate.total_round_num", "eval.freq"))
            alike.setdefault((downloads, *rounds), []).append(run)
    return {
        run: f"clients downloaded {max(key[0]):,.0f} B each, as those of {other} with a model of another size: "
        "FederatedScope's figure does not depend on it"
        for key, runs in alike.items()
        for run in runs
        if (other := next((o for o in runs if _parameters(logs[o]) != _parameters(logs[run])), None))
    }


def _parameters(log: Log) -> float:
    """Return how many parameters are sent with a model, 0 where that is not known or none are."""
    sizes = [_model_size(worker) for worker in log.workers if worker["worker"]]
    return parameters_sent(max(sizes, default=0), log.options)


def _name(worker: Row) -> str:
    return "the server" if worker["worker"] == SERVER else f"client {worker['worker']}"


def _names(clients: Sequence[int]) -> str:
    """Return clients by their numbers, of many the first and the last."""
    numbers = sorted(clients)
    if len(numbers) > _MOST:
        return f"{len(numbers)} clients from {numbers[0]} to {numbers[-1]}"
    return f"client{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


_MOST = 5
"""How many clients are named one by one."""


_HALF = re.compile(r"(.*_)?(half|fp16|bf16|amp)(_.*)?")
_PART = re.compile(r".*(adapter|lora|peft|compress|top_?k|spars|prun|sketch|mask|codec|freez|frozen|partial|distill).*")
_METHODS = {*OF_FEDERATEDSCOPE, *ALSO_NAMED} - {*WITHOUT_MODEL}
"""Methods that FederatedScope has and that send a whole model."""

_FORMER = frozenset[str]().union(*(release.former_options for release in RELEASES))
"""Options of former releases."""


class Least(NamedTuple):
    """A number of bytes, 0 where there is no bound, and of what it is."""

    size: float
    of: str

    def __str__(self) -> str:
        return f"{self.size:,.0f} B {self.of}"


def parameters_sent(size: float, options: Mapping[str, Any]) -> float:
    """Return how many parameters a message with the model has, of ``total_model_size``; 0 where none has a model."""
    if _method(options) in WITHOUT_MODEL or options.get("vertical.use"):
        return 0
    is_ditto = options.get("ditto.use") or _method(options) == "ditto"
    return size / 2 if is_ditto else size  # Ditto counts the personal model too, which stays


def least_bytes(size: float, options: Mapping[str, Any], link: str) -> Least:
    """Return the bound for a model of ``total_model_size`` parameters, for upload or download."""
    number = parameters_sent(size, options)
    is_partial = any(_PART.fullmatch(name.lower()) and _is_on(name, value) for name, value in options.items())
    if is_partial or (link == "upload" and options.get("personalization.local_param")):
        return Least(0, "")
    if not _is_known(options):
        return Least(number / 8, "even with one bit each")
    if options.get("quantization.method", "none") != "none":
        bits = options.get("quantization.nbits", 8)
        bits = bits if bits in (8, 16) else 1
        return Least(number * bits / 8, f"with {bits} bits each")
    if any(_HALF.fullmatch(_last(name)) and value for name, value in options.items()):
        return Least(number * 2, "with 16 bits each")
    return Least(number * 4, "with 32 bits each")


def _is_on(name: str, value: Any) -> bool:
    """Return whether an option is set; a dump has all of FederatedScope's with their defaults."""
    return bool(value) and value != default(name) and str(value).lower() not in ("none", "false")


def _is_known(options: Mapping[str, Any]) -> bool:
    """Return whether FederatedScope has the method and every option, so that what is sent is known."""
    if not options or _method(options) not in _METHODS:
        return False
    return all(
        n in known() or n in _FORMER or is_open(n) or is_provenance(n) or _HALF.fullmatch(_last(n)) for n in options
    )


def _method(options: Mapping[str, Any]) -> str:
    return str(options.get("federate.method", "FedAvg")).lower()


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()
