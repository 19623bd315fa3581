"""The options of the FederatedScope that is there, with a small stand-in that has others than any release."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome, Status
from fscost.engine.federatedscope import FederatedScopeEngine, interpreter, options_of
from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.worker.probe import fingerprint_of
from tests.commands.test_status import finish
from tests.conftest import Result, cell_of, cells_of

pytestmark = pytest.mark.pipeline  # each starts processes

NODE = """
import copy
import os
import yaml
with open(os.environ["ASKED"], "a") as file:
    file.write("asked\\n")
print("a fork may say anything when it is imported")

class CN(dict):
    def __init__(self, new_allowed=False):
        self.__dict__["new_allowed"] = new_allowed
    def __setattr__(self, name, value):
        self[name] = value
    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name)
    def is_new_allowed(self):
        return self.__dict__["new_allowed"]
    def merge_from_other_cfg(self, other):
        for key, value in other.items():
            if type(value) is not type(self[key]) and (type(value), type(self[key])) not in [(int, float), (list, int)]:
                raise ValueError("Type mismatch")
            self[key] = value
    def clone(self):
        return copy.deepcopy(self)
    def __deepcopy__(self, memo):
        copied = CN(self.is_new_allowed())
        copied.update({key: copy.deepcopy(value, memo) for key, value in self.items()})
        return copied
    def merge_from_file(self, file):
        with open(file) as text:
            self._lay(yaml.safe_load(text))
        if self.federate.total_round_num > 1000:
            raise AssertionError("nobody has the time")
    def _lay(self, tree):
        for key, value in tree.items():
            if isinstance(value, dict) and isinstance(self.get(key), CN):
                self[key]._lay(value)
            else:
                self[key] = value
    def freeze(self):
        if self.federate.method == "slow":
            raise AssertionError("too slow")

global_cfg = CN()
"""

FILL = """
for name, value in MASTERS.items():
    *sections, last = name.split(".")
    node = global_cfg
    for section in sections:
        node = node.setdefault(section, CN(section == "optimizer"))
    node[last] = value
"""

OPTIONS = """
global_cfg.federate.my_switch = False
global_cfg.grad.grad_clip = 5.0
global_cfg.data.batch_size = global_cfg.dataloader.pop("batch_size")
del global_cfg.federate["unseen_clients_rate"]
"""
"""What it has otherwise than master: one more, another default, another name, one less."""

MESSAGE = "def b64serializer(x): ...\nclass Message:\n    def count_bytes(self): ...\n"

FORK = "federate: {client_num: 3, total_round_num: 4, my_switch: true}\ndata: {type: toy}\nmodel: {type: lr}\n"


@dataclass(frozen=True)
class StandIn:
    """A FederatedScope of its own in a git repository; `count` is how often it was asked."""

    folder: Path

    def write(self, options: str) -> None:
        text = f"{NODE}\nMASTERS = {dict(fs_options.options())}\n{FILL}{options}"
        (self.folder / "federatedscope" / "core" / "configs" / "config.py").write_text(text)

    def commit(self) -> None:
        for words in (
            ["init", "-q"],
            ["add", "-A"],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *words], cwd=self.folder, check=True)

    @property
    def count(self) -> int:
        file = self.folder / "asked"
        return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """What this interpreter finds as FederatedScope; it sends master's messages, and nobody has asked it yet."""
    package = tmp_path / "checkout" / "federatedscope"
    for folder in (package / "core" / "configs", package / "core" / "trainers"):
        folder.mkdir(parents=True)
    for folder in (package, package / "core", package / "core" / "configs"):
        (folder / "__init__.py").write_text("__version__ = '0.3.0'\n")
    (package / "core" / "message.py").write_text(MESSAGE)
    (package / "core" / "communication.py").write_text("class StandaloneCommManager:\n    def send(self): ...\n")
    (package / "core" / "workers").mkdir()
    (package / "core" / "workers" / "server.py").write_text("self.state - 1 if msg_type == 'evaluate'\n")
    (package / "core" / "trainers" / "trainer.py").write_text("lambda e: trainable_filter(e[0])\n")
    made = StandIn(package.parent)
    made.write(OPTIONS)
    made.commit()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(made.folder), str(Path(__file__).parents[2])]))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ASKED", str(made.folder / "asked"))
    forget()
    return made


