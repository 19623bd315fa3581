"""Tables in the classes of papers and slides: every layout compiles, fits, and stands right below its caption."""

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from functools import cache

import pytest

import fscost as door
from fscost.errors import TableError
from fscost.tables.render import render
from fscost.tables.spec import TableSpec
from fscost.tables.table import VENUES, Table
from tests.tables import samples
from tests.tables.recorded import of_one_model, unpacked
from tests.tables.test_layouts import LAYOUTS
from tests.tables.tex import NEEDS_PDFLATEX, NEEDS_PDFTOTEXT, Compiled, compiled

PACKAGES = (
    "adjustbox,array,booktabs,longtable,makecell,multirow,pdflscape,rotating,siunitx,textcomp,threeparttable,"
    "threeparttablex"
)


@dataclass(frozen=True)
class Class:
    """A class of documents with its options, what else such documents load, and the venue that has its widths."""

    name: str
    venue: str
    options: str = ""
    packages: str = "hyperref,cleveref,microtype"
    title: str = ""

    def document(self, tables: list[str]) -> str:
        """A document with one table a page, or a slide."""
        start, end = (r"\begin{frame}{Costs}", r"\end{frame}") if self.venue == "beamer" else ("Text.\n", "\\clearpage")
        pages = "\n".join(f"{start}\n{table}\n{end}" for table in tables)
        loaded = "\n".join(rf"\usepackage{{{names}}}" for names in (PACKAGES, self.packages) if names)
        head = f"\\documentclass[{self.options}]{{{self.name}}}\n{loaded}\n\\providecommand\\cite[1]{{[#1]}}"
        return f"{head}\n\\begin{{document}}\n{self.title}{pages}\n\\end{{document}}\n"


CLASSES = (
    Class("article", "any"),
    Class("article", "article", packages="caption,subcaption,hyperref,cleveref,microtype"),
    Class("article", "twocolumn", "twocolumn", "caption,subcaption,hyperref,cleveref,microtype"),
    Class("IEEEtran", "ieee", "conference"),
    Class("IEEEtran", "any", "conference", "caption,subcaption,hyperref,cleveref"),
    Class("acmart", "acm", "sigconf,nonacm", "subcaption,cleveref", r"\title{T}\author{A}\maketitle "),
    Class("llncs", "llncs"),
    Class("elsarticle", "elsevier", "5p,times"),
    Class("beamer", "beamer", "", "subcaption,cleveref,microtype"),
    Class("beamer", "any", "aspectratio=169", ""),
)


def named(one: Class) -> str:
    return f"{one.name}-{one.venue}-{'caption' if 'caption' in one.packages else 'plain'}"


def needs(one: Class) -> None:
    if (
        not shutil.which("kpsewhich")
        or subprocess.run(["kpsewhich", f"{one.name}.cls"], capture_output=True).returncode
    ):
        pytest.skip(f"the class {one.name} is not installed")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    """The tables of every shipped layout over the recorded sweep."""
    store = unpacked(tmp_path_factory.mktemp("paper"))
    few = of_one_model(store, store.parent / "few")

    def made(layout: str) -> Table:
        pairs = [word.split("=") for word in LAYOUTS[layout]]
        network = {key.removeprefix("network."): float(value) for key, value in pairs if key.startswith("network")}
        return door.table(
            few if layout == "audit" else store, layout=layout, target=0.9, second=True, network=network or None
        )

    return [*map(made, LAYOUTS)]


@cache
def by_hand() -> tuple[Table, ...]:
    return samples.narrow(), samples.comm_cost(), samples.wide(), samples.long(samples.comm_cost())


@pytest.fixture(scope="module", params=CLASSES, ids=named)
def typeset(
    request: pytest.FixtureRequest, layouts: list[Table], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Class, list[str], Compiled]:
    """A document of one class with all tables, the narrow one on its first page.

    On slides, what was not made for them stands too, but for what is turned or goes on overleaf.
    """
    one: Class = request.param
    needs(one)
    tables = [replace(table, venue=one.venue) for table in by_hand()]
    tables += [replace(table, venue=one.venue, floats_to="" if one.name == "beamer" else "!t") for table in layouts]
    texts = [render(table, "latex") for table in tables]
    if (one.name, one.venue) == ("beamer", "any"):
        texts = [text for text in texts if "longtable}" not in text and "sideways" not in text]
    if "twocolumn" in one.options or one.name in ("IEEEtran", "acmart", "elsarticle"):
        texts = [rf"\onecolumn{text}\twocolumn" if r"\begin{longtable}" in text else text for text in texts]
    return one, texts, compiled(one.document(texts), tmp_path_factory.mktemp("typeset"))


@NEEDS_PDFLATEX
@pytest.mark.slow
def test_every_layout_compiles_and_fits(typeset: tuple[Class, list[str], Compiled]) -> None:
    one, texts, done = typeset
    assert all("% goes on over pages: in two columns, \\onecolumn before it" in t for t in texts if "\\onecolumn" in t)
    assert len(texts) > 6 and done.pages >= len(texts)
    assert max(done.overfull_pt, default=0) <= 1
    if one.venue == "beamer":
        assert "Overfull \\vbox" not in done.log and done.pages == len(texts)


@NEEDS_PDFLATEX
@NEEDS_PDFTOTEXT
@pytest.mark.slow
def test_the_gap_between_caption_and_rule_is_right(typeset: tuple[Class, list[str], Compiled]) -> None:
    """About 6 pt, whether the package caption is loaded, by the class even, or not."""
    first = ["pdftotext", "-bbox", "-l", "1", typeset[2].pdf, "-"]
    found = subprocess.run(first, capture_output=True, text=True, check=True).stdout
    words = [(float(top), float(end), word) for top, end, word in _WORD.findall(found)]
    head = max(top for top, _, word in words if word == "Total")
    assert 5 <= head - max(end for _, end, _ in words if end <= head + 1) <= 15


_WORD = re.compile(r'yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">([^<]*)<')


# --- what is written ------------------------------------------------------------------------------


def test_heads_are_text_that_can_be_edited(layouts: list[Table]) -> None:
    for table in (*layouts, *by_hand()):
        text = render(table, "latex")
        assert r"\makebox" not in text and r"\parbox" not in text
        assert not re.search(r"^[^%].*#\d", text, re.M)  # which no frame can hold


@pytest.mark.parametrize(
    ("place", "start"), [("!t", r"\begin{table}[!t]"), ("", "\\begin{table}\n"), ("H", "table}[H]")]
)
def test_where_it_floats_to(place: str, start: str) -> None:
    assert start in render(replace(samples.narrow(), floats_to=place), "latex")


def test_a_place_that_latex_does_not_have_is_told() -> None:
    with pytest.raises(TableError, match=r"^table.float=top: must be of LaTeX's letters for places, as !t or tbp"):
        TableSpec(float="top")
    with pytest.raises(TableError, match=r"^table.venue=iee: must be one of any, .*did you mean ieee"):
        TableSpec(venue="iee")


@pytest.mark.parametrize("venue", VENUES)
def test_a_table_over_two_columns_is_one_where_there_are_two(venue: str) -> None:
    text = render(replace(samples.comm_cost(page="page"), venue=venue), "latex")
    has_two = venue in ("any", "twocolumn", "ieee", "acm", "icml", "elsevier")
    assert (r"\begin{table*}" in text) == has_two


def test_a_wide_venue_has_room_for_what_is_turned_elsewhere() -> None:
    table = samples.wide(options=4)
    assert "sideways" in render(replace(table, venue="llncs"), "latex")
    assert r"\begin{table*}" in render(replace(table, venue="ieee"), "latex")
