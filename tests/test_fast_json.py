"""What is read fast is what Python's json reads, to the last digit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.fast_json import loads

_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**37 + 1, -(2**63), -(2**63) - 1])
def test_whole_numbers_of_any_size_are_exact(number: int) -> None:
    found = loads(f'{{"payload_bytes": {number}}}')["payload_bytes"]
    assert (type(found), found) == (int, number)


@pytest.mark.parametrize(
    "text", ["NaN", "[-Infinity, 1.5]", "1e999", '"\\ud800"', "0.30000000000000004", "-0.0", "1e5"]
)
def test_what_json_alone_takes_is_taken(text: str) -> None:
    assert repr(loads(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", '{"a": 1} {}', "01", "{'a': 1}", "[1,]", '"\t"', "nan"])
def test_what_is_no_json_is_told_in_the_same_words(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as error:
        loads(text)
    assert str(error.value) == str(expected.value)


@given(st.dictionaries(st.text(), _VALUES))
def test_whatever_json_writes_is_read_alike(value: Any) -> None:
    text = json.dumps(value)
    assert repr(loads(text)) == repr(json.loads(text))
