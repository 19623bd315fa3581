"""From a cell to a run directory."""

import logging
import platform
import resource
import sys
import time
import traceback
from importlib.metadata import version

import fscost
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Provenance, Status
from fscost.engine.builtin.client_data import load_federation
from fscost.engine.builtin.course import model_header, run_course
from fscost.engine.builtin.fs_log_writer import CourseLogs
from fscost.engine.builtin.links import Network
from fscost.engine.builtin.modules import build_model, forward_flops
from fscost.errors import one_line
from fscost.files import write_whole
from fscost.metering import Ledger
from fscost.protocol.course_options import Options
from fscost.protocol.no_effect import without_effect
from fscost.store.rundir import RunDir
from fscost.worker.round_file import Progress


def run_cell(cell: Cell, into: RunDir) -> Outcome:
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
