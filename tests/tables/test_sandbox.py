"""Whatever a user's template does, it ends within seconds and with a line that says why."""

import math
import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from fscost.errors import TableError
from fscost.tables import sandbox
from fscost.tables.render import render
from fscost.tables.sandbox import _BUDGET, Sandbox, _Budget, bounded
from tests.tables.samples import comm_cost

pytestmark = pytest.mark.usefixtures("ends_soon")

DOUBLES = "{% set n = namespace(x=table.title) %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{% for i in range(10**9) %}{{ i }}{% endfor %}", "Range too big"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}"
            "{% endfor %}",
            "5,000,000 times|10 s",
        ),
        ("{% set all = [1] %}{% for one in all %}{{ all.append(one) }}{% endfor %}", "5,000,000 times|10 s"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ 'x' * 10**12 }}", "text or a list that is too long"),
        ("{{ 10**12 * [1] }}", "text or a list that is too long"),
        ("{{ 2**(2**40) }}", "exponents go from -64 to 64"),
        (
            "{% set n = namespace(x=9) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
            "a number of too many digits",
        ),
        ("{{ 'x'.ljust(10**12) }}", "takes too much memory"),
        (f"{DOUBLES}", "takes too much memory"),
        ("{{ lipsum(10**9) }}", "'lipsum' is undefined"),
    ],
)
def test_what_would_never_end_is_stopped(tmp_path: Path, text: str, why: str) -> None:
    template = tmp_path / "mine.md.j2"
    template.write_text(f"# \n{text}")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(TableError, match=rf"mine\.md\.j2:2: .*({why})"):
        render(comm_cost(), "markdown", template)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize(
    ("left", "why"),
    [(_Budget(math.inf, left=3), "loops and calls more than 5,000,000 times"), (_Budget(0), "takes more than 10 s")],
)
@pytest.mark.parametrize("text", ["{% for i in range(4) %}{% endfor %}", "{% set n = cycler(1) %}{{ n.next() }}" * 2])
def test_turns_and_calls_are_counted_and_the_time_is_looked_at(left: _Budget, why: str, text: str) -> None:
    before = _BUDGET.set(replace(left))
    try:
        with pytest.raises(OverflowError, match=why):
            Sandbox().from_string(text).render()
    finally:
        _BUDGET.reset(before)


def test_a_template_that_calls_itself_over_and_over_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second, as the usual time is another test's."""
    monkeypatch.setattr(sandbox, "_MOST_S", 1.0)
    template = tmp_path / "mine.md.j2"
    template.write_text("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}")
    with pytest.raises(TableError, match=r"mine\.md\.j2:1: (loops and calls more than|takes more than)"):
        render(comm_cost(), "markdown", template)


def test_loops_know_where_they_are(tmp_path: Path) -> None:
    template = tmp_path / "mine.md.j2"
    loop = "{% for n in [4, 5, 6] if n > 4 %}{{ loop.index }}/{{ loop.length }}:{{ n }}{{ ',' if not loop.last }}"
    template.write_text("\ufeff" + loop + "{% else %}{% endfor %}{% for n in [] %}{% else %}; none{% endfor %}")
    assert re.sub(r"\\", "", render(comm_cost(), "markdown", template)) == "1/2:5,2/2:6; none"


def test_memory_is_bounded_as_long_as_something_is_rendered() -> None:
    with bounded(), pytest.raises(MemoryError):
        bytes(2**29)
    assert len(bytes(2**29)) == 2**29
