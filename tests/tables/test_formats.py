"""Markdown, HTML, plain text and CSV: what they look like, and that no name breaks them."""

import csv
import io
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import html5lib
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.cells import cell_len

from fscost.errors import TableError
from fscost.printable import in_one_line
from fscost.tables.formats import html, markdown
from fscost.tables.formats.format import clean, comment
from fscost.tables.marks import MISSING
from fscost.tables.render import render
from fscost.tables.table import Column, Entry, Note, Row, Table
from tests.tables.samples import number, sign

COLUMNS = (
    Column("model", "Model", numeric=False),
    Column("method", "Method", numeric=False),
    Column("up", "Uplink", "MB/round", raw="uplink_bytes"),
    Column("down", "Downlink", "MB/round", raw="downlink_bytes", mark=sign("‡")),
    Column("acc", "Accuracy", unit="%", raw="test_acc"),
)


def row(model: Entry, method: str, *numbers: Entry, rule: int | None = None, seeds: int = 3) -> Row:
    return Row((model, Entry(method), *numbers), rule, seeds)


BEST = number("0.65", 650_000.0, emphasis="best")
ABSENT = Entry(mark=MISSING)
TABLE = Table(
    "tab:cost",
    "Cost",
    "payload",
    COLUMNS,
    (
        row(Entry("模型", "net", span=2), "FedAvg", number("2.60", 2_600_000), number("10.00", 1e7),
            number("91.2", 0.912, spread="0.4", deviation=0.004, emphasis="second")),
        row(Entry("模型", "net", span=0), "8-bit weights", BEST, number("10.00", 1e7),
            number("9.7", 0.097, spread="10.4", deviation=0.104, note="†")),
        row(Entry("LR", "lr"), "FedAvg", ABSENT, ABSENT,
            number("93.1", 0.931, emphasis="best", note="†"), rule=0, seeds=1),
    ),
    ("Payload: tensors only.", "1. MB = 10⁶ bytes."),
    (Note("missing", "not computed yet"), Note("†", "one seed failed")),
    ("fscost method=`a`",),
    ("fscost table --out x",),
)  # fmt: skip


def test_plain_text_is_aligned_by_what_a_terminal_shows() -> None:
    assert (
        render(TABLE, "text")
        == """\
Cost: payload

                      ---- MB/round ----      Accuracy
Model  Method          Uplink  Downlink‡           (%)
-----  -------------  -------  ---------  ------------
模型   FedAvg           2.60       10.00  91.2 ±  0.4°
模型   8-bit weights    0.65*      10.00   9.7 ± 10.4†

LR     FedAvg         missing    missing  93.1†*

Payload: tensors only.
1. MB = 10⁶ bytes.
*: best of its group; °: second best.
missing: not computed yet
†: one seed failed
to do: fscost method=`a`
"""
    )


def test_markdown_is_aligned_in_its_source() -> None:
    assert (
        render(TABLE, "markdown")
        == r"""**Cost: payload**

| Model | Method        | MB/round: Uplink | MB/round: Downlink‡ |           Accuracy (%) |
| :---- | :------------ | ---------------: | ------------------: | ---------------------: |
| 模型  | FedAvg        |           2.60   |               10.00 | <ins>91.2 ±  0.4</ins> |
| 模型  | 8-bit weights |         **0.65** |               10.00 |       9.7 ± 10.4†      |
| LR    | FedAvg        |          missing |             missing |    **93.1†**           |

Payload: tensors only. 1. MB = 10⁶ bytes. Bold: best of its group; underlined: second best.

- missing: not computed yet
- †: one seed failed

To do:

- `` fscost method=`a` ``

<!-- fscost table -\-out x -->
"""
    )


