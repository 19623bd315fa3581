"""Words of one's own: labels, captions, notes, footnotes and raw LaTeX, in every format; no setting sweeps."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fscost as door
from fscost.errors import FscostError
from fscost.tables.footnotes import with_own_words
from fscost.tables.render import render
from fscost.tables.spec import TableSpec
from fscost.tables.table import Table
from tests.conftest import Result
from tests.tables.recorded import table_of, unpacked

FORMATS = ("text", "markdown", "html", "latex")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one model and one seed."""
    folder = tmp_path_factory.mktemp("few")
    for run in unpacked(tmp_path_factory.mktemp("paper")).glob("*-mlp_s-*-s0-*"):
        shutil.copytree(run, folder / run.name)
    return folder


def made(few: Path, **settings: Any) -> Table:
    usual = {"fedavg": "FedAvg", "fedper": "FedPer", "fedprox": "FedProx"}
    settings = {"columns": ["uplink", "total", "ratio"]} | settings | {"labels": usual | settings.get("labels", {})}
    return with_own_words(table_of(few, **settings), TableSpec(**settings))


def written(few: Path, **settings: Any) -> dict[str, str]:
    """The table in every format."""
    return {format: render(made(few, **settings), format) for format in FORMATS}


# --- commas ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("table.title=Cost, measured: 50% off, (really)", "Cost, measured: 50% off, (really)"),
        ("table.title=It's \"cheap\", and ${method}", "It's \"cheap\", and ${method}"),
        ("table.title='Cost, quoted'", "Cost, quoted"),
        ("table.title=choice(a,b)", "choice(a,b)"),
        ("table.caption=One, two, three", "One, two, three."),
        ("table.labels.fedavg=McMahan et al., 2017", "McMahan et al., 2017"),
        ("table.labels.total=Sum, all", "Sum, all"),
        ("table.footnotes=[{row: fedprox, text: \"Lower, much lower\"}]", "Lower, much lower"),
    ],
)  # fmt: skip
def test_a_comma_in_a_text_is_a_comma(few: Path, fscost: Callable[..., Result], setting: str, text: str) -> None:
    done = fscost("table", str(few), setting, "--format", "latex")
    assert done.code == 0, done.err
    assert text.removesuffix(".") in fscost("table", str(few), setting).out
    assert done.out.count(r"\begin{tabular}") == 1


def test_a_comma_elsewhere_makes_a_list(few: Path, fscost: Callable[..., Result]) -> None:
    out = fscost(
        "table", str(few), "table.columns=total,{quantity: factor, of: uplink}", "table.rows=clients,method"
    ).out
    assert re.search(r"Clients +Method +\(MB\)\D+Reduction", out)
    assert fscost("table", str(few), "table.columns=factor", "table.ours=fedper").out.count("(ours)") == 2
    refused = fscost("table", str(few), "table.measure=payload,wire")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "must be one of payload" in refused.err


# --- labels ---------------------------------------------------------------------------------------

LABELS = {
    "fedper": {"latex": r"\textsc{FedFoo}~\cite{foo}", "text": "FedFoo"},
    "method": "Algorithm",
    "total": "Sum",
    "Per client and round": "Per device",
    "3": "three",
}


@pytest.mark.parametrize("format", FORMATS)
def test_values_and_heads_are_called_as_their_author_says(few: Path, format: str) -> None:
    text = written(few, labels=LABELS)[format]
    shared = [] if format == "markdown" else ["Per device"]  # which has one line of heads
    assert [word for word in ("Algorithm", "Sum", "three", *shared) if word not in text] == []
    assert (r"\textsc{FedFoo}~\cite{foo}" in text) == (format == "latex")
    assert ("FedFoo" in text) and ("\\cite" not in text or format == "latex")


