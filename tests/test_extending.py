"""What is added where: each recipe of CONTRIBUTING, followed in a copy of the checkout, in as many files as it says."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

import fscost
from tests.one_process import OneProcess

ROOT = Path(fscost.__file__).parents[1]

pytestmark = pytest.mark.pipeline


@dataclass
class Checkout:
    """A copy of the checkout, and the files that were added or changed in it."""

    path: Path
    python: OneProcess
    touched: list[str] = field(default_factory=list)

    def add(self, name: str, text: str) -> None:
        file = self.path / name
        assert not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.touched.append(name)

    def insert(self, name: str, *, before: str, text: str) -> None:
        """Insert lines before the one line that begins so."""
        file = self.path / name
        lines = file.read_text().splitlines(keepends=True)
        (number,) = [number for number, line in enumerate(lines) if line.startswith(before)]
        file.write_text("".join([*lines[:number], text, *lines[number:]]))
        self.touched += [name] if name not in self.touched else []

    def frame(self, name: str, *words: str) -> pd.DataFrame:
        """Return a frame of the runs that words select."""
        self.python.printed("collect", *words, "--out", "frames")
        return pd.read_csv(self.path / "work" / "frames" / f"{name}.csv")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    for name in ("fscost", "conf", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "work").mkdir()
    with OneProcess(tmp_path / "work", tmp_path) as python:
        yield Checkout(tmp_path, python)


# --- a method -------------------------------------------------------------------------------------

FEDBIAS_OPTIONS = """\
# @package _global_
# Clients train as in FedAvg, twice as long, and upload biases alone.
fs:
  federate:
    method: FedBias
"""

FEDBIAS = """\
    Method(
        "fedbias",
        {"federate.method": "FedBias"},
        {"personalization.regular_weight": ANY},
        uploads=lambda name: name.endswith(".bias"),
        is_own=True,
        aggregates="method=fedbias",
    ),
"""

FEDBIAS_CLIENT = '''\
class Bias(Average):
    """FedBias: every client sees its samples twice."""

    def _fit(self, client: int, samples: Samples) -> int:
        return super()._fit(client, samples) + super()._fit(client, samples)


'''


FEDBIAS_SERVER = '''\
class Heavy:
    """FedBias: the server goes on half as far as in the round before."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.state_dict()
        self.before = dict.fromkeys(self.model, 0.0)

    def __call__(self, updates: Sequence[Update], options: Options) -> Entries:
        new = _mean(updates, options)
        self.before = {name: value - self.model[name] + self.before[name] / 2 for name, value in new.items()}
        return {name: self.model[name] + step for name, step in self.before.items()}


'''


def add_a_method(to: Checkout) -> None:
    to.add("conf/method/fedbias.yaml", FEDBIAS_OPTIONS)
    to.insert("fscost/protocol/methods.py", before='    Method("local"', text=FEDBIAS)
    to.insert("fscost/engine/builtin/local_update.py", before="LOCAL_UPDATES", text=FEDBIAS_CLIENT)
    to.insert("fscost/engine/builtin/local_update.py", before='    "fedrep"', text='    "fedbias": Bias,\n')
    to.insert("fscost/engine/builtin/aggregation.py", before="AGGREGATIONS", text=FEDBIAS_SERVER)
    to.insert("fscost/engine/builtin/aggregation.py", before='    "krum"', text='    "fedbias": Heavy,\n')


def test_a_method(checkout: Checkout) -> None:
    add_a_method(checkout)
    words = ("method=fedavg,fedbias", "model=lr", "clients=2", "rounds=3", "fs.personalization.regular_weight=0.2")
    table = checkout.python.printed("-m", *words, "engine=builtin")
    assert "fedbias" in table
    cells = checkout.frame("cells", *words, "engine=builtin").set_index("method")
    both = {"fedavg": 64 * 10 + 10, "fedbias": 10}
    for method, numbers in both.items():
        assert cells["training_uplink_payload_bytes"][method] == 2 * 3 * 4 * numbers
        assert cells["training_downlink_payload_bytes"][method] == 2 * 3 * 4 * (64 * 10 + 10)
    assert cells["final_test_acc"]["fedavg"] != cells["final_test_acc"]["fedbias"]
    assert len(checkout.touched) <= 4, "or, of FederatedScope's, a recorded ledger and one side"


def test_a_method_has_a_closed_form_and_conditions(checkout: Checkout) -> None:
    add_a_method(checkout)
    words = ("method=fedbias", "model=lr,convnet2", "clients=2", "rounds=3")
    sent = []
    for engine in ("builtin", "estimate"):
        checkout.python.printed("-m", *words, f"engine={engine}")
        messages = checkout.frame("messages", *words, f"engine={engine}")
        known = ["round", "type", "link", "messages", "payload_bytes", "scalar_bytes"]
        sent.append(messages[known].sort_values(known).reset_index(drop=True))
    pd.testing.assert_frame_equal(*sent)
    with pytest.raises(AssertionError, match="FederatedScope aggregates in one way only"):
        checkout.python.printed("plan", "method=fedbias", "fs.asyn.use=true", "engine=builtin")


# --- a model --------------------------------------------------------------------------------------

NARROW_OPTIONS = """\
# @package _global_
# Two linear layers with four units between them.
form: flat
resize: null
norm_layers: [bn]
head: [fc2]
head_module: [fc2]
fs:
  model:
    type: narrow
"""

NARROW_ENTRIES = """\
def _narrow(options: ModelOptions, sample: Sequence[int]) -> Iterator[Shape]:
    yield from linear("fc1", sample[-1], 4)
    yield from linear("fc2", 4, options["model.out_channels"])


"""

NARROW_CASE = """\
        case "narrow":
            parts = {"fc1": nn.Linear(sample.shape[-1], 4), "relu": nn.ReLU(), "fc2": nn.Linear(4, outputs)}
            return nn.Sequential(OrderedDict(parts))
"""


def test_a_model(checkout: Checkout) -> None:
    checkout.add("conf/model/narrow.yaml", NARROW_OPTIONS)
    checkout.insert("fscost/protocol/models.py", before="_ALL = (", text=NARROW_ENTRIES)
    checkout.insert(
        "fscost/protocol/models.py", before='    Model("lr"', text='    Model("narrow", "flat", _narrow),\n'
    )
    checkout.insert(
        "fscost/engine/builtin/modules.py", before="import torch", text="from collections import OrderedDict\n"
    )
    checkout.insert("fscost/engine/builtin/modules.py", before="        case unknown:", text=NARROW_CASE)
    words = ("model=narrow", "method=fedavg,fedper", "clients=2", "rounds=2")
    sent = []
    for engine in ("builtin", "estimate"):
        assert "narrow" in checkout.python.printed("-m", *words, f"engine={engine}")
        sent.append(checkout.frame("cells", *words, f"engine={engine}").set_index("method"))
    for column in ("params", "training_uplink_payload_bytes", "training_downlink_wire_bytes"):
        assert sent[0][column].to_dict() == sent[1][column].to_dict()
    assert set(sent[0]["params"]) == {64 * 4 + 4 + 4 * 10 + 10}
    assert len(checkout.touched) == 3


# --- an engine ------------------------------------------------------------------------------------

PIGEON = '''\
"""An engine that sends one message a round to each client, and nothing back."""