def test_html_has_heads_over_their_columns_and_labels_over_their_rows() -> None:
    assert (
        render(replace(TABLE, reading=(), to_do=()), "html")
        == r"""<!-- fscost table -\-out x -->
<table class="fscost">
<caption>Cost: payload</caption>
<colgroup span="1"></colgroup><colgroup span="1"></colgroup><colgroup span="2"></colgroup><colgroup span="1"></colgroup>
<thead style="text-align: right; vertical-align: bottom">
<tr>
<th scope="col" rowspan="2" style="text-align: left">Model</th>
<th scope="col" rowspan="2" style="text-align: left">Method</th>
<th scope="colgroup" colspan="2" style="text-align: center">MB/round</th>
<th scope="col" rowspan="2">Accuracy (%)</th>
</tr>
<tr>
<th scope="col">Uplink</th>
<th scope="col">Downlink‡</th>
</tr>
</thead>
<tbody style="text-align: right; vertical-align: top; font-variant-numeric: tabular-nums">
<tr>
<th scope="row" rowspan="2" style="text-align: left; font-weight: normal">模型</th>
<th scope="row" style="text-align: left; font-weight: normal">FedAvg</th>
<td>2.60</td>
<td>10.00</td>
<td><u>91.2 ±  0.4</u></td>
</tr>
<tr>
<th scope="row" style="text-align: left; font-weight: normal">8-bit weights</th>
<td><strong>0.65</strong></td>
<td>10.00</td>
<td>9.7 ± 10.4<span class="note">†</span></td>
</tr>
</tbody>
<tbody style="text-align: right; vertical-align: top; font-variant-numeric: tabular-nums">
<tr>
<th scope="row" style="text-align: left; font-weight: normal">LR</th>
<th scope="row" style="text-align: left; font-weight: normal">FedAvg</th>
<td><span class="mark">missing</span></td>
<td><span class="mark">missing</span></td>
<td><span class="bare" data-spread=" ± 10.4"><strong>93.1</strong><span class="note">†</span></span></td>
</tr>
</tbody>
</table>
<div class="fscost-notes">
<p>Bold: best of its group; underlined: second best.</p>
<dl>
<dt>missing</dt><dd>not computed yet</dd>
<dt>†</dt><dd>one seed failed</dd>
</dl>
</div>
"""
    )


def test_csv_has_raw_numbers_and_marks() -> None:
    assert (
        render(TABLE, "csv")
        == """\
model,method,uplink_bytes,downlink_bytes,test_acc,test_acc_std,seeds
net,FedAvg,2600000,10000000,0.912,0.004,3
net,8-bit weights,650000,10000000,0.097,0.104,3
lr,FedAvg,missing,missing,0.931,,1
"""
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2.0, "2"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, "True"),
        ("a,b", '"a,b"'),
    ],
)
def test_csv_writes_whole_numbers_without_a_point(value: object, written: str) -> None:
    table = Table("t", "t", "", (Column("a", "A"),), (Row((Entry("2.00", value),)),))
    assert render(table, "csv") == f"a\n{written}\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("8-bit weights, 19.83 (-0.5), lr=0.1", "8-bit weights, 19.83 (-0.5), lr=0.1"),
        ("mlp_s a__b", "mlp_s a__b"),
        ("_a_ b_", r"\_a\_ b\_"),
        ("a|b*c`d[e]\\~f", r"a\|b\*c\`d\[e]\\\~f"),
        ("a < b > c & d", "a < b > c & d"),
        ("<script> &amp; &#35;", r"\<script> \&amp; \&#35;"),
        ("https://x.y www.x.y", r"https\://x.y www\.x.y"),
        ("$a$ :x:", "<span>$</span>a<span>$</span> <span>:</span>x:"),
        ("# a", r"\# a"),
        ("#1", "#1"),
        ("- a", r"\- a"),
        ("-5", "-5"),
        ("  + a", r"  \+ a"),
        ("> a", r"\> a"),
        ("1. a", r"1\. a"),
        ("12)", r"12\)"),
        ("1.5", "1.5"),
        ("==", r"\=="),
        ("--", r"\--"),
        (":-", r"\:-"),
        ("    a", "&#32;   a"),
        ("a\n\u202eb\ud800\t", "a \ufffdb\ufffd "),
    ],
)
def test_markdown_escapes_what_it_must_and_no_more(text: str, written: str) -> None:
    assert markdown.escape(text) == written