def test_raw_latex_stays_in_headings_that_are_made_of_it(few: Path) -> None:
    """Relative to it, side by side, in a caption, combined with others."""
    raw = {"latex": r"$\mathcal{F}$", "text": "F"}
    base = written(few, labels={"fedper": raw}, baseline="fedper")
    assert r"vs $\mathcal{F}$" in base["latex"] and "vs F" in base["text"]
    across = written(few, labels={"fedper": raw}, rows=["clients"], across="method", columns=["total"])
    assert r"{$\mathcal{F}$}" in across["latex"]
    captions = written(few, caption={"latex": r"Costs of \textsc{Foo}", "text": "Costs of Foo"})
    assert r"\caption{Costs of \textsc{Foo}.}" in captions["latex"] and captions["text"].startswith("Costs of Foo\n")
    assert TableSpec(labels={"a": raw}).label("a+b") == "F + b"


def test_a_mark_is_called_as_its_author_says(few: Path, fscost: Callable[..., Result]) -> None:
    grid = ("engine=estimate", "model=lr", "clients=2", "rounds=2")
    assert fscost(*grid, "method=fedavg").code == 0
    out = fscost("table", *grid, "method=fedavg,fedprox", "table.labels.missing=t.b.d.").out
    assert "t.b.d.: not computed yet" in out and "missing:" not in out


# --- captions and notes ---------------------------------------------------------------------------


def test_what_is_counted_is_a_note_where_the_caption_is_ones_own(few: Path) -> None:
    text = written(few, caption="Costs")["text"]
    assert text.startswith("Costs\n") and "Payload of training messages; one seed." in text


@pytest.mark.parametrize(
    ("notes", "there", "gone"),
    [("full", ["Payload: ", "best"], []), ("short", ["best"], ["Payload: ", "MB = "]),
     ("none", [], ["Payload: "])],
)  # fmt: skip
def test_as_many_notes_as_are_asked_for(few: Path, notes: str, there: list[str], gone: list[str]) -> None:
    for text in written(few, notes=notes).values():
        assert [word for word in there if word not in text] == []
        assert [word for word in gone if word in text] == []


def test_footnotes_are_numbered_in_the_order_in_which_they_are_met(few: Path) -> None:
    footnotes = [
        {"row": {"method": "fedprox", "clients": 10}, "column": "total", "text": "At a number."},
        {"row": "fedavg", "text": "At a row."},
        {"text": "At the table."},
        {"column": "total", "text": "At a head."},
        {"row": {"clients": 3}, "text": {"latex": r"See~\cite{x}.", "text": "See X."}},
    ]
    texts = written(few, footnotes=footnotes, notes="none")
    assert re.findall(r"^(\S+): (.*)$", texts["text"], re.M) == [
        ("¹", "At a head."), ("²", "See X."), ("³", "At a row."), ("⁴", "At a number."),
    ]  # fmt: skip
    assert "At the table.\n" in texts["text"]
    assert re.search(r"10 +FedProx .* [\d.]+⁴", texts["text"])
    assert texts["text"].count("FedAvg³") == 2
    for number, text in ((1, "At a head."), (2, r"See~\cite{x}."), (4, "At a number.")):
        assert rf"\item[{number}]\,{text}" in texts["latex"]
    assert texts["latex"].count(r"\tnote{3}") == 2
    assert "<dt>¹</dt><dd>At a head.</dd>" in texts["html"]


