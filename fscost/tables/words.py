"""Words of somebody's own: text that LaTeX prints as it is told, and every other format as text."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, Self

from fscost.errors import TableError

Piece = tuple[str, str | None]
"""Text, and how LaTeX prints it where that is told."""


class Words(str):
    """Text whose `pieces` LaTeX prints in their own way; with ``+`` it can be joined to other text on both sides."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, *pieces: Piece) -> Self:
        """Return pieces one behind the other."""
        made = cls("".join(text for text, _ in pieces))
        made.pieces = pieces
        return made

    def __add__(self, other: str) -> Self:
        return self.of(*self.pieces, *_pieces(other))

    def __radd__(self, other: str) -> Self:
        return self.of(*_pieces(other), *self.pieces)


def _pieces(text: str) -> tuple[Piece, ...]:
    return text.pieces if isinstance(text, Words) else ((text, None),) if text else ()


def joined(texts: Iterable[str], between: str = ", ") -> str:
    """Return texts one behind the other; `Words` among them stay such, which ``join`` makes plain text."""
    return reduce(lambda text, part: text + between + part if text else part, texts, "")


def as_words(given: Any, setting: str, instead: str = "") -> str:
    """Return a text that was set: as it is, or ``{latex: …, text: …}``; without a text it is `instead` elsewhere.

    Raises TableError for anything else.
    """
    if isinstance(given, str):
        return given
    if not isinstance(given, Mapping) or not given.keys() <= {"latex", "text"} or "latex" not in given:
        raise TableError(f"table.{setting}={given}: must be text, or {{latex: …, text: …}} for LaTeX of its own")
    latex, text = given["latex"], given.get("text", instead)
    if not isinstance(latex, str) or not isinstance(text, str) or not _is_balanced(latex):
        raise TableError(f"table.{setting}={given}: latex and text must be text, and the braces of latex be closed")
    return Words.of((text or latex, latex))


def _is_balanced(latex: str) -> bool:
    depth = 0
    for at, character in enumerate(latex):
        if character in "{}" and not _is_escaped(latex, at):
            depth += 1 if character == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _is_escaped(latex: str, at: int) -> bool:
    before = latex[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