@pytest.mark.parametrize(
    ("command", "written"),
    [("a b", "`a b`"), ("a`b", "``a`b``"), ("`a``b", "``` `a``b ```"), (" \n", "`  `"), ("a|$b", "`a|$b`")],
)
def test_no_command_breaks_out_of_inline_code(command: str, written: str) -> None:
    assert markdown.FORMAT.filters["code"](command) == written


def test_a_comment_cannot_be_ended() -> None:
    assert comment("a --> --!> <!-- ---\n") == r"a -\-> -\-!> <!-\- -\-\- "


def test_an_entry_of_html_keeps_its_column_aligned() -> None:
    assert html.FORMAT.filters["entry"](number("1.0", spread="0.4"), "10.4") == "1.0 ± \u20070.4"
    bare = html.FORMAT.filters["entry"](number("1", note="<"), "10.4")
    assert bare == '<span class="bare" data-spread=" ± 10.4">1<span class="note">&lt;</span></span>'


def test_a_column_makes_room_for_its_heading() -> None:
    columns = (Column("a", "A", group="a wide heading"), Column("b", "B", group="a wide heading"))
    narrow = Table("t", "t", "", columns, (Row((number("1"), number("2"))),))
    assert render(narrow, "text").splitlines()[2:] == ["- a wide heading -", "A                B", "-  ---------------",
                                                       "1                2"]  # fmt: skip
    lone = Table("t", "t", "", (Column("a", "A"), Column("b", "B", unit="MB")), (Row((number("1"), number("2"))),))
    assert render(lone, "text").splitlines()[2:] == ["      B", "A  (MB)", "-  ----", "1     2"]


@pytest.mark.parametrize("format", ["text", "markdown", "html", "csv"])
def test_a_table_without_rows_and_notes_is_a_table(format: str) -> None:
    text = render(Table("t", "Nothing", "", COLUMNS, ()), format)
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert "Accuracy" in text or "test_acc" in text


def test_a_document_stands_alone(tmp_path: Path) -> None:
    page = render(TABLE, "html", standalone=True)
    assert page.startswith("<!DOCTYPE html>\n") and render(TABLE, "html") in page
    assert "<title>Cost</title>" in page and "http" not in page
    mine = tmp_path / "mine.html.j2"
    mine.write_text("<p>{{ table.title }} & more</p>")
    assert "<p>Cost & more</p>" in render(TABLE, "html", mine, standalone=True)
    mine.write_text("<p>\n{{ table.tilte }}</p>")
    with pytest.raises(TableError, match=r"mine\.html\.j2:2: .*tilte"):
        render(TABLE, "html", mine, standalone=True)


@pytest.mark.parametrize("format", ["markdown", "text", "csv"])
def test_a_format_without_documents_says_which_have(format: str) -> None:
    with pytest.raises(TableError, match=f"--standalone: {format} has no documents .* --format latex or html"):
        render(TABLE, format, standalone=True)


