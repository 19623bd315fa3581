"""Sizes as FederatedScope prints them."""

import pytest

from fscost.cells.measure import binary_text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1000, "1000.0"), (1024, "1.0K"), (1000 * 1024, "1000.0K"), (2**20, "1.0M"), (11970, "11.69K")],
)
def test_a_size_is_of_the_largest_unit_that_it_has_one_of(size: float, text: str) -> None:
    assert binary_text(size) == text