def forget() -> None:
    """Be another process."""
    interpreter.cache_clear()
    options_of.cache_clear()


def own(*overrides: str) -> Cell:
    return cell_of("engine=federatedscope", f"engine.python={sys.executable}", *overrides)


def refusal(*overrides: str, engine: str = "federatedscope") -> str:
    with pytest.raises(ConfigError) as error:
        cells_of(f"engine={engine}", f"engine.python={sys.executable}", *overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "fs.yaml").write_text(text)
        return f"fs_config={tmp_path / 'fs.yaml'}"

    return write


def test_an_option_of_a_fork_is_planned_as_it_is_given(there: StandIn, file: Callable[[str], str]) -> None:
    cell = own(file(FORK))
    assert cell.get("federate.my_switch") is True
    assert own(file(FORK.replace("true", "false"))).get("federate.my_switch") is False
    assert (cell.engine, cell.protocol, cell.axes["clients"]) == ("federatedscope", name_of(there), 3)
    assert there.count == 1


def test_its_cells_are_those_of_no_other_federatedscope(there: StandIn, file: Callable[[str], str]) -> None:
    words = ("seed=3", "fs.train.optimizer.momentum=0.9")
    plain = file(FORK.replace(", my_switch: true", "") + "grad: {grad_clip: 1.0}\n")
    names = ("master", name_of(there))
    masters, named = (cell_of("engine=federatedscope", f"engine.protocol={name}", plain, *words) for name in names)
    assert there.count == 0  # where the protocol is named, nobody needs to be asked
    cell = own(plain, *words)
    assert (cell.id, cell.fs) == (named.id, masters.fs)
    assert cell.id != masters.id
    (there.folder / "federatedscope" / "core" / "message.py").write_text(f"{MESSAGE}# changed\n")
    forget()
    assert own(plain, *words).id not in (cell.id, masters.id)  # a run of the day before does not answer for it


def name_of(there: StandIn) -> str:
    return f"master+{fingerprint_of(there.folder / 'federatedscope')[:8]}"


@pytest.mark.parametrize("engine", ["builtin", "estimate"])
def test_other_engines_refuse_it_and_name_the_one(there: StandIn, file: Callable[[str], str], engine: str) -> None:
    message = refusal(file(FORK), engine=engine)
    assert f"federate.my_switch: engine={engine} has no such option" in message
    assert "engine=federatedscope runs what the FederatedScope of engine.python has" in message
    assert there.count == 0


def test_what_is_not_there_is_refused_with_the_nearest_names_of_what_is(there: StandIn) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=there.folder, capture_output=True, text=True).stdout
    message = refusal("fs.federate.my_swich=true")
    shown = f"FederatedScope {name_of(there)} (version 0.3.0, commit {head[:8]}) of {sys.executable}"
    assert message.startswith(f"fs.federate.my_swich: {shown} has no such option (did you mean federate.my_switch")
    assert "has no such option (did you mean attack.attacker_id" in refusal("fs.attack.attack_id=2")
    assert "fs.federate.unseen_clients_rate: FederatedScope master" in refusal("fs.federate.unseen_clients_rate=0.5")
    assert "fs.federate: FederatedScope master" in refusal("fs.federate=3")
    assert "fs.mine: FederatedScope master" in refusal("fs.mine={}")


def test_a_module_that_nobody_committed_is_a_change(there: StandIn) -> None:
    (there.folder / "federatedscope" / "mine.py").write_text("")
    assert "+changes) of" in refusal("fs.federate.my_swich=true")


