"""How figures look: sizes, fonts, colours for the colour-blind too, and what their numbers look like."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from matplotlib.axis import Axis, YAxis
from matplotlib.font_manager import findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator

from fscost.plots.looks import MARKERS, look
from fscost.tables.formats.format import clean
from fscost.tables.formats.tex_escape import escape
from fscost.tables.words import Words

WIDTHS_IN = {"column": 3.25, "page": 6.75}
"""Usual widths of a column and of a page of two."""
HIGHEST_IN = 9.0

FONT = "DejaVu Sans"  # comes with matplotlib: the same on every machine
GREY = "#666666"

RC: Any = {
    "font.family": FONT,
    "font.size": 7,
    "axes.titlesize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "figure.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 3,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "hatch.linewidth": 0.5,
    "legend.title_fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.columnspacing": 1.2,
    "legend.borderpad": 0.1,
    "legend.borderaxespad": 0.2,
    "legend.labelspacing": 0.3,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.04,
    "figure.constrained_layout.w_pad": 0.03,
    "savefig.dpi": 300,
    "text.parse_math": False,  # names hold $ as any other character
    "pdf.fonttype": 42,  # TrueType, as conferences ask for
    "svg.hashsalt": "fscost",  # names of parts: the same in each file
    "pgf.texsystem": "pdflatex",
    "pgf.rcfonts": False,  # those of the document
}

_DASHES: Mapping[str, Any] = {
    "solid": "-",
    "dash": (0, (4, 1.6)),
    "dot": (0, (1.2, 1.2)),
    "dashdot": (0, (5, 1.5, 1.2, 1.5)),
}
_MARKERS = dict(zip(MARKERS, "os^DvPX", strict=True))


def styled(number: int) -> dict[str, Any]:
    """Return the look of a series by its number, for matplotlib.

    A later one has smaller markers, so that one below it is seen.
    """
    own = look(number)
    return {
        "color": own.colour,
        "linestyle": _DASHES[own.dash],
        "marker": _MARKERS[own.marker],
        "markersize": 4.6 - 0.8 * (number % 4),
        "markerfacecolor": "none",
        "markeredgewidth": 0.8,
    }


@dataclass(frozen=True)
class Page:
    """What a figure is drawn for: its width, and how text is written for the format.

    With `from_zero` the axis of a metric starts there, with `at_ends` lines are named where they end and in no legend.
    """

    width_in: float
    text: Callable[[str], str]
    from_zero: bool = False
    at_ends: bool = False

    def lines(self, text: str, width_in: float, size_pt: float = 7) -> str:
        """Return text in as many lines as that width needs, ready to be drawn.

        In LaTeX, words of somebody's own stay in one line, as their author wrote them.
        """
        if self.text is for_latex and isinstance(text, Words):
            return for_latex(text)
        return "\n".join(self.text(line) for line in _broken(clean(text), max(width_in, 0.3) * 72 / size_pt))


def _broken(text: str, wide_em: float) -> list[str]:
    """Return text in lines, broken at blanks; a word that no line can hold behind punctuation, or else anywhere."""
    lines, parts = [""], []
    for word in re.findall(r"\s*\S+", text):
        parts += [word] if width_em(word.strip()) <= wide_em else re.split("(?<=[._/=,-])", word)
    for part in parts:
        if width_em(lines[-1] + part) > wide_em:
            lines.append("")
            part = part.lstrip()
        for character in part:
            if width_em(lines[-1] + character) > wide_em:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line] or [""]


@lru_cache(maxsize=2**14)  # names are in many panels, and broken letter by letter
def width_em(text: str) -> float:
    """Return how wide text is in the font of PDF and PNG; those of LaTeX are narrower."""
    font = _font()
    font.set_size(100, 72)
    font.set_text(printable(text))
    return float(font.get_width_height()[0]) / 64 / 100


@cache
def _font() -> FT2Font:
    return get_font(findfont(FONT))


@cache
def _characters() -> frozenset[int]:
    return frozenset(_font().get_charmap())


def printable(text: str) -> str:
    """Return text for fonts that come with matplotlib; a character that they lack is its number, as ``U+4E2D``."""
    return "".join(c if ord(c) in _characters() else f"U+{ord(c):04X}" for c in clean(text))


def weight(is_ours: bool) -> dict[str, Any]:
    """Return how a name is written: of what is ours in bold, as in tables."""
    return {"fontweight": "bold"} if is_ours else {}


def for_latex(text: str) -> str:
    """Return text for LaTeX, words of somebody's own as they are told."""
    return escape(text if isinstance(text, Words) else clean(text))


# --- numbers on axes ------------------------------------------------------------------------------

_COMMAS = "{x:,.10g}"


def linear(axis: Axis, most: int = 5, *, length_in: float = math.inf, is_whole: bool = False) -> None:
    """Make an axis of round numbers, or of whole ones, of so few that they do not touch along its length."""
    axis.set_major_formatter(_COMMAS)
    for number in range(most, 0, -1):
        axis.set_major_locator(MaxNLocator(number, steps=[1, 2, 2.5, 5, 10], integer=is_whole))
        low, high = axis.get_view_interval()
        texts = [_COMMAS.format(x=tick) for tick in axis.get_majorticklocs() if low <= tick <= high]
        if sum(0.1 + width_em(text) * _TICK_PT / 72 for text in texts) <= length_in:
            break


_TICK_PT = 6.5


def logarithmic(axis: Axis, length_in: float) -> None:
    """Label a logarithmic axis as densely as its length allows."""
    first, last = (math.log10(end) for end in axis.get_view_interval())
    powers = range(math.ceil(first), math.floor(last) + 1)
    digits = max((len(f"{10.0**power:,.10g}") for power in powers), default=1)
    label_in = 0.2 if isinstance(axis, YAxis) else 0.12 + 0.05 * digits
    needed_in = (last - first) * label_in
    every = max(1, math.ceil(needed_in / length_in))
    if 3 * needed_in < length_in:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axis.set_major_locator(FixedLocator([10.0**power for power in powers[::every]]))
    axis.set_minor_locator(LogLocator(subs=range(2, 10)) if every == 1 else NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(_COMMAS)
