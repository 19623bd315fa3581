"""What is read fast is what Python's json reads, to the last digit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.store.json_lines import NoJson, loads, loads_lines

pytestmark = pytest.mark.usefixtures("ends_soon")

_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**37 + 1, -(2**63), -(2**63) - 1])
def test_whole_numbers_of_any_size_are_exact(number: int) -> None:
    found = loads(f'{{"payload_bytes": {number}}}')["payload_bytes"]
    assert (type(found), found) == (int, number)


@pytest.mark.parametrize(
    "text", ["NaN", "[-Infinity, 1.5]", "1e999", '"\\ud83d\\ude00"', "0.30000000000000004", "-0.0", "1e5"]
)
def test_what_json_alone_takes_is_taken(text: str) -> None:
    assert repr(loads(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", '{"a": 1} {}', "01", "{'a': 1}", "[1,]", '"\t"', "nan"])
def test_what_is_no_json_is_told_in_the_same_words(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(NoJson) as error:
        loads(text)
    assert (str(error.value), error.value.line) == (f"no JSON ({expected.value.msg})", expected.value.lineno)


@pytest.mark.parametrize(
    "text", ["9" * 5000, "[" * 100_000, "[" * 101 + "]" * 101, '{"a": ' * 5000, '"\\ud800"', '{"\\udfff": 1}']
)
def test_what_nothing_here_can_be_is_no_json(text: str) -> None:
    with pytest.raises(NoJson, match="no JSON"):
        loads(text)
    assert loads("[" * 100 + "]" * 100)


@given(st.dictionaries(st.text(), _VALUES))
def test_whatever_json_writes_is_read_alike(value: Any) -> None:
    text = json.dumps(value)
    assert repr(loads(text)) == repr(json.loads(text))


_LINES = st.sampled_from(
    ['{"a": 1}', "{}", f'{{"a": {2**64 + 1}}}', '{"a": "x\u2028y"}', '{"a": "}\u2028{"}', "{} {}", '{"a":', "1}",
     "", " ", "NaN", "1 2", "[{},", "{}]"]
)  # fmt: skip
_ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\x0b", ""])


@given(st.lists(st.tuples(_LINES, _ENDS)))
def test_lines_read_at_once_are_the_lines_read_one_by_one(parts: list[tuple[str, str]]) -> None:
    text = "".join(line + end for line, end in parts)
    lines = text.splitlines()
    at_once = loads_lines(text, lines)
    assert at_once is None or repr(at_once) == repr([json.loads(line) for line in lines])


@pytest.mark.parametrize("text", ['{"id": 0}\n', '{"id": 0}\n{"id": 18446744073709551617}', '{"id": 0}\r\n{}\r\n'])
def test_a_log_is_read_at_once(text: str) -> None:
    assert loads_lines(text, text.splitlines()) == [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    "text", ['{"a": "}\u2028{"}\n{} {}\n', "\n{} {}\n", '{"a":\n1}\n{}\n{}\n', "1 2\n\n", '{"a": 1},\n{}', "{'a': 1}"]
)
def test_a_text_whose_lines_are_no_objects_is_left_to_who_looks_at_each(text: str) -> None:
    assert loads_lines(text, text.splitlines()) is None
