"""From numbers to text: no number is printed as 0 but one that is 0."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.cells.measure import UNITS
from fscost.tables.column_style import Datum, Style, emphasised, unit_for
from fscost.tables.numbers import printed
from fscost.tables.origins import explain
from fscost.tables.quantities import _LIST, QUANTITIES
from fscost.tables.spec import PublishedNumber
from fscost.tables.table import Entry


@pytest.mark.parametrize(
    ("number", "decimals", "how", "text"),
    [
        (1234.5, 2, {}, "1,234.50"), (0.004, 2, {}, "<0.01"), (0.005001, 2, {}, "0.01"), (0.4, 0, {}, "<1"),
        (-0.004, 2, {}, ">-0.01"), (-3.0, 0, {}, "-3"), (0, 2, {}, "0.00"), (0.0, 2, {"is_bytes": True}, "0"),
        (-0.0, 1, {}, "0.0"), (0.004, 2, {"is_bytes": True}, "<0.01"), (0.25, 2, {"is_signed": True}, "+0.25"),
        (0, 2, {"is_signed": True}, "0.00"), (1e-9, 2, {"is_signed": True}, "<0.01"), (-1e-9, 9, {}, "-0.000000001"),
    ],
)  # fmt: skip
def test_a_number_has_its_decimals_and_a_zero_is_one(number: float, decimals: int, how: Any, text: str) -> None:
    assert printed(number, decimals, **how) == text


@pytest.mark.parametrize(
    ("setting", "sizes", "unit"),
    [
        ("auto", [99_999, 5_000_000_000], "kB"),
        ("auto", [100_000, 5_000_000_000], "MB"),
        ("auto", [0, 100_000], "MB"),
        ("auto", [99], "B"),
        ("auto", [], "B"),
        ("auto_binary", [0.1 * 2**30], "GiB"),
        ("kB", [5_000_000_000], "kB"),
    ],
)
def test_a_unit_is_the_largest_in_which_the_smallest_number_is_not_small(
    setting: str, sizes: list[float], unit: str
) -> None:
    assert unit_for(setting, [Datum([size]) for size in sizes], "mean") == unit


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 9), st.booleans(), st.booleans())
def test_what_is_printed_as_zero_is_zero(number: float, decimals: int, is_bytes: bool, is_signed: bool) -> None:
    text = printed(number, decimals, is_bytes=is_bytes, is_signed=is_signed)
    looks_like_zero = not text.strip("+-0.")
    assert looks_like_zero is (number == 0)
    assert text.startswith(("-", ">-")) is (number < 0)


def test_quantities_have_names_of_their_own_and_are_computed() -> None:
    assert len(_LIST) == len(QUANTITIES)
    assert all(one.of or (one.relative and one.against in QUANTITIES) for one in _LIST)


@pytest.mark.parametrize("key", QUANTITIES)
def test_no_quantity_prints_a_small_number_as_zero(key: str) -> None:
    style = Style(QUANTITIES[key], "GB", UNITS["GB"], 2, "mean", with_deviation=False)
    suffix = QUANTITIES[key].suffix
    assert style.number(1e-6).text == f"<0.01{suffix}" and not style.number(0.0).text.removesuffix(suffix).strip("0.")


def test_estimates_are_rounded_once() -> None:
    style = Style(QUANTITIES["total"], "kB", 1000, 1, "mean", with_deviation=False, digits=3)
    assert [style.number(size).text for size in (2_449.6, 24_496, 244_960, 2_449_600)] == [
        "2.4",
        "24.5",
        "245",
        "2,450",
    ]


def test_a_deviation_that_is_not_printed_is_in_csv() -> None:
    style = Style(QUANTITIES["total"], "MB", 1e6, 3, "mean_std", with_deviation=True)
    entry = style.entry(Datum([468_000.0, 468_020.0]), is_marked=False)
    assert (entry.text, entry.spread, entry.deviation) == ("0.468", "", pytest.approx(200**0.5))
    assert style.entry(Datum([468_000.0, 468_000.0]), is_marked=False).deviation is None


def test_numbers_below_the_last_decimal_are_in_their_order() -> None:
    style = Style(QUANTITIES["saving"], "", 1, 1, "mean", with_deviation=False)
    entries = [Entry("", value, style.number(value)) for value in (-0.001, 0.0, 0.001)]
    found = emphasised(entries, [0, 0, 0], style, "higher", with_second=True)
    assert [(entry.text, entry.emphasis) for entry in found] == [(">-0.1", ""), ("0.0", "second"), ("<0.1", "best")]


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("0.1", 1), ("1,663,370", 0), ("4.021", 3), ("1e-3", 3), ("1.5e9", 0), (0.25, 2), (1e-5, 5), (7, 0)],
)
def test_a_published_figure_has_the_decimals_that_were_published(text: Any, decimals: int) -> None:
    assert PublishedNumber(source="s", quantity="q", published=text, where={"model": "lr"}).decimals == decimals


def test_what_explain_multiplies_is_the_sum() -> None:
    sent = {"traffic": "training", "link": "uplink", "messages": 3, "scalar_bytes": 0, "wire_bytes": 300}
    messages = [
        sent | {"round": 0, "type": "model_para", "payload_bytes": 100},
        sent | {"round": 0, "type": "sparse", "messages": 1000, "payload_bytes": 4},
        sent | {"round": 0, "type": "plain", "payload_bytes": 24},
    ]
    lines = [*explain(messages, [])]
    assert f"  {'training uplink model_para:':32} 3 messages × 33.33 B = 100 B" in lines
    assert f"  {'training uplink sparse:':32} 1,000 messages × <0.01 B = 4 B" in lines
    assert f"  {'training uplink plain:':32} 3 messages × 8 B = 24 B" in lines
