"""The server of a course: when it broadcasts, aggregates, evaluates and stops."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fscost.cells.measure import SERVER
from fscost.engine.builtin.aggregation import Aggregator, Swa, Update
from fscost.engine.builtin.beside_models import make_beside
from fscost.engine.builtin.client_data import Federation
from fscost.engine.builtin.evaluations import Best, EarlyStop, columns_of, larger_is_better, summaries
from fscost.engine.builtin.fs_log_writer import CourseLogs
from fscost.engine.builtin.links import Handler, Network
from fscost.engine.builtin.payloads import Entries, Exchange
from fscost.engine.builtin.training import Metrics, evaluate
from fscost.metering import Message
from fscost.protocol.course_options import Options

log = logging.getLogger(__name__)


class Server:
    """The server; `state` counts the rounds it has aggregated.

    The order of messages is FederatedScope's: an evaluation is asked for before the next round starts, and its
    answers arrive after the next round's models were sent. So a course that stops early has sent, trained and
    uploaded one round more than it aggregates.
    """

    def __init__(
        self,
        options: Options,
        federation: Federation,
        network: Network,
        logs: CourseLogs,
        models: Sequence[nn.Module],
        exchange: Exchange,
    ) -> None:
        self.options, self.network, self.logs, self.exchange = options, network, logs, exchange
        self.splits, self.models = federation.server, models
        self.clients = list(range(1, options.clients + 1))
        averaged = models if options.sends_models else []
        self.aggregators = [
            Aggregator(model, options, partial(exchange.aggregated, model=n)) for n, model in enumerate(averaged)
        ]
        self.beside = make_beside(options, models[0])
        self.swa = Swa(options, models) if options["fedswa.use"] else None
        self.sampling = np.random.default_rng(options["seed"])
        self.unseen = set(self.sampling.choice(self.clients, options.unseen_clients, replace=False).tolist())
        self.noise = torch.Generator().manual_seed(options["seed"])
        deciding = options["eval.best_res_update_round_wise_key"]
        self.best = Best(deciding)
        self.early_stop = EarlyStop(
            options["early_stop.patience"], options["early_stop.delta"], larger_is_better(deciding)
        )
        self.state, self.finished, self.evaluates_swa = 0, False, False
        self.joined: dict[int, Any] = {}
        self.idle = set(self.clients)
        self.updates: list[tuple[int, Any]] = []
        self.dropped = 0
        self.metrics: dict[int, dict[int, Metrics]] = {}

    @property
    def handlers(self) -> dict[str, Handler]:
        """What the server does with each type of message."""
        wants_info = bool(self.options["federate.join_in_info"])
        return {
            "join_in": self._ask_for_info if wants_info else self._join,
            "join_in_info": self._join,
            "model_para": self._receive_update,
            "metrics": self._receive_metrics,
        }

    def _ask_for_info(self, _server: int, message: Message) -> None:
        wanted = list(self.options["federate.join_in_info"])
        self.network.send("ask_for_join_in_info", SERVER, [message.sender], self.state, wanted)

    def _join(self, _server: int, message: Message) -> None:
        """Note that a client is there; start when all are."""
        self.joined[message.sender] = message.content
        if len(self.joined) == len(self.clients):
            if self.options["federate.use_ss"]:
                self.network.send("address", SERVER, self.clients, self.state, dict.fromkeys(self.clients))
            self._broadcast(self.options.clients_per_round)

    # --- training ---------------------------------------------------------------------------------

    def _broadcast(self, count: int) -> None:
        """Send the global model to `count` clients that are idle, for a local update."""
        waiting = [client for client in self.clients if client in self.idle and client not in self.unseen]
        sampled = sorted(self.sampling.choice(waiting, size=count, replace=False).tolist())
        self.idle.difference_update(sampled)
        if self.options["nbafl.use"]:
            self._add_noise()
        content = self.exchange.for_training(self.models, self.state, self._sent_beside())
        self.network.send("model_para", SERVER, sampled, self.state, content)

    def _sent_beside(self) -> list[Entries]:
        return [self.beside.sent()] if self.beside else []

    def _receive_update(self, _server: int, message: Message) -> None:
        """Take an update that is not too stale, and aggregate when there are enough."""
        if self.finished:
            return
        self.idle.add(message.sender)
        staleness = self.state - message.state
        if staleness <= (self.options["asyn.staleness_toleration"] if self.options["asyn.use"] else 0):
            self.updates.append((staleness, message.content))
        else:
            self.dropped += 1
        if len(self.updates) >= self.options.updates_per_aggregation and self.state < self.options.rounds:
            self._aggregate()
        if self._broadcasts_to_each_sender():
            self._broadcast(1)

    def _broadcasts_to_each_sender(self) -> bool:
        return bool(self.options["asyn.use"]) and self.options["asyn.broadcast_manner"] == "after_receiving"

    def _aggregate(self) -> None:
        """End a round: aggregate, evaluate if it is time to, and start the next round or the final evaluation."""
        received = [
            (staleness, size, self.exchange.uploaded(entries, self.state - staleness))
            for staleness, (size, entries) in self.updates
        ]
        for number, aggregator in enumerate(self.aggregators):
            aggregator.aggregate([Update(size, entries[number], staleness) for staleness, size, entries in received])
        if self.beside:
            self.beside.aggregate([entries[-1] for _, _, entries in received])
        again = len(self.updates) + self.dropped
        self.updates, self.dropped = [], 0
        self.state += 1
        if self.swa:
            self.swa.after(self.state, self.models)
        if self.state == self.options.rounds or self.state % self.options["eval.freq"] == 0:
            self._evaluate()
        if self.state < self.options.rounds and not self._broadcasts_to_each_sender():
            self._broadcast(again if self.options["asyn.use"] else self.options.clients_per_round)

    @torch.no_grad()
    def _add_noise(self) -> None:
        """Clip the global model and add NbAFL's Gaussian noise of the downlink (Wei et al., 2020, theorem 1).

        There is none where the rounds are few enough for the clients' own noise to protect what is sent.
        """
        o, clip = self.options, self.options["nbafl.w_clip"]
        clients, sampled = len(self.clients), o.clients_per_round
        sizes = [info["num_sample"] for info in self.joined.values() if info]
        is_noisy = sizes and o.rounds > sampled * clients**0.5
        spread = (o.rounds**2 - sampled**2 * clients) ** 0.5 if is_noisy else 0.0
        for parameter in (p for model in self.models for p in model.parameters()):
            parameter.clamp_(-clip, clip)
            if is_noisy:
                scale = 2 * clip * o["nbafl.constant"] * spread / (min(sizes) * clients * o["nbafl.epsilon"])
                parameter.data += scale * torch.randn(parameter.shape, generator=self.noise)

    # --- evaluation -------------------------------------------------------------------------------

    def _evaluate(self) -> None:
        """Evaluate on the server's own data, or ask all clients to evaluate, unseen ones too."""
        models = self.swa.models if self.swa and self.evaluates_swa else self.models
        if self.options.global_evaluation:
            self._evaluate_globally(models)
            self._end_evaluation(stops=False)  # FederatedScope never stops early on this
        else:
            state = min(self._named(self.state), self.options.rounds)
            self.network.send("evaluate", SERVER, self.clients, state, self.exchange.for_evaluation(models))

    def _evaluate_globally(self, models: Sequence[nn.Module]) -> None:
        for model in models:
            metrics = evaluate([model], self.splits, self.options)
            self.best.update("server_global_eval", metrics)
            self.logs.server_round(self.state, {"raw": metrics}, swa=self.evaluates_swa)
            self._tell(metrics)

    def _receive_metrics(self, _server: int, message: Message) -> None:
        """Take a client's metrics; sum up when all have answered."""
        found = self.metrics.setdefault(message.state, {})
        found[message.sender] = message.content
        if len(found) < len(self.clients):
            return
        seen = self._summarize(message.state, [m for c, m in found.items() if c not in self.unseen])
        if self.unseen:
            self._summarize(message.state, [m for c, m in found.items() if c in self.unseen], "unseen")
        self._tell(seen)
        self._end_evaluation(stops=self.early_stop.after(seen[self.best.deciding]), of_clients=found)
        del self.metrics[message.state]

    def _end_evaluation(self, *, stops: bool, of_clients: Mapping[int, Metrics] | None = None) -> None:
        """Stop early, or end the course after the last round; FedSWA evaluates once more before it ends."""
        if self.finished:  # asynchronous rounds may end before the answers of earlier evaluations are in
            return
        if stops:
            self.network.send("converged", SERVER, self.clients, self.state, self.options.release.converged_content)
            self.logs.converged(self.state)
            self.state = self.options.rounds + 1
        if self.state < self.options.rounds:
            return
        self.logs.server_final(self.best.results, swa=self.evaluates_swa)
        if of_clients is not None:
            self.logs.client_finals(self.state, of_clients)
        if self.swa and not self.evaluates_swa:
            self.evaluates_swa = True
            self._evaluate()
            self.state = self.options.rounds + 1
        else:
            self._finish()

    def _finish(self) -> None:
        """Send the final model to all clients; the server's line is written before that."""
        self.finished = True
        self.logs.worker(SERVER, self.network)
        if path := self.options["federate.save_to"]:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            torch.save({"cur_round": self.state, "model": self.models[0].state_dict()}, path)
        self.network.send(
            "finish", SERVER, self.clients, self.state, self.exchange.final(self.models, self._sent_beside())
        )

    def _named(self, state: int) -> int:
        """Return what the round of an evaluation after `state` rounds of training is called, in messages and logs."""
        return state - self.options.release.first_evaluation_is_round_0

    def _summarize(self, named: int, per_client: list[Metrics], kind: str = "") -> Metrics:
        """Log one evaluation over clients, update the best results and return the mean weighted by samples."""
        forms = summaries(per_client)
        before, after = (f"{kind}_", f"_{kind}") if kind else ("", "")
        self.best.update_individual(f"{before}client_best_individual", columns_of(per_client))
        for form, results in forms.items():
            self.best.update(f"{before}client_summarized_{form}", results)
        self.logs.server_round(named, {f"{form}{after}": results for form, results in forms.items()})
        return forms["weighted_avg"]

    def _tell(self, metrics: Mapping[str, float] | Metrics) -> None:
        shown = "  ".join(f"{key} {value:.4f}" for key, value in metrics.items() if key.endswith(("_acc", "_avg_loss")))
        log.info("round %d/%d  %s", min(self.state, self.options.rounds), self.options.rounds, shown)
