"""One course of FederatedScope, from a cell's options to the files of its run directory.

Importing this imports FederatedScope: the worker does so once, before it forks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import federatedscope
import yaml
from federatedscope.core.auxiliaries.data_builder import get_data
from federatedscope.core.auxiliaries.utils import setup_seed
from federatedscope.core.auxiliaries.worker_builder import get_client_cls, get_server_cls
from federatedscope.core.configs.config import global_cfg

from fscost.files import write_whole
from fscost.protocol import fs_options
from fscost.protocol.no_effect import without_effect
from fscost.worker import fs_data
from fscost.worker.recorder import Recorder
from fscost.worker.release_options import in_cell, in_release, leaves
from fscost.worker.round_file import Progress
from fscost.worker.wire_encoding import pickles_models

try:  # since v0.3.0
    from federatedscope.core.auxiliaries.logging import update_logger
    from federatedscope.core.auxiliaries.runner_builder import get_runner

    _FORGETS_SEED = True
except ImportError:
    from federatedscope.core.auxiliaries.utils import update_logger
    from federatedscope.core.fed_runner import FedRunner as get_runner

    _FORGETS_SEED = False
"""Since v0.3.0 data are loaded with a constant seed; after a registered loader the cell's is not restored."""

for _lazily in ("torch._dynamo", "fvcore.nn"):  # what a course imports when it first trains, and every fork would again
    with suppress(Exception):  # what it needs and lacks, FederatedScope itself says
        import_module(_lazily)

_LOGS = ("system_metrics.log", "eval_results.log", "config.yaml")
_PACKAGES = ("torch", "numpy", "scikit-learn", "pympler", "protobuf", "transformers", "peft")


def run_cell(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run one cell and write its ledger and FederatedScope's logs into the folder ``into``.

    The request holds ``asked``, the cell's options by dotted name, its ``protocol``, and ``data_file``, where its data
    are if they are none of FederatedScope's or scikit-learn's. Returns what FederatedScope finally used, its device,
    and warnings.
    """
    into = Path(request["into"])
    config = _configured(request, into)
    pickled = pickles_models()
    progress = Progress(into / "progress.json")
    recorder = Recorder(pickled=pickled, counts_broadcasts=not config.federate.online_aggr, progress=progress)
    recorder.attach()
    runner = _runner(config, request["data_file"])
    runner.run()
    recorder.finish()
    warnings = [*_helped(recorder), *recorder.ledger.warnings(), *_without_effect(runner)]
    if not config.vertical.use and not any(kind == "finish" for _, kind, _ in recorder.ledger.by_type):
        raise RuntimeError("the course ended before the server sent finish")
    for name in _LOGS:
        if (written := Path(config.outdir, name)).exists():
            written.replace(into / name)
    recorder.ledger.header.update(_model_sizes(runner.server), clients=config.federate.client_num)
    recorder.ledger.header["protocol"] = request["protocol"]
    write_whole(into / "ledger.jsonl", recorder.ledger.lines())
    used = in_cell(dict(leaves(runner.cfg)))
    return {"used": _plain(used), "device": _device(runner), "warnings": warnings}


def versions() -> dict[str, str]:
    """Return the versions that a run's figures depend on."""
    found = {"python": sys.version.split()[0], "federatedscope": federatedscope.__version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _configured(request: Mapping[str, Any], into: Path) -> Any:
    """Return FederatedScope's configuration of the cell, as ``main.py --cfg fs_config.yaml`` makes it."""
    config = global_cfg.clone()
    given = in_release(request["asked"], dict(leaves(config)))
    file = into / "fs_config.yaml"
    write_whole(file, [yaml.safe_dump(fs_options.nested(given)).rstrip()])
    try:
        config.merge_from_file(str(file))
    except KeyError as error:
        unknown = str(error.args[0]).rpartition(" ")[2]  # a section, where the release does not even have that
        name = next((name for name in given if f"{name}.".startswith(f"{unknown}.")), unknown)
        raise ValueError(f"FederatedScope {federatedscope.__version__} has no option fs.{name}") from error
    # A folder of its own: FederatedScope writes into sub_exp_… where the one it wants exists.
    config.outdir, config.expname, config.expname_tag = str(into / "fs"), "run", ""
    update_logger(config, True)
    return config


def _runner(config: Any, data_file: str | None) -> Any:
    """Return FederatedScope's runner, made as its ``main.py`` makes it."""
    setup_seed(config.seed)
    fs_data.register(data_file)
    loaded, modified = get_data(config=config.clone())
    config.merge_from_other_cfg(modified)
    if _FORGETS_SEED:
        setup_seed(config.seed)
    config.freeze()
    return get_runner(
        data=loaded,
        server_class=get_server_cls(config),
        client_class=get_client_cls(config),
        config=config.clone(),
    )


def _helped(recorder: Recorder) -> Iterator[str]:
    """Yield what was done about a count that would have crashed the run."""
    if recorder.helped:
        yield (
            "pympler crashed at sizing a view of an array, as FederatedScope's secret sharing sends, and would have "
            "ended the run; after another array was sized it goes on, but what is reported of arrays depends on that"
        )


def _without_effect(runner: Any) -> Iterator[str]:
    """Return a line for each option that FederatedScope accepts and that changes nothing with this model."""
    config = runner.cfg
    quantization = config.quantization.method if "quantization" in config else "none"  # v0.2.0 has none
    names, local = _state_dict(runner.server), config.personalization.local_param
    return without_effect(names, local, quantization, method=config.federate.method)


def _state_dict(server: Any) -> dict[str, Any]:
    model: Any = getattr(server, "model", None)
    return dict(model.state_dict()) if hasattr(model, "state_dict") else {}


def _model_sizes(server: Any) -> dict[str, int]:
    """Return the size of the server's model as the ledger's header has it, nothing where it has no tensors."""
    entries = _state_dict(server)
    if not entries:
        return {}
    trainable = [p for p in server.model.parameters() if p.requires_grad]
    return {
        "params": sum(p.numel() for p in trainable),
        "trainable_bytes": sum(p.numel() * p.element_size() for p in trainable),
        "state_dict_bytes": sum(v.numel() * v.element_size() for v in entries.values()),
    }


def _device(runner: Any) -> str:
    return str(getattr(runner.server, "device", "cpu"))


def _plain(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as JSON has them."""
    return dict(json.loads(json.dumps(used, default=str)))
