"""The table on a terminal: the numbers of the plain one, in colour, and no row broken at the edge."""

import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fscost.cells.outcome import Outcome, Status
from fscost.tables.marks import FAILED, INTERRUPTED, not_reached
from fscost.tables.render import render
from fscost.tables.table import Column, Entry, Row, Table
from fscost.tables.terminal_table import show
from fscost.terminal import wrapped
from tests.cells.test_cell import cell
from tests.commands.test_status import finish
from tests.conftest import DATA, Result, in_process
from tests.launch.test_console import SHOW, Terminal, plain
from tests.tables.recorded import unpacked
from tests.tables.samples import comm_cost, long_names, number, wide
from tests.tables.test_formats import NAMES, TABLE, hostile, inked, tables
from tests.tables.test_layouts import LAYOUTS

GOLDEN = DATA / "tables"
GRID = ("engine=estimate", "method=fedavg,fedper", "model=mlp_s", "clients=3,10", "rounds=2")


def with_numbers(table: Table) -> Table:
    """The table with all but its first columns told to be numbers."""
    labels = sum(not column.numeric for column in table.columns) if len(table.columns) < 6 else 4
    columns = (replace(c, raw=c.key) if i >= labels else c for i, c in enumerate(table.columns))
    return replace(table, columns=tuple(columns))


TABLES = {
    "cost": with_numbers(comm_cost()),
    "wide": with_numbers(wide()),
    "long": with_numbers(long_names()),
    "names": TABLE,
}


def shown(table: Table, width: int) -> str:
    """What a terminal with colours gets."""
    file = io.StringIO()
    show(table, Console(file=file, width=width, force_terminal=True, color_system="standard", _environ={}))
    return file.getvalue()


def lines_of(table: Table, width: int) -> list[str]:
    return [line.rstrip() for line in plain(shown(table, width)).splitlines()]


def numbers_in(table: Table) -> Counter[str]:
    """Every word that stands for a number, as often as it does."""
    signs = {"best": "*", "second": "°", "": ""}
    entries = [e for c, own in enumerate(table.columns) if own.is_number for e in table.column(c)]
    return Counter(word for e in entries for word in f"{e.full}{signs[e.emphasis]}".split())


def on_terminal(*words: str, cwd: Path, columns: int, **env: str) -> str:
    terminal = Terminal(*words, cwd=cwd, columns=columns, **env)
    assert terminal.end() == 0, terminal.seen
    return terminal.seen.replace("\r\n", "\n")


# --- real terminals, files and pipes --------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("recorded"))


@pytest.mark.pipeline
def test_a_wide_terminal_shows_the_plain_table_and_the_best_bold(recorded: Path, fscost: Callable[..., Result]) -> None:
    words = ("table", str(recorded), "table=accuracy_cost")
    seen = on_terminal(*words, cwd=recorded, columns=200)
    piped = fscost(*words).out
    assert [line.rstrip() for line in plain(seen).splitlines()] == piped.splitlines()
    assert "\x1b[1m95.6 ± 1.7*\x1b[0m" in seen
    assert not re.search(r"\x1b\[[14]m +[\d.]", seen), "blanks have a style"
    assert not re.search(r"\x1b\[[0-9;]*(3[37]|38|48)", seen), "yellow, white, or a colour of our own"


@pytest.mark.pipeline
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_row_is_broken_on_a_narrow_terminal(recorded: Path, columns: int) -> None:
    seen = plain(on_terminal("table", str(recorded), "table=audit", cwd=recorded, columns=columns))
    assert max(map(cell_len, seen.splitlines())) <= columns
    golden = (GOLDEN / "audit.txt").read_text()
    figures = re.compile(r"\d[\d,.]{4,}\+?")
    assert Counter(figures.findall(golden)) <= Counter(figures.findall(seen))


