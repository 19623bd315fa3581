"""Figures of FederatedScope's logs that cannot be what travelled, each told in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

_NO_UPLOAD = "upload is 0 for every worker though clients trained: it is not counted in standalone mode since v0.3.0"
_NOTHING = "every figure is 0: FederatedScope counts nothing in distributed mode"


def doubts_of(workers: Sequence[Row]) -> Iterator[str]:
    """Yield what is implausible about the log of one run."""
    upload, download = "total_upload_bytes", "total_download_bytes"
    if not _logs(workers, upload) or not _logs(workers, download):
        return
    if not _any(workers, upload) and not _any(workers, download):
        yield _NOTHING
    elif not _any(workers, upload) and any(map(_trained, workers)):
        yield _NO_UPLOAD


def same_bytes_of_other_models(logs: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Return, by run, that its clients downloaded as much as those of another run with a model of another size."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for run, workers in logs.items():
        downloads = tuple(sorted(w.get("total_download_bytes") or 0 for w in workers if w["worker"]))
        if any(downloads):
            alike.setdefault(downloads, []).append(run)
    return {
        run: f"clients downloaded {max(downloads):,} B each, as those of {other} with a model of another size: "
        "FederatedScope's figure does not depend on it"
        for downloads, runs in alike.items()
        for run in runs
        if (other := next((o for o in runs if _model_size(logs[o]) != _model_size(logs[run])), None))
    }


def _trained(worker: Row) -> bool:
    return bool(worker.get("total_flops") or worker.get("total_model_size"))


def _logs(workers: Sequence[Row], key: str) -> bool:
    return any(key in worker for worker in workers)


def _any(workers: Sequence[Row], key: str) -> bool:
    return any(worker.get(key) for worker in workers)


def _model_size(workers: Sequence[Row]) -> Any:
    """Return what total_model_size says of clients that trained: the number of parameters."""
    return max((worker.get("total_model_size") or 0 for worker in workers), default=0)
