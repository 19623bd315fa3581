"""The federated course: the rounds, and the messages FederatedScope's standalone mode sends in them."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from fscost.engine.builtin.data import Federation
from fscost.engine.builtin.logs import CourseLogs
from fscost.engine.builtin.models import build_model
from fscost.engine.builtin.network import Network
from fscost.engine.builtin.options import Options
from fscost.engine.builtin.results import Best, EarlyStop, columns_of, larger_is_better, summaries
from fscost.engine.builtin.server import Aggregator, Update
from fscost.engine.builtin.training import Metrics, evaluate, local_update
from fscost.measure import SERVER
from fscost.metering import first_evaluation_is_round_0

log = logging.getLogger(__name__)


class Course:
    """One server and N clients, simulated in turn.

    The order of messages is FederatedScope's: an evaluation is asked for before the next round starts, and its
    answers arrive after the next round's models were sent. So a course that stops early has sent, trained and
    uploaded one round more than it aggregates.
    """

    def __init__(self, options: Options, federation: Federation, network: Network, logs: CourseLogs) -> None:
        self.options, self.federation, self.network, self.logs = options, federation, network, logs
        self.clients = list(range(1, options.clients + 1))
        torch.manual_seed(options["seed"])
        sample = federation.clients[1]["train"].x[0]
        self.model, self.local_model = build_model(options, sample), build_model(options, sample)
        self.aggregator = Aggregator(self.model, options)
        self.kept = dict.fromkeys(self.clients, self.aggregator.kept(self.model))
        self.sampling = np.random.default_rng(options["seed"])
        self.unseen = set(self.sampling.choice(self.clients, options.unseen_clients, replace=False).tolist())
        self.shuffling = {c: torch.Generator().manual_seed(options["seed"] * 1_000_003 + c) for c in self.clients}
        deciding = options["eval.best_res_update_round_wise_key"]
        self.best = Best(deciding)
        self.early_stop = EarlyStop(
            options["early_stop.patience"], options["early_stop.delta"], larger_is_better(deciding)
        )

    def run(self) -> None:
        """Run all rounds, from join_in to finish."""
        for client in self.clients:
            self.network.send("join_in", client, [SERVER], 0, None)
        sampled = self._broadcast_model(0)
        for state in range(1, self.options.rounds + 1):
            self.aggregator.aggregate(self._local_updates(sampled, state - 1))
            last = state == self.options.rounds
            due = last or state % self.options["eval.freq"] == 0
            asked = due and not self.options.global_evaluation
            if due and self.options.global_evaluation:
                self._evaluate_globally(state)
            if asked:
                self.network.send("evaluate", SERVER, self.clients, self._named(state), self.model.state_dict())
            if not last:
                sampled = self._broadcast_model(state)
            stop = asked and self._evaluate_at_clients(state)
            if stop or last:
                self._finish(state, sampled, stopped=stop, last=last)
                return

    def _broadcast_model(self, state: int) -> list[int]:
        """Send the global model to the clients sampled for this round."""
        seen = [client for client in self.clients if client not in self.unseen]
        sampled = sorted(self.sampling.choice(seen, size=self.options.clients_per_round, replace=False).tolist())
        self.network.send("model_para", SERVER, sampled, state, self.model.state_dict())
        return sampled

    def _local_updates(self, sampled: list[int], state: int) -> list[Update]:
        """Let each sampled client train the model it received and upload its part of it."""
        updates = []
        for client in sampled:
            self._receive(client)
            train = self.federation.clients[client]["train"]
            sample_size = local_update(self.local_model, train, self.options, self.shuffling[client])
            self.kept[client] = self.aggregator.kept(self.local_model)
            self.logs.trained(client, sample_size)
            upload = self.aggregator.uploaded(self.local_model)
            self.network.send("model_para", client, [SERVER], state, (sample_size, upload))
            updates.append((sample_size, {name: value.clone() for name, value in upload.items()}))
        return updates

    def _receive(self, client: int) -> None:
        """Make the local model the client's: the global model, but for the entries the client keeps to itself."""
        self.local_model.load_state_dict(self.model.state_dict() | self.kept[client])

    def _evaluate_globally(self, state: int) -> None:
        """Evaluate on the server's own data; FederatedScope never stops early on this."""
        metrics = evaluate(self.model, self.federation.server, self.options)
        self.best.update("server_global_eval", metrics)
        self.logs.server_round(state, {"raw": metrics})
        self._tell(state, metrics)

    def _evaluate_at_clients(self, state: int) -> bool:
        """Evaluate on every client and send the metrics to the server; return whether to stop early."""
        self.metrics: dict[int, Metrics] = {}
        for client in self.clients:
            self._receive(client)
            splits = self.federation.clients[client]
            self.metrics[client] = evaluate(self.local_model, splits, self.options, self.shuffling[client])
            self.network.send("metrics", client, [SERVER], self._named(state), self.metrics[client])
        seen = self._summarize(state, [m for c, m in self.metrics.items() if c not in self.unseen])
        if self.unseen:
            self._summarize(state, [m for c, m in self.metrics.items() if c in self.unseen], "unseen")
        self._tell(state, seen)
        return self.early_stop.after(seen[self.best.deciding])

    def _named(self, state: int) -> int:
        """Return what the round of an evaluation after `state` rounds of training is called, in messages and logs."""
        return state - first_evaluation_is_round_0(self.options.cell.protocol)

    def _summarize(self, state: int, per_client: list[Metrics], kind: str = "") -> Metrics:
        """Log one evaluation over clients, update the best results and return the mean weighted by samples."""
        forms = summaries(per_client)
        before, after = (f"{kind}_", f"_{kind}") if kind else ("", "")
        self.best.update_individual(f"{before}client_best_individual", columns_of(per_client))
        for form, results in forms.items():
            self.best.update(f"{before}client_summarized_{form}", results)
        self.logs.server_round(self._named(state), {f"{form}{after}": results for form, results in forms.items()})
        return forms["weighted_avg"]

    def _finish(self, state: int, sampled: list[int], *, stopped: bool, last: bool) -> None:
        """Send the final model to all clients; after an early stop drop the round that is already under way."""
        if stopped:
            self.network.send("converged", SERVER, self.clients, state, "None")
            self.logs.converged(state)
        end = self.options.rounds + 1 if stopped else self.options.rounds
        self.logs.server_final(self.best.results)
        if not self.options.global_evaluation:
            self.logs.client_finals(end, self.metrics)
        self.logs.worker(SERVER, self.network)
        if stopped and not last:
            self._local_updates(sampled, state)
        self.network.send("finish", SERVER, self.clients, end, self.model.state_dict())
        for client in self.clients:
            self.logs.worker(client, self.network)

    def _tell(self, state: int, metrics: Mapping[str, float] | Metrics) -> None:
        shown = "  ".join(f"{key} {value:.4f}" for key, value in metrics.items() if key.endswith(("_acc", "_avg_loss")))
        log.info("round %d/%d  %s", state, self.options.rounds, shown)


def model_header(model: nn.Module) -> dict[str, int]:
    """Return the model's size as the ledger's header tells it."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    return {
        "params": sum(p.numel() for p in trainable),
        "trainable_bytes": sum(p.numel() * p.element_size() for p in trainable),
        "state_dict_bytes": sum(v.numel() * v.element_size() for v in model.state_dict().values()),
    }
