"""How figures look: nothing covers anything, all is readable, names are as they are, files are the same bytes."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from matplotlib.figure import Figure
from matplotlib.text import Text

from fscost.plots import FIGURES, Sketch
from fscost.plots.figure_view import Panel
from fscost.plots.looks import look_numbers
from fscost.plots.panels import arranged, shared, spread
from fscost.plots.style import Page, linear, printable, styled
from fscost.tables.numbers import significant
from tests.conftest import Result
from tests.tables.tex import NEEDS_PDFLATEX, NEEDS_PDFTOTEXT, compiled, text_of

Fscost, Sketched, Drawn = Callable[..., Result], Callable[..., Sketch], Callable[..., Figure]

HOSTILE = {
    "fedavg": r"$x_1$ 100% \alpha {a} #1 & ~^",
    "fedprox": "Fed→学 “é” ± a_very_long_name_that_fits_into_no_column-at-all$\\frac{1}{2}$",
    "fedper": "a\nb\tc--d|<>`'\"*[x]",
    "mlp_s": "$MLP$_16%",
}


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


@pytest.mark.pipeline
@pytest.mark.parametrize("width_in", [3.25, 6.75])
@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_sticks_out_or_covers_anything(figure: str, width_in: float, sketched: Sketched, drawn: Drawn) -> None:
    made = drawn(figure, sketched(figure), width_in)
    canvas = made.bbox.padded(1)
    outside = [
        made.legends[0],
        made._supxlabel,
        *([made._supylabel] if figure in ("accuracy", "pareto", "size") else []),
    ]
    boxes = [part.get_window_extent() for part in outside]
    for box in boxes + [own.get_window_extent() for own in made.axes]:
        assert canvas.contains(box.x0, box.y0)
        assert canvas.contains(box.x1, box.y1)
    around = boxes + [own.get_tightbbox() for own in made.axes if own.get_visible()]
    for one, other in combinations(around, 2):
        assert min(one.x1, other.x1) - max(one.x0, other.x0) < 2 or min(one.y1, other.y1) - max(one.y0, other.y0) < 2
    assert min(text.get_fontsize() for text in texts(made)) >= 6


def test_series_are_told_apart_without_colour() -> None:
    looks = [styled(number) for number in range(28)]
    assert len({(one["color"], str(one["linestyle"])) for one in looks}) == 28
    assert len({(str(one["linestyle"]), one["marker"]) for one in looks[:8]}) == 8


def test_methods_look_the_same_in_every_figure() -> None:
    """Whatever else is drawn; a method without a look of its own has one that is left."""
    few, more = {"FedAvg": "fedavg", "FedPer": "fedper"}, {"FedPer": "fedper", "Foo": "fedfoo", "FedProx": "fedprox"}
    assert look_numbers(few) == {"FedAvg": 0, "FedPer": 2}
    assert look_numbers(more) == {"FedPer": 2, "Foo": 3, "FedProx": 1}
    twice = {"FedProx, mu=0.1": "fedprox", "FedProx, mu=1": "fedprox", "FedAvg": "fedavg"}
    assert look_numbers(twice) == {"FedProx, mu=0.1": 1, "FedProx, mu=1": 2, "FedAvg": 0}
    assert look_numbers({"MLP": None, "CNN": None}) == {"MLP": 0, "CNN": 1}
    assert sorted(look_numbers({str(n): n for n in range(30)}).values()) == [*range(30)]


def test_names_are_spread_where_lines_end_close_together() -> None:
    assert spread([0.5, 0.1, 0.52], [0.1] * 3) == pytest.approx([0.5, 0.1, 0.6])
    assert spread([0.99, 0.98, 0.2], [0.1] * 3) == pytest.approx([0.95, 0.85, 0.2])
    assert spread([0.5, 0.5], [0.3, 0.1]) == pytest.approx([0.5, 0.7])  # one name has three lines
    assert spread([], []) == []


def test_numbers_of_an_axis_do_not_touch(drawn: Drawn, sketched: Sketched) -> None:
    """However long they are, and however narrow the panel."""
    own = drawn("traffic", sketched("traffic"), 3.25).axes[0]
    for end, room_in, most in ((5_000_000, 1.2, 2), (0.3, 1.2, 4), (9e12, 0.5, 2)):
        own.set_xlim(0, end)
        linear(own.xaxis, 4, length_in=room_in)
        assert 1 <= len([tick for tick in own.get_xticks() if 0 <= tick <= end]) <= most + 1


def test_panels_share_a_scale_unless_one_would_be_squeezed(sketched: Sketched) -> None:
    panels = sketched("traffic").panels  # three models by two clients
    assert shared(panels, [1, 2, 3, 4, 5, 5], 5) == [5] * 6
    assert shared(panels, [1, 2, 10, 20, 100, 200], 5) == [2, 2, 20, 20, 200, 200]
    assert shared(panels, [1, 20, 10, 20, 0, 200], 5) == [1, 20, 10, 20, 1, 200]


def grid_of(first: int, rest: int) -> list[Panel]:
    """Panels of two keys with so many values, without series."""
    return [Panel("", (a, b), []) for a in range(first) for b in range(rest)]


@pytest.mark.parametrize(
    ("first", "rest", "width_in", "columns", "second"),
    [
        (3, 2, 6.75, 3, (1, 0)),
        (2, 3, 6.75, 3, (0, 1)),
        (3, 2, 3.25, 2, (0, 1)),
        (2, 2, 6.75, 2, (1, 0)),
        (2, 9, 6.75, 4, (0, 1)),  # two columns would be nine rows
        (1, 5, 6.75, 3, (0, 1)),
    ],
)
def test_grids_keep_their_rows_and_columns(
    first: int, rest: int, width_in: float, columns: int, second: tuple[int, int]
) -> None:
    panels, found = arranged(grid_of(first, rest), width_in)
    assert (found, panels[0].place, panels[1].place) == (columns, (0, 0), second)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1,230"), (0.01234, "0.0123"), (52.25, "52.2"), (9.999, "10.0"), (999.9, "1,000")],
)
def test_numbers_beside_bars(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("text", "width_in", "lines"),
    [
        ("FedAvg, train.optimizer.momentum=0.9", 1.3, ["FedAvg, train.optimizer.", "momentum=0.9"]),
        ("ConvNet-2, 10 clients", 0.8, ["ConvNet-2, 10", "clients"]),
        ("a $b$_16%, 3 clients", 0.65, ["a $b$_16%,", "3 clients"]),
        ("W" * 20, 1.0, ["W" * 10, "W" * 10]),
        ("", 1.0, [""]),
    ],
)
def test_long_names_are_broken_where_they_can_be(text: str, width_in: float, lines: list[str]) -> None:
    assert Page(3.25, printable).lines(text, width_in).split("\n") == lines


def test_characters_that_no_font_has_are_numbers() -> None:
    assert printable("é→学\x07$\ud800") == "é→U+5B66\ufffd$\ufffd"


@pytest.mark.pipeline
def test_rows_of_unlike_names_leave_room_for_bars(fscost: Fscost, sketched: Sketched, drawn: Drawn, here: Path) -> None:
    """What a method did not do is said in one panel of two: both have names, and bars a third of their panels."""
    words = (
        "engine=estimate",
        "method=fedavg,fedbn,quant16",
        "model=lr,mlp_s,convnet2,vgg11",
        f"store={here / 'runs'}",
    )
    fscost(*words)
    for figure in ("traffic", "audit"):
        made = drawn(figure, sketched(figure, *words, "table.unit=kB"))
        assert [own.get_window_extent().width > made.bbox.width / 6 for own in made.axes] == [True] * 4
        for own in made.axes:
            numbers = [text for text in own.texts if text.get_text()]
            assert all(text.get_window_extent().x1 <= made.bbox.x1 for text in numbers)


# --- the files ------------------------------------------------------------------------------------


@pytest.fixture
def few(paper: Path) -> list[str]:
    """A selection of two panels: runs of two models with three clients."""
    return sorted(str(path) for path in (paper / "runs").glob("*-mlp_[sm]-*-c3-*"))


@pytest.fixture
def hostile(few: list[str], tmp_path: Path) -> list[str]:
    """A selection whose names hold all that formats treat apart."""
    layout = tmp_path / "hostile.yaml"
    layout.write_text(yaml.safe_dump({"labels": HOSTILE}, allow_unicode=True), encoding="utf-8")
    return [*few, f"table={layout}"]


def plain(text: str) -> str:
    """Text without what lines are broken by."""
    return "".join(text.split())


@pytest.mark.pipeline
@NEEDS_PDFTOTEXT
@pytest.mark.parametrize("figure", ["accuracy", "traffic"])
def test_names_are_printed_as_they_are(figure: str, hostile: list[str], fscost: Fscost) -> None:
    assert fscost("plot", figure, *hostile, "--out", "out", "--width", "page").code == 0
    found = plain(text_of(Path(f"out/{figure}.pdf")))
    for name in (HOSTILE["fedavg"], HOSTILE["mlp_s"], HOSTILE["fedper"], "U+5B66", "column-at-all$", "{1}{2}$"):
        assert plain(printable(name)) in found
    rows = csv.DictReader(Path(f"out/{figure}.csv").read_text().splitlines())
    assert {row["method"] for row in rows} == {"fedavg", "fedprox", "fedper"}


@pytest.mark.slow
@NEEDS_PDFLATEX
@NEEDS_PDFTOTEXT
def test_pgf_compiles_with_any_name(hostile: list[str], fscost: Fscost, here: Path) -> None:
    """One document has all figures, each on a page of its own."""
    for figure in FIGURES:
        assert fscost("plot", figure, *hostile, "--out", "out", "--pgf").code == 0
    pages = r"\newpage".join(rf"\noindent\input{{out/{figure}.pgf}}" for figure in FIGURES)
    document = rf"\documentclass{{article}}\usepackage{{pgf}}\begin{{document}}{pages}\end{{document}}"
    for engine in filter(shutil.which, ("lualatex", "pdflatex")):
        done = compiled(document, here, engine)
        assert (done.pages, done.overfull_pt) == (len(FIGURES), [])
    for figure, text in zip(FIGURES, text_of(done.pdf).split("\f"), strict=False):
        found = plain(text).replace("˜", "~").replace("ˆ", "^").replace("’", "'")
        for name in ("abc--d|<>`", r"column-at-all$\frac{1}{2}$", *([] if figure == "size" else ["$MLP$16%"])):
            assert name in found, figure  # an underscore is a rule and no character


ALL_FIGURES = """
from fscost.__main__ import main
from fscost.plots import FIGURES
for figure in FIGURES:
    assert main(["plot", figure, "runs", "--out", "out", "--pgf", "--svg"]) == 0
