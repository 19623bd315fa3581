"""LaTeX tables: numbers aligned, the best and the second marked, and whatever stands in them, a document that fits."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fscost.errors import TableError
from fscost.tables.numbers import Number
from fscost.tables.render import render
from fscost.tables.table import PAGES, Column, Emphasis, Entry, Note, Page, Row, Table
from tests.tables import samples
from tests.tables.samples import number, sign
from tests.tables.tex import ENGINES, NEEDS_PDFLATEX, NEEDS_PDFTOTEXT, compiled, right_edges_pt

TABLES = {
    "comm_cost": samples.comm_cost(),
    "wide": samples.wide(),
    "long": samples.long(samples.comm_cost()),
    "long and wide": samples.long(samples.wide()),
    "narrow": samples.narrow(),
    "long names": samples.long_names(),
}


def lines_of(table: Table) -> list[str]:
    return render(table, "latex").splitlines()


def row_of(table: Table, number: int) -> list[str]:
    """Return the cells of a row as they are written."""
    lines = lines_of(table)
    body = lines[lines.index(r"\midrule") + 1 :]
    return [line for line in body if " & " in line][number].removesuffix(r" \\").split(" & ")


def test_numbers_stand_in_columns_of_siunitx_that_have_room_for_all() -> None:
    spec = next(line for line in lines_of(samples.comm_cost()) if line.startswith(r"\begin{tabular}"))
    assert re.findall(r"table-format=([^\],]*)", spec) == ["7", "2", "4.2", "4.2", "3.2", "2.1(3)", "2"]
    assert "|" not in spec and spec.count("l") >= 2


def test_a_number_is_written_as_siunitx_reads_it() -> None:
    row = row_of(samples.comm_cost(), 10)
    assert row[4] == r"\best 2408.00"
    assert row[7] == r"8.9 \pm 1.2"
    assert row[8] == r"\best 8{\smash{\tnote{$\dagger$}}}"


@pytest.mark.parametrize(
    ("row", "column", "tex"),
    [
        (0, 4, r"{\phantom{0,0}\smash{\secondbest{19.83}}}"),
        (8, 4, r"{\smash{\secondbest{2,776.20}}}"),
        (1, 7, r"{\smash{\secondbest{90.7${}\pm{}$10.4}}}"),
        (3, 6, "{missing}"),
        (3, 8, r"{\textemdash{}}"),
        (1, 8, "{10+}"),
        (0, 0, r"\multirow{8}{*}[-2.4pt]{MLP-64}"),
        (0, 1, r"{\multirow{8}{*}[-2.4pt]{\phantom{0,00}4,958}}"),
        (0, 2, r"{\multirow{4}{*}{\phantom{0}3}}"),
        (4, 0, ""),
    ],
)
def test_what_siunitx_cannot_read_is_as_wide_as_a_number(row: int, column: int, tex: str) -> None:
    assert row_of(samples.comm_cost(), row)[column].strip() == tex


def test_a_number_without_spread_keeps_the_place_of_one() -> None:
    columns = (Column("acc", "Accuracy"), Column("x", "x"))
    entries = [number("91.2", spread="0.4"), number("8.1", emphasis="second"), number("-3.0", spread="10.4")]
    table = Table("t", "T", "", columns, tuple(Row((entry, number("1"))) for entry in entries))
    padding = r"\phantom{${}\pm{}$00.0}"
    assert row_of(table, 1)[0] == rf"{{\phantom{{$-$0}}\smash{{\secondbest{{8.1}}}}{padding}}}"


@pytest.mark.parametrize("text", ["1e-5", "nan", "1,2", "007", "12.", "1.5x", "10+", "1234", "1234,567"])
def test_what_is_not_printed_as_it_is_by_siunitx_is_text(text: str) -> None:
    table = Table(
        "t", "T", "", (Column("a", "A"), Column("b", "B")), (Row((Entry(text), number("1"))), Row((number("2"),) * 2))
    )
    assert row_of(table, 0)[0] == f"{{{text}}}"


@pytest.mark.parametrize("text", ["-1", "0.1", "5", "1,000", "1e-3", "2.50"])
def test_a_label_is_no_number_whatever_it_looks_like(text: str) -> None:
    columns = (Column("a", "0.5", numeric=False), Column("b", "5", raw="b"))
    table = Table("t", "T", "", columns, (Row((Entry(text), number("1.5"))), Row((Entry("3"), number("2.0")))))
    assert row_of(table, 0) == [text, "1.5"]
    lines = lines_of(table)
    assert r"\begin{tabular}{@{}lS[table-format=1.1]@{}}" in lines and r"0.5 & {5} \\" in lines
    over_rows = replace(
        table, rows=(Row((Entry(text, span=2), number("1.5"))), Row((Entry(text, span=0), number("2.0"))))
    )
    assert row_of(over_rows, 0)[0] == rf"\multirow{{2}}{{*}}{{{text}}}"


def test_a_plus_is_kept() -> None:
    values = (0.25, -12.5, 0, 1e-9, -1e-9)
    rows = tuple(Row((Entry(number=Number(value, 2, has_plus=True)), number("1"))) for value in values)
    table = Table("t", "T", "", (Column("a", "A"), Column("b", "B")), rows)
    assert "S[table-format=+2.2,retain-explicit-plus=true]" in render(table, "latex")
    assert [row_of(table, i)[0] for i in range(5)] == [
        "+0.25", "-12.50", "0.00", r"{\textless{}0.01}", r"{\textgreater{}-0.01}"
    ]  # fmt: skip


def test_heads_share_a_rule_and_units_stand_below() -> None:
    lines = lines_of(samples.comm_cost())
    first = lines.index(r"\toprule") + 1
    assert r"\multicolumn{2}{c}{Per client and round (kB)} & {Total} & {Accuracy}" in lines[first]
    assert lines[first + 1] == r"\cmidrule(lr){5-6}"
    assert r"{(MB)} & {(\%)} & {to 90~\%} \\" in lines[first + 2] and "{Rounds}" in lines[first]
    assert r"Downlink\tnote{$\ddagger$}" in lines[first + 2]


def test_one_line_of_heads_is_enough_without_units() -> None:
    table = Table("t", "T", "", (Column("a", "A", numeric=False), Column("b", "B")), (Row((Entry("x"), number("1"))),))
    lines = lines_of(table)
    assert lines[lines.index(r"\toprule") + 1 : lines.index(r"\midrule")] == [r"A & {B} \\"]


def test_groups_are_divided_by_rules() -> None:
    lines = lines_of(samples.comm_cost())
    assert lines.count(r"\cmidrule(l){3-9}") == 2
    assert lines.count(r"\midrule") == 2


@pytest.mark.parametrize(
    ("table", "environment"),
    [
        (samples.narrow(), "{table}"),
        (samples.comm_cost(), "{table*}"),
        (samples.wide(), "{sidewaystable*}"),
        (samples.long(samples.narrow(), 40), "{longtable}"),
        (samples.long(samples.wide()), "{landscape}"),
        (samples.comm_cost("column"), "{table}"),
        (samples.narrow("page"), "{table*}"),
        (samples.narrow("landscape"), "{sidewaystable*}"),
        (samples.narrow("long"), "{longtable}"),
    ],
)
def test_the_page_is_chosen_by_rows_and_width_or_asked_for(table: Table, environment: str) -> None:
    assert rf"\begin{environment}" in lines_of(table)[5:12] or rf"\begin{environment}" in render(table, "latex")


def test_a_long_table_repeats_its_head_and_the_labels_of_a_group() -> None:
    tex = render(samples.long(samples.comm_cost("long")), "latex")
    assert tex.count("Per client and round") == 2
    assert r"continued} \\" in tex and r"\multirow" not in tex and r"\cmidrule(l)" not in tex
    assert sum(line.startswith("MLP-64 & ") for line in tex.splitlines()) == 8  # of models and clients


def test_no_page_ends_within_a_small_group_but_may_in_a_large_one() -> None:
    table = samples.comm_cost("long")
    ends = [line.rpartition(" ")[2] for line in lines_of(table) if line.startswith(("MLP", "Conv", " &  &  & "))]
    assert ends == [r"\\*", r"\\*", r"\\*", r"\\[3pt]", *[r"\\*"] * 4, *[r"\\*"] * 3, r"\\[3pt]", *[r"\\*"] * 3, r"\\"]
    one = replace(table, rows=tuple(replace(row, rule=None) for row in samples.long(table).rows))
    assert lines_of(one).count(r"\\*") == 0
    assert sum(line.endswith(r" \\*") for line in lines_of(one)) == 0


def test_a_list_names_exactly_the_packages_that_are_used() -> None:
    def named(table: Table) -> str:
        return next(line for line in lines_of(table) if line.startswith("% needs")).partition("{")[2].rstrip("}")

    assert named(samples.comm_cost()) == "adjustbox,booktabs,multirow,siunitx,threeparttable"
    assert named(samples.narrow()) == "adjustbox,booktabs,siunitx,threeparttable"
    assert named(samples.long(samples.wide())) == "booktabs,longtable,makecell,pdflscape,siunitx,threeparttablex"
    assert "array" in named(samples.long_names()) and "rotating" in named(samples.wide())
    assert "textcomp" in named(replace(samples.narrow(), title="10 €"))


def test_the_same_table_gives_the_same_bytes_and_nothing_global() -> None:
    assert render(samples.wide(), "latex") == render(samples.wide(), "latex")
    for table in TABLES.values():
        tex = render(table, "latex")
        start = re.search(r"^\\(begin\{(table|sideways)|begingroup)", tex, re.MULTILINE)
        assert start and start.start() < tex.index(r"\sisetup")


@pytest.mark.parametrize("format", ["markdown", "csv", "text"])
def test_a_format_without_documents_says_so(format: str) -> None:
    with pytest.raises(
        TableError, match=f"--standalone: {format} has no documents of its own; use --format latex or html"
    ):
        render(samples.narrow(), format, standalone=True)


def test_a_document_can_hold_a_template_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.tex.j2"
    own.write_text(r"\emph{<<table.title>>: <<packages | join(', ')>>}")
    tex = render(replace(samples.narrow(), title="A & B"), "latex", own, standalone=True)
    assert tex.startswith(r"\documentclass{article}")
    assert r"\emph{A \& B: adjustbox, booktabs, siunitx, threeparttable}" in tex
    own.write_text("\n<<nothing>>")
    with pytest.raises(TableError, match=r"own\.tex\.j2:2: 'nothing' is undefined"):
        render(samples.narrow(), "latex", own, standalone=True)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_compiles_and_fits_the_page(name: str, engine: str, tmp_path: Path) -> None:
    done = compiled(render(TABLES[name], "latex", standalone=True), tmp_path, engine)
    assert (done.pages > 1) is ("long" in name)
    assert max(done.overfull_pt, default=0) <= 1


@pytest.mark.slow
@NEEDS_PDFTOTEXT
@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_are_aligned_whether_underlined_or_not(engine: str, tmp_path: Path) -> None:
    done = compiled(render(samples.comm_cost(), "latex", standalone=True), tmp_path, engine)
    costs, accuracies = ("2,776.20", "5,614.00", "19.83", "40.10"), ("90.7", "88.1", "8.9")
    right = {round(right_pt, 1) for word in costs for right_pt in right_edges_pt(done.pdf, word)}
    assert len(right) == 2  # of two columns: the point, and so the end, of every number in them
    means = [right_pt for word in accuracies for right_pt in right_edges_pt(done.pdf, word)]
    assert max(means) - min(means) < 0.2


@pytest.mark.slow
@NEEDS_PDFLATEX
@pytest.mark.parametrize("page", PAGES)
def test_every_page_fits(page: Page, tmp_path: Path) -> None:
    body = "".join(render(table, "latex") for table in (samples.comm_cost(page), samples.wide(page)))
    tex = (
        "adjustbox,array,booktabs,longtable,makecell,multirow,pdflscape,rotating,siunitx,threeparttable,threeparttablex"
    )
    document = f"\\documentclass{{article}}\\usepackage{{{tex}}}\\begin{{document}}\n{body}\\end{{document}}"
    assert max(compiled(document, tmp_path).overfull_pt, default=0) <= 1


@pytest.mark.slow
@NEEDS_PDFLATEX
@pytest.mark.parametrize("page", ["auto", "column", "page", "landscape"])
def test_a_table_fits_a_page_of_two_columns(page: Page, tmp_path: Path) -> None:
    document = render(samples.comm_cost(page), "latex", standalone=True).replace("{article}", "{article}\\twocolumn", 1)
    assert max(compiled(document, tmp_path).overfull_pt, default=0) <= 1


@pytest.mark.slow
@NEEDS_PDFLATEX
def test_a_table_compiles_with_siunitx_of_before_2021(tmp_path: Path) -> None:
    document = render(samples.comm_cost(), "latex", standalone=True).replace("siunitx,", "", 1)
    document = document.replace(r"\pagestyle", "\\usepackage{siunitx}[=v2]\n\\pagestyle", 1)
    done = compiled(document, tmp_path)
    assert "siunitx-v2" in done.log and max(done.overfull_pt, default=0) <= 1


NAMES = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="_&%$#{}~^\\<>|*[]\"'`-,?!/@=+;:(). ", min_size=1, max_size=60),
    st.text(alphabet="abc_-.中é", min_size=60, max_size=300),
    st.sampled_from(["^^M\\undefined", "^^5cundefined", "\\par", "\\end{table}", "*[x]", "\r\\undefined", "\u2028\\x"]),
)


EMPHASES: st.SearchStrategy[Emphasis] = st.sampled_from(["", "best", "second"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table whose every text is hostile but one heading, as notes are as narrow as the table."""
    names = draw(st.lists(NAMES, min_size=18, max_size=18))
    columns = (
        Column("a", names[0], numeric=False), Column("b", names[1]),
        Column("c", names[2], names[3], mark=sign(names[4][:3])), Column("d", names[5], names[3]),
        Column("e", "Final accuracy (%)"),
    )  # fmt: skip
    rows = tuple(
        Row((
            Entry(names[6 + i], span=draw(st.sampled_from([1, 1, 2, 0]))), number(f"{10**i}.5", note=names[9][:2]),
            Entry(mark=sign(names[10])), number("1.0", spread="0.1", emphasis=draw(EMPHASES)),
            number("98.5"),
        ), rule=draw(st.sampled_from([None, 0, 1])))
        for i in range(3)
    )  # fmt: skip
    return Table(
        names[11], names[12], names[13], columns, rows, (names[14],), to_do=(names[15],), provenance=(names[16],),
        notes=(Note(names[9][:2], names[17]), Note(names[10], names[14])), page=draw(st.sampled_from(PAGES)),
    )  # fmt: skip


@pytest.mark.slow
@NEEDS_PDFLATEX
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tables())
def test_whatever_the_names_are_the_document_compiles_and_fits(table: Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = render(table, "latex", standalone=True)
        done = compiled(document, Path(folder))
        event(f"page {table.page}, {done.pages} pages")
        assert done.pdf.exists()
        assert max(done.overfull_pt, default=0) <= 1, done.log