def test_the_default_of_an_option_that_is_not_there_is_what_happens_without(there: StandIn) -> None:
    assert own("fs.federate.unseen_clients_rate=0.0").id == own().id


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("fs.federate.my_switch=1", "expected bool, as its default False is"),
        ("fs.federate.total_round_num=many", "expected int, as its default 50 is"),
        ("fs.federate.total_round_num=3.7", "expected int"),
        ("fs.train.optimizer.lr=fast", "expected float"),
        ("fs.grad.grad_clip=inf", "must be a finite number"),
        ("fs.criterion.type=3", "expected str"),
    ],
)
def test_types_are_those_that_it_takes(there: StandIn, override: str, words: str) -> None:
    assert words in refusal(override)


def test_what_it_turns_into_another_type_is_taken(there: StandIn) -> None:
    assert own("fs.attack.attacker_id=[1,2]").get("attack.attacker_id") == [1, 2]
    assert own("fs.grad.grad_clip=1").get("grad.grad_clip") == 1
    assert own("fs.train.optimizer.anything={of: [mine]}").get("train.optimizer.anything") == {"of": ["mine"]}


def test_text_of_a_file_is_the_literal_that_federatedscope_reads(there: StandIn, file: Callable[[str], str]) -> None:
    text = "train: {optimizer: {lr: 1e-3, betas: '(0.9, 0.99)', eps: '1e-8'}}\nattack: {attacker_id: '[1, 2]'}\n"
    cell = own(file(FORK + text))
    assert cell.get("train.optimizer") == {"lr": 0.001, "betas": "(0.9, 0.99)", "eps": 1e-8}
    assert cell.get("attack.attacker_id") == [1, 2]
    assert own(file(FORK.replace("4", "4e0"))).get("federate.total_round_num") == 4
    assert "criterion.type=3: expected str" in refusal(file(FORK + "criterion: {type: '3'}"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: {optimizer: {a.b: 3}}", "train.optimizer.'a.b': an option has a name without dots"),
        ("train: {optimizer: {0: 3}}", "train.optimizer.0: an option has a name without dots"),
        ("train.optimizer.lr: 3", "'train.optimizer.lr': an option has a name without dots"),
    ],
)
def test_a_key_that_is_no_name_is_no_other_option(
    there: StandIn, file: Callable[[str], str], text: str, words: str
) -> None:
    assert words in refusal(file(FORK + text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train.optimizer.lr: {type: float, lower: 0.1, upper: 1.0}", "is the search space of hyperparameters"),
        ("train.optimizer.lr: [0.1, 1.0]\nmodel.dropout: [0.0]", "is the search space of hyperparameters"),
        ("arm0: {train.optimizer.lr: 0.1}\narm1: {train.optimizer.lr: 0.2}", "hpo.py tries (hpo.ss)"),
        ("client_1: {train: {optimizer: {lr: 0.1}}}\nclient_2: {}", "give it as fs_client_config=FILE"),
        ("client_group_1: {data: {batch_size: 3}}", "has options of single clients"),
    ],
)
def test_a_file_that_is_something_else_is_told_so(
    there: StandIn, file: Callable[[str], str], text: str, words: str
) -> None:
    assert words in refusal(file(text))


def test_all_that_it_lacks_is_told_at_once(there: StandIn, file: Callable[[str], str]) -> None:
    told = refusal(file(FORK + "optimizer: {lr: 0.1}\nwatcher: {at: home}\n"))
    assert told.count("has no such option") == 1
    assert "optimizer.lr: FederatedScope" in told
    assert told.endswith("; nor has it watcher.at")


def test_a_name_that_it_has_for_an_option_of_ours(there: StandIn, file: Callable[[str], str]) -> None:
    cell = own(file(FORK.replace("type: toy", "type: toy, batch_size: 16")))
    assert cell.get("dataloader.batch_size") == 16
    assert cell.get("data.batch_size") is None
    assert cell.id == own(file(FORK), "batch_size=16").id


