"""LaTeX of labels that look like anything: numbers, constants, lists, names; every page, in rows and side by side."""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fscost.collect import gather, runs_below
from fscost.tables.build import build
from fscost.tables.comparison import Comparison
from fscost.tables.option_values import given as as_given
from fscost.tables.render import render
from fscost.tables.spec import TableSpec
from fscost.tables.table import PAGES, Table
from tests.tables import samples
from tests.tables.test_layout_settings import estimates
from tests.tables.tex import ENGINES, NEEDS_PDFLATEX, NEEDS_PDFTOTEXT, compiled

PACKAGES = (
    "adjustbox,array,booktabs,longtable,makecell,multirow,pdflscape,rotating,siunitx,textcomp,"
    "threeparttable,threeparttablex"
)
OPTION = "train.optimizer.option"
MOST = 4
"""How many values an option has here."""

NUMBERS = st.one_of(
    st.sampled_from([0.1, 0.01, 5, 1e-3, -1, 1.0, 1e16, 1000, 16, 32, -0.5, 1e-10]),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
NAMES = st.one_of(
    st.sampled_from(["007", "1.0", "-", "5", "1e-3", "-1", "True", "null", "1,000", "5 %", "±1", "1 ± 0.1", "10+",
                     "[1]", "*", "n/a", "missing", "<0.01", "—", "naïve", "模型", "0.1", "\\multirow", "−1", "¹", "٣"]),
    st.text(min_size=1, max_size=15),
)  # fmt: skip
VALUES = st.one_of(
    NUMBERS, st.booleans(), st.none(), st.just(""), NAMES, st.lists(st.one_of(NUMBERS, NAMES), max_size=3)
)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two methods, each with as many cells as an option has values."""
    where = tmp_path_factory.mktemp("runs")
    made = gather(runs_below(estimates(where, "method=fedavg,fedprox", "data=toy", f"seed=range(0,{MOST})")))
    return made.cells.sort_values(["method", "seed"])


def table_of(cells: pd.DataFrame, values: Sequence[Any], methods: Sequence[str], model: str, **layout: Any) -> Table:
    """Return the table of an option with these values, one cell for each and for each method."""
    own = cells.groupby("method", sort=False).head(len(values)).head(len(methods) * len(values))
    own = own.assign(method=[method for method in methods for _ in values], model=model, seed=0)
    option = dict(zip(own["cell"], [*values] * len(methods), strict=True))
    return build(Comparison(own, extra={OPTION: option}), TableSpec(**layout), label="t")


def every_table(
    cells: pd.DataFrame, values: Sequence[Any], methods: Sequence[str], model: str, name: str
) -> Iterator[Table]:
    """Yield tables of one and of two methods, with the values in rows and side by side, on all kinds of pages."""
    head = {"quantity": "total", "head": "5"}
    for page in PAGES:
        for some in (methods[:1], methods):
            layout = {"rows": ("model", "params", "clients", "method"), "page": page, "title": name}
            in_rows = {"labels": {OPTION: name}, "columns": [head, "uplink", "ratio"]}
            yield table_of(cells, values, some, model, **layout, **in_rows)
            beside = {"labels": {OPTION: "o"}, "columns": ["total"], "across": f"fs.{OPTION}"}
            yield table_of(cells, values, some, model, **layout, **beside)
    shared = {"columns": ["total", head], "rows": ("model",)}
    yield table_of(cells, values, methods, model, **shared, across="method")
    yield table_of(cells, values, methods, model, **shared, across=f"fs.{OPTION}")


def document(tables: Sequence[Table]) -> str:
    body = "\n\\clearpage\n".join(render(table, "latex") for table in tables)
    return f"\\documentclass{{article}}\\usepackage{{{PACKAGES}}}\\begin{{document}}\n{body}\\end{{document}}\n"


def words_of(pdf: Path) -> Counter[str]:
    """Return how often each word is printed."""
    found = subprocess.run(["pdftotext", "-bbox", pdf, "-"], capture_output=True, text=True, check=True).stdout
    return Counter(unescape(word) for word in re.findall(r">([^<]+)</word>", found))


def is_word(text: str) -> bool:
    """Tell whether a label is one word that no line breaks, printed by characters that every font has."""
    return bool(re.fullmatch(r"[A-Za-z0-9.+-]{1,12}", text)) and "--" not in text and not re.search("f[fil]", text)


@pytest.mark.slow
@NEEDS_PDFTOTEXT
@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(VALUES, min_size=2, max_size=MOST, unique_by=lambda value: as_given({"": value})[""]),
    st.lists(NAMES, min_size=2, max_size=2, unique=True), NAMES, NAMES,
)  # fmt: skip
@example([0.1, -1, 1000, True], ["fedavg", "fedprox"], "lr", "5")
@example([None, "", [1, "bn"], "1e-3"], ["007", "-"], "1.0", "1,000")
def test_whatever_varies_the_table_compiles_and_shows_it(
    cells: pd.DataFrame, engine: str, values: list[Any], methods: list[str], model: str, name: str
) -> None:
    tables = [*every_table(cells, values, methods, model, name)]
    with tempfile.TemporaryDirectory() as folder:
        done = compiled(document(tables), Path(folder), engine)
        printed = words_of(done.pdf)
    for label in map(str, as_given(dict(zip("abcd", values, strict=False))).values()):
        if is_word(label):
            assert printed[label] >= len(PAGES) and printed[f"o={label}"] >= len(PAGES), (label, printed)


CLASSES = {
    "IEEEtran": r"\documentclass[conference]{IEEEtran}",
    "acmart": r"\documentclass[sigconf,nonacm]{acmart}",
    "llncs": r"\documentclass{llncs}",
    "revtex4-2": r"\documentclass[prl,twocolumn]{revtex4-2}",
    "scrartcl": r"\documentclass[twocolumn]{scrartcl}",
}
TITLE = {"acmart": r"\title{T}\author{A}\affiliation{\institution{I}\country{C}}\maketitle "}


def has_class(name: str) -> bool:
    found = shutil.which("kpsewhich") and subprocess.run(["kpsewhich", f"{name}.cls"], capture_output=True)
    return bool(found and found.stdout)


@pytest.mark.slow
@NEEDS_PDFTOTEXT
@NEEDS_PDFLATEX
@pytest.mark.parametrize("name", CLASSES)
def test_a_table_fits_the_classes_of_papers(name: str, cells: pd.DataFrame, tmp_path: Path) -> None:
    if not has_class(name):
        pytest.skip(f"{name}.cls (of texlive-publishers) is not installed")
    layout = {"rows": ("model", "clients", "method"), "columns": ["uplink", "downlink", "total", "ratio"]}
    made = [
        table_of(cells, [0.1, -1, True, [1, "bn"]], ["007", "1e-3"], "1.0", **layout, page=page, labels={OPTION: "5"})
        for page in PAGES
        if page != "long"  # which no class of two columns takes
    ]
    start = rf"\documentclass{{article}}\usepackage{{{PACKAGES}}}\begin{{document}}"
    own = CLASSES[name] + rf"\usepackage{{{PACKAGES}}}\begin{{document}}" + TITLE.get(name, "")
    tables = [*made, samples.comm_cost("page"), samples.comm_cost("column")]
    done = compiled(document(tables).replace(start, own), tmp_path)
    assert max(done.overfull_pt, default=0) <= 1
    printed = words_of(done.pdf)
    assert all(printed[label] >= len(made) for label in ("0.1", "-1", "true", "[1,", "bn]"))
