"""What FederatedScope used against what a cell asked."""

from typing import Any

import pytest

from fscost.protocol import fs_options
from fscost.protocol.effective_options import broken_claims, own_choices, too_few_clients
from tests.conftest import cell_of


def used_by(*overrides: str, **changed: Any) -> tuple[list[str], list[str]]:
    """The broken claims and own choices of a FederatedScope that did all as asked but for what is `changed`."""
    cell = cell_of("engine=builtin", *overrides)
    used = dict(fs_options.options()) | dict(fs_options.leaves(cell.fs))
    used |= {name.replace("__", "."): value for name, value in changed.items()}
    return list(broken_claims(dict(fs_options.leaves(cell.fs)), used)), list(
        own_choices(dict(fs_options.leaves(cell.fs)), used)
    )


@pytest.mark.pipeline
def test_nothing_is_said_where_all_was_done_as_asked() -> None:
    assert used_by() == ([], [])


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"federate__client_num": 5}, "fs.federate.client_num=3: FederatedScope used 5"),
        ({"model__type": "lr"}, "fs.model.type=mlp: FederatedScope used lr"),
        ({"eval__metrics": ["acc"]}, "fs.eval.metrics=['acc', 'correct']: FederatedScope used ['acc']"),
    ],
)
def test_an_option_the_cell_names_is_a_claim(changed: dict[str, Any], claim: str) -> None:
    assert used_by(**changed)[0] == [claim]


@pytest.mark.pipeline
def test_an_option_nobody_named_is_told() -> None:
    assert used_by(federate__make_global_eval=True) == (
        [],
        ["FederatedScope set fs.federate.make_global_eval=True by itself"],
    )


@pytest.mark.pipeline
def test_what_follows_from_other_options_is_no_news() -> None:
    derived = {"federate__sample_client_num": 3, "personalization__lr": 0.1, "outdir": "elsewhere", "expname": "run"}
    assert used_by(**derived) == ([], [])


def test_more_clients_per_round_than_there_are_means_all_of_them() -> None:
    cell = cell_of("engine=federatedscope", "engine.protocol=master", "clients=3", "clients_per_round=5")
    used = dict(fs_options.options()) | dict(fs_options.leaves(cell.fs)) | {"federate.sample_client_num": 3}
    assert list(broken_claims(dict(fs_options.leaves(cell.fs)), used)) == []
    assert list(own_choices(dict(fs_options.leaves(cell.fs)), used)) == [
        "clients_per_round=5: there are no more than 3 clients, and all of them train"
    ]


def test_a_number_may_be_written_otherwise() -> None:
    assert used_by("lr=1", train__optimizer__lr=1.0) == ([], [])


@pytest.mark.pipeline
def test_arguments_that_federatedscope_fills_in_are_what_was_asked() -> None:
    asked = ("fs.data.transform=[[ToTensor]]", "fs.data.args=[{max_len: 5}]")
    filled = {"data__transform": [["ToTensor", {}]], "data__args": [{"max_len": 5, "download": True}]}
    assert used_by(*asked, **filled) == ([], [])
    assert used_by(*asked, **filled | {"data__transform": [["ToTensor", "Normalize"]]})[0]


@pytest.mark.pipeline
def test_centralised_training_has_one_client_and_says_so() -> None:
    claims, news = used_by("fs.federate.method=global", federate__client_num=1)
    assert claims == []
    assert news == [
        "federate.method=global: FederatedScope gave the data of all clients to one, the only one there was"
    ]


def test_data_that_have_fewer_clients_than_are_asked_for() -> None:
    assert [*too_few_clients({"federate.client_num": 3}, 3)] == [*too_few_clients({"federate.client_num": 0}, 3)] == []
    assert [*too_few_clients({"federate.client_num": 5}, 3)] == [
        "clients=5: the data have 3; ask for no more, or for clients=0, which takes all there are"
    ]


@pytest.mark.pipeline
def test_clients_that_its_main_leaves_out_are_told() -> None:
    assert used_by(federate__client_num=1) == ([], ["clients=3: FederatedScope's main.py left 1 of them"])