def test_a_default_that_no_release_has_is_that_of_files_and_said(there: StandIn, file: Callable[[str], str]) -> None:
    assert own(file(FORK)).get("grad.grad_clip") == 5.0
    assert own(file(FORK + "grad: {grad_clip: -1.0}")).get("grad.grad_clip") is None
    assert own().get("grad.grad_clip") is None


class TestKept:
    """It is asked once, until its files or its commit are others."""

    def test_until_something_changes(self, there: StandIn) -> None:
        for _ in range(3):
            forget()
            own("fs.federate.my_switch=true")
        assert there.count == 1
        there.write(OPTIONS + "global_cfg.federate.newer = 0\n")
        forget()
        assert own("fs.federate.newer=3").get("federate.newer") == 3
        there.commit()
        forget()
        own("fs.federate.newer=3")
        assert there.count == 3

    def test_what_is_kept_may_be_broken(self, there: StandIn, tmp_path: Path) -> None:
        own()
        (kept,) = (tmp_path / "cache" / "fscost").iterdir()
        stamp = json.dumps({"stamp": json.loads(kept.read_text())["stamp"]})
        for text in ("", "{}", "[1]", "not json", "[" * 100_000, stamp):
            kept.write_text(text)
            forget()
            assert own("fs.federate.my_switch=true").get("federate.my_switch") is True
        kept.unlink()
        os.mkfifo(kept)
        forget()
        assert own("fs.federate.my_switch=true").get("federate.my_switch") is True
        assert there.count == 8

    def test_where_nothing_can_be_kept_it_is_asked_again(self, there: StandIn, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("a file, so that no folder can be made there")
        for _ in range(2):
            forget()
            own("fs.federate.my_switch=true")
        assert there.count == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "it ended when asked for its options (exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "it ended when asked for its options (killed by SIGKILL"),
        ("import sys, os; sys.stderr.write('no licence\\n'); os._exit(1)", "(exit code 1; its last words: no licence)"),
        ("del global_cfg", "ImportError: cannot import name 'global_cfg'"),
    ],
)
def test_one_that_dies_when_asked_is_told_with_its_last_words(there: StandIn, text: str, words: str) -> None:
    there.write(text)
    message = refusal("fs.federate.my_switch=true")
    assert message.startswith(f"engine.python={sys.executable}: FederatedScope cannot be imported: ")
    assert words in message


def test_another_backend_is_refused_in_the_plan(there: StandIn, fscost: Callable[..., Result]) -> None:
    told = fscost("plan", "engine=federatedscope", f"engine.python={sys.executable}", "fs.backend=tensorflow")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "fs.backend=tensorflow: engine=federatedscope meters torch's tensors" in told.err


def planned(fscost: Callable[..., Result], *words: str) -> Result:
    return fscost("plan", "engine=federatedscope", f"engine.python={sys.executable}", *words)


def test_what_it_does_not_take_itself_is_refused_in_its_words_and_asked_once(
    there: StandIn, fscost: Callable[..., Result]
) -> None:
    words = ("rounds=10,2000", "seed=0,1", "fs.federate.method=FedAvg,slow", "clients=0")
    for asked in (2, 2):  # its options and its checks
        told = planned(fscost, *words)
        assert (told.code, there.count) == (2, asked), told.err
        shown = f"FederatedScope {re.escape(name_of(there))} .* refuses this configuration: AssertionError:"
        assert re.search(rf"- {shown} nobody has the time \(4 cells\)\n", told.err), told.err
        assert re.search(rf"- {shown} too slow \(2 cells\)\n", told.err)
        forget()
    assert planned(fscost, *words[1:], "fs.federate.method=FedAvg").code == 0
    searched = planned(fscost, "rounds=2000", "fs.hpo.fedex.use=true").err
    assert "fs.hpo.fedex.use=True: FedEx searches hyperparameters; FederatedScope" in searched


