"""One course of FederatedScope, from a cell's options to the files of its run directory.

Importing this imports FederatedScope: the worker does so once, before it forks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import federatedscope
import yaml
from federatedscope.core.configs.config import global_cfg

from fscost.files import digest_of, write_whole
from fscost.protocol import fs_options
from fscost.protocol.client_options import by_client, of_all
from fscost.protocol.effective_options import broken_claims, too_few_clients
from fscost.protocol.no_effect import without_effect
from fscost.worker import fs_data
from fscost.worker.main_program import MainProgram, import_what_it_imports
from fscost.worker.path_options import as_typed, at_home, make_folders
from fscost.worker.recorder import Recorder
from fscost.worker.release_options import in_cell, in_release, leaves
from fscost.worker.round_file import Progress
from fscost.worker.transports import UNMETERED, watch_transports
from fscost.worker.wire_encoding import pickles_models

_PACKAGE = Path(federatedscope.__file__).parent
_MAIN = _PACKAGE / "main.py"

import_what_it_imports(_MAIN)
for _lazily in ("torch._dynamo", "fvcore.nn"):  # what a course imports when it first trains, and every fork would again
    with suppress(Exception):  # what it needs and lacks, FederatedScope itself says
        if "torch" in sys.modules:
            import_module(_lazily)

_LOGS = ("system_metrics.log", "eval_results.log", "config.yaml")
_PACKAGES = ("torch", "numpy", "scikit-learn", "pympler", "protobuf", "transformers", "peft")


def run_cell(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run one cell and write its ledger and FederatedScope's logs into the folder ``into``.

    The request holds ``asked``, the cell's options by dotted name, its ``protocol``, ``home``, the folder that relative
    paths start from, and ``data_file``, where its data are if they are none of FederatedScope's or scikit-learn's.
    Returns what FederatedScope finally used, its device, and warnings.
    """
    course = Course(request)
    course.run()
    course.write()
    used, warnings = course.used(), [*course.warnings()]
    return {"used": _plain(used), "device": str(getattr(course.runner.server, "device", "cpu")), "warnings": warnings}


