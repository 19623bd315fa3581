"""LaTeX: escaping, numbers aligned by siunitx."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from fscost.tables.formats.format import Format, Raw
from fscost.tables.table import Column, Entry, Table

_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "[": "{[}", "]": "{]}", "×": r"$\times$", "±": r"$\pm$", "\n": " ", "†": r"$\dagger$",
}  # fmt: skip
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
_TEX |= {
    unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('mbd', 'md')}"): rf"$\{name}$" for name in _GREEK.split()
}
_TEX |= {character: f"$^{digit}$" for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}


def escape(text: str) -> str:
    """Return `text` such that LaTeX prints it as it is."""
    return "".join(_TEX.get(character, character) for character in text)


def _entry(entry: Entry, column: Column) -> Raw:
    """Return an entry as LaTeX; that of an S column is a number, or braces around anything else."""
    if entry.span == 0:
        return Raw("")
    text = escape(entry.full)
    if entry.span > 1:
        return Raw(rf"\multirow{{{entry.span}}}{{*}}{{{text}}}")
    return Raw(f"{{{text}}}" if column.numeric else text)


def _label(text: str) -> Raw:
    """Return text as the name of a LaTeX label, which takes no special characters."""
    return Raw(re.sub(r"[^A-Za-z0-9:._-]", "-", text))


def _comment(text: str) -> Raw:
    """Return text for a comment: one line."""
    return Raw(re.sub(r"\s+", " ", text))


def _context(table: Table) -> Mapping[str, Any]:
    return {"types": ["r" if column.numeric else "l" for column in table.columns]}


FORMAT = Format(
    "latex",
    ".tex",
    escape,
    _context,
    {"entry": _entry, "label": _label, "comment": _comment},
    # braces and % are LaTeX's own
    {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<", "variable_end_string": ">>",
     "comment_start_string": "<#", "comment_end_string": "#>"},
)  # fmt: skip