def test_what_was_done_before_it_was_edited_is_told(there: StandIn, fscost: Callable[..., Result]) -> None:
    before = [finish(cell, Outcome(status=Status.DONE)) for cell in (own("clients=3"), own("clients=5"))]
    assert "the source of" not in planned(fscost, "clients=3,5,7").out
    (there.folder / "federatedscope" / "core" / "message.py").write_text(f"{MESSAGE}# changed\n")
    forget()
    first = before[0].read_cell().protocol
    line = (
        f"the source of FederatedScope {first} is not that of {name_of(there)}, which is there: 2 of these cells have"
    )
    told = planned(fscost, "clients=3,5,7")
    assert (told.code, told.out.count(line), told.out.count("missing   ")) == (0, 1, 3)
    status = fscost("status", "engine=federatedscope", f"engine.python={sys.executable}", "clients=3,5,7", "seed=0")
    assert line in status.out
    shown = fscost("plan", "engine=federatedscope", f"engine.protocol={first}", "clients=3,5")
    assert shown.out.count("done   ") == 2


def test_what_cannot_be_metered_is_refused_before_it_runs(there: StandIn, fscost: Callable[..., Result]) -> None:
    file = there.folder / "federatedscope" / "core" / "communication.py"
    file.write_text("class StandaloneCommManager:\n    def post(self): ...\n")
    told = planned(fscost)
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "its messages cannot be metered: it has no StandaloneCommManager.send; run its main.py" in told.err
    file.write_text("")
    forget()
    assert "cannot be metered: ImportError: cannot import name 'StandaloneCommManager'" in planned(fscost).err


def test_a_value_that_it_crashes_on_is_refused_and_elsewhere_taken(there: StandIn) -> None:
    assert own("fs.data.splitter=iid").get("data.splitter") == "iid"
    builder = there.folder / "federatedscope" / "core" / "auxiliaries" / "splitter_builder.py"
    builder.parent.mkdir()
    builder.write_text("import math\ndef get_splitter(config):\n    return lambda data: math.split(data)\n")
    forget()
    told = refusal("fs.data.splitter=iid")
    assert told.startswith(f"fs.data.splitter=iid: FederatedScope {name_of(there)}")
    assert "crashes on it: AttributeError: module 'math' has no attribute 'split'; take fs.data.splitter=iid_" in told
    builder.write_text("def get_splitter(config):\n    return lambda data: data.select()\n")  # of a data set
    forget()
    assert own("fs.data.splitter=iid").get("data.splitter") == "iid"
    builder.write_text("def get_splitter(config):\n    return None\n")
    forget()
    assert "crashes on it: it has no such splitter; take" in refusal("fs.data.splitter=iid")
    unasked = cell_of("engine=federatedscope", f"engine.protocol={name_of(there)}", "fs.data.splitter=iid")
    with closing(FederatedScopeEngine(sys.executable)) as engine, pytest.raises(ConfigError, match="crashes on it"):
        engine.prepare(unasked)


def test_a_named_protocol_is_asked_when_a_cell_is_to_run(there: StandIn) -> None:
    cell = cell_of("engine=federatedscope", f"engine.protocol={name_of(there)}", "fs.federate.my_swich=true")
    assert there.count == 0
    engine = FederatedScopeEngine(sys.executable)
    with pytest.raises(ConfigError, match=r"fs.federate.my_swich: FederatedScope master.* mean federate.my_switch"):
        engine.prepare(cell)
    engine.close()


def test_a_store_is_read_without_it(
    there: StandIn, file: Callable[[str], str], fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (file(FORK), "engine=federatedscope", "engine.protocol=master")
    monkeypatch.setenv("FSCOST_FS_PYTHON", "/no/such/python")
    planned = fscost("plan", *words, "fs.federate.my_switch=true,false")
    assert (planned.code, planned.out.count("missing   ")) == (0, 2), planned.err
    table = fscost("table", *words, "table.rows=[fs.federate.my_switch,method]")
    assert (table.code, "missing" in table.out) == (0, True), table.err
    wrong = fscost("table", *words, "table.rows=[fs.federate.my_swich]")
    assert (wrong.code, "did you mean federate.my_switch" in wrong.err) == (2, True)
    assert there.count == 0
