"""A cell's options in the words of a release, and back."""

from fscost.worker.release_options import in_cell, in_release, leaves

V020 = {"seed": 0, "data.batch_size": 64, "data.consistent_label_distribution": False, "eval.freq": 1}
MASTER = {"seed": 0, "data.batch_size": 64, "dataloader.batch_size": 64, "data.consistent_label_distribution": True}
SPELLED_OUT = {"data.consistent_label_distribution": True}


def test_an_option_has_the_releases_name() -> None:
    asked = {"seed": 1, "dataloader.batch_size": 32}
    assert in_release(asked, V020) == SPELLED_OUT | {"seed": 1, "data.batch_size": 32}
    assert in_release(asked, MASTER) == asked


def test_a_default_that_another_release_has_otherwise_is_spelled_out() -> None:
    assert in_release({"seed": 1}, V020) == SPELLED_OUT | {"seed": 1}
    assert (
        in_release({"data.consistent_label_distribution": False}, V020)["data.consistent_label_distribution"] is False
    )
    assert in_release({"seed": 1}, MASTER) == {"seed": 1}


def test_what_a_release_used_has_the_cells_names() -> None:
    assert in_cell(V020)["dataloader.batch_size"] == 64
    assert in_cell(MASTER) == MASTER


def test_leaves_are_plain_values_without_bookkeeping() -> None:
    class Argument:
        value = 3

    tree = {"a": {"b": Argument(), "__cfg_check_funcs__": []}, "is_ready_for_run": True, "c": 1}
    assert dict(leaves(tree)) == {"a.b": 3, "c": 1}