class Course:
    """A course that FederatedScope's ``main.py`` runs in a folder of its own, ``fs`` in that of the run.

    `recorder` has seen its messages.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._into, self._home, self._asked = Path(request["into"]), Path(request["home"]), request["asked"]
        self._protocol, self._data_file = request["protocol"], request["data_file"]
        self._folder = self._into / "fs"
        self._defaults = dict(leaves(global_cfg))
        self._given = in_release(of_all(self._asked), self._defaults)
        self._main = MainProgram(_MAIN)
        progress = Progress(self._into / "progress.json")
        self.recorder = Recorder(pickled=pickles_models(), progress=progress)

    @property
    def runner(self) -> Any:
        """FederatedScope's runner; its ``cfg`` is what was finally used."""
        return self._main.runner

    def run(self) -> None:
        """Run it to its end.

        Raises what FederatedScope raises, and ValueError before training where it is not what was asked for.
        """
        words = ["--cfg", str(self._write_config())]
        if clients := by_client(self._asked):
            words += ["--client_cfg", str(self._write_client_config(clients))]
        self._inputs = dict(_digests({**self._given, **self._asked}, self._home))
        self._folder.mkdir(exist_ok=True)
        os.chdir(self._folder)
        make_folders(self._given, self._folder)
        fs_data.register(self._data_file)
        self.recorder.attach()
        self._main.run(*words, on_data=self._check_clients, on_course=self._begin)
        self.recorder.finish()
        self._check_end()

    def write(self) -> None:
        """Write the ledger, and put FederatedScope's logs beside it."""
        config = self.runner.cfg
        for name in _LOGS:
            if (written := Path(config.outdir, name)).exists():
                written.replace(self._into / name)
        header = self.recorder.ledger.header
        header.update(_model_sizes(self.runner.server), clients=config.federate.client_num, protocol=self._protocol)
        if self._inputs:
            header["inputs"] = self._inputs
        write_whole(self._into / "ledger.jsonl", self.recorder.ledger.lines())

    def used(self) -> dict[str, Any]:
        """Return the options as FederatedScope has them now, by the names of cells, and paths as they were typed."""
        typed = {**self._defaults, **self._given}
        return in_cell(as_typed(dict(leaves(self.runner.cfg)), typed, self._home))

    def warnings(self) -> Iterator[str]:
        """Yield what is odd about it, a line each."""
        config, server = self.runner.cfg, self.runner.server
        if self.recorder.helped:
            yield _HELPED
        yield from self.recorder.ledger.warnings()
        quantization = config.quantization.method if "quantization" in config else "none"  # v0.2.0 has none
        local = config.personalization.local_param
        yield from without_effect(_state_dict(server), local, quantization, method=config.federate.method)

    def _write_config(self) -> Path:
        """Write what ``--cfg`` names; a folder of its own, as FederatedScope else writes into sub_exp_… of it."""
        places = {"outdir": str(self._folder), "expname": "run", "expname_tag": ""}
        placed = at_home({**self._defaults, **self._given}, self._home)
        moved = {name: value for name, value in placed.items() if value != self._defaults.get(name)}
        config = {**{name: placed[name] for name in self._given}, **moved, **places}
        return _written(self._into / "fs_config.yaml", fs_options.nested(config))

    def _write_client_config(self, clients: Mapping[str, Mapping[str, Any]]) -> Path:
        """Write what ``--client_cfg`` names; FederatedScope wants a section for each, and for the server's data."""
        everyone = [f"client_{number}" for number in range(self._asked["federate.client_num"] + 1)]
        sections: dict[str, Any] = {name: {} for name in everyone}
        for name, own in clients.items():
            sections[name] = fs_options.nested(at_home(in_release(own, self._defaults, spelled_out=False), self._home))
        return _written(self._into / "fs_client_config.yaml", sections)

    def _check_clients(self, config: Any) -> None:
        if problem := "; ".join(too_few_clients(self._asked, config.federate.client_num)):
            raise ValueError(problem)

    def _begin(self, runner: Any) -> None:
        watch_transports(runner, self.recorder)
        self.recorder.counts_broadcasts = not runner.cfg.federate.online_aggr
        if broken := "; ".join(broken_claims(of_all(self._asked), _plain(self.used()))):
            raise ValueError(f"this is not the cell that was asked for: {broken}")

    def _check_end(self) -> None:
        kinds = {kind for _, kind, _ in self.recorder.ledger.by_type}
        if not kinds:
            raise RuntimeError(f"{_MAIN} ran a course of which no message went through StandaloneCommManager.send")
        if unsent := self.recorder.unsent():
            raise RuntimeError(
                f"{', '.join(unsent)}: handled, and never sent through StandaloneCommManager.send, where messages are "
                f"metered; {UNMETERED}"
            )
        if not self.runner.cfg.vertical.use and "finish" not in kinds:
            raise RuntimeError("the course ended before the server sent finish")


_HELPED = (
    "pympler crashed at sizing a view of an array, as FederatedScope's secret sharing sends, and would have "
    "ended the run; after another array was sized it goes on, but what is reported of arrays depends on that"
)


def versions() -> dict[str, str]:
    """Return the versions that a run's figures depend on."""
    found = {"python": sys.version.split()[0], "federatedscope": federatedscope.__version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _written(file: Path, tree: Mapping[str, Any]) -> Path:
    write_whole(file, [yaml.safe_dump(tree).rstrip()])
    return file.resolve()


def _digests(options: Mapping[str, Any], home: Path) -> Iterator[tuple[str, str]]:
    """Yield the sha256 of each file that a course continues from: another may lie there later."""
    for name, value in options.items():
        if name.endswith("_from") and isinstance(value, str) and value and (home / value).is_file():
            yield name, f"sha256 {digest_of(home / value)}"


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


def _plain(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as JSON has them."""
    return dict(json.loads(json.dumps(used, default=str)))
