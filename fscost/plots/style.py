"""How figures look: sizes, fonts, colours that the colour-blind tell apart, and what their numbers look like."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from matplotlib.axis import Axis, YAxis
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import (
    FixedLocator,
    Formatter,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from fscost.tables.formats.format import clean
from fscost.tables.formats.tex_escape import escape

HIGHEST_IN = 9.0

FONT = "DejaVu Sans"  # comes with matplotlib: the same on every machine
GREY = "#666666"

RC: Any = {
    "font.family": FONT,
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 7,
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
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.04,
    "figure.constrained_layout.w_pad": 0.03,
    "text.parse_math": False,  # names hold $ as any other character
    "pdf.fonttype": 42,  # TrueType, as conferences ask for
    "pgf.texsystem": "pdflatex",
    "pgf.rcfonts": False,  # those of the document
}

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito, without yellow, which is faint on paper."""
_DASHES: Sequence[Any] = ("-", (0, (4, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
_MARKERS = "os^DvPX"

CLASSES = {"training": ("#0072B2", ""), "evaluation": ("#E69F00", "////"), "control": ("#000000", "")}
"""Colour and hatch of each traffic class."""


def look(number: int) -> dict[str, Any]:
    """Return the look of a series by its number: told apart by colour, dashes and marker each.

    A later one is thinner and its marker smaller, so that one below it is seen.
    """
    size = 4.6 - 0.8 * (number % 4)
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "linestyle": _DASHES[number % len(_DASHES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": size,
        "markerfacecolor": "none",
        "markeredgewidth": 0.8,
    }


@dataclass(frozen=True)
class Page:
    """What a figure is drawn for: its width, and how text is written for the format."""

    width_in: float
    text: Callable[[str], str]

    def lines(self, text: str, width_in: float, size_pt: float = 7) -> str:
        """Return text in as many lines as that width needs, ready to be drawn."""
        return "\n".join(self.text(line) for line in _broken(clean(text), max(width_in, 0.3) * 72 / size_pt))


def _broken(text: str, wide_em: float) -> list[str]:
    """Return text in lines, broken at blanks; a word that no line can hold at its punctuation, or else anywhere."""
    lines = [""]
    for part in _parts(text, wide_em):
        if width_em(lines[-1] + part) <= wide_em:
            lines[-1] += part
            continue
        lines.append("")
        for character in part.lstrip():
            if width_em(lines[-1] + character) > wide_em:
                lines.append("")
            lines[-1] += character
    return lines[1:] if not lines[0] and len(lines) > 1 else lines


def _parts(text: str, wide_em: float) -> Iterator[str]:
    for word in re.findall(r"\s*\S+", text):
        is_long = width_em(word.lstrip()) > wide_em
        yield from re.findall(r"[^._/=,-]*[._/=,-]+|[^._/=,-]+", word) if is_long else [word]


def width_em(text: str) -> float:
    """Return how wide text is in the font of PDF and PNG; those of LaTeX are narrower."""
    return sum(map(_advance_em, printable(text)))


@cache
def _advance_em(character: str) -> float:
    font = get_font(findfont(FONT))
    font.set_size(100, 72)
    return float(font.load_char(ord(character)).linearHoriAdvance) / 65536 / 100


def printable(text: str) -> str:
    """Return text for fonts that come with matplotlib; a character that they lack is its number, as ``U+4E2D``."""
    return "".join(c if c.isascii() or ord(c) in _characters() else f"U+{ord(c):04X}" for c in clean(text))


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def for_latex(text: str) -> str:
    """Return text for LaTeX."""
    return escape(clean(text))


# --- numbers on axes ------------------------------------------------------------------------------


def short(value: float) -> str:
    """Return a number with three significant digits and commas between thousands."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.{decimals}f}"


class _Commas(Formatter):
    """Numbers of one axis: alike decimals, commas between thousands."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        return f"{value:,.10g}"

    def format_ticks(self, values: Any) -> list[str]:
        """Return the numbers at all ticks."""
        decimals = max((len(f"{value:.10g}".partition(".")[2]) for value in values), default=0)
        return [f"{value + 0.0:,.{decimals}f}".replace("-", "\N{MINUS SIGN}") for value in values]


def linear(axis: Axis, most: int = 5) -> None:
    """Make an axis of round numbers."""
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(_Commas())


def _power(value: float) -> str:
    """Return the power of ten below a number as it is printed."""
    return f"{10.0 ** math.floor(math.log10(value)):,.10g}"


def logarithmic(axis: Axis, least: float, most: float, length_in: float) -> None:
    """Label a logarithmic axis from `least` to `most` as densely as its length allows."""
    decades = math.log10(most / least)
    label_in = 0.2 if isinstance(axis, YAxis) else 0.12 + 0.05 * max(len(_power(end)) for end in (least, most))
    steps = (1.0, 2.0, 5.0) if 3 * decades * label_in < length_in else (1.0,)
    every = max(1, math.ceil(decades * label_in / length_in))
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps if power % every == 0]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(LogLocator(subs=range(2, 10)) if every == 1 else NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
