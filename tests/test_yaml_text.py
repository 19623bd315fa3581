"""YAML is read as plain values of a bounded size, or refused with the line of what is wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.yaml_text import NoYaml, load
from tests.fuzz.mutations import BOMB

pytestmark = pytest.mark.usefixtures("ends_soon")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 2024-01-01\n", {"a": "2024-01-01"}),
        ("a: 2024-99-99\n", {"a": "2024-99-99"}),
        ("a: &x [1]\nb: *x\nc: *x\n", {"a": [1], "b": [1], "c": [1]}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("a: 0x10\nb: 1_000\nc: .inf\n", {"a": 16, "b": 1000, "c": float("inf")}),
        ("a: {<<: {b: 1}, c: 2}\n", {"a": {"b": 1, "c": 2}}),
    ],
)
def test_plain_values_are_read(text: str, value: Any) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nb: [\n", 3, "expected"),
        (f"a: 1\nb: {'[' * 200}{']' * 200}\n", 2, "nested more than 100 deep"),
        ("a: " + "[" * 100_000, 1, "nested more than 100 deep"),
        ("- " * 50_000, 1, "nested too deeply"),
        ("a: 1\nb: &b [*b]\n", 2, "an alias leads back to itself"),
        ("a: &a {b: *a}\n", 1, "an alias leads back to itself"),
        (BOMB, 7, "aliases come to more than 1,000,000 values"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "could not determine a constructor"),
        ("a: !!python/object/apply:pathlib.Path [/etc]\n", 1, "could not determine a constructor"),
        ("a: !!binary YQ==\n", 1, "could not determine a constructor"),
        ("a: !!bool maybe\n", 1, "a value that is not what its tag says"),
        (f"a: {'9' * 5000}\n", 1, "a value that is not what its tag says"),
        (f"a: 0x{'f' * 5000}\n", 1, "a number of too many digits"),
        ('a: "\\ud800"\n', 1, "a value that is not what its tag says"),
        ("a: 1\nb: \x00\n", 1, "special characters are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("? [a]\n: 1\n", 1, "found unhashable key"),
        ("a: *x\n", 1, "found undefined alias"),
    ],
)
def test_what_is_none_is_told_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(NoYaml, match=why) as told:
        load(text)
    assert (told.value.line, "\n" in str(told.value)) == (line, False)


@given(st.text(alphabet="ab:-[]{}&*!?|>'\"%@#, \n\t0.\\\ud800", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        load(text)
    except NoYaml as error:
        assert error.line >= 1