NAMES = st.one_of(
    st.text(st.characters(), max_size=20),
    st.text("_&%#$ {}~^\\<>|*[]()\"'`\n\r\t!:-+=.1a\u202e\ud800\u2028\x00", max_size=12),
    st.sampled_from(
        ["<script>alert(1)</script>", "-->", "--!>", "]]>", "1. a", "# a", "- a", "+", "=", "===", "---", "    a",
         "> a", "x" * 1000, "漢e\u0301👩\u200d🔬", "&amp;", "</table>", "</style>", "| a | b |", "[a]: b", "```", "~~~",
         "*" * 9, "a\\", "{{ 1 }}", "{% raw %}", "=1+1", "nan", '"', "\r", ",", "<!--", "<?", ":-:", "\ufeff", "--"]
    ),
)  # fmt: skip
EMPHASES = st.sampled_from(["", "best", "second"])
NUMBERS = st.builds(
    lambda value, spread, emphasis, note: number(f"{value:,}", value, spread=spread, emphasis=emphasis, note=note),
    st.integers(-(10**6), 10**6),
    st.sampled_from(["", "4", "10"]),
    EMPHASES,
    st.sampled_from(["", "†", "*", "_b_"]),
)
SIGNS = {"best": "*", "second": "°", "": ""}
MARKS = st.builds(lambda name: Entry(mark=sign(name)), NAMES)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = (
        Column("label", draw(NAMES), numeric=False),
        Column("number", draw(NAMES), group=draw(NAMES), mark=sign(draw(NAMES))),
        Column("lone", draw(NAMES), unit=draw(NAMES)),
    )
    rows = tuple(
        Row((Entry(draw(NAMES)), draw(NUMBERS | MARKS), draw(NUMBERS | MARKS)), draw(st.sampled_from([None, 0, 1])), 2)
        for _ in range(draw(st.integers(1, 4)))
    )
    lines = st.lists(NAMES, max_size=2).map(tuple)
    notes = tuple(Note(draw(NAMES), draw(NAMES)) for _ in range(draw(st.integers(0, 2))))
    told = draw(lines), notes, draw(lines), draw(lines)
    return Table(draw(NAMES), draw(NAMES), draw(NAMES), columns, rows, *told, tells_all=True)


def inked(text: str) -> str:
    """Return what is seen of text but for its blanks."""
    return "".join(clean(text).split())


def entries_of(table: Table) -> list[str]:
    return [inked(entry.full) for row in table.rows for entry in row.entries]


def remarks_of(table: Table, end: str) -> list[str]:
    """Return the paragraphs below a table: `end` is the sentence on its emphasis."""
    reading = inked("".join([*table.reading, end]))
    return [reading] * bool(reading) + [inked(f"{note.mark}:{note.meaning}") for note in table.notes]


hostile = settings(derandomize=True)
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(tokens: list[Token]) -> list[str]:
    """Return the text of each paragraph and table cell; there are no links, no HTML but for what parts characters."""
    inlines = [token.children or [] for token in tokens if token.type == "inline"]
    kinds = {child.type for children in inlines for child in children}
    assert kinds <= {"text", "code_inline", "html_inline", "strong_open", "strong_close"}
    tags = {child.content for children in inlines for child in children if child.type == "html_inline"}
    assert tags <= {"<span>", "</span>", "<ins>", "</ins>"}
    return [inked("".join(c.content for c in children if c.type != "html_inline")) for children in inlines]


@hostile
@given(tables())
def test_no_name_breaks_markdown(table: Table) -> None:
    tokens = GITHUB.parse(render(table, "markdown"))
    comments = [token.content for token in tokens if token.type == "html_block"]
    assert [inked(line) for line in comments] == [inked(f"<!--{comment(line)}-->") for line in table.provenance]
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens} - {"inline", "html_block"}
    assert kinds <= {"paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td"}
    heads = [inked(column.full_head) for column in table.columns]
    to_do = ["Todo:", *map(inked, table.to_do)] if table.to_do else []
    end = markdown.FORMAT.context(table)["legend"]
    caption = [inked(table.caption)] * bool(inked(table.caption))
    assert shown(tokens) == [*caption, *heads, *entries_of(table), *remarks_of(table, end), *to_do]
    assert sum(token.type == "list_item_open" for token in tokens) == len(table.notes) + len(table.to_do)
    best = sum(entry.emphasis == "best" for row in table.rows for entry in row.entries)
    assert sum(child.type == "strong_open" for token in tokens for child in token.children or []) == best + len(caption)


