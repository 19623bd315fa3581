"""Formulas: arithmetic is computed exactly, everything else is refused with its own words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.errors import ConfigError
from fscost.formula import Formula

pytestmark = pytest.mark.usefixtures("ends_soon")

NAMES = {"classes": 10, "dimension": 512, "args.mu": 0.5}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("classes * dimension", 5120),
        ("ceil(dimension * 3 / 8) + 4", 196),
        ("dimension // 10", 51),
        ("-classes + 2**3", -2),
        ("args.mu * 4", 2.0),
        ("max(classes, 3, 4) - min(1, 2)", 9),
        (" log2(dimension) ", 9.0),
    ],
)
def test_arithmetic_is_pythons(text: str, value: float) -> None:
    found = Formula(text).value(NAMES)
    assert found == value
    assert type(found) is type(value)


@given(a=st.integers(0, 10**15), b=st.integers(1, 10**6))
def test_whole_numbers_stay_exact(a: int, b: int) -> None:
    assert Formula("a * b + 1").value({"a": a, "b": b}) == a * b + 1


def test_what_has_an_unknown_part_is_unknown() -> None:
    assert Formula("uplink / params").value({"uplink": None, "params": 3}) is None


def test_its_names_are_known() -> None:
    assert Formula("ceil(a.b * c) + a.b - d").names == ("a.b", "c", "d")


@pytest.mark.parametrize(
    "text",
    [
        "", "a +", "__import__('os')", "a if b else c", "[1]", "'text'", "a[0]", "f(1)", "(lambda: 1)()", "True",
        "1j", "a < b", "ceil()", "ceil(x=1)", "a.b()", "max(*a)", "().__class__", "x := 1", "(" * 500, "1;2", "a\x00",
        "-" * 400 + "1",
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Formula(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 / (classes - 10)", "division"),
        ("9**9**9", "64"),
        ("(10**60)**60", "no number"),
        ("classes * 10.0**60 * (10.0**60)**5", "no number"),
        ("sqrt(-1)", "no value"),
        ("(-8)**0.5", "no number"),
        ("clases + 1", "classes"),
    ],
)
def test_what_has_no_value_is_told(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Formula(text).value(NAMES)


def test_what_is_nested_as_deeply_as_it_can_be_is_computed() -> None:
    assert Formula("-" * 298 + "1").value({}) == 1
    assert Formula("(" * 60 + "1" + ")" * 60).value({}) == 1


def test_a_chain_of_thousands_is_refused() -> None:
    with pytest.raises(ConfigError, match="300 characters"):
        Formula("+".join(["1"] * 5000))


def test_a_part_that_is_no_number_is_not_believed() -> None:
    with pytest.raises(ConfigError):
        Formula("a + 1").value({"a": math.nan})
