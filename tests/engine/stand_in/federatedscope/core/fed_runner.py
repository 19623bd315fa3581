"""A course: the model goes down, a sketch of it comes up."""

import json
import os
import signal
from pathlib import Path

import numpy as np

from federatedscope.core.communication import StandaloneCommManager
from federatedscope.core.message import Message


class Server:
    def __init__(self, data):
        self.total = sum(float(number) for numbers in data.values() for number in numbers)


class Runner:
    def __init__(self, data, config, client_configs=None):
        self.cfg, self.data, self.client_configs = config, data, client_configs or {}
        self.server, self.comm_manager = Server(data), StandaloneCommManager()

    def send(self, *words):
        message = Message(*words)
        self.comm_manager.send(message)
        message.count_bytes()

    def run(self):
        clients = [*range(1, self.cfg.federate.client_num + 1)]
        self.prepare()
        for client in clients:
            self.send("join_in", client, [0], 0)
        for state in range(self.cfg.federate.total_round_num):
            self.train(clients, state)
        self.send("finish", 0, clients, self.cfg.federate.total_round_num, {"w": np.zeros(8, np.float32)})
        self.save()

    def prepare(self):
        if self.cfg.federate.crash == "exit":
            raise SystemExit(3)
        if self.cfg.federate.crash == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.cfg.data.side_file:
            self.server.total += float(Path(self.cfg.data.side_file).read_text())

    def train(self, clients, state):
        self.send("model_para", 0, clients, state, {"w": np.zeros(8, np.float32)})
        for client in clients:
            own = self.client_configs.get(f"client_{client}", {})
            size = own.get("federate", {}).get("sketch_size", self.cfg.federate.sketch_size)
            self.send("sketch", client, [0], state, {"s": np.zeros(size, np.float64)})

    def save(self):
        if self.cfg.federate.save_to:
            Path(self.cfg.federate.save_to).write_text(str(self.server.total))
        Path("note.txt").write_text("relative to where it runs")
        last = self.cfg.federate.total_round_num - 1
        results = {"Results_weighted_avg": {"test_loss": self.server.total}}
        lines = [{"Role": "Server #", "Round": last, **results}, {"Role": "Server #", "Round": "Final", **results}]
        Path(self.cfg.outdir, "eval_results.log").write_text("".join(f"{line}\n" for line in lines))
        workers = range(self.cfg.federate.client_num + 1)
        reports = [{"id": worker, "total_upload_bytes": 0, "total_download_bytes": 0} for worker in workers]
        text = "".join(json.dumps(line) + "\n" for line in reports)
        Path(self.cfg.outdir, "system_metrics.log").write_text(text)
