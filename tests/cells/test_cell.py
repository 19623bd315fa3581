"""A cell is named by its content and refuses to be wrong."""

import copy
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.errors import ConfigError

FS: dict[str, Any] = {
    "seed": 0,
    "federate": {"client_num": 3, "total_round_num": 10, "method": "FedAvg"},
    "model": {"type": "mlp", "hidden": 64},
    "data": {"type": "digits_flat"},
}


def cell(**changes: Any) -> Cell:
    fs = copy.deepcopy(FS)
    for name, value in changes.items():
        section, _, option = name.partition("__")
        if option:
            fs.setdefault(section, {})[option] = value
        else:
            fs[section] = value
    return Cell(engine="builtin", protocol="master", fs=fs)


def test_the_id_is_pinned() -> None:
    """A change here means that every stored result loses its name."""
    assert cell().id == "978cbdde4281"


def test_the_id_does_not_depend_on_order_or_on_how_a_number_is_written() -> None:
    turned = Cell(engine="builtin", protocol="master", fs=dict(reversed(list(FS.items()))))
    assert turned.id == cell().id
    assert cell(data__splitter_args=[{"alpha": 1}]).id == cell(data__splitter_args=[{"alpha": 1.0}]).id
    assert cell(fedprox__use=True).id != cell(fedprox__use=1).id


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"federate__total_round_num": 11}, {"train__local_update_steps": 2}, {"model__hidden": 65}]
)
def test_whatever_matters_changes_the_id(changes: dict[str, Any]) -> None:
    assert cell(**changes).id != cell().id


def test_engine_and_protocol_are_part_of_the_id() -> None:
    ids = {Cell(engine=e, protocol=p, fs=FS).id for e in ("builtin", "estimate") for p in ("master", "v0.2.0")}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("changes", "axes"),
    [
        ({}, {"method": "fedavg", "model": "mlp_m", "data": "digits", "clients": 3, "rounds": 10, "seed": 0}),
        ({"fedprox__use": True}, {"method": "fedprox"}),
        ({"fedopt__use": True}, {"method": "fedopt"}),
        ({"federate__method": "FedOpt", "fedopt__use": True}, {"method": "fedopt"}),
        ({"federate__method": "Ditto"}, {"method": "ditto"}),
        ({"model__hidden": 100}, {"model": "mlp_h100"}),
        ({"model__layer": 3}, {"model": "mlp_m_l3"}),
        ({"model__type": "lr"}, {"model": "lr"}),
        ({"data__splitter": "lda", "data__splitter_args": [{"alpha": 0.5}]}, {"data": "digits_a0.5"}),
        ({"data__args": [{"resize": 32}]}, {"data": "digits_32px"}),
        (
            {"data__type": "digits_seq", "model__type": "lstm", "model__hidden": 8},
            {"data": "digits", "model": "lstm_h8"},
        ),
        ({"data__type": "mnist5k_flat"}, {"data": "mnist5k"}),
    ],
)
def test_axes_are_read_from_the_configuration(changes: dict[str, Any], axes: dict[str, Any]) -> None:
    found = cell(**changes).axes
    assert {key: found[key] for key in axes} == axes


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"federate__client_num": -1}, "clients=-1: must be"),
        ({"federate__client_num": True}, "clients=True: must be"),
        ({"federate__total_round_num": 0}, "rounds=0: must be"),
        ({"federate__sample_client_num": 4}, "clients_per_round=4: must not exceed clients=3"),
        ({"federate__sample_client_num": 0}, "clients_per_round=0: must be at least 1, or -1"),
        ({"federate__sample_client_rate": 1.5}, "fs.federate.sample_client_rate=1.5: must be in (0, 1]"),
        ({"eval__freq": 0}, "fs.eval.freq=0: must be"),
        ({"seed": -1}, "seed=-1: must be"),
    ],
)
def test_a_broken_rule_is_named_with_its_value(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        cell(**changes)
    assert sentence in str(error.value)


def test_federatedscope_takes_as_many_clients_as_the_data_have() -> None:
    federate = {**FS["federate"], "client_num": 0, "sample_client_num": 4}
    all_there_are = Cell(engine="federatedscope", protocol="master", fs=FS | {"federate": federate})
    assert all_there_are.get("federate.client_num") == 0
    assert all_there_are.axes["clients"] is None
    assert "-call-s" in all_there_are.name
    for engine in (BuiltinEngine(), EstimateEngine()):
        with pytest.raises(ConfigError, match="engine=federatedscope takes 0 for as many as the data have"):
            engine.check(cell(federate__client_num=0))


@pytest.mark.parametrize(
    ("adapter", "name"),
    [
        (
            {"use": True, "args": [{"adapter_package": "peft", "adapter_method": "lora", "r": 8}]},
            "fedavg-mlp_m+lora_r8-",
        ),
        ({"use": True, "args": [{"adapter_method": "prefix", "num_virtual_tokens": 20}]}, "fedavg-mlp_m+prefix_20-"),
        ({"use": True, "args": [{"adapter_method": "prompt"}]}, "fedavg-mlp_m+prompt-"),
        ({"use": True}, "fedavg-mlp_m+adapter-"),
        ({"use": True, "args": "odd"}, "fedavg-mlp_m+adapter-"),
        ({"use": False, "args": [{"adapter_method": "lora"}]}, "fedavg-mlp_m-"),
    ],
)
def test_a_name_has_the_adapter_of_a_language_model(adapter: dict[str, Any], name: str) -> None:
    assert cell(llm={"adapter": adapter}).name.startswith(name)


def test_all_broken_rules_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        cell(federate__client_num=-1, federate__total_round_num=0)
    assert "clients=-1" in str(error.value)
    assert "rounds=0" in str(error.value)
