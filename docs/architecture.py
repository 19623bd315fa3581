"""Draw architecture.svg: the rooms of the package, and who imports whom.

A room is a folder of the package, or a module beside them. Modules that many rooms import stand below, without arrows.
Where a room imports two, and one of them imports the other, only the arrow to the first is drawn. Rooms that import
each other are one box. The same code gives the same bytes.
"""

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "fscost"
PICTURE = Path(__file__).with_suffix(".svg")

Graph = Mapping[str, set[str]]
"""Each room, and those that it imports."""

CALLED = {"__init__": "import fscost", "__main__": "python -m fscost"}

WIDTH, BOX, LINE, MARGIN, GAP = 1000, 192, 15, 12, 44
HEIGHT = 5 * LINE + 10
ROW = HEIGHT + GAP
"""Pixels: of the picture, of a box, of a line of text, around the picture, between rows; and what follows."""

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2933; text-anchor: middle }
  .name { font-weight: 600; font-size: 14px }
  rect { fill: #f4f7fa; stroke: #5b7083; rx: 6px }
  path { fill: none; stroke: #8799a8; stroke-width: 1.3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e9ee } rect { fill: #22303c; stroke: #8fa3b5 }
  }
"""


def rooms() -> dict[str, list[Path]]:
    """Return the files of each room: a folder of the package, or a module that is alone; in order of their names."""
    found: dict[str, list[Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(file.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(file)
    return found


def imports(files: Iterable[Path]) -> set[str]:
    """Return the rooms that files import."""
    names: set[str] = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("fscost.")}


def reached(graph: Graph, start: str) -> set[str]:
    """Return the rooms that a room leads to, over however many others."""
    found: set[str] = set()
    ahead = [*graph[start]]
    while ahead:
        if (room := ahead.pop()) not in found:
            found.add(room)
            ahead += graph[room]
    return found


def without_cycles(graph: Graph) -> dict[str, set[str]]:
    """Return the graph with rooms that import each other as one, called `a, b`."""
    far = {room: reached(graph, room) | {room} for room in graph}
    called = {room: ", ".join(other for other in graph if other in far[room] and room in far[other]) for room in graph}
    return {
        name: {called[other] for room in name.split(", ") for other in graph[room]} - {name}
        for name in dict.fromkeys(called.values())
    }


def reduced(graph: Graph) -> dict[str, set[str]]:
    """Return the graph without imports that a longer way makes needless."""
    far = {room: reached(graph, room) for room in graph}
    return {
        room: {one for one in below if not any(one in far[other] for other in below)} for room, below in graph.items()
    }


def levels(graph: Graph) -> dict[str, int]:
    """Return how many arrows lie above each room at most."""
    level = dict.fromkeys(graph, 0)
    for _ in graph:
        for room, below in graph.items():
            for other in below:
                level[other] = max(level[other], level[room] + 1)
    return level


def with_bends(graph: Graph, level: Mapping[str, int]) -> tuple[list[list[str]], list[tuple[str, str]]]:
    """Return rows and arrows from row to row: an arrow over several rows bends in each, at a place that has no box."""
    rows: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    for room in graph:
        rows[level[room]].append(room)
    arrows = []
    for room, below in graph.items():
        for other in sorted(below):
            at = room
            for row in range(level[room] + 1, level[other]):
                rows[row].append(bend := f"{room}>{other}>{row}")
                arrows.append((at, bend))
                at = bend
            arrows.append((at, other))
    return rows, arrows


def ordered(rows: Sequence[list[str]], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the rows with each room near those it is bound to, so that few arrows cross."""
    rows, near = [*rows], _neighbours(arrows)
    for sweep in range(24):
        down = sweep % 2 == 0
        numbers = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for number in numbers:
            fixed = _places(rows[number - 1 if down else number + 1])
            bound = {name: _mean(fixed[n] for n in near.get(name, ()) if n in fixed) for name in rows[number]}
            rows[number] = sorted(rows[number], key=bound.__getitem__)
    return rows


def _neighbours(arrows: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {}
    for one, other in arrows:
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    return near


def _places(row: Sequence[str]) -> dict[str, float]:
    return {name: (number + 1) / (len(row) + 1) for number, name in enumerate(row)}


def _mean(places: Iterable[float]) -> float:
    found = [*places]
    return sum(found) / len(found) if found else 0.5


def centres(rows: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Return the middle of each room and bend, in pixels; a bend takes little width."""
    found = {}
    for number, row in enumerate(rows):
        widths = [BOX if ">" not in name else 24 for name in row]
        gap = (WIDTH - 2 * MARGIN - sum(widths)) / len(row)
        x = MARGIN + gap / 2
        for name, width in zip(row, widths, strict=True):
            found[name] = (x + width / 2, MARGIN + ROW * number + HEIGHT / 2)
            x += width + gap
    return found


def says(room: str, files: Mapping[str, list[Path]]) -> list[str]:
    """Return what a room is, in lines: the first sentence of its docstring."""
    (first, *_) = [file for file in files[room.split(", ")[0]] if file.parent == PACKAGE or file.name == "__init__.py"]
    text = (ast.get_docstring(ast.parse(first.read_text())) or "").replace("`", "")
    sentence = text.partition("\n\n")[0].replace("\n", " ").removesuffix(".")
    return textwrap.wrap(sentence, 27, max_lines=4, placeholder=" …")


def drawn() -> str:
    """Return the picture."""
    files = rooms()
    everything = {room: imports(found) & files.keys() - {room} for room, found in files.items()}
    shared = [room for room in files if files[room][0].parent == PACKAGE and _importers(everything, room) > 1]
    graph = {room: below - {*shared} for room, below in everything.items() if room not in shared}
    graph = {room: below for room, below in graph.items() if below or room != "__init__"}
    graph = reduced(without_cycles(graph))
    rows, arrows = with_bends(graph, levels(graph))
    rows = [*ordered(rows, arrows), *(shared[i : i + 5] for i in range(0, len(shared), 5))]
    at = centres(rows)
    height = 2 * MARGIN + ROW * len(rows) - GAP
    boxes = (line for room in (*graph, *shared) for line in _box(room, at[room], says(room, files)))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="The rooms of fscost; arrows point to what is imported">',
        f"<style>{STYLE}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:#8799a8;stroke:none"/></marker>',
        *_arrows(arrows, at),
        *boxes,
        "</svg>\n",
    ])  # fmt: skip


def _importers(graph: Graph, room: str) -> int:
    return sum(room in below for below in graph.values())


def _arrows(arrows: Sequence[tuple[str, str]], at: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for one, other in arrows:
        start, end = (_port(name, other, one, arrows, at) for name in (one, other))
        top, bottom = at[one][1] + HEIGHT / 2, at[other][1] - HEIGHT / 2
        middle = (top + bottom) / 2
        then = f"v{HEIGHT}" if ">" in other else ""
        head = "" if then else ' marker-end="url(#head)"'
        curve = f"M{start:.0f} {top:.0f}C{start:.0f} {middle:.0f} {end:.0f} {middle:.0f} {end:.0f} {bottom:.0f}{then}"
        yield f'<path d="{curve}"{head}/>'


def _port(
    name: str, other: str, one: str, arrows: Sequence[tuple[str, str]], at: Mapping[str, tuple[float, float]]
) -> float:
    """Return where along its box an arrow begins or ends, so that arrows of one box do not lie on each other."""
    if ">" in name:
        return at[name][0]
    ends = [b for a, b in arrows if a == name] if name == one else [a for a, b in arrows if b == name]
    ends.sort(key=lambda end: at[end][0])
    share = (ends.index(other if name == one else one) + 1) / (len(ends) + 1)
    return at[name][0] + (share - 0.5) * BOX * 0.8


def _box(room: str, centre: tuple[float, float], words: Sequence[str]) -> Iterator[str]:
    x, y = centre
    yield f'<rect x="{x - BOX / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{BOX}" height="{HEIGHT}"/>'
    top = y - LINE * len(words) / 2 + 5
    yield f'<text class="name" x="{x:.0f}" y="{top:.0f}">{escape(CALLED.get(room, room))}</text>'
    for number, line in enumerate(words, 1):
        yield f'<text x="{x:.0f}" y="{top + LINE * number + 2:.0f}">{escape(line)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(drawn())
