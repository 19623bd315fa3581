"""What a name holds is printed as it is: in LaTeX's oldest encoding and in Unicode's, and never an error."""

import re
import string
import unicodedata
from pathlib import Path

import pytest

from fscost.tables.formats.tex_escape import breakable, comment, escape, needs_textcomp, width_em
from tests.tables.tex import ENGINES, NEEDS_PDFTOTEXT, compiled, text_of

SPECIALS = r"""_&%$#{}~^\<>|*[]"'`--- '' `` << >> ,, ?` !` /@=+;:()"""


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("FedAvg", "FedAvg"),
        ("a_b & 5%", r"a\_b \& 5\%"),
        ("*", "{*}"),
        ("[1]", "{[}1{]}"),
        ("--", r"-\kern0pt -"),
        ("clients' 'x'", r"clients' \textquotesingle{}x'"),
        ("µ±α⁶₂", r"$\mu$$\pm$$\alpha$$^{6}$$_{2}$"),
        ("Müller, Łódź, ïĵ", r"M\"{u}ller, \L{}\'{o}d\'{z}, \"{\i}\^{\j}"),
        ("e\u0301", r"\'{e}"),
        ("中", r"\texttt{U+4E2D}"),
        ("😀", r"\texttt{U+1F600}"),
        ("ế", r"\texttt{U+1EBF}"),
        ("\ud800", r"\texttt{U+D800}"),
        ("\u202e\x00", r"\texttt{U+202E}\texttt{U+0000}"),
        ("a\n\n\tb\u2028c\x85d", "a b c d"),
        ("90 %", r"90~\%"),
        ("", ""),
    ],
)
def test_a_text_is_escaped(text: str, tex: str) -> None:
    assert escape(text) == tex


def test_every_character_gives_ascii_of_its_own() -> None:
    """No two characters are printed alike, but for those that look alike and those that are spaces."""
    given: dict[str, str] = {}
    for code in range(0x3000):
        character = unicodedata.normalize("NFC", chr(code))
        tex = escape(character)
        assert tex.isascii() and "\n" not in tex
        if len(character) == 1 and tex.strip() and given.setdefault(tex, character) != character:
            assert "GREEK" in unicodedata.name(character) or character in "∗⋅»≫«≪∥★⋆∆", (character, given[tex])


def test_only_a_word_too_wide_for_a_line_can_be_broken() -> None:
    assert r"\allowbreak" not in escape("an ordinary sentence of ordinary words and personalization")
    parts = breakable("federate.sample_client_rate", 6).split(r"\allowbreak{}")
    assert parts == ["federate.", r"sample\_", r"client\_", "rate"]
    assert max(len(part) for part in breakable("x" * 300, 6).split(r"\allowbreak{}")) <= 4
    assert breakable("中" * 9, 6).count(r"\allowbreak") == 8


def test_a_width_is_about_that_of_the_print() -> None:
    assert width_em("0000") == 2
    assert width_em("WWWW") > 1.5 * width_em("iiii")
    assert width_em("中") > 3


def test_a_comment_is_one_line() -> None:
    text = "fscost\r\n--x='%'\x0b\x0c\x1c\x85\u2028\u2029\ud800 ü"
    assert comment(text).splitlines() == [comment(text)]
    assert comment(text).startswith("fscost --x='%'")
    assert comment(text).endswith("ü")
    comment(text).encode()


def test_older_latex_needs_a_package_for_some() -> None:
    assert needs_textcomp(escape("`")) and needs_textcomp(escape("€"))
    assert not needs_textcomp(escape("clients' ± †"))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_representative_set_of_characters_is_printed(engine: str, tmp_path: Path) -> None:
    """All of Latin, Greek and the symbols of mathematics, one of each further block, and what is no character."""
    codes = [*range(0x100, 0x250), *range(0x300, 0x400), *range(0x1E00, 0x1F00), *range(0x2000, 0x2300)]
    codes += [*range(0x2400, 0x10000, 97), *range(0x10000, 0x110000, 9973), *range(0x100), *range(0xD800, 0xE000, 99)]
    body = "\n\n".join(escape(f"a{chr(code)}b{chr(code)}{chr(code)} {chr(code)}") for code in codes)
    compiled(f"\\documentclass{{article}}\n\\begin{{document}}\n{body}\n\\end{{document}}", tmp_path, engine)


@pytest.mark.slow
@NEEDS_PDFTOTEXT
@pytest.mark.parametrize("engine", ENGINES)
def test_specials_look_as_they_are(engine: str, tmp_path: Path) -> None:
    """No two characters have become one."""
    lines = [string.ascii_letters, string.digits, *SPECIALS.split()]
    body = "\n\n".join(escape(line) for line in lines)
    start = r"\documentclass{article}\pagestyle{empty}\begin{document}"
    done = compiled(f"{start}\n{body}\n\\end{{document}}", tmp_path, engine)
    if "luaotfload-main' not found" in done.log:
        pytest.skip("lualatex is installed without its fonts, luaotfload")
    printed = [line.strip() for line in text_of(done.pdf).splitlines() if line.strip()]
    assert [_plain(line) for line in printed] == [_plain(line) for line in lines]


def _plain(text: str) -> str:
    """Return text without the spaces that pdftotext sees, and with what it takes for accents as what they stand for."""
    found = re.sub(r"[\s_]", "", text)  # the low line is a rule
    return found.translate(str.maketrans({"˜": "~", "∼": "~", "ˆ": "^", "’": "'", "∗": "*"}))
