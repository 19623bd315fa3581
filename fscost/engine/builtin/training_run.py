"""A run of the builtin engine, from a cell to the files of its run directory; a worker's forks call `run_cell`."""

import logging
import platform
import resource
import sys
import time
import traceback
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

import fscost
from fscost.cells.cell import Cell
from fscost.cells.measure import SERVER
from fscost.cells.outcome import Outcome, Provenance, Status
from fscost.engine.builtin.client_data import Federation, load_federation
from fscost.engine.builtin.clients import Clients
from fscost.engine.builtin.fs_log_writer import CourseLogs
from fscost.engine.builtin.links import Handler, Network
from fscost.engine.builtin.modules import build_model, forward_flops
from fscost.engine.builtin.payloads import Exchange
from fscost.engine.builtin.server import Server
from fscost.errors import one_line
from fscost.files import write_whole
from fscost.metering import Ledger, Message
from fscost.protocol.course_options import Options
from fscost.protocol.no_effect import without_effect
from fscost.store.rundir import RunDir
from fscost.worker.round_file import Progress

for _lazily in ("torch._dynamo", "torch.profiler._cupti_monitor", "fscost.metering.private_asizeof"):  # by first use
    try:
        import_module(_lazily)
    except ImportError:  # a torch that does without
        continue


def train_cell(cell: Cell, into: RunDir) -> Outcome:
    """Train one cell and write its ledger and logs; never raises for a run that failed."""
    begin_s = time.monotonic()
    status, reason, warnings = Status.DONE, "", tuple[str, ...]()
    with into.engine_log.open("w") as file:
        handler = logging.StreamHandler(file)
        logger = logging.getLogger(__package__)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)
        try:
            warnings = tuple(_train(Options(cell), into))
        except Exception as error:
            status, reason = Status.FAILED, one_line(error)
            traceback.print_exc(file=file)
        finally:
            logger.removeHandler(handler)
    return Outcome(
        status=status,
        reason=reason,
        warnings=warnings,
        wall_s=time.monotonic() - begin_s,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        provenance=_provenance(cell),
    )


def _train(options: Options, into: RunDir) -> list[str]:
    """Run the course, write its files and return what its options do not do."""
    federation = load_federation(options)
    sample = federation.clients[1]["train"].x[0]
    model = build_model(options, sample)
    sizes = model_header(model)
    header = sizes | {"protocol": options.cell.protocol, "clients": options.clients}
    flops = forward_flops(model, sample) if options["eval.count_flops"] else 0
    online, progress = bool(options["federate.online_aggr"]), Progress(into.progress)
    network = Network(Ledger(header), options.release.pickles, online=online, progress=progress)
    logs = CourseLogs(sizes["params"], flops, into.eval_results)
    run_course(options, federation, network, logs)
    write_whole(into.system_metrics, logs.system_lines())
    write_whole(into.eval_results, logs.eval_lines())
    write_whole(into.ledger, network.ledger.lines())
    local, quantization = options["personalization.local_param"], options["quantization.method"]
    useless = without_effect(model.state_dict(), local, quantization, method=options.method)
    return [*useless, *network.ledger.warnings()]


def _provenance(cell: Cell) -> Provenance:
    packages = ("torch", "numpy", "pympler", "scikit-learn")
    return Provenance(
        engine=cell.engine,
        protocol=cell.protocol,
        fs_commit=None,
        versions={"python": sys.version.split()[0], "fscost": fscost.__version__}
        | {name: version(name) for name in packages},
        host=platform.node(),
        device="cpu",
        seed=cell.get("seed"),
    )


# --- the course -----------------------------------------------------------------------------------


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
    """Return the model's size as the ledger's header has it."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    return {
        "params": sum(p.numel() for p in trainable),
        "trainable_bytes": sum(p.numel() * p.element_size() for p in trainable),
        "state_dict_bytes": sum(v.numel() * v.element_size() for v in model.state_dict().values()),
    }


# --- in a worker process --------------------------------------------------------------------------


def run_cell(request: dict[str, Any]) -> dict[str, Any]:
    """Run the cell of a request and return its outcome as JSON values."""
    outcome = train_cell(Cell(**request["cell"]), RunDir(Path(request["into"])))
    return {"outcome": outcome.as_dict()}


def versions() -> dict[str, str]:
    """Return the version of this Python; every outcome has the others."""
    return {"python": sys.version.split()[0]}