import numpy as np

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.engine.base import DEFAULTS, EngineSettings
from fscost.errors import ConfigError
from fscost.files import write_whole
from fscost.metering import Ledger, Message, meter
from fscost.store.rundir import RunDir


class PigeonEngine:
    """Sends ten numbers."""

    def check(self, cell: Cell) -> None:
        """Refuse large federations."""
        if cell.axes["clients"] > 100:
            raise ConfigError(f"clients={cell.axes['clients']}: there are 100 pigeons")

    def check_here(self, cell: Cell) -> None:
        """Nothing is needed."""

    def prepare(self, cell: Cell) -> None:
        """Nothing is needed."""

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Write the ledger."""
        clients = cell.axes["clients"]
        sizes = {"params": 10, "trainable_bytes": 40, "state_dict_bytes": 40}
        ledger = Ledger(sizes | {"protocol": cell.protocol, "clients": clients})
        for state in range(cell.axes["rounds"]):
            content = {"w": np.zeros(10, np.float32)}
            message = Message("model_para", 0, tuple(range(1, clients + 1)), state, content)
            ledger.record(message, meter(message, pickled=False))
        write_whole(into.ledger, ledger.lines())
        return Outcome(status=Status.DONE, wall_s=0.5)

    def close(self) -> None:
        """Nothing is held."""


def make_engine(_python: str | None) -> PigeonEngine:
    """Return the engine."""
    return PigeonEngine()
'''


def test_an_engine(checkout: Checkout) -> None:
    checkout.add("fscost/engine/pigeon/__init__.py", PIGEON)
    checkout.add("conf/engine/pigeon.yaml", "# One message a round to each client.\nname: pigeon\nprotocol: auto\n")
    line = '    EngineKind("pigeon", "pigeons", trains=False, writes_logs=False),\n'
    checkout.insert("fscost/cells/engine_kinds.py", before='    EngineKind("federatedscope"', text=line)
    words = ("engine=pigeon", "method=fedavg", "model=lr", "clients=2,3", "rounds=4")
    assert "2 cells, 2 missing" in checkout.python.printed("plan", *words)
    table = checkout.python.printed("-m", *words)
    assert "0.320" in table and "†" in table, "what was not trained is marked"
    cells = checkout.frame("cells", *words)
    assert cells["training_downlink_payload_bytes"].tolist() == [2 * 4 * 40, 3 * 4 * 40]
    assert "pigeon" not in checkout.python.printed("table", "table=audit", *words)
    with pytest.raises(AssertionError, match="there are 100 pigeons"):
        checkout.python.printed("plan", *words[:3], "clients=101")
    assert len(checkout.touched) == 3


# --- a release of FederatedScope ------------------------------------------------------------------

V040 = """\
V040 = replace(MASTER, name="v0.4.0", protocol="v0.4.0", uploads_buffers=True, first_evaluation_is_round_0=False)

"""


def test_a_release(checkout: Checkout) -> None:
    checkout.insert("fscost/protocol/release.py", before="RELEASES = (", text=V040)
    checkout.insert("fscost/protocol/release.py", before="    LLM,", text="    V040,\n")
    words = ("engine=estimate", "model=mlp_s", "clients=2", "rounds=3")
    sent = {}
    for release in ("master", "v0.4.0"):
        checkout.python.printed("-m", *words, f"engine.protocol={release}")
        sent[release] = checkout.frame("messages", *words, f"engine.protocol={release}").groupby("type")
    uplink = {release: types.get_group("model_para")["payload_bytes"].sum() for release, types in sent.items()}
    buffers = 4 * (2 * 16 + 2 * 10) + 8 * 2
    assert uplink["v0.4.0"] - uplink["master"] == 2 * 3 * buffers
    assert sent["v0.4.0"].get_group("evaluate")["round"].tolist() == [1, 2, 3]
    assert len(checkout.touched) == 1
