"""A cell's options in the words of a release, and back."""

from fscost.worker.options import in_cell, in_release, leaves, nested

V020 = {"seed": 0, "data.batch_size": 64, "data.consistent_label_distribution": False, "eval.freq": 1}
MASTER = {"seed": 0, "data.batch_size": 64, "dataloader.batch_size": 64, "data.consistent_label_distribution": True}
DEFAULTS = {"seed": 0, "dataloader.batch_size": 64, "data.consistent_label_distribution": True, "eval.base": None}


def test_an_option_has_the_releases_name() -> None:
    asked = {"seed": 1, "dataloader.batch_size": 32}
    assert in_release(asked, {}, V020) == {"seed": 1, "data.batch_size": 32}
    assert in_release(asked, {}, MASTER) == asked


def test_a_default_that_another_release_has_otherwise_is_spelled_out() -> None:
    assert in_release({"seed": 1}, DEFAULTS, V020) == {"data.consistent_label_distribution": True, "seed": 1}
    assert in_release({"seed": 1}, DEFAULTS, MASTER) == {"seed": 1}


def test_what_a_release_used_has_the_cells_names() -> None:
    assert in_cell(V020)["dataloader.batch_size"] == 64
    assert in_cell(MASTER) == MASTER


def test_leaves_are_plain_values_without_bookkeeping() -> None:
    class Argument:
        value = 3

    tree = {"a": {"b": Argument(), "__cfg_check_funcs__": []}, "is_ready_for_run": True, "c": 1}
    assert dict(leaves(tree)) == {"a.b": 3, "c": 1}
    assert nested({"a.b": 3, "c": 1}) == {"a": {"b": 3}, "c": 1}
