"""The clients of a course: what each does with the messages it receives."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from fscost.cells.measure import SERVER
from fscost.engine.builtin.aggregation import Share, secret_shares, summed
from fscost.engine.builtin.client_data import Federation
from fscost.engine.builtin.fs_log_writer import CourseLogs
from fscost.engine.builtin.links import Handler, Network
from fscost.engine.builtin.local_update import make_local
from fscost.engine.builtin.payloads import Entries, Exchange
from fscost.metering import Message
from fscost.protocol.course_options import Options


class Clients:
    """All clients, simulated in turn; `models` are copies of the server's, for them to train on."""

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
        self.splits = federation.clients
        self.ids = list(range(1, options.clients + 1))
        self.local = make_local(options, models, exchange.shared)
        self.noise = np.random.default_rng(options["seed"])
        self.shares: dict[int, list[Share]] = {}
        self.sample_size: dict[int, int | float] = {}

    @property
    def handlers(self) -> dict[str, Handler]:
        """What clients do with each type of message from the server and from each other."""
        return {
            "ask_for_join_in_info": self._tell_samples,
            "address": lambda _client, _message: None,
            "model_para": self._train,
            "ss_model_para": self._receive_share,
            "evaluate": self._evaluate,
            "converged": lambda _client, _message: None,
            "finish": lambda client, _message: self.logs.worker(client, self.network),
        }

    def join(self) -> None:
        """Let every client join in."""
        for client in self.ids:
            self.network.send("join_in", client, [SERVER], 0, None)

    def _tell_samples(self, client: int, _message: Message) -> None:
        samples = self.options.joining_samples(len(self.splits[client]["train"]))
        self.network.send("join_in_info", client, [SERVER], -1, {"num_sample": samples})

    def _train(self, client: int, message: Message) -> None:
        received = self.exchange.received(client, message.content, message.state)
        samples = self.splits[client]["train"]
        sample_size, updated = self.local.update(client, received, samples)
        self.logs.trained(client, int(sample_size))
        if self.options["federate.use_ss"]:
            self._share(client, message.state, sample_size, updated[0])
            return
        content = self.exchange.upload(client, sample_size, updated, received, message.state)
        self.network.send("model_para", client, [SERVER], message.state, content)

    def _share(self, client: int, state: int, sample_size: int | float, updated: Entries) -> None:
        """Send a share of the update to every other client and keep one; what the server gets is a sum of shares."""
        own, *others = secret_shares(updated, int(sample_size), len(self.ids), self.noise)
        self.sample_size[client] = sample_size
        for other, share in zip([c for c in self.ids if c != client], others, strict=True):
            self.network.send("ss_model_para", client, [other], state, share)
        self._keep_share(client, state, own)

    def _receive_share(self, client: int, message: Message) -> None:
        self._keep_share(client, message.state, message.content)

    def _keep_share(self, client: int, state: int, share: Share) -> None:
        """Keep a share, and upload the sum once there is one from every client."""
        shares = self.shares.setdefault(client, [])
        shares.append(share)
        if len(shares) == len(self.ids):
            content = self.sample_size[client], summed(shares)
            self.shares[client] = []
            self.network.send("model_para", client, [SERVER], state, content)

    def _evaluate(self, client: int, message: Message) -> None:
        metrics = self.local.evaluate(client, self.exchange.evaluated(message.content), self.splits[client])
        self.network.send("metrics", client, [SERVER], message.state, metrics)
