"""``system_metrics.log`` and ``eval_results.log`` as FederatedScope writes them."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fscost.cells.measure import binary_text
from fscost.engine.builtin.links import Network


class CourseLogs:
    """Collects the lines of both logs.

    Both directions are counted, as FederatedScope documents it and as v0.2.0 was the last release to do; the
    round in which a worker's line is written decides which messages it misses (see `Network`). Each evaluation is
    appended to the file `evaluated` at once.
    """

    def __init__(self, params: int, flops_per_sample: float, evaluated: Path) -> None:
        self.params, self.flops_per_sample, self.evaluated = params, flops_per_sample, evaluated
        self.begin_s = time.monotonic()
        self.flops: dict[int, float] = {}
        self.stop: tuple[int, float] | None = None
        self.evaluations: list[dict[str, Any]] = []
        self.workers: list[dict[str, Any]] = []

    def trained(self, client: int, samples: int) -> None:
        """Note a local update of `samples` samples."""
        self.flops[client] = self.flops.get(client, 0.0) + self.flops_per_sample * samples

    def converged(self, state: int) -> None:
        """Note an early stop."""
        self.stop = state, self._minutes()

    def server_round(self, state: int, forms: Mapping[str, Any], *, swa: bool = False) -> None:
        """Add the server's line of one evaluation; rounds count from 0 with clients' evaluations, from 1 without."""
        named = {f"Results_{form}": _plain(results) for form, results in forms.items()}
        self.evaluations.append({"Role": _server(swa), "Round": state, **named})
        with self.evaluated.open("a") as file:  # for those who look at the run; the whole file is written at its end
            file.write(f"{self.evaluations[-1]!r}\n")

    def server_final(self, best: Mapping[str, Any], *, swa: bool = False) -> None:
        """Add the line of the best results; `swa` says that they are of FedSWA's averaged model."""
        plain = {form: _plain(results) for form, results in best.items()}
        self.evaluations.append({"Role": _server(swa), "Round": "Final", "Results_raw": plain})

    def client_finals(self, state: int, metrics: Mapping[int, Mapping[str, Any]]) -> None:
        """Add each client's last evaluation."""
        for client, results in metrics.items():
            self.evaluations.append({"Role": f"Client #{client}", "Round": state, "Results_raw": _plain(results)})

    def worker(self, worker: int, network: Network) -> None:
        """Add a worker's line, when FederatedScope does: before the server sends ``finish``, after a client got it."""
        reported = network.reported(worker)
        stop_round, stop_minutes = self.stop or (0, 0)
        self.workers.append(
            {
                "id": worker,
                "fl_end_time_minutes": self._minutes(),
                "total_model_size": self.params if worker in self.flops else 0,
                "total_flops": self.flops.get(worker, 0),
                "total_upload_bytes": reported.upload_bytes,
                "total_download_bytes": reported.download_bytes,
                "global_convergence_round": stop_round,
                "local_convergence_round": 0,
                "global_convergence_time_minutes": stop_minutes,
                "local_convergence_time_minutes": 0,
            }
        )

    def eval_lines(self) -> Iterator[str]:
        """Yield ``eval_results.log``: one Python dict per line."""
        return (repr(line) for line in self.evaluations)

    def system_lines(self) -> Iterator[str]:
        """Yield ``system_metrics.log``: one JSON object per worker, then the mean and the standard deviation."""
        yield from (json.dumps(line) for line in self.workers)
        for name, statistic in (("sys_avg", np.mean), ("sys_std", np.std)):
            merged: dict[str, Any] = {"id": name}
            for key in list(self.workers[0])[1:]:
                value = float(statistic([line[key] for line in self.workers]))
                merged[f"{name}/{key}"] = binary_text(value) if _is_size(key) else value
            yield json.dumps(merged)

    def _minutes(self) -> float:
        return (time.monotonic() - self.begin_s) / 60


def _server(swa: bool) -> str:
    return "Server SWA#" if swa else "Server #"


def _plain(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return `results` with Python's numbers, whose repr is the number alone."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in results.items()}


def _is_size(key: str) -> bool:
    return any(word in key for word in ("flops", "bytes", "size"))
