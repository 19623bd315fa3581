"""The README and its like as a reader's shell sees them: their blocks, the commands in them, their links."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from fscost.resources import root

PAGES = (root() / "README.md", root() / "CONTRIBUTING.md", *sorted((root() / "docs").glob("*.md")))

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_PROGRAMS = ("fscost", "python", "make", "pip")
_FILE = re.compile(r"(?:# @package \S+\n)?(?:#|<#|%|//) (\S+\.\S+)")


@dataclass(frozen=True)
class Block:
    """Code that stands for itself on a page, in whatever language."""

    page: str
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """What file it is, where its first line, or that below Hydra's, is a comment with a name."""
        named = _FILE.match(self.text)
        return named[1].rstrip(":") if named else None


@dataclass(frozen=True)
class Command:
    """What a reader may type."""

    page: str
    line: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


def tokens(page: Path) -> list[Token]:
    return _MARKDOWN.parse(page.read_text())


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced and the indented blocks of a page; an indented one has no language."""
    for token in tokens(page):
        if token.type in ("fence", "code_block") and token.map:
            yield Block(page.name, token.map[0] + 2, token.info, token.content)


def inline(page: Path, kind: str) -> Iterator[tuple[int, Token]]:
    """Yield the inline parts of a kind, as code or links, with the line their paragraph begins at."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == kind:
                yield token.map[0] + 1 if token.map else 0, child


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of a page: the lines of blocks of shell, and code in sentences that begins with a program."""
    for block in blocks(page):
        if block.language == "sh":
            for number, line in enumerate(block.text.splitlines(), block.line):
                yield from (Command(page.name, number, words) for words in _split(line))
    for number, code in inline(page, "code_inline"):
        first, *others = _without_settings(code.content.split()) or [""]
        if first in _PROGRAMS and others and "…" not in code.content:
            yield from (Command(page.name, number, words) for words in _split(code.content))


def _split(line: str) -> Iterator[tuple[str, ...]]:
    words = shlex.split(re.sub(r'^eval "\$\((.*)\)"', r"\1", line), comments=True)  # what is evaluated is run
    while words:
        end = words.index("&&") if "&&" in words else len(words)
        if command := _without_settings(words[:end]):
            yield tuple(command)
        words = words[end + 1 :]


def _without_settings(words: list[str]) -> list[str]:
    """Return a command without the environment variables that are set in front of it."""
    first = next((i for i, word in enumerate(words) if not re.match(r"[A-Z_]+=", word)), len(words))
    return words[first:]


def links(page: Path) -> Iterator[str]:
    """Yield what a page links to and shows, in Markdown or in HTML."""
    yield from (str(token.attrs["href"]) for _, token in inline(page, "link_open"))
    yield from (str(token.attrs["src"]) for _, token in inline(page, "image"))
    for token in tokens(page):
        for html in (token, *(token.children or ())):
            if html.type in ("html_block", "html_inline"):
                yield from re.findall(r'(?:href|src)="([^"]*)"', html.content)


def anchors(page: Path) -> set[str]:
    """Return where a link can lead on a page, as GitHub names its headings."""
    found = tokens(page)
    heads = [after.content for token, after in zip(found, found[1:], strict=False) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
