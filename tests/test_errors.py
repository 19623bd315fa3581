"""What several problems are as one line: each once, the shortest first, a reason that options share only once."""

from collections.abc import Callable

import pytest

from fscost.errors import ConfigError, one_line
from fscost.printable import plural
from tests.conftest import Result


def test_options_share_a_reason() -> None:
    why = "engine=builtin does not implement that; engine=federatedscope does"
    problems = (f"fs.data.subsample=0.05: {why}", "clients=0: must be at least 1", f"fs.a=1: {why}", f"fs.a=1: {why}")
    assert str(ConfigError(*problems)) == f"clients=0: must be at least 1; fs.a=1, fs.data.subsample=0.05: {why}"


def test_a_value_may_hold_what_stands_between() -> None:
    why = "engine=estimate does not know what that sends"
    assert str(ConfigError(f"fs.a={{'b': 1}}: {why}", f"fs.c=2: {why}")) == f"fs.c=2, fs.a={{'b': 1}}: {why}"


def test_the_next_step_stands_once_and_last() -> None:
    first, second = "fs.a=1: engine=builtin knows 2", "fs.bb=1: engine=builtin does not implement that"
    others, does, odd = (
        "engine=federatedscope has the others",
        "engine=federatedscope does",
        "seed=-1: must not be negative",
    )
    assert str(ConfigError(f"{first}; {others}", f"fs.c=1: engine=builtin knows 3; {others}", odd)) == (
        f"{odd}; {first}; fs.c=1: engine=builtin knows 3; {others}"
    )
    step = "engine=federatedscope runs what FederatedScope has"
    assert str(ConfigError(f"{second}; {does}", f"{first}; {others}")) == f"{first}; {second}; {step}"
    assert str(ConfigError(f"{first}; {others}", odd)) == f"{odd}; {first}; {others}"


def test_one_problem_is_its_text() -> None:
    assert str(ConfigError("a: b: c")) == "a: b: c"
    assert str(ConfigError()) == ""


@pytest.mark.parametrize(
    ("engine", "reason"), [("builtin", "does not implement that"), ("estimate", "does not know what that sends")]
)
def test_the_engine_that_can_is_named(engine: str, reason: str, fscost: Callable[..., Result]) -> None:
    odd = ("fs.attack.attack_method=dlg", "fs.data.subsample=0.05")
    told = fscost("plan", f"engine={engine}", *odd)
    why = f"engine={engine} {reason}; engine=federatedscope does"
    assert told.err == f"fscost: fs.data.subsample=0.05, fs.attack.attack_method=dlg: {why}\n"


def test_a_reason_has_all_lines_of_an_error_and_is_one_line() -> None:
    assert one_line(RuntimeError("Error(s) in loading state_dict for MLP:\n\tsize mismatch for fc.weight\n")) == (
        "RuntimeError: Error(s) in loading state_dict for MLP: size mismatch for fc.weight"
    )
    assert one_line(KeyError()) == "KeyError"
    long = one_line(ValueError("many words " * 100))
    assert len(long) == len("ValueError: ") + 301
    assert long.endswith("…")


def test_one_is_no_plural() -> None:
    told = [plural(number, "cell") for number in (0, 1, 1.0, 2, 12345, 2.0, "unknown")]
    assert told == ["0 cells", "1 cell", "1 cell", "2 cells", "12,345 cells", "2 cells", "unknown cells"]
