"""The federated course: one server and N clients that send each other messages until the last one is handled."""

import torch
from torch import nn

from fscost.cells.measure import SERVER
from fscost.engine.builtin.client_data import Federation
from fscost.engine.builtin.clients import Clients
from fscost.engine.builtin.fs_log_writer import CourseLogs
from fscost.engine.builtin.links import Handler, Network
from fscost.engine.builtin.modules import build_model
from fscost.engine.builtin.payloads import Exchange
from fscost.engine.builtin.server import Server
from fscost.metering import Message
from fscost.protocol.course_options import Options


def run_course(options: Options, federation: Federation, network: Network, logs: CourseLogs) -> None:
    """Run a course from join_in to finish; the messages are in `network`'s ledger then, the results in `logs`."""
    torch.manual_seed(options["seed"])
    sample = federation.clients[1]["train"].x[0]
    models, copies = ([build_model(options, sample) for _ in range(options.models)] for _ in range(2))
    for copy, model in zip(copies, models, strict=True):
        copy.load_state_dict(model.state_dict())
    exchange = Exchange(models[0], options)
    server = Server(options, federation, network, logs, models, exchange)
    clients = Clients(options, federation, network, logs, copies, exchange)
    clients.join()
    network.run(_by_receiver(server.handlers, clients.handlers))


def _by_receiver(of_server: dict[str, Handler], of_clients: dict[str, Handler]) -> dict[str, Handler]:
    """Return one handler per type of message; ``model_para`` goes both ways."""

    def handle(worker: int, message: Message) -> None:
        (of_server if worker == SERVER else of_clients)[message.msg_type](worker, message)

    return dict.fromkeys(of_server | of_clients, handle)


def model_header(model: nn.Module) -> dict[str, int]:
    """Return the model's size as the ledger's header tells it."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    return {
        "params": sum(p.numel() for p in trainable),
        "trainable_bytes": sum(p.numel() * p.element_size() for p in trainable),
        "state_dict_bytes": sum(v.numel() * v.element_size() for v in model.state_dict().values()),
    }
