"""Text for LaTeX: whatever a name holds is printed, with pdfTeX in its oldest encoding (OT1) and with LuaTeX alike."""

import re
import string
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from fscost.tables.words import Words

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", '"': r"\texttt{\char34}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # bare, they would be read as an argument of \\ or \item
}  # fmt: skip

_LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "ȷ": r"\j{}", "¡": r"\textexclamdown{}", "¿": r"\textquestiondown{}",
    "–": r"\textendash{}", "—": r"\textemdash{}", "‘": r"\textquoteleft{}", "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}", "…": r"\ldots{}", 
    "£": r"\pounds{}", "€": r"\texteuro{}", "©": r"\copyright{}", "®": r"\textregistered{}", "™": r"\texttrademark{}",
    "\xa0": "~",
}  # fmt: skip

_MATHS = {
    "†": "dagger", "‡": "ddagger", "§": "mathsection", "¶": "mathparagraph", "•": "bullet", "‖": "Vert",
    "×": "times", "±": "pm", "∓": "mp", "÷": "div", "·": "cdot", "⋅": "cdot", "∗": "ast", "∘": "circ", "°": "^{\\circ}",
    "≈": "approx", "≤": "leq", "≥": "geq", "≠": "neq", "≡": "equiv", "∼": "sim", "≃": "simeq", "≪": "ll", "≫": "gg",
    "«": "ll", "»": "gg", "∝": "propto", "∞": "infty", "∈": "in", "∉": "notin", "∅": "emptyset", "⊂": "subset",
    "⊆": "subseteq", "∪": "cup", "∩": "cap", "∀": "forall", "∃": "exists", "¬": "neg", "∧": "wedge", "∨": "vee",
    "→": "rightarrow", "←": "leftarrow", "↑": "uparrow", "↓": "downarrow", "↔": "leftrightarrow", "⇒": "Rightarrow",
    "⇐": "Leftarrow", "⇔": "Leftrightarrow", "↦": "mapsto", "∑": "sum", "∏": "prod", "∫": "int", "√": "surd",
    "∂": "partial", "∇": "nabla", "ℓ": "ell", "⊕": "oplus", "⊗": "otimes", "⊙": "odot", "⋯": "cdots", "′": "prime",
    "⟨": "langle", "⟩": "rangle", "⌈": "lceil", "⌉": "rceil", "⌊": "lfloor", "⌋": "rfloor", "∥": "parallel",
    "★": "star", "⋆": "star", "♯": "sharp", "♭": "flat", "♮": "natural", "ℏ": "hbar", "ℜ": "Re", "ℑ": "Im",
    "µ": "mu", "ς": "varsigma", "ε": "varepsilon", "ϵ": "epsilon", "φ": "varphi", "ϕ": "phi", "ϑ": "vartheta",
    "ϱ": "varrho", "ϖ": "varpi", "∆": "Delta", "Ω": "Omega",
}  # fmt: skip
_GREEK = "alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon chi psi omega"
_CAPITALS = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
_LATIN_CAPITALS = {"ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I", "KAPPA": "K",
                   "MU": "M", "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "CHI": "X"}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}  # fmt: skip


def _greek(kind: str, name: str) -> str:
    return unicodedata.lookup(f"GREEK {kind} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


_PRINTED = (
    {character: character for character in string.ascii_letters + string.digits + "!()+,-./:;=?@"}
    | _SPECIAL
    | _LETTERS
    | {character: rf"${name}$" if name[0] == "^" else rf"$\{name}$" for character, name in _MATHS.items()}
    | {_greek("SMALL", name): rf"$\{name}$" for name in _GREEK.split()}
    | {_greek("CAPITAL", name): rf"$\{name}$" for name in _CAPITALS.split()}
    | {_greek("CAPITAL", name): letter for name, letter in _LATIN_CAPITALS.items()}
    | {_greek("SMALL", "OMICRON"): "$o$", "−": "$-$"}
    | {character: f"$^{{{plain}}}$" for character, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ", "0123456789+-()n", strict=True)}
    | {character: f"$_{{{plain}}}$" for character, plain in zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()", strict=True)}
)

_LIGATING = "-,<>'"
"""Two of these in a row would be printed as one other character: ``--`` as a dash."""

_TEXTCOMP = (r"\textasciigrave", r"\textquotesingle", r"\texteuro")
"""What LaTeX before 2020 has in the package textcomp only."""

_WIDTHS = {character: width for width, characters in {
    0.28: "ijl.,:;!'|I ", 0.39: "frts()[]-/", 0.45: "cevz", 0.72: "_wACDEFGHKNOPQRTUVXYZLB&%", 0.84: "mM",
    1.03: "W—±×+=<>~\\→", 0.5: "0123456789",
}.items() for character in characters}  # fmt: skip
_FALLBACK_EM = 3.2
_BREAK = r"\allowbreak{}"


@dataclass(frozen=True)
class _Piece:
    """What one character is in LaTeX, and about how wide, in em of Computer Modern."""

    character: str
    tex: str
    em: float


def escape(text: str) -> str:
    """Return `text` such that LaTeX prints it as it is, in one paragraph, without words that no line can hold.

    A character for which LaTeX has nothing is printed by its number: ``U+4E2D``. Of `Words`, what LaTeX is to print
    stands as it is.
    """
    return breakable(text, 12)


def breakable(text: str, widest_em: float) -> str:
    """Return `text` escaped, such that it can be broken into lines as narrow as `widest_em`."""
    if isinstance(text, Words):
        return "".join(breakable(part, widest_em) if latex is None else latex for part, latex in text.pieces)
    return " ".join(_word(list(_pieces(word)), widest_em) for word in one_line(text).split(" "))


def width_em(text: str) -> float:
    """Return about how wide `text` is when it is printed, in em."""
    return sum(piece.em for piece in _pieces(one_line(text)))


def broken(text: str, widest_em: float) -> list[str]:
    """Return `text` in lines that are not wider, not yet escaped; `Words` stay in one, as their author wrote them."""
    if isinstance(text, Words):
        return [text]
    lines = [""]
    for gap, part in _breaks(one_line(text), widest_em):
        if lines[-1] and width_em(lines[-1] + gap + part) > widest_em:
            lines.append(part)
        else:
            lines[-1] += (gap if lines[-1] else "") + part
    return lines


def _breaks(text: str, widest_em: float) -> Iterator[tuple[str, str]]:
    """Yield the parts of a text between which it can be broken, each with what stands before it where it is not."""
    for word in text.split(" "):
        is_whole = width_em(word) <= widest_em
        parts = [word] if is_whole else ["".join(p.character for p in part) for part in _parts([*_pieces(word)])]
        for number, part in enumerate(part for whole in parts for part in _chopped(whole, widest_em)):
            yield "" if number else " ", part


def _chopped(part: str, widest_em: float) -> Iterator[str]:
    """Yield a part that is too wide and has no place to break it in pieces that are not."""
    start = 0
    for end in range(1, len(part)):
        if width_em(part[start : end + 1]) > widest_em:
            yield part[start:end]
            start = end
    yield part[start:]


def one_line(text: str) -> str:
    """Return `text` without line breaks of any kind, tabs and control characters that break lines."""
    return re.sub(r"(?<=\d) (?=%)", "\xa0", re.sub(r"[^\S\xa0]+", " ", text))


def comment(text: str) -> str:
    """Return `text` for a comment: one line that can be written as UTF-8."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in one_line(text))


def needs_textcomp(escaped: str) -> bool:
    """Return whether `escaped` uses a command that older LaTeX has in the package textcomp only."""
    return any(command in escaped for command in _TEXTCOMP)


def _pieces(text: str) -> Iterator[_Piece]:
    before = ""
    for character in unicodedata.normalize("NFC", text):
        tex = _apostrophe(before) if character == "'" else _printed(character)
        em = _FALLBACK_EM if tex.startswith(r"\texttt{U+") else _WIDTHS.get(character, 0.56)
        yield _Piece(character, rf"\kern0pt {tex}" if before == character and character in _LIGATING else tex, em)
        before = character


def _apostrophe(before: str) -> str:
    """Return the apostrophe behind a letter, and the straight mark elsewhere."""
    return "'" if before.isalpha() else r"\textquotesingle{}"


def _printed(character: str) -> str:
    if character == " ":
        return " "
    if character in _PRINTED:
        return _PRINTED[character]
    return _accented(character) or rf"\texttt{{U+{ord(character):04X}}}"


def _accented(character: str) -> str:
    """Return a Latin letter with one accent as LaTeX's accent over the letter, else nothing."""
    parts = unicodedata.normalize("NFD", character)
    if len(parts) != 2 or parts[0] not in string.ascii_letters or parts[1] not in _ACCENTS:
        return ""
    if _ACCENTS[parts[1]] == "c" and character > "\u017f":
        return ""  # Latin Modern, LuaLaTeX's font, cannot put a cedilla below these
    letter = rf"\{parts[0]}" if parts[0] in "ij" and _ACCENTS[parts[1]] not in "dcb" else parts[0]
    return rf"\{_ACCENTS[parts[1]]}{{{letter}}}"


def _word(pieces: list[_Piece], widest_em: float) -> str:
    """Return a word; one that is too wide can be broken behind its punctuation, and wherever there is none."""
    if sum(piece.em for piece in pieces) <= widest_em:
        return "".join(piece.tex for piece in pieces)
    return _BREAK.join(_part(part, widest_em) for part in _parts(pieces))


def _parts(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    part: list[_Piece] = []
    for piece in pieces:
        part.append(piece)
        if piece.character in "_-./:,;=+|&)]}@" and len(part) > 2:
            yield part
            part = []
    if part:
        yield part


def _part(pieces: list[_Piece], widest_em: float) -> str:
    if sum(piece.em for piece in pieces) <= widest_em:
        return "".join(piece.tex for piece in pieces)
    written, run_em = [], 0.0
    for piece in pieces:
        if run_em + piece.em > widest_em / 3 and run_em:
            written.append(_BREAK)
            run_em = 0.0
        written.append(piece.tex)
        run_em += piece.em
    return "".join(written)