def texts(page: ET.Element, tag: str) -> list[str]:
    return [inked("".join(found.itertext())) for found in page.iter(tag)]


@hostile
@given(tables())
def test_no_name_breaks_html(table: Table) -> None:
    html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parseFragment(render(table, "html"))
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(render(table, "html", standalone=True))
    body = [row for group in page.iter("tbody") for row in group]
    assert [[inked("".join(cell.itertext())) for cell in row] for row in body] == [
        [inked(entry.full) for entry in row.entries] for row in table.rows
    ]
    assert sum(1 for _ in page.iter("tbody")) == 1 + sum(row.rule == 0 for row in table.rows[1:])
    assert texts(page, "caption") == [inked(table.caption)]
    assert texts(page, "dd") == [inked(note.meaning) for note in table.notes]
    assert texts(page, "code") == [inked(command) for command in table.to_do]
    assert not {"script", "a", "img", "h1"} & {element.tag for element in page.iter() if isinstance(element.tag, str)}


@hostile
@given(tables())
def test_no_name_breaks_plain_text(table: Table) -> None:
    lines = render(table, "text").encode().decode().splitlines()
    assert all(line == line.rstrip() and line.isprintable() for line in lines)
    rule = next(i for i, line in enumerate(lines[2:], start=2) if set(line) == {"-", " "} and line[0] == "-")
    is_grouped = any(row.rule != 0 for row in table.rows[1:])
    expected = []
    for i, row in enumerate(table.rows):
        expected += [""] * (i > 0 and row.rule == 0 and is_grouped)
        expected.append(inked("".join(entry.full + SIGNS[entry.emphasis] for entry in row.entries)))
    body = lines[rule + 1 : rule + 1 + len(expected)]
    assert [inked(line) for line in body] == expected
    assert max(map(cell_len, body)) <= cell_len(lines[rule])


@hostile
@given(tables())
def test_names_come_back_from_csv(table: Table) -> None:
    text = render(table, "csv").encode().decode()
    assert len(text.splitlines()) == text.count("\n") == 1 + len(table.rows)
    read = list(csv.reader(io.StringIO(text, newline="")))
    names = [in_one_line(row.entries[0].text) for row in table.rows]
    assert [len(fields) for fields in read] == [4] * (1 + len(table.rows))
    assert [fields[0] for fields in read[1:]] == names
    frame = pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False)
    assert frame["label"].tolist() == names


def test_every_reader_of_csv_has_the_same_rows(tmp_path: Path) -> None:
    names = ["a\u2028b", "a\x85b", "a\r\nb", "a\0b", "a\x1cb", "a\x1ab", '"', '",', "''", "=1+1", "-1", "@a", " a ",
             ";", "#a", "ZWJ 👩\u200d💻", "می\u200cروم", "\ufeffa", "\ud800", "\\", "NULL", "1e5", "\t"]  # fmt: skip
    rows = tuple(Row((Entry(name, name), Entry(value=float(n))), None) for n, name in enumerate(names))
    columns = Column("label", "l", numeric=False), Column("number", "n", raw="number")
    text = render(Table("t", "t", "", columns, rows), "csv")
    path = tmp_path / "table.csv"
    path.write_text(text)
    wanted = [[in_one_line(name), str(n)] for n, name in enumerate(names)]
    assert {"\u2028", "\x85", "\r", "\0", "\t", "\x1c"}.isdisjoint(text)
    with path.open(newline="") as file:
        assert [*csv.reader(file)][1:] == wanted
    assert pd.read_csv(path, dtype=str, keep_default_na=False).to_numpy().tolist() == wanted
    duckdb = pytest.importorskip("duckdb")
    read = duckdb.sql(f"FROM read_csv('{path}', all_varchar=true, header=true, delim=',', nullstr='none')").fetchall()
    assert [[*row] for row in read] == wanted