"""


OURS = "table.labels.fedper={latex: '\\textsc{FedFoo}', text: FedFoo}", "table.ours=[fedper]"


@pytest.mark.pipeline
@pytest.mark.parametrize("figure", FIGURES)
def test_what_is_ours_is_in_bold(figure: str, few: list[str], sketched: Sketched, drawn: Drawn) -> None:
    made = drawn(figure, sketched(figure, *OURS, *few))
    bold = {text.get_text().split(" ")[0] for text in texts(made) if text.get_fontweight() == "bold"}
    assert bold == {"FedFoo"}


@pytest.mark.slow
@NEEDS_PDFLATEX
def test_labels_in_latex_are_so_in_pgf(few: list[str], here: Path, fscost: Fscost) -> None:
    words = [*OURS, *few, "--pgf"]
    assert fscost("plot", "traffic", *words).code == 0
    pgf = next(Path("tables").glob("*.pgf")).read_text()
    assert r"\bfseries" in pgf and r"\textsc{FedFoo}" in pgf
    done = fscost("plot", "traffic", *words, r"table.labels.fedper={latex: '\mine', text: Mine}", "--out", "other")
    assert (done.code, done.err.count("\n")) == (2, 1) and "Undefined control sequence" in done.err
    assert not Path("other").exists()


@pytest.fixture(scope="module")
def made_twice(paper: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The files of all figures, made in another folder, of another user, in another time zone, at another date."""
    made = []
    for number in ("1", "2"):
        home = tmp_path_factory.mktemp(number)
        shutil.copytree(paper / "runs", home / "runs", ignore=shutil.ignore_patterns("*-c10-*", "*-convnet2-*"))
        env = {"PYTHONHASHSEED": number, "HOME": str(home), "TZ": f"UTC+{number}", "SOURCE_DATE_EPOCH": number * 9}
        done = subprocess.run([sys.executable, "-c", ALL_FIGURES], cwd=home, env=os.environ | env)
        assert done.returncode == 0
        made.append({path.name: path.read_bytes() for path in (home / "out").iterdir()})
    return made


@pytest.mark.slow
@NEEDS_PDFLATEX
@pytest.mark.parametrize("figure", FIGURES)
def test_files_are_the_same_bytes_in_any_process(figure: str, made_twice: list[dict[str, bytes]]) -> None:
    first, second = ({n: b for n, b in files.items() if n.startswith(f"{figure}.")} for files in made_twice)
    assert first == second
    assert sorted(first) == [f"{figure}.{suffix}" for suffix in ("csv", "pdf", "pgf", "png", "svg")]
    assert b"/FontFile2" in first[f"{figure}.pdf"]  # TrueType, and nothing of type 3
    assert b"/Type3" not in first[f"{figure}.pdf"]
    assert b"Date" not in first[f"{figure}.pdf"]


@pytest.mark.pipeline
def test_only_what_draws_waits_for_matplotlib() -> None:
    asked = "import sys, fscost.commands.compute, fscost.plots.sketches; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], cwd=Path(__file__).parents[2]).returncode == 0
