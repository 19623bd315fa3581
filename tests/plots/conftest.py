"""The recorded store, and figures of it as matplotlib has them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from fscost.api.results import Results
from fscost.api.selection import select
from fscost.plots import Sketch, bar_figures, line_figures
from fscost.plots.style import RC, Page, printable
from tests.tables.recorded import unpacked

DRAWN = line_figures.DRAWN | bar_figures.DRAWN


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recorded store, runs/: 3 methods x 3 models x 2 clients x 3 seeds of 8 rounds."""
    folder = tmp_path_factory.mktemp("paper")
    unpacked(folder)
    return folder


@pytest.fixture(scope="session")
def all_recorded(paper: Path) -> Results:
    """The results of the recorded store, which are collected once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(paper)
        return Results(select(["runs"]))


@pytest.fixture
def sketched(paper: Path, all_recorded: Results, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sketch]:
    """What a figure of recorded runs shows."""

    def run(figure: str, *words: str, over: str | None = None) -> Sketch:
        monkeypatch.chdir(paper)
        return (Results(select(words)) if words else all_recorded).sketch(figure, over)

    return run


@pytest.fixture
def drawn() -> Iterator[Callable[..., Figure]]:
    """A figure of a sketch, laid out."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault | RC):

        def run(figure: str, sketch: Sketch, width_in: float = 3.25) -> Figure:
            made = DRAWN[figure](sketch, Page(width_in, printable))
            made.draw_without_rendering()
            return made

        yield run