def test_two_footnotes_at_one_place_are_not_another_number(few: Path) -> None:
    footnotes = [{"row": "fedavg", "text": "One."}, {"row": "fedavg", "text": "Two."}]
    assert "FedAvg¹,²" in written(few, footnotes=footnotes)["text"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"footnotes": [{"row": "fedprx", "text": "x"}]},
            "table.footnotes.row=fedprx: no row has these labels (did you",
        ),
        ({"footnotes": [{"row": {"methd": "x"}, "text": "x"}]}, "table.footnotes.row.methd: rows have no such label"),
        (
            {"footnotes": [{"column": "totl", "text": "x"}]},
            "table.footnotes.column=totl: no column is called so; there",
        ),
        ({"footnotes": [{"row": "fedavg"}]}, "needs a text, as {row: fedprox, text: …}"),
        ({"footnotes": [{"rows": "fedavg", "text": "x"}]}, "a footnote has no such setting (did you mean row?)"),
        ({"ours": ["fedfoo"]}, "table.ours=fedfoo: is no method here; there are fedavg, fedper, fedprox"),
        ({"labels": {"fedavg": {"latex": "{x", "text": "x"}}}, "the braces of latex be closed"),
        ({"labels": {"fedavg": {"tex": "x"}}}, "must be text, or {latex: …, text: …}"),
        ({"notes": "some"}, "table.notes=some: must be one of full, short, none"),
    ],
)
def test_what_is_about_nothing_is_told(few: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(FscostError, match=re.escape(words)):
        made(few, **settings)


# --- ours -----------------------------------------------------------------------------------------


def test_ones_own_rows_are_set_apart(few: Path) -> None:
    texts = written(few, ours=["fedprox"])
    assert "FedProx (ours)" in texts["text"]
    assert "**FedProx (ours)**" in texts["markdown"]
    assert '<tr class="rule ours">' in texts["html"] and "<strong>FedProx (ours)</strong>" in texts["html"]
    assert r"\ours{FedProx (ours)}" in texts["latex"]
    table = made(few, ours=["fedprox"])
    assert [row.rule for row in table.rows] == [None, None, 2, 1, None, 2] or [row.is_ours for row in table.rows] == [
        False, False, True, False, False, True
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("label", "shown"), [("Ours", "Ours"), ("FedFoo (Ours)", "FedFoo (Ours)"), ("Foo", "Foo (ours)")]
)
def test_what_is_called_ours_is_not_called_so_twice(few: Path, label: str, shown: str) -> None:
    assert f"**{shown}**" in written(few, ours=["fedper"], labels={"fedper": label})["markdown"]


def test_the_door_takes_the_same_words(few: Path) -> None:
    table = door.table(few, ours=["fedper"], labels={"fedper": {"latex": r"\textsc{F}, x", "text": "F, x"}},
                       title="Cost, measured", footnotes=[{"column": "total", "text": "Both, ways."}])  # fmt: skip
    assert table.caption.startswith("Cost, measured: ")
    assert r"\ours{\textsc{F}, x (ours)}" in table.to_latex() and "F, x (ours)" in table.to_text()


@pytest.mark.pipeline
def test_words_are_about_rows_and_columns_also_where_these_are_turned(
    here: Path, fscost: Callable[..., Result]
) -> None:
    """Footnotes are numbered as they are met, and a label may have several."""
    grid = ("engine=estimate", "rounds=2", "method=fedavg,fedprox", "model=lr", "data=digits", "clients=3")
    places = ("row: fedprox", "row: fedprox, column: uplink", "column: total", "row: fedavg, column: total")
    notes = ", ".join(f"{{{place}, text: note {number}}}" for number, place in enumerate(places, start=1))
    assert fscost(*grid).code == 0
    words = ("table", *grid, "table.transpose=true", "table.ours=[fedprox]", f"table.footnotes=[{notes}]")
    out = fscost(*words).out
    assert re.search(r"\n +FedAvg +FedProx \(ours\)¹\n(?s:.*)\nUplink .*\d²\n(?s:.*)\nTotal \(kB\)†³ +\S+⁴ ", out)
    assert "¹: note 1\n²: note 2\n³: note 3\n⁴: note 4\n" in out


@pytest.mark.pipeline
def test_heads_are_named_as_they_are_printed_or_in_raw_latex(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("engine=estimate", "rounds=2", "method=fedavg,fedprox", "model=lr", "data=digits", "clients=3")
    assert fscost(*grid).code == 0
    out = fscost("table", *grid, "table.labels.Total=Traffic, in all", "table.labels.vs FedAvg=Ratio").out
    assert "Traffic, in all" in out and " Ratio" in out and "Traffic, in all: all clients and rounds" in out
    own = (
        r"table.columns=[{quantity: total, head: {latex: '$\Sigma$', text: Sum}}, {quantity: final, head: {latex: x}}]"
    )
    assert r"{$\Sigma$} " in fscost("table", *grid, own, "--format", "latex").out
    assert "Sum" in fscost("table", *grid, own).out