@pytest.mark.pipeline
@pytest.mark.parametrize("env", [{}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}])
def test_a_pipe_and_a_file_get_the_plain_table(
    recorded: Path, tmp_path: Path, env: dict[str, str], fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("table", str(recorded), "table=traffic", *LAYOUTS["traffic"])
    piped = in_process(*words, cwd=recorded, env=env)
    (run, *_) = recorded.glob("*")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    verbs = [fscost(verb, str(run)).out for verb in ("explain", "status")]
    assert all(verbs)
    assert "\x1b" not in "".join(verbs)
    assert piped.out == (GOLDEN / "traffic.txt").read_text()
    told = on_terminal(*words, "--out", str(tmp_path / "t.txt"), cwd=recorded, columns=40, **env)
    assert "wrote " in told
    assert (tmp_path / "t.txt").read_text() == piped.out


@pytest.mark.pipeline
def test_own_templates_and_other_formats_are_printed_as_they_are(
    recorded: Path, tmp_path: Path, fscost: Callable[..., Result]
) -> None:
    mine = tmp_path / "mine.txt.j2"
    mine.write_text("{% for row in cells %}|{{ row | line }}|\n{% endfor %}")
    for words in (["--template", str(mine)], ["--format", "markdown"]):
        whole = ("table", str(recorded), "table=accuracy_cost", "table.provenance=full", *words)  # cwds differ
        assert on_terminal(*whole, cwd=recorded, columns=40) == fscost(*whole).out


@pytest.mark.pipeline
def test_a_sweep_ends_with_the_table_in_colour(here: Path) -> None:
    seen = on_terminal(*GRID, cwd=here, columns=70)
    table, _, wrote = seen.rpartition(SHOW)[2].partition("wrote ")
    assert "\x1b[1mCommunication cost" in table
    assert re.search(r"\x1b\[1m[\d.]+\*\x1b\[0m", table)
    assert "\x1b" not in wrote
    assert all(len(line) <= 70 for line in plain(table).partition("Communication cost")[2].splitlines())


@pytest.mark.pipeline
def test_colours_can_be_refused(here: Path) -> None:
    finish(cell(model__type="lr"), Outcome(status=Status.FAILED, reason="why"))
    assert "\x1b[31mfailed\x1b[0m" in on_terminal("table", "runs", cwd=here, columns=100)
    without = on_terminal("table", "runs", cwd=here, columns=100, NO_COLOR="1")
    assert "\x1b[31m" not in without
    assert "failed" in without
    assert "\x1b" not in on_terminal("table", "runs", cwd=here, columns=100, TERM="dumb")


@pytest.mark.pipeline
def test_a_table_in_a_pipe_does_not_import_what_draws(here: Path) -> None:
    words = ["table", *GRID]
    code = f"import sys; from fscost.__main__ import main; main({words!r}); print('rich.console' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


# --- widths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 240])
@pytest.mark.parametrize("name", TABLES)
def test_every_number_is_whole_and_no_line_too_wide(name: str, width: int) -> None:
    table = TABLES[name]
    seen = "\n".join(lines_of(table, width))
    body = seen.partition("\n\n")[2]
    words = Counter(body.split())
    assert not numbers_in(table) - words
    longest = [word for word in seen.split() if len(word) > width - 2]  # of a caption, which the terminal breaks
    assert all(cell_len(line) <= max(width, 36) or line.strip() in longest for line in seen.splitlines()
               if not line.startswith("to do: "))  # fmt: skip


def test_a_table_that_fits_is_the_plain_one() -> None:
    table = TABLES["cost"]
    expected = render(table, "text").splitlines()
    widest = max(map(len, expected[:30]))
    assert lines_of(table, widest) == expected
    assert lines_of(table, widest - 1) != expected


def test_a_wide_table_is_split_with_its_labels_before_each_block() -> None:
    table = replace(TABLES["cost"], rows=TABLES["cost"].rows[:2])
    assert lines_of(table, 60)[3:19] == [
        "                                   Per client and",
        "                                     round (kB)      Total",
        "Model   Params  Clients  Method   Uplink  Downlink‡   (MB)",
        "------  ------  -------  -------  ------  ---------  -----",
        "MLP-64   4,958        3  FedAvg   19.83°     40.10   1.09°",
        "MLP-64   4,958        3  FedProx  19.83      17.20*  1.11",
        "",
        "                                      Accuracy",
        "Model   Params  Clients  Method            (%)",
        "------  ------  -------  -------  ------------",
        "MLP-64   4,958        3  FedAvg   91.2 ±  0.4*",
        "MLP-64   4,958        3  FedProx  90.7 ± 10.4°",
        "",
        "Model   Params  Clients  Method   Rounds to 90 %",
        "------  ------  -------  -------  --------------",
        "MLP-64   4,958        3  FedAvg               12",
    ]


def test_long_labels_are_folded_and_their_numbers_stand_at_the_first_line() -> None:
    columns = (Column("m", "Method", numeric=False), Column("n", "Total", unit="MB", raw="n"))
    table = Table(
        "t", "T", "", columns, (Row((Entry("FedAvg with layers kept local, and quantised"), number("1.50"))),)
    )
    assert lines_of(table, 30)[2:] == [
        "                         Total",
        "Method                    (MB)",
        "-----------------------  -----",
        "FedAvg with layers kept   1.50",
        "local, and quantised",
    ]


def test_where_labels_leave_no_room_rows_stand_below_each_other() -> None:
    assert lines_of(TABLE, 28)[2:10] == [
        "Model 模型, Method FedAvg",
        "  MB/round:             2.60",
        "  Uplink",
        "  MB/round:            10.00",
        "  Downlink‡",
        "  Accuracy (%)   91.2 ± 0.4°",
        "Model 模型, Method 8-bit",
        "  weights",
    ]


def test_labels_take_no_more_than_their_share_of_a_line() -> None:
    table = replace(TABLES["cost"], rows=TABLES["cost"].rows[:1])
    assert lines_of(table, 50)[3:5] == ["Model MLP-64, Params 4,958, Clients 3, Method", "  FedAvg"]


def test_a_number_is_not_broken_where_it_is_wider_than_the_terminal() -> None:
    columns = (Column("m", "M", numeric=False), Column("n", "Total", raw="n"))
    table = Table("t", "T", "", columns, (Row((Entry("FedAvg"), number("1,234,567,890", spread="123456"))),))
    assert any("1,234,567,890 ± 123,456" in line for line in lines_of(table, 12))


def test_commands_and_paths_are_not_broken() -> None:
    command = "python -m fscost method=fedavg,fedprox store=/a/very/long/path clients=3,10"
    assert f"to do: {command}" in lines_of(replace(TABLE, to_do=(command,)), 40)


def test_sentences_are_broken_at_blanks_and_numbers_keep_their_unit() -> None:
    text = Text("model: 8 rounds × 3,000 B = 24,000 B, see /a/path/longer/than/that 模型模型 模型")
    assert [line.plain for line in wrapped(text, 18, hang=2)] == [
        "model: 8 rounds ×",
        "  3,000 B =",
        "  24,000 B, see",
        "  /a/path/longer/than/that",
        "  模型模型 模型",
    ]
    assert [line.plain for line in wrapped(Text("模型模型 模型模型 ab"), 12, hang=0)] == ["模型模型", "模型模型 ab"]


def test_marks_have_the_colours_of_states_and_the_second_best_a_line() -> None:
    row = Row((Entry("m"), Entry(mark=FAILED), Entry(mark=INTERRUPTED), number("3", emphasis="second"),
               Entry(mark=not_reached(8))))  # fmt: skip
    columns = (Column("m", "M", numeric=False), *(Column(n, n, raw=n) for n in "abcd"))
    seen = shown(Table("t", "T", "", columns, (row, replace(row, rule=0))), 80)
    for code, text in (("31", "failed"), ("35", "interrupted"), ("4", "3°"), ("2", "8+")):
        assert f"\x1b[{code}m{text}\x1b[0m" in seen


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.pipeline
@hostile
@given(tables(), st.integers(20, 200))
def test_no_name_is_obeyed(table: Table, width: int) -> None:
    columns = (table.columns[0], *(replace(column, raw=column.key) for column in table.columns[1:]))
    seen = plain(shown(replace(table, columns=columns), width))
    assert all(line.isprintable() for line in seen.split("\n"))
    numbers = [e for row in table.rows for e in row.entries[1:] if not e.mark]
    assert all(e.text in seen and e.spread in seen for e in numbers)
    assert all(inked(command) in inked(seen) for command in table.to_do)


@hostile
@given(NAMES)
def test_names_are_shown(name: str) -> None:
    columns = (Column("m", "M", numeric=False), Column("n", "N", raw="n"))
    seen = shown(Table("t", "T", "", columns, (Row((Entry(f"<{name}>"), number("1"))),)), 3000)
    assert inked(f"<{name}>") in inked(plain(seen))


HOSTILE = "\x1b[31mred\x1b[0m[red]x[/red]\r\u202eab\nc"


@pytest.mark.pipeline
def test_explain_and_status_show_a_hostile_name_and_do_not_obey_it(here: Path, fscost: Callable[..., Result]) -> None:
    one = cell(federate__method=HOSTILE, model__type=HOSTILE)
    finish(one, Outcome(status=Status.DONE, warnings=(HOSTILE,)))
    finish(cell(federate__method=HOSTILE, federate__client_num=4), Outcome(status=Status.FAILED, reason=HOSTILE))
    for verb in ("explain", "status", "table"):
        for seen in (plain(on_terminal(verb, "runs", cwd=here, columns=200)), fscost(verb, "runs").out):
            assert all(line.isprintable() for line in seen.split("\n")), verb
            assert "[31mred�[0m[red]x[/red] �ab c" in seen, verb


# --- explain --------------------------------------------------------------------------------------


@pytest.mark.pipeline
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_explain_is_broken_at_blanks_and_says_the_same(
    recorded: Path, columns: int, fscost: Callable[..., Result]
) -> None:
    (run,) = recorded.glob("fedavg-mlp_s-digits-c3-s0-*")
    seen = on_terminal("explain", str(run), cwd=recorded, columns=columns)
    piped = fscost("explain", str(run)).out
    end = "What FederatedScope logs and what travels"
    lines = plain(seen).partition("What FederatedScope logs and")[0]
    assert lines.split() == piped.partition(end)[0].split()
    assert max(len(line) for line in lines.splitlines() if len(line.split()) > 1) <= columns
    assert "\x1b[1mWhat was sent (payload):" in seen
    assert "\x1b[32mdone\x1b[0m" in seen
