"""Methods that FederatedScope lacks: they send what their course says, and compute what their papers do."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch
from torch import nn

from fscost.engine.builtin import BuiltinEngine
from fscost.engine.builtin.beside_models import ControlVariate, Prototypes
from fscost.engine.builtin.client_data import Samples
from fscost.engine.builtin.local_update import Controlled, Prototypical
from fscost.engine.federatedscope import FederatedScopeEngine
from fscost.errors import ConfigError
from fscost.protocol.course_options import Options
from fscost.store.ledger_file import read_ledger
from tests.conftest import cell_of
from tests.engine.test_estimate import messages_of
from tests.engine.test_methods import computed, sums

KEYS = ("messages", "client_rounds", "payload_bytes", "scalar_bytes", "wire_bytes", "reported_bytes")
WORDS = {
    "all": ("model=mlp_s", "clients=4", "rounds=3"),
    "sampled": ("model=lr", "clients=6", "clients_per_round=3", "rounds=4", "eval_every=3", "batch_size=500"),
    "skewed": ("model=convnet2", "clients=3", "rounds=2", "alpha=0.1", "seed=3", "local_unit=batch", "local_steps=2"),
    "v0.3.0": ("model=mlp_s", "clients=3", "rounds=2", "engine.protocol=v0.3.0"),
    "v0.2.0": ("model=lr", "clients=3", "rounds=2", "engine.protocol=v0.2.0", "fs.eval.split=[test]"),
}


@pytest.mark.pipeline
@pytest.mark.parametrize("words", WORDS.values(), ids=[*WORDS])
@pytest.mark.parametrize("method", ["scaffold", "fedproto", "fedpt"])
def test_the_closed_form_has_every_line_of_what_is_trained(method: str, words: tuple[str, ...], tmp_path: Path) -> None:
    own = ("frozen=[bn2]" if "convnet2" in words[0] else "frozen=[bias]",) if method == "fedpt" else ()
    run, outcome = computed(tmp_path / "builtin", f"method={method}", *words, *own)
    assert outcome.reason == ""
    cell = replace(cell_of("engine=builtin", f"method={method}", *words, *own), engine="estimate")
    closed = {(r["round"], r["type"], r["link"]): r for r in messages_of(cell, tmp_path / "estimate")}
    real = read_ledger(run.ledger).messages
    assert closed.keys() == {(r["round"], r["type"], r["link"]) for r in real}
    for row in real:
        form = closed[row["round"], row["type"], row["link"]]
        for key in KEYS[: 5 if sys.version_info >= (3, 12) else 6]:  # asizeof is FederatedScope's in its Pythons
            assert form[key] == row[key], (key, row, form)


@pytest.mark.pipeline
def test_scaffold_sends_parameters_twice_and_evaluates_models(tmp_path: Path) -> None:
    run, _ = computed(tmp_path / "run", "method=scaffold", "model=lr", "rounds=2")
    for link in ("uplink", "downlink"):
        assert sums(run, "model_para", link) == 2 * 3 * 2 * 2600
    assert sums(run, "evaluate", "downlink") == 2 * 3 * 2600


@pytest.mark.pipeline
def test_what_fedpt_freezes_never_travels(tmp_path: Path) -> None:
    run, _ = computed(tmp_path / "run", "method=fedpt", "model=lr", "frozen=[bias]", "rounds=2")
    assert {sums(run, kind, "downlink") for kind in ("model_para", "evaluate")} == {2 * 3 * 2560}
    assert sums(run, "model_para", "uplink") == 2 * 3 * 2560
    _, outcome = computed(tmp_path / "all", "method=fedpt", "model=lr", "frozen=[fc]")
    assert "FedPT freezes all parameters" in outcome.reason


def controlled(lr: float) -> tuple[Controlled, Samples]:
    """A client of SCAFFOLD with one weight, whose loss is (w - 3)² on its only sample."""
    cell = cell_of("engine=builtin", "data=toy", "model=lr", f"lr={lr}", "batch_size=1", "local_steps=2")
    model = nn.Linear(1, 1, bias=False)
    return Controlled(Options(cell), model, ["weight"]), Samples(torch.ones(1, 1), torch.full((1, 1), 3.0))


def test_scaffolds_steps_and_control_variates_are_those_of_the_paper() -> None:
    """By hand, from w = 0 and c = 1: g + c = -6 + 1 = -5, w = 0.5; g + c = -5 + 1 = -4, w = 0.9."""
    local, samples = controlled(lr=0.1)
    received = [{"weight": torch.zeros(1, 1)}, {"weight": torch.ones(1, 1)}]
    size, (model, moved) = local.update(1, received, samples)
    assert (size, model["weight"].item()) == (2, pytest.approx(0.9))
    own = 0 - 1 + (0 - 0.9) / (2 * 0.1)  # c_i - c + (x - y) / (steps · lr)
    assert moved["weight"].item() == local.control[1]["weight"].item() == pytest.approx(own)
    local.update(1, received, samples)  # with c_i = -5.5: -6 + 6.5 = 0.5, w = -0.05; -6.1 + 6.5 = 0.4, w = -0.09
    assert local.model.weight.item() == pytest.approx(-0.09)
    assert local.control[2]["weight"].item() == 0


def test_the_servers_control_variate_is_the_mean_over_all_clients() -> None:
    options = Options(cell_of("engine=builtin", "clients=4", "clients_per_round=2"))
    server = ControlVariate(options, nn.Linear(1, 1, bias=False))
    server.aggregate([{"weight": torch.full((1, 1), 2.0)}, {"weight": torch.full((1, 1), 6.0)}])
    assert server.sent()["weight"].item() == 8 / 4


@pytest.mark.pipeline
def test_scaffold_is_not_fedavg(tmp_path: Path) -> None:
    words = ("model=mlp_s", "alpha=0.1", "rounds=3", "seed=1")
    found = {
        method: (computed(tmp_path / method, f"method={method}", *words)[0].eval_results.read_text())
        for method in ("fedavg", "scaffold")
    }
    assert found["fedavg"] != found["scaffold"]


def test_global_prototypes_are_means_over_clients_that_have_the_class() -> None:
    server = Prototypes(Options(cell_of("engine=builtin")), nn.Linear(1, 1))
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 6.0])
    server.aggregate([{"prototype.0": a, "prototype.1": a}, {"prototype.1": b}])
    assert {name: value.tolist() for name, value in server.sent().items()} == {
        "prototype.0": [1, 2],
        "prototype.1": [2, 4],
    }
    server.aggregate([{"prototype.1": b}])
    assert server.sent()["prototype.0"].tolist() == [1, 2]
    assert server.sent()["prototype.1"].tolist() == [3, 6]


def test_features_are_pulled_towards_prototypes() -> None:
    cell = cell_of("engine=builtin", "method=fedproto", "fs.personalization.regular_weight=0.5")
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 10))
    local = Prototypical(Options(cell), model, [])
    local.near.target = [torch.tensor([1.0, 1.0]), None]
    model[0].weight.data = torch.eye(2)
    model(torch.tensor([[3.0, 1.0], [5.0, 5.0]]))
    assert float(torch.as_tensor(local.near.loss([])).detach()) == 0.5 * (2.0**2) / 4


def test_a_clients_prototypes_are_its_mean_features() -> None:
    cell = cell_of("engine=builtin", "method=fedproto")
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 10))
    local = Prototypical(Options(cell), model, [])
    samples = Samples(torch.tensor([[1.0, 0.0], [3.0, 2.0], [7.0, 7.0]]), torch.tensor([4, 4, 9]))
    _, (found,) = local.update(1, [{}], samples)
    assert {name: value.tolist() for name, value in found.items()} == {"prototype.4": [2, 1], "prototype.9": [7, 7]}


@pytest.mark.pipeline
def test_prototypes_help_where_labels_are_skewed(tmp_path: Path) -> None:
    """With a pull the clients' own models end elsewhere, and they are evaluated by themselves."""
    words = ("method=fedproto", "model=mlp_s", "rounds=3", "clients=4")
    texts = {
        weight: computed(tmp_path / weight, *words, f"fs.personalization.regular_weight={weight}")[0]
        for weight in ("0.0", "5.0")
    }
    assert texts["0.0"].eval_results.read_text() != texts["5.0"].eval_results.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("method=scaffold", "fs.fedprox.use=true"), "method=scaffold: all that travels is its own, so that fedprox"),
        (("method=scaffold", "fs.train.optimizer.type=Adam"), "SCAFFOLD corrects steps of SGD"),
        (("method=scaffold", "codec.uplink=topk"), "codec.uplink=topk: not with method=scaffold"),
        (("method=fedproto", "data=toy", "model=lr"), "FedProto has prototypes of classes"),
        (("method=fedproto", "fs.federate.make_global_eval=true"), "FedProto's server has no model to evaluate"),
        (("method=fedpt", "frozen=[]"), "FedPT freezes the entries that it names"),
        (("method=fedkseed",), "nothing can train it; engine=estimate counts it"),
    ],
)
def test_what_cannot_be_trained_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        BuiltinEngine().check(cell_of("engine=builtin", *words))


@pytest.mark.parametrize("method", ["scaffold", "fedproto", "fedpt", "fedkseed"])
def test_federatedscope_is_not_asked_for_what_it_would_train_as_fedavg(method: str) -> None:
    cell = replace(cell_of("engine=builtin", f"method={method}"), engine="federatedscope")
    with pytest.raises(ConfigError, match="engine=(builtin trains|estimate counts) it"):
        FederatedScopeEngine(None).check(cell)
